use super::*;
use proptest::prelude::*;

fn share_a_band(a: &Signature, b: &Signature) -> bool {
    let theirs = b.bands();
    a.bands().iter().any(|band| theirs.contains(band))
}

#[test]
fn a_stored_signature_means_the_same_for_ever() {
    // A change of these bytes leaves every stored signature without its like: raise VERSION with it.
    let signature = Signature::of("Mistral AI opens in 2026", "");
    let bytes: String = signature.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, "020425b10027851a5ec1359311f1");
}

#[test]
fn bytes_of_another_version_or_length_are_refused() {
    let text: String = ('a'..='z').flat_map(|a| [a, 'b', ' ', a, 'c', ' ']).collect();
    let signature = Signature::of("Mistral AI opens an office", &text);
    let bytes = signature.as_bytes();
    assert!(!signature.view().text().is_empty());
    let is_read = |bytes: &[u8]| Signature::from_bytes(bytes.to_vec()).is_some();
    assert!(is_read(bytes));
    assert!(!is_read(&[]));
    for version in [0, 1, VERSION + 1, 255] {
        assert!(!is_read(&[&[version], &bytes[1..]].concat()));
    }
    assert!(!is_read(&bytes[..bytes.len() - 1]));
    assert!(!is_read(&[bytes, &[0; 4]].concat()));
}

#[test]
fn titles_that_share_two_of_their_most_telling_words_share_a_band() {
    let check = |a: &str, b: &str, expected: bool| {
        assert_eq!(share_a_band(&Signature::of(a, ""), &Signature::of(b, "")), expected, "{a} | {b}");
    };
    check("Kyutai opens an office in Montreal", "Montreal gets an office of Kyutai", true);
    check("Kyutai opens an office in Montreal", "Montreal has a zoo", false);
    check("Kyutai", "Kyutai", true);
    check("Kyutai", "Kyutai opens", false);
    // More names than are looked at, in any order: the same are chosen.
    let names = "Anna Berta Carla Dora Emma Frida Gerda Hanna";
    check(names, "Hanna Gerda Frida Emma Dora Carla Berta Anna went home together after all of that", true);
    let bands = |title: &str| Signature::of(title, "").bands().len();
    assert_eq!((bands("Kyutai opens"), bands("Kyutai opens an office"), bands(names)), (1, 3, TITLE_BANDS));
}

#[test]
fn items_without_words_have_no_bands() {
    assert!(Signature::of("", "").bands().is_empty());
    assert!(Signature::of("the of and", "…").bands().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_signature_that_comes_back_from_its_bytes(title in ".{0,200}", text in ".{0,400}") {
        let signature = Signature::of(&title, &text);
        prop_assert_eq!(Signature::from_bytes(signature.as_bytes().to_vec()), Some(signature.clone()));
        prop_assert_eq!(&signature, &Signature::of(&title, &text));
        prop_assert_eq!(signature.bands().len(), signature.view().bands_count());
        prop_assert!(signature.bands().len() <= BANDS_MAX);
        let likeness = signature.view().title_likeness(signature.view());
        prop_assert!(signature.view().terms().is_empty() || (likeness.ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn likeness_has_no_direction(a in "[A-Za-z0-9 法国公司]{0,80}", b in "[A-Za-z0-9 法国公司]{0,80}") {
        let (a, b) = (Signature::of(&a, &a), Signature::of(&b, &b));
        let (a, b) = (a.view(), b.view());
        prop_assert_eq!(a.title_likeness(b), b.title_likeness(a));
        prop_assert_eq!(a.text_likeness(b), b.text_likeness(a));
    }
}

#[test]
fn titles_are_compared_by_weight_and_by_their_numbers() {
    let check = |a: &str, b: &str, shared_units: u32, ratio: f64, numbers_differ: bool| {
        let (a, b) = (Signature::of(a, ""), Signature::of(b, ""));
        assert_eq!(a.view().title_likeness(b.view()), TitleLikeness { shared_units, ratio, numbers_differ });
    };
    check("Kyutai opens 3 offices", "Kyutai opens 3 offices", 15, 1.0, false);
    check("Kyutai opens 3 offices", "Kyutai opens 4 offices", 11, 11.0 / 19.0, true);
    check("Kyutai opens 3 offices", "Kyutai Opens offices", 11, 11.0 / 17.0, false);
    check("Kyutai", "lentils", 0, 0.0, false);
    check("", "", 0, 0.0, false);
}
