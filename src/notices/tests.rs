use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn id(url: &str, kind: NoticeKind, started_at: Timestamp) -> EntryId {
    EntryId(format!("{url} {} {}", kind.name(), started_at.as_second() - 1_800_000_000))
}

/// A feed that was asked at `now` and is well.
fn well(number: i64, now: i64) -> FeedCondition {
    FeedCondition {
        id: FeedId(number),
        url: format!("f{number}"),
        title: format!("Feed {number}"),
        state: FeedState::Active,
        moved_to: None,
        next_check_at: Some(at(now + HOUR)),
        last_refresh_at: Some(at(now)),
        last_success_at: Some(at(now)),
        last_new_item_at: Some(at(now)),
        last_overflow_at: None,
        failure_count: 0,
        failing_since_at: None,
        last_error: None,
    }
}

fn failing(number: i64, since: i64, failures: u32, now: i64) -> FeedCondition {
    FeedCondition {
        failure_count: failures,
        failing_since_at: Some(at(since)),
        last_error: Some("connection refused".into()),
        ..well(number, now)
    }
}

/// A store of notices.
#[derive(Default)]
struct Book {
    known: Known,
    next: i64,
}

impl Book {
    /// What is told of these feeds, and how many notices end.
    fn check(&mut self, feeds: &[FeedCondition], now: i64, begun: &[&str], ended: usize) {
        let review = review(feeds, &self.known, id, at(now));
        let ids: Vec<&str> = review.begun.iter().map(|notice| notice.entry_id.0.as_str()).collect();
        assert_eq!((ids, review.ended.len()), (begun.to_vec(), ended), "at {now}");
        let is_outage =
            |row: &i64| self.known.open.iter().any(|open| open.id == *row && open.kind == NoticeKind::Outage);
        if review.ended.iter().any(is_outage) {
            self.known.last_outage_ended_at = Some(at(now));
        }
        self.known.open.retain(|open| !review.ended.contains(&open.id));
        for notice in review.begun.iter().filter(|notice| notice.ended_at.is_none()) {
            self.next += 1;
            let Notice { feed, kind, started_at, .. } = *notice;
            self.known.open.push(OpenNotice { id: self.next, feed, kind, started_at });
        }
    }
}

#[test]
fn a_failing_feed_is_told_once_and_its_recovery_once() {
    let mut book = Book::default();
    book.check(&[failing(1, 0, 2, HOUR)], HOUR, &[], 0);
    book.check(&[failing(1, 0, 3, 2 * HOUR)], 2 * HOUR, &["f1 failing 0"], 0);
    book.check(&[failing(1, 0, 9, 9 * DAY)], 9 * DAY, &[], 0);
    book.check(&[well(1, 10 * DAY)], 10 * DAY, &["f1 recovered 864000"], 1);
    book.check(&[well(1, 11 * DAY)], 11 * DAY, &[], 0);
    book.check(&[failing(1, 12 * DAY, 1, 13 * DAY)], 13 * DAY, &["f1 failing 1036800"], 0);
}

#[test]
fn a_feed_that_is_gone_moved_silent_or_overflowing_is_told_once_each() {
    let mut book = Book::default();
    let gone = FeedCondition { state: FeedState::Gone, ..failing(1, 0, 2, DAY) };
    let moved = FeedCondition { moved_to: Some("new".into()), ..well(2, DAY) };
    let silent = FeedCondition { last_new_item_at: Some(at(-91 * DAY)), ..well(3, DAY) };
    let overflowing = |last: i64| FeedCondition { last_overflow_at: Some(at(last)), ..well(4, DAY) };
    let told = ["f1 gone 0", "f2 moved 86400", "f3 stale -7862400", "f4 overflowing 86000"];
    book.check(&[gone.clone(), moved.clone(), silent.clone(), overflowing(86_000)], DAY, &told, 0);
    book.check(&[gone, moved, silent, overflowing(2 * DAY)], 2 * DAY + 1, &[], 0);
    let later = 5 * DAY;
    book.check(&[well(2, later), well(3, later), overflowing(2 * DAY)], later, &[], 4);
}

#[test]
fn a_feed_that_fails_is_not_called_silent_and_a_silent_one_stays_so_while_it_fails() {
    let mut book = Book::default();
    let silent = |feed| FeedCondition { last_new_item_at: Some(at(-91 * DAY)), ..feed };
    let (long_failing, silent_and_failing) = (silent(failing(1, -90 * DAY, 9, 0)), silent(failing(2, HOUR, 1, HOUR)));
    book.check(&[long_failing.clone(), silent(well(2, 0))], 0, &["f1 failing -7776000", "f2 stale -7862400"], 0);
    book.check(&[long_failing.clone(), silent_and_failing], HOUR, &[], 0);
    let told: Vec<NoticeKind> =
        matters(&long_failing, at(HOUR), &TimeZone::UTC).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, [NoticeKind::Failing]);
}

#[test]
fn a_network_that_is_down_is_one_notice_and_what_outlives_it_is_told_then() {
    let mut book = Book::default();
    let old = failing(99, -30 * DAY, 40, -HOUR);
    book.check(std::slice::from_ref(&old), 0, &["f99 failing -2592000"], 0);
    let down = |now: i64| {
        (0..1_000).map(move |n| failing(n, n % 50, 1, now.min(n % 50 + 2_000))).filter(|feed| feed.id.0 != 99)
    };
    let with_old = |feeds: Vec<FeedCondition>| feeds.into_iter().chain([old.clone()]).collect::<Vec<_>>();
    book.check(&with_old(down(60).collect()), 60, &[" outage 0"], 0);
    let hard = down(2 * HOUR).map(|feed| FeedCondition { failure_count: 5, ..feed });
    book.check(&with_old(hard.collect()), 2 * HOUR, &[], 0);
    // The network is back: most are well, one has not been asked yet, one has and fails.
    let back = 3 * HOUR;
    let after: Vec<FeedCondition> = (0..99).map(|n| if n < 2 { failing(n, 0, 5, 60) } else { well(n, back) }).collect();
    book.check(&with_old(after.clone()), back, &[], 1);
    let mut later = after;
    later[1].last_refresh_at = Some(at(back + 30));
    book.check(&with_old(later), back + 60, &["f1 failing 0"], 0);
}

#[test]
fn a_few_feeds_that_fail_together_are_each_told() {
    let mut book = Book::default();
    let feeds: Vec<FeedCondition> = (1..=4).map(|n| failing(n, 0, 3, HOUR)).collect();
    book.check(&feeds, HOUR, &["f1 failing 0", "f2 failing 0", "f3 failing 0", "f4 failing 0"], 0);
}

#[test]
fn a_notice_says_what_since_when_next_and_what_to_do() {
    let made = review(&[failing(1, 0, 3, HOUR)], &Known::default(), id, at(HOUR));
    let notice = &made.begun[0];
    assert_eq!(notice.title, "Failing: Feed 1");
    for said in
        ["3 times", "2027-01-15 08:00 UTC", "connection refused", "next try is at 2027-01-15 10:00", "feeds fix"]
    {
        assert!(notice.advice.contains(said), "{said}: {}", notice.advice);
    }
}
