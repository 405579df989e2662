//! The short form of the fuzz targets: queries and texts of the manual and small feeds, mutated at random, for
//! `VEILLE_FUZZ_SECONDS` each (2 without it). They begin with the same inputs each time, so that a change is not refused for
//! what it did not bring; `VEILLE_FUZZ_SEED` begins elsewhere. A failure prints the seed and the input.

#[path = "../../fuzz/exercise.rs"]
mod exercise;
#[path = "../../fuzz/reading.rs"]
mod reading;

use super::reading::SMALL;

use std::panic;
use std::time::{Duration, Instant};

const MANUAL: &str = include_str!("../../docs/query-language.md");

/// Pieces that matter to the lexer, the tokenizer or the folding.
const PIECES: &[&str] = &[
    " OR ",
    " AND ",
    " NOT ",
    " NEAR/3 ",
    " BEFORE/2 ",
    " SENTENCE ",
    " NOT NEAR/1 ",
    "(",
    ")",
    "\"",
    "*",
    "=",
    "~",
    "/",
    "@ai",
    "@",
    "tag:known",
    "tag:",
    "title:",
    "summary:",
    "host:",
    "lang:",
    "-",
    "age<7d",
    "words>3",
    "\\",
    "\n",
    "\n\n",
    "AI",
    "法国",
    "國",
    "ガ",
    "ｶﾞ",
    "é",
    "e\u{301}",
    "\u{200b}",
    "ß",
    "İ",
    "ﬁ",
    "U.S.",
    "C++",
    "R&D",
    "3.5",
    ".NET",
    "。",
    "｜",
    "'",
    "’",
    "\u{1f1eb}\u{1f1f7}",
    "\u{feff}",
    "a{0,99}",
    "(?i)",
    "[",
    "]",
    "\u{e01ef}",
    "ไทย",
    "\0",
];

/// What matters to the tokenizer, the repair and the sanitiser.
const MARKUP: &[&str] = &[
    "<item>",
    "</item>",
    "<entry>",
    "<title>",
    "</title>",
    "<description>",
    "<content:encoded>",
    "<link href='//x/'/>",
    "<guid>",
    "<pubDate>",
    "<a10:author>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "<!DOCTYPE x [",
    "&",
    "&amp;lt;",
    "&#x0;",
    "&#55296;",
    "&nbsp;",
    "&lt;script&gt;",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<svg/onload=x>",
    "<p>",
    "<table><tr><td>",
    "</table>",
    "<pre>\n",
    "<math><mi><mglyph><style>",
    " xml:base='../'",
    " xmlns:x='http://purl.org/dc/elements/1.1/'",
    " type='xhtml'",
    " mode='base64'",
    "\"",
    "'",
    "=",
    "/>",
    "<",
    ">",
    "a@b.example",
    "作者：",
    "\u{a0}",
    "\u{fffe}",
    "\u{feff}",
    "\r",
    "\u{1b}$B",
    "\0",
    "{\"items\":[",
    "\"date_published\":",
    "}]}",
    "Tue, 31 Feb 99999 25:61:61 +9999",
];

#[test]
fn no_query_and_no_text_upsets_parser_and_matcher() {
    let seeds = corpus();
    assert!(seeds.len() > 100, "the manual has lost its examples: {}", seeds.len());
    mutate_for_a_while(&seeds, PIECES, exercise::exercise);
}

#[test]
fn no_document_upsets_the_reader() {
    let seeds: Vec<Vec<u8>> = SMALL.iter().map(|(_, document)| format!("\n{document}").into_bytes()).collect();
    mutate_for_a_while(&seeds, MARKUP, reading::exercise);
}

fn mutate_for_a_while(seeds: &[Vec<u8>], pieces: &[&str], exercise: impl Fn(&[u8]) + panic::RefUnwindSafe) {
    let number = |name: &str| {
        std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap_or_else(|_| panic!("{name}: not a number")))
    };
    let seconds = number("VEILLE_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("VEILLE_FUZZ_SEED").unwrap_or(1);
    let mut random = fastrand::Rng::with_seed(seed);
    let (deadline, mut tried) = (Instant::now() + Duration::from_secs(seconds), 0);
    while Instant::now() < deadline {
        let mut input = random.choice(seeds).expect("there are seeds").clone();
        for _ in 0..random.usize(1..6) {
            mutate(&mut input, seeds, pieces, &mut random);
        }
        let checked = panic::catch_unwind(|| exercise(&input));
        assert!(checked.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&input));
        tried += 1;
    }
    println!("{tried} inputs tried, seed {seed}");
    assert!(tried > 0);
}

/// Each example of the manual: its query on the first line, its texts below.
fn corpus() -> Vec<Vec<u8>> {
    let mut seeds: Vec<String> = Vec::new();
    for block in MANUAL.split("```query\n").skip(1) {
        for line in block.split("\n```").next().unwrap_or_default().lines() {
            match (line.strip_prefix("  "), seeds.last_mut()) {
                (Some(text), Some(seed)) => {
                    seed.push('\n');
                    seed.push_str(&text[2..]);
                }
                _ => seeds.push(line.to_string()),
            }
        }
    }
    seeds.into_iter().map(String::into_bytes).collect()
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], pieces: &[&str], random: &mut fastrand::Rng) {
    let at = random.usize(..=input.len());
    match random.u8(..7) {
        0 if at < input.len() => input[at] = random.u8(..),
        1 => {
            let end = (at + random.usize(..8)).min(input.len());
            drop(input.drain(at..end));
        }
        2 => {
            let end = (at + random.usize(..40)).min(input.len());
            let again = input[at..end].repeat(random.usize(1..12));
            splice(input, at, &again);
        }
        3 => {
            let other = random.choice(seeds).expect("there are seeds");
            let from = random.usize(..=other.len());
            splice(input, at, &other[from..]);
        }
        _ => splice(input, at, random.choice(pieces).expect("there are pieces").as_bytes()),
    }
    input.truncate(4096);
}

fn splice(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}
