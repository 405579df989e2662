//! Names of months and of zones as feeds write them.

/// Months by the first letters of their names in lower case: English, French, German, Spanish, Italian,
/// Portuguese, Dutch, Scandinavian, Polish, Czech, Russian, Ukrainian, Greek, Turkish.
/// Longer beginnings stand before the shorter ones that they share letters with.
pub(super) fn month(word: &str) -> Option<i8> {
    #[rustfmt::skip]
    const MONTHS: &[(&str, i8)] = &[
        ("januar", 1), ("janvier", 1), ("janv", 1), ("jan", 1), ("jän", 1), ("gennaio", 1), ("gen", 1), ("ene", 1),
        ("stycz", 1), ("leden", 1), ("ledna", 1), ("янв", 1), ("січ", 1), ("ιαν", 1), ("oca", 1),
        ("feb", 2), ("fév", 2), ("fev", 2), ("luty", 2), ("lut", 2), ("únor", 2), ("фев", 2), ("лют", 2), ("φεβ", 2), ("şub", 2),
        ("marzec", 3), ("marca", 3), ("mars", 3), ("marz", 3), ("março", 3), ("mar", 3), ("mär", 3), ("maa", 3), ("mrt", 3),
        ("mrz", 3), ("březn", 3), ("мар", 3), ("бер", 3), ("μαρ", 3), ("μάρ", 3),
        ("apr", 4), ("avr", 4), ("abr", 4), ("kwi", 4), ("dubn", 4), ("duben", 4), ("апр", 4), ("кві", 4), ("απρ", 4), ("nis", 4),
        ("may", 5), ("mai", 5), ("mag", 5), ("maj", 5), ("mei", 5), ("květ", 5), ("май", 5), ("мая", 5), ("тра", 5), ("μαϊ", 5), ("μάι", 5),
        ("juni", 6), ("juin", 6), ("jun", 6), ("giu", 6), ("cze", 6), ("červn", 6), ("červen", 6), ("июн", 6), ("чер", 6), ("ιουν", 6), ("ιούν", 6), ("haz", 6),
        ("juli", 7), ("juil", 7), ("jul", 7), ("lug", 7), ("lip", 7), ("července", 7), ("июл", 7), ("лип", 7), ("ιουλ", 7), ("ιούλ", 7), ("tem", 7),
        ("aug", 8), ("aoû", 8), ("aou", 8), ("ago", 8), ("sie", 8), ("srp", 8), ("авг", 8), ("сер", 8), ("αυγ", 8), ("αύγ", 8), ("ağu", 8),
        ("sep", 9), ("set", 9), ("wrz", 9), ("září", 9), ("сен", 9), ("вер", 9), ("σεπ", 9), ("eyl", 9),
        ("oct", 10), ("okt", 10), ("ott", 10), ("out", 10), ("paź", 10), ("říj", 10), ("окт", 10), ("жов", 10), ("οκτ", 10), ("eki", 10),
        ("nov", 11), ("lis", 11), ("listop", 11), ("ноя", 11), ("нояб", 11), ("νοε", 11), ("kas", 11),
        ("dec", 12), ("déc", 12), ("dez", 12), ("dic", 12), ("des", 12), ("gru", 12), ("pros", 12), ("дек", 12), ("гру", 12), ("δεκ", 12), ("ara", 12),
    ];
    // Nearly all dates have one of these.
    const ENGLISH: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    if let Some((_, month)) = ENGLISH.iter().zip(1..).find(|(name, _)| word.as_bytes() == **name) {
        return Some(month);
    }
    // `mardi` and `martes` are Tuesdays, `marec` and the like months; `sex`, `seg`, `ter` never reach here.
    if word.starts_with("mardi") || word.starts_with("mart") && word != "mart" || word.starts_with("dim") {
        return None;
    }
    MONTHS
        .iter()
        .filter(|(start, _)| word.starts_with(start))
        .max_by_key(|(start, _)| start.len())
        .map(|(_, month)| *month)
}

/// Offset from UTC in minutes of the zone names that feeds use. Ambiguous ones are what most feeds mean by them:
/// IST is India's, CST America's, BST Britain's.
pub(super) fn zone(word: &str) -> Option<i32> {
    Some(match word {
        "z" | "ut" | "utc" | "gmt" | "wet" => 0,
        "bst" | "cet" | "mez" | "wat" | "west" => 60,
        "cest" | "mesz" | "eet" | "sast" | "cat" => 120,
        "eest" | "msk" | "trt" | "eat" => 180,
        "msd" | "gst" => 240,
        "pkt" => 300,
        "ist" => 330,
        "ict" | "wib" => 420,
        "hkt" | "sgt" | "awst" | "pht" | "myt" => 480,
        "jst" | "kst" => 540,
        "acst" => 570,
        "aest" => 600,
        "aedt" => 660,
        "nzst" => 720,
        "nzdt" => 780,
        "ndt" => -150,
        "nst" => -210,
        "brt" | "art" | "adt" => -180,
        "ast" | "edt" => -240,
        "est" | "cdt" | "et" => -300,
        "cst" | "mdt" | "ct" => -360,
        "mst" | "pdt" => -420,
        "pst" | "akdt" | "pt" => -480,
        "akst" => -540,
        "hst" => -600,
        _ => return None,
    })
}
