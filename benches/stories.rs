//! What grouping costs an item: its signature, its bands, and the decision among candidates.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use divan::{Bencher, black_box};
use veille::model::{FeedId, StoryId, Timestamp};
use veille::stories::{Arrival, Candidate, Signature, join};

fn main() {
    divan::main();
}

const ENGLISH: &str = "French startup Mistral AI opens its first American office in Palo Alto, hires from Google";
const CHINESE: &str = "法国人工智能初创企业Mistral宣布在帕洛阿尔托设立首个美国办事处，并从谷歌招聘工程师";

fn words(count: usize) -> String {
    (0..count)
        .map(|n| format!("w{}rd{} ", ["o", "a", "e", "i"][n % 4], ["x", "yy", "zzz", "q", "vv"][n * 7 % 5]))
        .collect()
}

#[divan::bench(args = [0, 240, 1_200, 20_000])]
fn signature_of_english_words(bencher: Bencher<'_, '_>, count: usize) {
    let text = words(count);
    bencher.bench(|| Signature::of(black_box(ENGLISH), black_box(&text)));
}

#[divan::bench(args = [0, 10, 100])]
fn signature_of_chinese_sentences(bencher: Bencher<'_, '_>, count: usize) {
    let text = CHINESE.repeat(count);
    bencher.bench(|| Signature::of(black_box(CHINESE), black_box(&text)));
}

#[divan::bench]
fn bands(bencher: Bencher<'_, '_>) {
    let signature = Signature::of(ENGLISH, &words(240));
    bencher.bench(|| black_box(&signature).bands());
}

#[divan::bench]
fn bytes_there_and_back(bencher: Bencher<'_, '_>) {
    let signature = Signature::of(ENGLISH, &words(240));
    bencher.bench(|| Signature::from_bytes(&black_box(&signature).to_bytes()));
}

#[divan::bench(args = [10, 100, 1_000])]
fn join_among_candidates(bencher: Bencher<'_, '_>, count: u32) {
    let signatures: Vec<Signature> =
        (0..count).map(|n| Signature::of(&format!("Mistral AI story number {n} of the day"), "")).collect();
    let candidate = |(n, signature)| Candidate {
        story_id: StoryId(n),
        feed_id: FeedId(2),
        ordered_at: Timestamp::UNIX_EPOCH,
        signature: Some(signature),
        same_link: false,
    };
    let candidates: Vec<Candidate<'_>> = (0..).zip(&signatures).map(candidate).collect();
    let signature = Signature::of(ENGLISH, "");
    let arrival = Arrival { feed_id: FeedId(1), ordered_at: Timestamp::UNIX_EPOCH, signature: &signature };
    bencher.bench(|| join(black_box(&arrival), black_box(&candidates)));
}
