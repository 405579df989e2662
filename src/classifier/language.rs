//! The language of an item, and word stems in it.

use super::item::ItemText;
use crate::query::is_unspaced;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_script::{Script, UnicodeScript};

/// Detection is right about titles too seldom to be of use; from about this many characters on it is.
const DETECTABLE_CHARS: usize = 200;
/// More text than this changes no verdict.
const DETECTION_BYTES: usize = 4096;

/// The language declared, else the one that the script or a long text tells; as declared, or an ISO 639-1 code.
pub(super) fn of_item(item: &ItemText<'_>) -> Option<String> {
    let declared = item.language.map(str::trim).filter(|language| !language.is_empty() && *language != "und");
    declared.map(str::to_lowercase).or_else(|| detect(item))
}

fn detect(item: &ItemText<'_>) -> Option<String> {
    let mut text = String::new();
    for part in [item.title, item.summary, item.content] {
        let room = DETECTION_BYTES.saturating_sub(text.len());
        text.push_str(&part[..part.floor_char_boundary(room)]);
        text.push('\n');
    }
    if let Some(code) = script_language(&text) {
        return Some(code.to_string());
    }
    if text.chars().count() < DETECTABLE_CHARS {
        return None;
    }
    let found = whatlang::detect(&text).filter(whatlang::Info::is_reliable)?;
    Some(two_letters(found.lang()).to_string())
}

/// The language of a text most of whose letters are of a script that one language is written in.
fn script_language(text: &str) -> Option<&'static str> {
    let (mut letters, mut han, mut kana, mut hangul, mut thai) = (0u32, 0u32, 0u32, 0u32, 0u32);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        if !c.is_ascii() {
            match c.script() {
                Script::Han => han += 1,
                Script::Hiragana | Script::Katakana => kana += 1,
                Script::Hangul => hangul += 1,
                Script::Thai => thai += 1,
                _ => {}
            }
        }
    }
    // A Chinese title may hold more letters of brands than characters; Latin languages hold no Han at all.
    let most = |count: u32| count * 4 > letters;
    match () {
        () if most(han + kana) && kana * 10 > han => Some("ja"),
        () if most(han) => Some("zh"),
        () if most(hangul) => Some("ko"),
        () if most(thai) => Some("th"),
        () => None,
    }
}

fn two_letters(lang: whatlang::Lang) -> &'static str {
    use whatlang::Lang;
    match lang {
        Lang::Eng => "en",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Spa => "es",
        Lang::Ita => "it",
        Lang::Por => "pt",
        Lang::Nld => "nl",
        Lang::Rus => "ru",
        Lang::Swe => "sv",
        Lang::Dan => "da",
        Lang::Nob => "no",
        Lang::Fin => "fi",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Tur => "tr",
        Lang::Ell => "el",
        Lang::Ara => "ar",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Ukr => "uk",
        Lang::Pol => "pl",
        Lang::Ces => "cs",
        other => other.code(),
    }
}

/// The languages whose stems are compared.
pub(super) const STEMMED: [(&str, Algorithm); 18] = [
    ("en", Algorithm::English),
    ("fr", Algorithm::French),
    ("de", Algorithm::German),
    ("es", Algorithm::Spanish),
    ("it", Algorithm::Italian),
    ("pt", Algorithm::Portuguese),
    ("nl", Algorithm::Dutch),
    ("ru", Algorithm::Russian),
    ("sv", Algorithm::Swedish),
    ("da", Algorithm::Danish),
    ("no", Algorithm::Norwegian),
    ("fi", Algorithm::Finnish),
    ("hu", Algorithm::Hungarian),
    ("ro", Algorithm::Romanian),
    ("tr", Algorithm::Turkish),
    ("el", Algorithm::Greek),
    ("ar", Algorithm::Arabic),
    ("ta", Algorithm::Tamil),
];

/// How many of [`STEMMED`], from the first, are tried on a text whose language nobody knows.
const TRIED_WHEN_UNKNOWN: usize = 6;

/// Which of [`STEMMED`] to compare in for an item of this language: none for one without a stemmer.
pub(super) fn stemmers_for(language: Option<&str>) -> std::ops::Range<usize> {
    let Some(language) = language else { return 0..TRIED_WHEN_UNKNOWN };
    let primary = language.split(['-', '_']).next().unwrap_or(language);
    let primary = if matches!(primary, "nb" | "nn") { "no" } else { primary };
    STEMMED.iter().position(|(code, _)| *code == primary).map_or(0..0, |at| at..at + 1)
}

/// The stem of a word in the `index`-th language of [`STEMMED`]. Stemmers need the accents, so `word` is as published;
/// the stem comes without, because writers leave them out.
pub(super) fn stem(index: usize, word: &str) -> String {
    let lower = word.to_lowercase();
    let stemmed = Stemmer::create(STEMMED[index].1).stem(&lower).into_owned();
    super::fold::fold(&stemmed)
}

/// Whether a word can be stemmed at all.
pub(super) fn is_stemmable(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() && !is_unspaced(c))
}
