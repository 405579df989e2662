//! Where HTML's parser would leave what is written: markup that it would not move needs no second pass.
//!
//! Every rule errs on the side of "it would move it", after which the parser itself is asked.

use super::super::elements::Element;

/// Whether the start of an element ends the innermost open one, whose end tag HTML lets one leave out.
pub(super) fn ends(open: Element, start: Element) -> bool {
    match open.name {
        "p" => start.ends_paragraph(),
        "li" => start.name == "li",
        "dd" | "dt" => matches!(start.name, "dd" | "dt"),
        _ => false,
    }
}

/// Whether the end of an element ends all that is open inside it, for good: what is in it and not closed is either
/// such as HTML lets one leave open, or goes with it; formatting would be opened again after it.
pub(super) fn ends_inside(name: &str, inside: &[Element]) -> bool {
    let is_closer = matches!(
        name,
        "article"
            | "aside"
            | "blockquote"
            | "center"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "figcaption"
            | "figure"
            | "footer"
            | "header"
            | "hgroup"
            | "li"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "summary"
            | "ul"
    );
    let hides_outer = |open: &Element| open.name == "table" || name == "li" && matches!(open.name, "ol" | "ul");
    is_closer && !inside.iter().any(|open| open.is_formatting() || hides_outer(open))
}

/// Whether HTML's parser leaves an element where it is written, given the elements open around it.
pub(super) fn fits(start: Element, open: &[Element]) -> bool {
    let nearest = |names: &[&str]| open.iter().rev().map(|open| open.name).find(|name| names.contains(name));
    let is_inside = |name: &str| open.iter().any(|open| open.name == name);
    if start.ends_paragraph() && is_inside("p") {
        return false;
    }
    let innermost = open.last().map(|open| open.name);
    // Inside a table only its parts stay where they are; what else stands there is moved before it.
    if is_table_frame(innermost) {
        return match start.name {
            "thead" | "tbody" | "caption" | "colgroup" => innermost == Some("table"),
            "tr" => matches!(innermost, Some("thead" | "tbody")),
            "td" | "th" => innermost == Some("tr"),
            "col" => innermost == Some("colgroup"),
            _ => false,
        };
    }
    match start.name {
        "caption" | "col" | "colgroup" | "tbody" | "thead" | "tr" | "td" | "th" | "rp" | "rt" | "rtc" | "ruby"
        | "area" | "map" => false,
        "li" => nearest(&["li", "ul", "ol"]) != Some("li"),
        "dd" | "dt" => !matches!(nearest(&["dd", "dt", "dl"]), Some("dd" | "dt")),
        "a" => !is_inside("a"),
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => !matches!(innermost, Some("h1" | "h2" | "h3" | "h4" | "h5" | "h6")),
        _ => true,
    }
}

/// Whether HTML's parser leaves a text where it is written: not beside the cells of a table.
pub(super) fn text_fits(text: &str, innermost: Option<Element>) -> bool {
    !is_table_frame(innermost.map(|open| open.name)) || text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn is_table_frame(innermost: Option<&str>) -> bool {
    matches!(innermost, Some("table" | "thead" | "tbody" | "tr" | "colgroup"))
}
