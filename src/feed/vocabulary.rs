//! The words of the feed dialects: which namespace a URI or prefix means, and which element says what.

/// A namespace, or group of namespaces that say the same things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    /// The document's own: RSS of any version, or Atom in an Atom document.
    Native,
    Atom,
    DublinCore,
    Content,
    Media,
    Itunes,
    Syndication,
    Xhtml,
    Xml,
    Other,
}

impl Namespace {
    /// The namespace of a URI; spelling variants seen in feeds (case, slash at the end, https) are the same.
    pub fn of_uri(uri: &str) -> Namespace {
        let uri = uri.trim().trim_end_matches(['/', '#']).to_ascii_lowercase();
        let name = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
        match name.strip_prefix("www.").unwrap_or(name) {
            "w3.org/2005/atom" | "purl.org/atom/ns" | "purl.org/net/atom" => Namespace::Atom,
            "purl.org/rss/1.0/modules/content" => Namespace::Content,
            "search.yahoo.com/mrss" | "search.yahoo.com/rss" | "video.search.yahoo.com/mrss" => Namespace::Media,
            "itunes.com/dtds/podcast-1.0.dtd" | "example.com/dtds/podcast-1.0.dtd" => Namespace::Itunes,
            "purl.org/rss/1.0/modules/syndication" => Namespace::Syndication,
            "w3.org/1999/xhtml" => Namespace::Xhtml,
            "w3.org/xml/1998/namespace" => Namespace::Xml,
            "purl.org/rss/1.0" | "my.netscape.com/rdf/simple/0.9" | "channel.netscape.com/rdf/simple/0.9" => {
                Namespace::Native
            }
            name if name.starts_with("purl.org/dc/") || name == "purl.org/metadata/dublin_core" => {
                Namespace::DublinCore
            }
            name if name.starts_with("backend.userland.com/rss")
                || name.starts_with("blogs.law.harvard.edu/tech/rss") =>
            {
                Namespace::Native
            }
            name if name.starts_with("purl.org/net/rss1.1") => Namespace::Native,
            _ => Namespace::Other,
        }
    }

    /// What a prefix means that nobody declared.
    pub fn of_prefix(prefix: &str) -> Namespace {
        match prefix {
            "rss" => Namespace::Native,
            "atom" | "atom10" | "atom03" | "a10" => Namespace::Atom,
            "dc" | "dcterms" => Namespace::DublinCore,
            "content" => Namespace::Content,
            "media" => Namespace::Media,
            "itunes" => Namespace::Itunes,
            "sy" => Namespace::Syndication,
            "xhtml" | "html" | "body" => Namespace::Xhtml,
            "xml" => Namespace::Xml,
            _ => Namespace::Other,
        }
    }
}

/// What an element inside a channel or an item says. Each holds text, attributes or inline markup, never fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    /// A teaser or the only text: RSS `description`, Atom `summary`.
    Summary,
    /// Stands in for a summary when there is none: `itunes:summary`, `media:description`, `dc:description`.
    SummaryFallback,
    /// The whole text: `content:encoded`, Atom `content`, `xhtml:body`.
    Content,
    /// RSS `link`: the address as text.
    Link,
    /// Atom `link`: the address in `href`, its role in `rel`.
    AtomLink,
    Guid,
    Published,
    Updated,
    Created,
    /// RSS `author`: an e-mail address with a name.
    Author,
    Creator,
    Category,
    /// `dc:subject`, `media:category`: a label as text.
    Subject,
    Enclosure,
    Language,
    Ttl,
    SkipHour,
    SkipDay,
    UpdatePeriod,
    UpdateFrequency,
}

/// Elements that hold other elements with names of their own, which are not the item's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Channel,
    Item,
    /// `media:group`, `skipHours`, `skipDays`: what is inside counts as the parent's.
    Transparent,
}

/// The container that an element opens, if it is one.
pub(super) fn container(namespace: Namespace, local: &str) -> Option<Container> {
    use Namespace::{Atom, Media, Native};
    Some(match (namespace, local) {
        (Native | Atom, "item" | "entry") => Container::Item,
        (Native, "channel") => Container::Channel,
        (Native, "skiphours" | "skipdays") | (Media, "group" | "content") => Container::Transparent,
        _ => return None,
    })
}

/// The field that an element is, by its lower-case local name.
pub(super) fn field(namespace: Namespace, local: &str, is_atom: bool) -> Option<Field> {
    use Namespace::{Atom, Content, DublinCore, Itunes, Media, Native, Syndication, Xhtml};
    Some(match (namespace, local) {
        (Native, "link") if !is_atom => Field::Link,
        (Native | Atom, "link") => Field::AtomLink,
        (Native | Atom, "title") => Field::Title,
        (Native | Atom, "summary" | "abstract" | "description" | "tagline" | "subtitle") => Field::Summary,
        (Itunes, "summary" | "subtitle") | (DublinCore, "description" | "abstract") | (Media, "description") => {
            Field::SummaryFallback
        }
        (Native | Atom, "content" | "body" | "fullitem") | (Content, "encoded") | (Xhtml, "body") => Field::Content,
        (Native, "guid" | "id") | (Atom, "id") => Field::Guid,
        (Native | Atom, "pubdate" | "published" | "issued") | (DublinCore, "issued") => Field::Published,
        (Native | Atom, "updated" | "modified") | (DublinCore, "date" | "modified") => Field::Updated,
        (Native | Atom | DublinCore, "created") => Field::Created,
        (Native | Atom | Itunes, "author") => Field::Author,
        (DublinCore, "creator" | "author") | (Native, "creator") => Field::Creator,
        (Native | Atom, "category" | "subject") => Field::Category,
        (DublinCore, "subject") | (Media, "category") => Field::Subject,
        (Native, "enclosure") => Field::Enclosure,
        (Native | DublinCore, "language") => Field::Language,
        (Native, "ttl") => Field::Ttl,
        (Native, "hour") => Field::SkipHour,
        (Native, "day") => Field::SkipDay,
        (Syndication, "updateperiod") => Field::UpdatePeriod,
        (Syndication, "updatefrequency") => Field::UpdateFrequency,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_known_by_every_spelling() {
        for (uri, expected) in [
            ("http://www.w3.org/2005/Atom", Namespace::Atom),
            ("https://www.w3.org/2005/Atom/", Namespace::Atom),
            ("http://purl.org/atom/ns#", Namespace::Atom),
            ("http://purl.org/dc/terms/", Namespace::DublinCore),
            ("http://search.yahoo.com/mrss", Namespace::Media),
            ("http://purl.org/rss/1.0/", Namespace::Native),
            ("http://backend.userland.com/RSS2", Namespace::Native),
            ("http://example.org/", Namespace::Other),
        ] {
            assert_eq!(Namespace::of_uri(uri), expected, "{uri}");
        }
    }
}
