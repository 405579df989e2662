//! The elements of HTML: one table of what each means to a reader of feeds, asked once a tag.

/// What is known of an element, by its name. Of a name that HTML does not have nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// In lower case; empty where nothing is known.
    pub name: &'static str,
    traits: u8,
}

/// Makes `<…>` in a loosely typed text a tag.
const HTML: u8 = 1;
/// Stays in an item's content.
const SAFE: u8 = 2;
/// Begins and ends a line of text.
const BLOCK: u8 = 4;
/// Has no end tag.
const VOID: u8 = 8;
/// No reader sees what is inside.
const SILENT: u8 = 16;
/// Ends an open paragraph.
const ENDS_P: u8 = 32;
/// Is opened again by HTML's parser where something around it ended too early.
const FORMAT: u8 = 64;

const GROUPS: [(u8, &str); 14] = [
    (HTML, "audio basefont blink button canvas dialog frameset label marquee noscript optgroup option picture video"),
    (HTML | BLOCK, "address body dir fieldset form html legend main menu section tfoot"),
    (HTML | FORMAT, "big font nobr"),
    (
        HTML | SAFE,
        "abbr acronym bdi bdo cite colgroup del dfn ins kbd map mark q rp rt ruby samp span sub sup td th time var",
    ),
    (HTML | SAFE | BLOCK, "caption tbody thead tr"),
    (
        HTML | SAFE | BLOCK | ENDS_P,
        "article aside blockquote center dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header li nav \
         ol p pre summary table ul",
    ),
    (HTML | SAFE | BLOCK | VOID | ENDS_P, "hr"),
    (HTML | SAFE | FORMAT, "a b code em i s small strike strong tt u"),
    (HTML | SAFE | VOID, "area br col img wbr"),
    (HTML | SILENT, "applet head iframe object script select style svg textarea title"),
    (HTML | VOID, "base embed frame input link meta param source track"),
    (SAFE | ENDS_P, "hgroup"),
    // Too new or too odd to be meant as a tag by someone who writes `<data>` in a text.
    (SAFE, "data rtc"),
    (SILENT, "math noembed noframes template"),
];

impl Element {
    const UNKNOWN: Element = Element { name: "", traits: 0 };

    /// The element of that name, in any case.
    pub fn of(name: &str) -> Element {
        if name.len() > LONGEST {
            return Element::UNKNOWN;
        }
        let packed = packed(name.as_bytes());
        let mut slot = slot(packed);
        loop {
            let (known, element) = &TABLE[slot];
            if *known == packed || element.name.is_empty() {
                return *element;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    pub fn is_of_html(self) -> bool {
        self.traits & HTML != 0
    }

    pub fn is_safe(self) -> bool {
        self.traits & SAFE != 0
    }

    pub fn is_block(self) -> bool {
        self.traits & BLOCK != 0
    }

    pub fn is_void(self) -> bool {
        self.traits & VOID != 0
    }

    pub fn is_silent(self) -> bool {
        self.traits & SILENT != 0
    }

    pub fn ends_paragraph(self) -> bool {
        self.traits & ENDS_P != 0
    }

    pub fn is_formatting(self) -> bool {
        self.traits & FORMAT != 0
    }
}

/// `blockquote` and `figcaption`.
const LONGEST: usize = 10;
/// About twice as many as there are elements, so that most are found at their first place.
const SLOTS: usize = 256;

static TABLE: [(u64, Element); SLOTS] = {
    let mut table = [(0, Element::UNKNOWN); SLOTS];
    let mut group = 0;
    while group < GROUPS.len() {
        add(&mut table, GROUPS[group]);
        group += 1;
    }
    table
};

const fn add(table: &mut [(u64, Element); SLOTS], (traits, names): (u8, &'static str)) {
    let mut rest = names;
    while !rest.is_empty() {
        let mut end = 0;
        while end < rest.len() && rest.as_bytes()[end] != b' ' {
            end += 1;
        }
        let (name, after) = rest.split_at(end);
        let packed = packed(name.as_bytes());
        let mut slot = slot(packed);
        while !table[slot].1.name.is_empty() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = (packed, Element { name, traits });
        rest = if after.is_empty() { after } else { after.split_at(1).1 };
    }
}

/// A name as a number: six bits for each byte, the same for both cases of a letter.
const fn packed(name: &[u8]) -> u64 {
    let mut packed = 0;
    let mut at = 0;
    while at < name.len() {
        packed = packed << 6 | CODES[name[at] as usize];
        at += 1;
    }
    packed
}

/// What a byte counts in a name: letters and digits from 1, all that stands in no name the same.
const CODES: [u64; 256] = {
    let mut codes = [63; 256];
    let mut code = 1;
    while code <= 26 {
        codes[b'a' as usize - 1 + code] = code as u64;
        codes[b'A' as usize - 1 + code] = code as u64;
        code += 1;
    }
    while code <= 36 {
        codes[b'0' as usize - 27 + code] = code as u64;
        code += 1;
    }
    codes
};

const fn slot(packed: u64) -> usize {
    (packed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_any_case_and_whole() {
        for (name, expected) in [("a", "a"), ("BlockQuote", "blockquote"), ("WBR", "wbr"), ("h6", "h6")] {
            assert_eq!(Element::of(name).name, expected, "{name}");
        }
        for name in ["", "c", "aa", "wb", "blockquoteblockquote", "\0a", "é", "T", "String"] {
            assert_eq!(Element::of(name), Element::UNKNOWN, "{name}");
        }
    }

    #[test]
    fn every_element_of_the_table_is_found() {
        let mut found = 0;
        for (traits, names) in GROUPS {
            for name in names.split(' ') {
                assert_eq!(Element::of(name), Element { name, traits }, "{name}");
                found += 1;
            }
        }
        assert_eq!(TABLE.iter().filter(|(_, element)| !element.name.is_empty()).count(), found);
    }

    #[test]
    fn elements_mean_what_html_says() {
        assert!(Element::of("p").is_block() && Element::of("p").ends_paragraph());
        assert!(Element::of("br").is_void() && !Element::of("br").is_block());
        assert!(Element::of("script").is_silent() && !Element::of("script").is_safe());
        assert!(Element::of("b").is_formatting() && !Element::of("span").is_formatting());
        assert!(Element::of("section").is_of_html() && !Element::of("section").is_safe());
    }
}
