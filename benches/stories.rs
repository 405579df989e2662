//! What grouping costs an item: its signature, its bands, and the decision among candidates.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use divan::{Bencher, black_box};
use peak_alloc::PeakAlloc;
use veille::model::{FeedId, StoryId, Timestamp};
use veille::stories::{Arrival, Candidate, RecentItems, Signature, Teller, join};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() {
    for count in [1_000, 10_000, 30_000, 49_152, 100_000] {
        let recent = remembered(count);
        let held = HEAP.current_usage();
        drop(recent);
        let bytes = held - HEAP.current_usage();
        println!("{count} items seen: {bytes} bytes, {} an item held", bytes / count.min(49_152) as usize);
    }
    divan::main();
}

const ENGLISH: &str = "French startup Mistral AI opens its first American office in Palo Alto, hires from Google";
const CHINESE: &str = "法国人工智能初创企业Mistral宣布在帕洛阿尔托设立首个美国办事处，并从谷歌招聘工程师";

fn words(count: usize) -> String {
    (0..count)
        .map(|n| format!("w{}rd{} ", ["o", "a", "e", "i"][n % 4], ["x", "yy", "zzz", "q", "vv"][n * 7 % 5]))
        .collect()
}

/// A word of a language that has 4,000, the first ones the most often.
fn word(random: &mut u64) -> String {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let (a, b) = ((*random >> 33) % 4_000, (*random >> 45) % 4_000);
    let number = a * b / 4_000;
    let syllables =
        ["re", "mi", "tal", "os", "ne", "vik", "du", "lan", "ter", "ga", "sho", "pri", "en", "bu", "cal", "if"];
    (0..3).map(|place| syllables[(number >> (place * 4)) as usize % 16]).take(1 + number as usize % 3).collect()
}

/// An item's title of ten words, half of them with a capital, and its text of so many.
fn made_up(item: u64, words: usize) -> (String, String) {
    let mut random = item.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let capital = |word: String| word[..1].to_uppercase() + &word[1..];
    let title =
        (0..10).map(|n| if n % 2 == 0 { capital(word(&mut random)) } else { word(&mut random) } + " ").collect();
    (title, (0..words).map(|n| word(&mut random) + if n % 12 == 11 { ". " } else { " " }).collect())
}

/// So many items with texts, all of one hour.
fn remembered(count: u64) -> RecentItems {
    let mut recent = RecentItems::default();
    for item in 0..count {
        let (title, text) = made_up(item, 60);
        let signature = Signature::of(&title, &text);
        let bands = signature.bands();
        let (story_id, feed_id) = (StoryId(item as i64), FeedId(1));
        let teller = Teller { story_id, feed_id, ordered_at: Timestamp::UNIX_EPOCH, link: None, signature: &signature };
        recent.add(teller, &bands, Timestamp::UNIX_EPOCH);
    }
    recent
}

/// A hundred items that are none of those remembered.
#[divan::bench(args = [1_000, 30_000])]
fn a_hundred_lookups_among(bencher: Bencher<'_, '_>, count: u64) {
    let recent = remembered(count);
    let bands: Vec<_> = (0..100)
        .map(|item| {
            let (title, text) = made_up(1_000_000 + item, 60);
            Signature::of(&title, &text).bands()
        })
        .collect();
    bencher.bench(|| bands.iter().map(|bands| recent.alike(Timestamp::UNIX_EPOCH, None, bands).len()).sum::<usize>());
}

/// From bands to the last place in the index, a thousand items.
#[divan::bench]
fn a_thousand_items_remembered(bencher: Bencher<'_, '_>) {
    let signatures: Vec<Signature> = (0..1_000)
        .map(|item| {
            let (title, text) = made_up(item, 60);
            Signature::of(&title, &text)
        })
        .collect();
    bencher.bench_local(|| {
        let mut recent = RecentItems::default();
        for signature in &signatures {
            let bands = signature.bands();
            let teller = Teller {
                story_id: StoryId(1),
                feed_id: FeedId(1),
                ordered_at: Timestamp::UNIX_EPOCH,
                link: None,
                signature,
            };
            recent.add(teller, &bands, Timestamp::UNIX_EPOCH);
        }
        recent
    });
}

#[divan::bench(args = [60, 240, 1_200])]
fn signature_of_prose(bencher: Bencher<'_, '_>, count: usize) {
    let (title, text) = made_up(7, count);
    bencher.bench(|| Signature::of(black_box(&title), black_box(&text)));
}

/// With an accent in one word of four, and quotes that are not ASCII.
#[divan::bench(args = [240])]
fn signature_of_accented_prose(bencher: Bencher<'_, '_>, count: usize) {
    let (title, text) = made_up(7, count);
    let accented = |text: &str| {
        text.split_inclusive(' ')
            .enumerate()
            .map(|(n, word)| match n % 4 {
                1 => word.replacen(['a', 'e'], "é", 1),
                2 if n % 20 == 2 => format!("l’«{}» ", word.trim()),
                _ => word.to_owned(),
            })
            .collect::<String>()
    };
    let (title, text) = (accented(&title), accented(&text));
    bencher.bench(|| Signature::of(black_box(&title), black_box(&text)));
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
    bencher.bench(|| Signature::from_bytes(black_box(&signature).as_bytes().to_vec()));
}

#[divan::bench(args = [10, 100, 1_000])]
fn join_among_candidates(bencher: Bencher<'_, '_>, count: u32) {
    let signatures: Vec<Signature> =
        (0..count).map(|n| Signature::of(&format!("Mistral AI story number {n} of the day"), "")).collect();
    let candidate = |n| Candidate {
        story_id: StoryId(n),
        feed_id: FeedId(2),
        ordered_at: Timestamp::UNIX_EPOCH,
        signature: (&signatures[n as usize]).into(),
        same_link: false,
    };
    let candidates: Vec<Candidate<'_>> = (0..i64::from(count)).map(candidate).collect();
    let signature = Signature::of(ENGLISH, "");
    let arrival = Arrival { feed_id: FeedId(1), ordered_at: Timestamp::UNIX_EPOCH, signature: &signature };
    bencher.bench(|| join(black_box(&arrival), black_box(&candidates)));
}
