use super::*;

const MONDAY: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// A body of forty sentences; another subject gives other words.
fn body(subject: &str) -> String {
    let words = ["startup", "office", "model", "license", "compute", "grant", "visa", "board", "server", "engineer"];
    let sentence = |n: usize| {
        let word = |k: usize| format!("{subject}{}", words[(n * 7 + k * k) % 10]);
        format!("The {} said that {} and the {} of {} would go.", word(1), word(n / 3), word(3), word(n / 7 + 2))
    };
    (0..40).map(sentence).collect::<Vec<_>>().join(" ")
}

fn candidate(story: i64, feed: i64, hours_before: i64, title: &str, text: &str) -> Candidate<'static> {
    Candidate {
        story_id: StoryId(story),
        feed_id: FeedId(feed),
        ordered_at: MONDAY - SignedDuration::from_hours(hours_before),
        signature: Box::leak(Box::new(Signature::of(title, text))).view(),
        same_link: false,
    }
}

/// Which story an item of feed 1, arriving on Monday, joins.
#[track_caller]
fn check(title: &str, text: &str, candidates: &[Candidate<'_>], expected: Option<i64>) {
    let signature = Signature::of(title, text);
    let arrival = Arrival { feed_id: FeedId(1), ordered_at: MONDAY, signature: &signature };
    assert_eq!(join(&arrival, candidates).map(|story| story.0), expected);
    let mut reversed = candidates.to_vec();
    reversed.reverse();
    assert_eq!(join(&arrival, &reversed).map(|story| story.0), expected, "the order of candidates counts");
}

const TITLE: &str = "Mistral AI opens its first American office in Palo Alto";

#[test]
fn the_same_link_is_the_same_story() {
    let other = Candidate { same_link: true, ..candidate(7, 1, 5, "Something else entirely", "") };
    check(TITLE, "", std::slice::from_ref(&other), Some(7));
    let late = Candidate { ordered_at: MONDAY - SignedDuration::from_hours(100), ..other };
    check(TITLE, "", &[late], None);
}

#[test]
fn like_titles_tell_one_story_within_the_window() {
    let like = "French startup Mistral AI to open an office in Palo Alto - Reuters";
    check(TITLE, "", &[candidate(7, 2, 71, like, "")], Some(7));
    check(TITLE, "", &[candidate(7, 2, 73, like, "")], None);
    check(TITLE, "", &[candidate(7, 2, 1, "Mistral AI raises money in Paris", "")], None);
    check(
        "法国AI公司Mistral在帕洛阿尔托设立办事处",
        "",
        &[candidate(7, 2, 1, "Mistral宣布在帕洛阿尔托设立首个办事处", "")],
        Some(7),
    );
}

#[test]
fn one_feed_tells_a_story_once() {
    check(TITLE, "", &[candidate(7, 1, 1, TITLE, "")], None);
    let told = [candidate(7, 1, 2, "Mistral opens in America", ""), candidate(7, 2, 1, TITLE, "")];
    check(TITLE, "", &told, None);
}

#[test]
fn titles_with_other_numbers_are_other_news() {
    let title = "French startups raised 147 million euros this week";
    check(title, "", &[candidate(7, 2, 1, "French startups raised 115 million euros this week", "")], None);
    check(title, "", &[candidate(7, 2, 1, "French startups raised 147 million euros over the week", "")], Some(7));
    check("Introducing Claude Sonnet 5", "", &[candidate(7, 2, 1, "Introducing Claude Sonnet 4.6", "")], None);
}

#[test]
fn short_titles_are_no_evidence() {
    check("Weekly links", "", &[candidate(7, 2, 1, "Weekly links", "")], None);
    check("致歉", "", &[candidate(7, 2, 1, "致歉", "")], None);
    check("", "", &[candidate(7, 2, 1, "", "")], None);
}

#[test]
fn a_syndicated_text_is_known_under_another_title() {
    let text = body("our");
    let edited = text.replacen("ourlicense", "permit", 6);
    let retitled = candidate(7, 2, 1, "Palo Alto: the startup from Paris comes", &edited);
    check(TITLE, &text, &[retitled], Some(7));
    check(TITLE, &text, &[candidate(7, 2, 1, "Palo Alto: the startup from Paris comes", &body("their"))], None);
    check("Ten recipes for soup", &text, &[candidate(7, 2, 1, "Quarterly report of the gardening club", &text)], None);
}

#[test]
fn what_an_aggregator_writes_is_no_text() {
    let text = |n: u32| {
        format!("Article URL: https://a.example/{n} Comments URL: https://b.example/{n} Points: {n} # Comments: {n} ")
            .repeat(9)
    };
    check("Show HN: a board for chess", &text(1), &[candidate(7, 2, 1, "Tell HN: a chess engine", &text(2))], None);
}

#[test]
fn the_most_alike_story_is_joined_and_of_equals_the_oldest() {
    let like = "Mistral AI to open an American office in Palo Alto soon";
    check(TITLE, "", &[candidate(3, 2, 1, like, ""), candidate(9, 3, 1, TITLE, "")], Some(9));
    check(TITLE, "", &[candidate(9, 3, 1, TITLE, ""), candidate(4, 2, 1, TITLE, "")], Some(4));
}
