use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization as _;

/// Numbers that look drawn.
fn draws(seed: u32) -> impl FnMut(u32) -> u32 {
    let mut random = seed;
    move |below| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) % below
    }
}

/// A number in letters, so that it is a word.
fn letters(number: u32) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn written(words: &[u32]) -> String {
    words.iter().map(|word| format!("word{}", letters(*word))).collect::<Vec<_>>().join(" ")
}

/// Estimates of the likeness of two texts of so many words less the truth, over all the likenesses that there are.
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn errors(count: u32, written: impl Fn(&[u32]) -> String) -> Vec<f64> {
    let shingles = |words: &[u32]| words.windows(SHINGLE_WORDS).map(<[u32]>::to_vec).collect::<BTreeSet<_>>();
    let mut draw = draws(count);
    let mut error = |changed: u32| {
        let words: Vec<u32> = (0..count).map(|_| draw(5_000)).collect();
        let mut edited = words.clone();
        edited[..changed as usize].iter_mut().for_each(|word| *word += 5_000);
        let (ours, theirs) = (shingles(&words), shingles(&edited));
        let truth = ours.intersection(&theirs).count() as f64 / ours.union(&theirs).count() as f64;
        let (ours, theirs) = (minima(&written(&words)), minima(&written(&edited)));
        likeness(&ours.expect("a long text"), &theirs.expect("a long text")) - truth
    };
    (0..800).map(|round| error(round % (count - 2))).collect()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn the_estimate_is_near_the_truth() {
    for count in [50, 100, 300, 1_000] {
        let errors = errors(count, written);
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let deviation = (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
        let most = errors.iter().fold(0.0, |most: f64, error| most.max(error.abs()));
        assert!(mean.abs() <= 0.012, "the errors of so many cancel out: {mean}");
        assert!(deviation <= 0.09, "{deviation}");
        assert!(most <= 0.36, "four deviations of 32 draws: {most}");
    }
}

fn read(text: &str) -> Reading {
    let mut reading = Reading { words: Vec::new(), sketch: Sketch::default() };
    reading.read(text);
    reading
}

/// The words of a text, found the plain way.
fn plainly(text: &str) -> Vec<u64> {
    let chunks = text.split_whitespace().filter(|chunk| !chunk.contains("://"));
    let folded = |chunk: &str| -> String {
        chunk.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect()
    };
    let words = |chunk: &str| -> Vec<u64> {
        let folded = folded(chunk);
        let spaced = runs(&folded).filter_map(|run| match run {
            Run::Spaced(word) => Some(hash(word.to_lowercase().as_bytes())),
            _ => None,
        });
        spaced.collect()
    };
    chunks.flat_map(words).collect()
}

#[test]
fn words_are_cut_in_one_pass_as_they_would_be_one_by_one() {
    let check = |text: &str, words: &[&str]| {
        assert_eq!(read(text).words, words.iter().map(|word| hash(word.as_bytes())).collect::<Vec<_>>(), "{text}");
        assert_eq!(read(text).words, plainly(text), "{text}");
    };
    check("", &[]);
    check("One, two-three; it's GPT4o", &["one", "two", "three", "it", "s", "gpt", "o"]);
    check("extraordinarily longwords eightchr", &["extraordinarily", "longwords", "eightchr"]);
    check("see https://a.example/b?c=d now: here", &["see", "now", "here"]);
    check("(see:https://a.example/b) and café://é x", &["and", "x"]);
    check("l’École «été»…\u{a0}déjà\u{b}naïve\u{b}é", &["l", "ecole", "ete", "deja", "naive", "e"]);
    check("Straße ŒUVRE Ω", &["straße", "œuvre", "ω"]);
    check("12.5 @[`{ ~", &[]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_has_other_words_in_one_pass(text in "[a-zA-Z0-9 :/.,@`{\\[éÀßœĳİΩя½²’«»…–\u{a0}\u{2009}\u{b}\u{301}\u{1f}]{0,120}") {
        prop_assert_eq!(read(&text).words, plainly(&text));
    }
}

#[test]
fn the_beginning_of_a_text_is_looked_at_and_no_more() {
    let words = |count: u32| written(&(0..count).collect::<Vec<_>>());
    assert_eq!(minima(&words(2_000)), minima(&words(100_000)));
    let han = |count: u32| (0..count).filter_map(|n| char::from_u32(0x4e00 + n % 9_000)).collect::<String>();
    assert_eq!(minima(&han(6_000)), minima(&format!("{}x", han(6_000))));
    for text in [words(100_000), han(50_000), "é\u{b}".repeat(9_000), "a-".repeat(9_000), "é-".repeat(9_000)] {
        assert!(sketch(&text).added <= 2 * SHINGLES_MAX);
    }
}

#[test]
fn texts_that_say_little_have_no_minima() {
    assert_eq!(minima(""), None);
    assert_eq!(minima(&"Article URL Comments URL Points Comments ".repeat(90)), None);
    let words = |count: u32| written(&(0..count).collect::<Vec<_>>());
    assert_eq!(minima(&words(39)), None);
    assert!(minima(&words(50)).is_some());
}

#[test]
fn texts_that_share_nothing_are_not_alike() {
    let minima = |from: u32| minima(&written(&(from..from + 300).collect::<Vec<_>>())).expect("a long text");
    for from in 1..50 {
        assert!(likeness(&minima(0), &minima(from * 1_000)) < 0.1);
    }
}
