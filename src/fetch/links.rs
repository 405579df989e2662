//! `Link` headers (RFC 8288), as far as they name hubs and the topic at them (W3C WebSub section 4).

use super::HubLinks;
use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// What the headers say of hubs; `None`: nothing.
pub(super) fn of_hub(headers: &HeaderMap, base: &Url) -> Option<HubLinks> {
    let links = HubLinks { hub: target(headers, "hub", base), topic: target(headers, "self", base) };
    (links.hub.is_some() || links.topic.is_some()).then_some(links)
}

/// The first target of a relation.
fn target(headers: &HeaderMap, relation: &str, base: &Url) -> Option<Url> {
    let values = headers.get_all(LINK).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    values.flat_map(links).find_map(|(target, parameters)| {
        let is_it = parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_whitespace().any(|rel| rel.eq_ignore_ascii_case(relation))
        });
        if is_it { base.join(target.trim()).ok() } else { None }
    })
}

/// Each `<target>` with the parameters behind it. A comma within quotes ends no link, since the next one begins at `<`.
fn links(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value
        .split('<')
        .skip(1)
        .filter_map(|link| link.split_once('>'))
        .map(|(target, rest)| (target, rest.trim_end().trim_end_matches(',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_and_topics_are_found_however_they_are_written() {
        let mut headers = HeaderMap::new();
        headers.append(
            LINK,
            "<https://a.test/style>; rel=preload, </hub>;title=\"x, y\"; REL=\"Hub other\"".parse().unwrap(),
        );
        headers.append(LINK, "<https://b.test/topic?a,b>; rel=self , <bad".parse().unwrap());
        let base = Url::parse("https://b.test/feed").unwrap();
        let found = |relation| target(&headers, relation, &base).map(String::from);
        assert_eq!(found("hub").as_deref(), Some("https://b.test/hub"));
        assert_eq!(found("self").as_deref(), Some("https://b.test/topic?a,b"));
        assert_eq!(found("next"), None);
    }
}
