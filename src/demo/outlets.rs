//! Who publishes in the demo: one outlet a kind of document that a reader of feeds must cope with.

use super::document::{DateFormat, Document};
use encoding_rs::{Encoding, GBK, UTF_8, WINDOWS_1252};

/// A fictional publisher and its feed.
#[derive(Debug)]
pub struct Outlet {
    pub title: &'static str,
    /// Where its document lies at the origin.
    pub path: &'static str,
    /// The address that its readers know when the document has moved: it answers 301.
    pub moved_from: Option<&'static str>,
    pub groups: &'static [&'static str],
    pub content_type: &'static str,
    pub(super) document: Document,
}

impl Outlet {
    /// The path to subscribe to.
    #[must_use]
    pub fn feed_path(&self) -> &'static str {
        self.moved_from.unwrap_or(self.path)
    }
}

/// All of them. The last one's feed is gone for good: its address answers a page.
pub static OUTLETS: [Outlet; 11] = [
    Outlet {
        title: "Le Chiffre",
        path: "/lechiffre.example/flux.xml",
        moved_from: None,
        groups: &["fr", "press"],
        content_type: "application/rss+xml; charset=utf-8",
        document: rss(UTF_8, include_str!("feeds/lechiffre.xml")),
    },
    Outlet {
        // What ISO-8859-1 means on the web is windows-1252 (WHATWG Encoding, section 4.2).
        title: "Le Relais du numérique",
        path: "/lerelais.example/rss",
        moved_from: None,
        groups: &["fr", "press"],
        content_type: "text/xml",
        document: rss(WINDOWS_1252, include_str!("feeds/lerelais.xml")),
    },
    Outlet {
        title: "Harbor & Gate",
        path: "/harborgate.example/atom.xml",
        moved_from: None,
        groups: &["press", "business"],
        content_type: "application/atom+xml",
        document: rfc3339(UTF_8, include_str!("feeds/harborgate.xml")),
    },
    Outlet {
        title: "The Model Desk",
        path: "/modeldesk.example/feed.json",
        moved_from: None,
        groups: &["ai", "open-source"],
        content_type: "application/feed+json",
        document: rfc3339(UTF_8, include_str!("feeds/modeldesk.json")),
    },
    Outlet {
        title: "潮新科技",
        path: "/chaoxin.example/rss.xml",
        moved_from: None,
        groups: &["zh", "press"],
        content_type: "text/xml; charset=gbk",
        document: rss(GBK, include_str!("feeds/chaoxin.xml")),
    },
    Outlet {
        title: "智流日报",
        path: "/zhiliu.example/index.rdf",
        moved_from: None,
        groups: &["zh", "ai"],
        content_type: "application/rdf+xml",
        document: rfc3339(UTF_8, include_str!("feeds/zhiliu.xml")),
    },
    Outlet {
        title: "Silicon Ledger",
        path: "/siliconledger.example/feed/",
        moved_from: None,
        groups: &["chips"],
        content_type: "text/html; charset=UTF-8",
        document: rss(UTF_8, include_str!("feeds/siliconledger.xml")),
    },
    Outlet {
        title: "Brussels Wire",
        path: "/brusselswire.example/feed.atom",
        moved_from: None,
        groups: &["regulation"],
        content_type: "application/atom+xml; charset=utf-8",
        document: rfc3339(UTF_8, include_str!("feeds/brusselswire.xml")),
    },
    Outlet {
        title: "Talent Relay",
        path: "/talentrelay.example/rss.xml",
        moved_from: None,
        groups: &["talent"],
        content_type: "application/rss+xml",
        document: rss(UTF_8, include_str!("feeds/talentrelay.xml")),
    },
    Outlet {
        title: "Carnet du large",
        path: "/carnetdularge.example/flux.xml",
        moved_from: Some("/carnetdularge.example/feed"),
        groups: &["fr"],
        content_type: "application/rss+xml",
        document: rss(UTF_8, include_str!("feeds/carnetdularge.xml")),
    },
    Outlet {
        title: "Le Vieux Portail",
        path: "/vieuxportail.example/rss",
        moved_from: None,
        groups: &["fr"],
        content_type: "text/html; charset=utf-8",
        document: rss(UTF_8, include_str!("feeds/vieuxportail.html")),
    },
];

/// A document whose dates are RSS 2.0's.
const fn rss(encoding: &'static Encoding, template: &'static str) -> Document {
    Document { template, dates: DateFormat::Rfc2822, encoding }
}

/// A document whose dates are those of Atom, JSON Feed and Dublin Core.
const fn rfc3339(encoding: &'static Encoding, template: &'static str) -> Document {
    Document { template, dates: DateFormat::Rfc3339, encoding }
}
