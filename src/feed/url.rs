//! Addresses: one canonical form for comparing them, and sites whose feed address follows from their own.

use url::Url;

/// The canonical form of a link, for comparing: two addresses of one page give the same text.
///
/// `http` and `https` are one, the host is lower case without `www.`, default ports, credentials, fragments (but
/// `#!` routes), tracking parameters and a slash at the end go, the other parameters keep their order. It is a
/// key, not an address to fetch. What is no http address comes back trimmed.
///
/// ```
/// use veille::feed::canonical_url;
/// assert_eq!(canonical_url("HTTP://www.Example.org:80/a/?utm_source=x#top"), canonical_url("https://example.org/a"));
/// ```
pub fn canonical_url(link: &str) -> String {
    let link = link.trim();
    if let Some(parts) = Parts::of_plain(link) {
        return parts.canonical();
    }
    let Ok(url) = Url::parse(link) else { return link.to_owned() };
    if !matches!(url.scheme(), "http" | "https") {
        return link.to_owned();
    }
    let parts = Parts {
        host: url.host_str().unwrap_or_default(),
        // The port of the other scheme is what a twin on `http:80` or `https:443` would have.
        port: url.port().filter(|port| !matches!(port, 80 | 443)),
        path: url.path(),
        query: url.query().unwrap_or_default(),
        fragment: url.fragment().unwrap_or_default(),
    };
    parts.canonical()
}

struct Parts<'a> {
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    /// The parts of an address that a URL parser would give back as it stands, as most are: lower case, no port, no
    /// dot segments, nothing to be escaped.
    fn of_plain(link: &'a str) -> Option<Self> {
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"))?;
        let is_plain = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'_'
                        | b'~'
                        | b'.'
                        | b'/'
                        | b'?'
                        | b'='
                        | b'&'
                        | b'+'
                        | b','
                        | b';'
                        | b':'
                        | b'@'
                        | b'!'
                        | b'%'
                        | b'#'
                )
        };
        let is_changed = memchr::memchr_iter(b'/', rest.as_bytes())
            .any(|slash| matches!(rest.as_bytes()[slash + 1..], [b'.', ..] | [b'%', b'2', ..]));
        if !is_plain_address(link) || !rest.bytes().all(is_plain) || is_changed {
            return None;
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has_upper_case = host.bytes().any(|byte| byte.is_ascii_uppercase());
        (!has_upper_case).then_some(Parts { host, port: None, path, query, fragment })
    }

    fn canonical(&self) -> String {
        let host = self.host.trim_end_matches('.');
        let mut canonical = String::with_capacity(host.len() + self.path.len() + self.query.len() + 16);
        canonical.push_str("https://");
        canonical.push_str(host.strip_prefix("www.").unwrap_or(host));
        if let Some(port) = self.port {
            canonical.push(':');
            canonical.push_str(&port.to_string());
        }
        canonical.push_str(self.path.trim_end_matches('/'));
        let mut separator = '?';
        for parameter in self.query.split('&') {
            let name = parameter.split('=').next().unwrap_or_default();
            if !parameter.is_empty() && !is_tracking(name) {
                canonical.push(separator);
                canonical.push_str(parameter);
                separator = '&';
            }
        }
        if self.fragment.starts_with(['!', '/']) {
            canonical.push('#');
            canonical.push_str(self.fragment);
        }
        canonical
    }
}

/// Whether an address is one of http or https that any URL parser takes, seen without parsing it: a host of letters,
/// digits, `-` and `_` between single dots, no number and no punycode, and no port. `false` says nothing.
pub(super) fn is_plain_address(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")) else { return false };
    let bytes = rest.as_bytes();
    // Where the label that is read now begins.
    let mut label = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'.' if is_plain_label(&bytes[label..at]) => label = at + 1,
            b'/' | b'?' | b'#' => break,
            _ => return false,
        }
        at += 1;
    }
    is_plain_label(&bytes[label..at]) && bytes[label].is_ascii_alphabetic()
}

fn is_plain_label(label: &[u8]) -> bool {
    !label.is_empty() && !label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
}

