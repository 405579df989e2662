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
    let bytes: String = signature.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, "0104e0f8eb14050646309c0325b8deab84ad4222fd05");
}

#[test]
fn bytes_of_another_version_or_length_are_refused() {
    let bytes = Signature::of("Mistral AI opens an office", &"one two three four five six seven ".repeat(9)).to_bytes();
    assert!(Signature::from_bytes(&bytes).is_some());
    assert!(Signature::from_bytes(&[]).is_none());
    assert!(Signature::from_bytes(&[&[VERSION + 1], &bytes[1..]].concat()).is_none());
    assert!(Signature::from_bytes(&bytes[..bytes.len() - 1]).is_none());
    assert!(Signature::from_bytes(&[bytes.as_slice(), &[0; 4]].concat()).is_none());
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
    assert_eq!((bands("Kyutai opens"), bands(names)), (1, 15));
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
        prop_assert_eq!(Signature::from_bytes(&signature.to_bytes()), Some(signature.clone()));
        prop_assert_eq!(&signature, &Signature::of(&title, &text));
        let likeness = signature.title_likeness(&signature);
        prop_assert!(signature.title.is_empty() || (likeness.ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn likeness_has_no_direction(a in "[A-Za-z0-9 法国公司]{0,80}", b in "[A-Za-z0-9 法国公司]{0,80}") {
        let (a, b) = (Signature::of(&a, &a), Signature::of(&b, &b));
        prop_assert_eq!(a.title_likeness(&b), b.title_likeness(&a));
        prop_assert_eq!(a.text_likeness(&b), b.text_likeness(&a));
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn the_estimate_is_near_the_truth() {
    let (mut random, mut errors) = (1_u32, Vec::new());
    for changed in (0..200).step_by(4) {
        let words: Vec<u32> = (0..300)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) % 5_000
            })
            .collect();
        let mut edited = words.clone();
        edited[..changed].iter_mut().for_each(|word| *word += 5_000);
        let written =
            |words: &[u32]| words.iter().map(|word| format!("word{}", letters(*word))).collect::<Vec<_>>().join(" ");
        let (a, b) = (written(&words), written(&edited));
        let (ours, theirs) = (shingles(&a), shingles(&b));
        let shared = ours.iter().filter(|shingle| theirs.contains(shingle)).count();
        let truth = shared as f64 / (ours.len() + theirs.len() - shared) as f64;
        let estimate = Signature::of("", &a).text_likeness(&Signature::of("", &b)).expect("long texts");
        assert!((estimate - truth).abs() <= 0.36, "four deviations of 32 draws: estimate {estimate}, truth {truth}");
        assert!(truth < 0.9 || share_a_band(&Signature::of("", &a), &Signature::of("", &b)));
        errors.push(estimate - truth);
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(mean.abs() <= 0.05, "the errors of so many cancel out: {mean}");
}

/// A number in letters, so that it is a word.
fn letters(number: u32) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}