/// Parameters that say who came how, not which page.
fn is_tracking(name: &str) -> bool {
    const NAMES: [&str; 34] = [
        "_hsenc",
        "_hsmi",
        "at_campaign",
        "at_medium",
        "cmpid",
        "dclid",
        "fb_action_ids",
        "fb_ref",
        "fb_source",
        "fbclid",
        "feature",
        "ftag",
        "gclid",
        "gclsrc",
        "gbraid",
        "igshid",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "msclkid",
        "ncid",
        "ocid",
        "ref_src",
        "ref_url",
        "sc_campaign",
        "smid",
        "spm",
        "twclid",
        "wbraid",
        "wickedid",
        "xtor",
        "yclid",
        "vero_id",
        "partner",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_") || name.starts_with("pk_") || name.starts_with("mtm_") || NAMES.contains(&name.as_str())
}

/// `address` as an absolute one: as it stands when it is, else resolved against the base. An `&amp;` in it was
/// escaped once too often.
pub(super) fn absolute(address: &str, base: Option<&Url>) -> String {
    let address = address.trim();
    let address = if address.contains('&') { address.replace("&amp;", "&") } else { address.to_owned() };
    if is_plain_address(&address) {
        return address;
    }
    match Url::parse(&address) {
        Ok(_) => address,
        Err(_) => base.and_then(|base| base.join(&address).ok()).map_or(address, String::from),
    }
}

/// Whether an address may become a link: one that runs where it is shown, is its own content or names a file of the reader's
/// may not.
pub(super) fn leads_elsewhere(address: &str) -> bool {
    is_plain_address(address)
        || Url::parse(address).map_or(true, |url| !matches!(url.scheme(), "javascript" | "vbscript" | "data" | "file"))
}

/// The feed of a page at a site known to have one at a fixed place: `YouTube`, GitHub, Reddit, Mastodon and others.
///
/// ```
/// use veille::feed::known_site;
/// let feed = known_site("https://github.com/feed-rs/feed-rs").expect("a known site");
/// assert_eq!(feed.as_str(), "https://github.com/feed-rs/feed-rs/releases.atom");
/// ```
pub fn known_site(page: &str) -> Option<Url> {
    let url = Url::parse(page.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?.trim_start_matches("www.").trim_start_matches("m.").to_owned();
    let path: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let feed = match (host.as_str(), path.as_slice()) {
        ("youtube.com" | "youtu.be", _) => youtube(&url, &path)?,
        ("github.com", [owner, repository, rest @ ..]) => github(owner, repository, rest)?,
        ("github.com", [user]) if !is_feed_name(user) => format!("https://github.com/{user}.atom"),
        ("gitlab.com", [.., project]) if path.len() >= 2 && !path.contains(&"-") && !is_feed_name(project) => {
            format!("https://gitlab.com/{}/-/tags?format=atom", path.join("/"))
        }
        ("reddit.com" | "old.reddit.com" | "new.reddit.com", [kind @ ("r" | "u" | "user"), name, ..])
            if !url.path().to_ascii_lowercase().ends_with(".rss") =>
        {
            format!("https://www.reddit.com/{kind}/{name}/.rss")
        }
        ("medium.com", [first, ..]) if *first != "feed" => format!("https://medium.com/feed/{first}"),
        ("dev.to", [user]) if *user != "feed" => format!("https://dev.to/feed/{user}"),
        ("bsky.app", ["profile", handle]) => format!("https://bsky.app/profile/{handle}/rss"),
        ("stackoverflow.com", ["questions", "tagged", tag]) => format!("https://stackoverflow.com/feeds/tag/{tag}"),
        ("news.ycombinator.com", []) => "https://news.ycombinator.com/rss".to_owned(),
        ("arxiv.org", ["list", subject, ..]) => format!("https://rss.arxiv.org/atom/{subject}"),
        ("pypi.org", ["project", name]) => format!("https://pypi.org/rss/project/{name}/releases.xml"),
        ("crates.io", ["crates", name]) => format!("https://static.crates.io/rss/crates/{name}.xml"),
        (host, [user]) if is_fediverse_user(user) && !host.ends_with("medium.com") => {
            format!("https://{host}/{user}.rss")
        }
        (host, path) if host.ends_with(".substack.com") && !path.contains(&"feed") => format!("https://{host}/feed"),
        (host, path) if host.ends_with(".medium.com") && path.first() != Some(&"feed") => {
            format!("https://{host}/feed")
        }
        (host, path) if host.ends_with(".wordpress.com") && !path.contains(&"feed") => format!("https://{host}/feed/"),
        (host, path) if host.ends_with(".blogspot.com") && path.first() != Some(&"feeds") => {
            format!("https://{host}/feeds/posts/default")
        }
        (host, path) if host.ends_with(".tumblr.com") && path.first() != Some(&"rss") => format!("https://{host}/rss"),
        _ => return None,
    };
    Url::parse(&feed).ok()
}

fn youtube(url: &Url, path: &[&str]) -> Option<String> {
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let key = match path {
        ["channel", id, ..] => format!("channel_id={id}"),
        ["user", name, ..] => format!("user={name}"),
        ["playlist" | "watch", ..] => format!("playlist_id={}", parameter("list")?),
        _ => return None,
    };
    Some(format!("https://www.youtube.com/feeds/videos.xml?{key}"))
}

fn github(owner: &str, repository: &str, rest: &[&str]) -> Option<String> {
    let page = format!("https://github.com/{owner}/{}", repository.trim_end_matches(".git"));
    Some(match rest {
        _ if is_feed_name(repository) || rest.last().is_some_and(|last| is_feed_name(last)) => return None,
        [] | ["releases", ..] => format!("{page}/releases.atom"),
        ["tags", ..] => format!("{page}/tags.atom"),
        ["commits" | "tree", branch] => format!("{page}/commits/{branch}.atom"),
        ["commits"] => format!("{page}/commits.atom"),
        ["discussions", ..] => format!("{page}/discussions.atom"),
        _ => return None,
    })
}

fn is_feed_name(segment: &str) -> bool {
    [".atom", ".rss", ".xml", ".json"].iter().any(|end| segment.ends_with(end))
}

fn is_fediverse_user(segment: &str) -> bool {
    segment.len() > 1 && segment.starts_with('@') && !segment[1..].contains('@') && !is_feed_name(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_have_one_canonical_form() {
        let expected = canonical_url("https://example.org/a");
        for twin in [
            "http://example.org/a",
            "HTTPS://WWW.Example.org/a",
            "https://example.org:443/a/",
            "http://example.org:80/a#comments",
            "https://example.org/a?utm_source=rss&utm_medium=feed",
            "https://example.org./a?fbclid=1",
            "https://u:p@example.org/a",
        ] {
            assert_eq!(canonical_url(twin), expected, "{twin}");
        }
    }

    #[test]
    fn a_plain_address_is_cut_as_a_parser_would() {
        for address in [
            "https://example.org",
            "http://example.org/",
            "https://a.example.org/b//c/?d=1&e=%20f&utm_source=x#!/g",
            "https://example.org?a=b/c",
            "https://example.org/a:b@c;d,e!f+g~h_i-j.k%zz",
        ] {
            let url = Url::parse(address).expect("a valid address");
            let parts = Parts::of_plain(address).expect("a plain one");
            assert_eq!(parts.host, url.host_str().unwrap_or_default(), "{address}");
            assert_eq!(parts.path.trim_end_matches('/'), url.path().trim_end_matches('/'), "{address}");
            assert_eq!(parts.query, url.query().unwrap_or_default(), "{address}");
            assert_eq!(parts.fragment, url.fragment().unwrap_or_default(), "{address}");
        }
        for address in [
            "https://1.2.3.256/",
            "https://example.0x10/",
            "https://xn--a/",
            "https:///a",
            "https://a..b/",
            "https://a:b/",
            "https://u@a/",
            "https://a b/",
            "https://a\\b",
            "https://é.example/",
            "ftp://example.org/",
        ] {
            assert!(!is_plain_address(address), "{address}");
        }
        for address in [
            "https://Example.org/",
            "https://example.org/a/../b",
            "https://example.org/é",
            "https://example.org/%2e%2e/",
        ] {
            assert!(Parts::of_plain(address).is_none(), "{address}");
        }
    }

    #[test]
    fn different_pages_stay_different() {
        assert_ne!(canonical_url("https://example.org/a?id=1"), canonical_url("https://example.org/a?id=2"));
        assert_ne!(canonical_url("https://example.org/A"), canonical_url("https://example.org/a"));
        assert_ne!(canonical_url("https://example.org/#!/a"), canonical_url("https://example.org/#!/b"));
        assert_ne!(canonical_url("https://example.org:8080/a"), canonical_url("https://example.org/a"));
        assert_eq!(canonical_url(" tag:x,2026:1 "), "tag:x,2026:1");
    }

    #[test]
    fn known_sites_give_their_feed() {
        for (page, feed) in [
            ("https://www.youtube.com/channel/UC123", "https://www.youtube.com/feeds/videos.xml?channel_id=UC123"),
            ("https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/feeds/videos.xml?playlist_id=PL1"),
            ("https://github.com/a/b/tags", "https://github.com/a/b/tags.atom"),
            ("https://old.reddit.com/r/rust/", "https://www.reddit.com/r/rust/.rss"),
            ("https://mastodon.social/@Gargron", "https://mastodon.social/@Gargron.rss"),
            ("https://x.substack.com/p/post", "https://x.substack.com/feed"),
            ("https://medium.com/@user", "https://medium.com/feed/@user"),
            ("https://x.blogspot.com/2026/11/a.html", "https://x.blogspot.com/feeds/posts/default"),
        ] {
            assert_eq!(known_site(page).map(String::from).as_deref(), Some(feed), "{page}");
        }
        for page in [
            "https://example.org/",
            "https://github.com/a/b/releases.atom",
            "ftp://github.com/a/b",
            "https://medium.com/feed/x",
        ] {
            assert_eq!(known_site(page), None, "{page}");
        }
    }
}
