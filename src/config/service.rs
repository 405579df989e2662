//! The tables of which there is one each: `[service]`, `[http]`, `[fetch]`, `[retention]`.
//!
//! Owns their keys, defaults and bounds.

use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::environment::Environment;
use super::reader::{Document, Table, Text, Value};
use super::secrets::{PASSWORD, Secrets};
use super::values;
use super::{FetchSettings, HttpSettings, Interval, Login, RetentionSettings, ServiceSettings};
use ipnet::IpNet;
use jiff::{SignedDuration, tz::TimeZone};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use url::Url;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// `[service]`: where we keep things and whose clock counts.
pub(super) fn service(documents: &[Document], environment: &Environment, report: &Report) -> ServiceSettings {
    let table = Table::merged(documents, "service", report);
    let written = table.text("data_dir", "a path").and_then(directory);
    let data_dir = environment.data_dir().map(Path::to_owned).or(written).or_else(|| environment.state_dir());
    if data_dir.is_none() && !table.has("data_dir") {
        let message = "no data directory: neither $STATE_DIRECTORY, $XDG_STATE_HOME nor $HOME is set";
        report.add(Diagnostic::error(table.place.clone(), message).help("write `data_dir` in [service]"));
    }
    let time_zone = table.text("timezone", "a time zone such as \"Europe/Paris\"").and_then(time_zone);
    table.finish();
    ServiceSettings { data_dir: data_dir.unwrap_or_default(), time_zone: time_zone.unwrap_or(TimeZone::UTC) }
}

fn directory(text: Text<'_>) -> Option<PathBuf> {
    if text.text.is_empty() {
        text.report().add(text.error("an empty path is no directory").help("write `.` for that of this file"));
        return None;
    }
    if text.text.starts_with('~') || text.text.contains('$') {
        let message =
            format!("{} would be a directory of that very name: nothing in a path is expanded", quoted(text.text));
        text.report().add(
            text.error(message).help("write the whole path, or none for $STATE_DIRECTORY or the XDG state directory"),
        );
        return None;
    }
    Some(text.beside())
}

fn time_zone(text: Text<'_>) -> Option<TimeZone> {
    // The scheduler needs the zone's rules from chrono-tz too, and its names are those of the IANA list.
    let known = text.text.parse::<chrono_tz::Tz>().is_ok().then(|| TimeZone::get(text.text).ok()).flatten();
    if known.is_none() {
        let help = did_you_mean(text.text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
            .unwrap_or_else(|| "write a name of the IANA list, such as \"Europe/Paris\" or \"UTC\"".to_owned());
        text.report().add(text.error(format!("unknown time zone {}", quoted(text.text))).help(help));
    }
    known
}

/// `[http]`: what we serve and under which address.
pub(super) fn http(documents: &[Document], secrets: &Secrets<'_>) -> HttpSettings {
    let report = secrets.report;
    let table = Table::merged(documents, "http", report);
    let listen = table.text("listen", "an address and a port").and_then(listen_address);
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8787)));
    let public_url = table.text("public_url", "a web address").and_then(public_url);
    let hubs = table.get("hubs").map(|value| value.texts("an array of web addresses")).unwrap_or_default();
    let hub = table.boolean("hub").unwrap_or(false);
    if hub && !table.has("public_url") {
        let message = "`hub` needs `public_url`: readers elsewhere ask for subscriptions at that address";
        let fault = Diagnostic::error(table.place_of("hub"), message);
        report.add(fault.help("write `public_url = \"https://…\"` in [http]").resting_on_absence());
    }
    let settings = HttpSettings {
        listen,
        hub,
        public_url: public_url.unwrap_or_else(|| default_public_url(listen)),
        hubs: hubs.into_iter().filter_map(values::web_address).collect(),
        list_feed_health: table.boolean("list_feed_health").unwrap_or(false),
        login: table.get("login").and_then(|value| basic_auth(value, "[http] login", secrets)),
        token: table.get("token").and_then(|value| secrets.alone(value, "[http] token")),
        trusted_proxies: table.get("trusted_proxies").map(networks).unwrap_or_default(),
        requests_per_minute: requests_per_minute(&table),
        subscribe_to_hubs: subscribe_to_hubs(&table),
    };
    table.finish();
    settings
}

/// A page with its style sheet and image is three requests, and a household reads with several programs.
fn requests_per_minute(table: &Table<'_>) -> u32 {
    let written = table.get("requests_per_minute").and_then(|value| value.integer(0..=1_000_000));
    written.and_then(|count| u32::try_from(count).ok()).unwrap_or(600)
}

/// Hubs deliver to our public address, so there has to be one.
fn subscribe_to_hubs(table: &Table<'_>) -> bool {
    let wanted = table.boolean("subscribe_to_hubs").unwrap_or(false);
    if wanted && !table.has("public_url") {
        let message = "`subscribe_to_hubs` needs `public_url`: hubs deliver to that address";
        let fault = Diagnostic::error(table.place_of("subscribe_to_hubs"), message);
        table.report.add(fault.help("write `public_url = \"https://…\"` in [http]").resting_on_absence());
    }
    wanted
}

/// A user's name and password, as Basic authentication takes them.
pub(super) fn basic_auth(value: Value<'_>, title: &str, secrets: &Secrets<'_>) -> Option<Login> {
    login(value, title, secrets, &[':'])
}

/// A user's name, without what may not be in it, and password: `{ username = "…", password_file = "…" }`.
pub(super) fn login(value: Value<'_>, title: &str, secrets: &Secrets<'_>, barred: &[char]) -> Option<Login> {
    if !value.is_table() {
        let how = format!("write `{} = {{ username = \"…\", password_file = \"…\" }}`", value.name);
        secrets.literal(value, how);
        return None;
    }
    let table = value.table(title)?;
    let username = username(&table, barred);
    let password = secrets.read(&table, &PASSWORD);
    table.finish();
    Some(Login { username: username?, password: password? })
}

fn username(table: &Table<'_>, barred: &[char]) -> Option<String> {
    const FORM: &str = "write `username = \"…\"`";
    if !table.has("username") {
        table.missing("username", FORM);
    }
    let text = table.text("username", "a string")?;
    let fault = match text.text.chars().find(|c| barred.contains(c) || c.is_control()) {
        None if text.text.is_empty() => text.error("a username is not empty").help(FORM),
        None => return Some(text.text.to_owned()),
        Some(':') => text.error("a username has no colon: Basic authentication ends it there"),
        Some(_) => text.error("a username holds no control characters"),
    };
    table.report.add(fault);
    None
}

fn listen_address(text: Text<'_>) -> Option<SocketAddr> {
    let address = text.text.parse().ok();
    if address.is_none() {
        let message = format!("{} is not an address to listen on", quoted(text.text));
        let help = "write an IP address and a port, such as \"127.0.0.1:8787\" or \"[::1]:8787\"";
        text.report().add(text.error(message).help(help));
    }
    address
}

fn public_url(text: Text<'_>) -> Option<Url> {
    let mut url = values::web_address(text)?;
    for (is_there, what) in [(url.query().is_some(), "query"), (text.text.contains('#'), "fragment")] {
        if is_there {
            let fault = text.error(format!("a public address has no {what}"));
            text.report().add(fault.help("write it up to its path, such as \"https://watch.your.site/\""));
            return None;
        }
    }
    if url.path() != "/" {
        let message = "`public_url` has a path: digests are found there, but pages link to the root of their host";
        let help = "give veille a host of its own, such as \"https://watch.your.site/\"; a path is right where only \
            the files of `veille export` are served";
        text.report().add(Diagnostic::warning(text.place(), message).help(help));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn default_public_url(listen: SocketAddr) -> Url {
    // The zone of a link-local address (`%1`) is this machine's own, and no part of a URL.
    let address = SocketAddr::new(listen.ip(), listen.port());
    let url = if listen.ip().is_unspecified() {
        format!("http://localhost:{}/", listen.port())
    } else {
        format!("http://{address}/")
    };
    Url::parse(&url).expect("a socket address without a zone makes a URL")
}

/// `[fetch]`: how feeds are polled unless they say otherwise.
pub(super) fn fetch(documents: &[Document], public_url: &Url, secrets: &Secrets<'_>) -> FetchSettings {
    let table = Table::merged(documents, "fetch", secrets.report);
    let (min_interval, max_interval) = bounds(&table);
    let interval = table.get("interval").and_then(interval);
    let settings = FetchSettings {
        interval: interval
            .map_or(Interval::Adaptive, |(interval, value)| within_bounds(interval, value, min_interval, max_interval)),
        min_interval,
        max_interval,
        timeout: table.get("timeout").and_then(values::duration).unwrap_or(SignedDuration::from_secs(30)),
        max_body_bytes: table.get("max_body").and_then(values::size_bytes).unwrap_or(10 << 20),
        concurrency: count(&table, "concurrency", 64, 10_000),
        per_host: count(&table, "per_host", 2, 1_000),
        per_host_gap: table.get("per_host_gap").and_then(values::duration),
        user_agent: table
            .text("user_agent", "a string")
            .and_then(user_agent)
            .unwrap_or_else(|| default_user_agent(public_url)),
        allow_private_addresses: table.boolean("allow_private_addresses").unwrap_or(false),
        allow_networks: table.get("allow_networks").map(networks).unwrap_or_default(),
        proxy: table.get("proxy").and_then(|value| proxy(value, secrets)),
    };
    table.finish();
    settings
}

/// The bounds of the interval. A default gives way to a bound that was written.
fn bounds(table: &Table<'_>) -> (SignedDuration, SignedDuration) {
    let bound = |key| table.get(key).and_then(values::duration);
    match (bound("min_interval"), bound("max_interval")) {
        (Some(min), Some(max)) if min > max => {
            let message = format!("`min_interval` ({}) is longer than `max_interval`", values::written(min));
            let mut fault = Diagnostic::error(table.place_of("min_interval"), message);
            if let Some(place) = table.place_of("max_interval") {
                fault = fault.related(place, values::written(max));
            }
            table.report.add(fault);
            (min, min)
        }
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, (24 * HOUR).max(min)),
        (None, Some(max)) => ((15 * MINUTE).min(max), max),
        (None, None) => (15 * MINUTE, 24 * HOUR),
    }
}

/// `"adaptive"` or a duration.
pub(super) fn interval(value: Value<'_>) -> Option<(Interval, Value<'_>)> {
    const ADAPTIVE: &str = "adaptive";
    if let Some(text) = value.is_text().then(|| value.text("")).flatten() {
        if text.text == ADAPTIVE {
            return Some((Interval::Adaptive, value));
        }
        let meant = did_you_mean(&text.text.to_lowercase(), [ADAPTIVE]);
        if meant.is_some() {
            value.report().add(text.error(format!("{} is not an interval", quoted(text.text))).help_if(meant));
            return None;
        }
    }
    values::duration(value).map(|duration| (Interval::Fixed(duration), value))
}

/// A fixed interval within the bounds, with a warning when it was not.
pub(super) fn within_bounds(
    interval: Interval,
    value: Value<'_>,
    min: SignedDuration,
    max: SignedDuration,
) -> Interval {
    let Interval::Fixed(wanted) = interval else { return interval };
    let kept = wanted.clamp(min, max);
    if kept != wanted {
        let bound = if kept == min { "min_interval" } else { "max_interval" };
        let message = format!("`interval` lies outside the bounds; {} is used", values::written(kept));
        let help = format!("change `{bound}` in [fetch] to allow it");
        value.report().add(Diagnostic::warning(value.place(), message).help(help));
    }
    Interval::Fixed(kept)
}

fn count(table: &Table<'_>, key: &'static str, default: usize, most: i64) -> usize {
    let written = table.get(key).and_then(|value| value.integer(1..=most));
    written.and_then(|count| usize::try_from(count).ok()).unwrap_or(default)
}

/// Names the program, its version and whom to ask about it (RFC 9110 section 10.1.5).
fn default_user_agent(public_url: &Url) -> String {
    let is_public = public_url.domain().is_some_and(|domain| domain.contains('.') && !is_placeholder(domain));
    let contact = if is_public { public_url.as_str() } else { env!("CARGO_PKG_REPOSITORY") };
    format!("veille/{} (+{contact})", env!("CARGO_PKG_VERSION"))
}

fn user_agent(text: Text<'_>) -> Option<String> {
    let agent = text.text.trim();
    let help = "name an address at which publishers reach you, such as \"veille (+https://your.site/)\"";
    if agent.is_empty() || !agent.chars().all(|character| matches!(character, ' '..='~')) {
        let message = "a user agent is printable ASCII, and not empty";
        text.report().add(text.error(message).help(help));
        return None;
    }
    if is_placeholder(agent) {
        let message = format!("{} is a placeholder, not a contact", quoted(agent));
        text.report().add(text.error(message).help(help));
        return None;
    }
    if !(agent.contains("://") || agent.contains('@') || agent.contains("mailto:")) {
        let message = "the user agent names no contact";
        text.report().add(Diagnostic::warning(text.place(), message).help(help));
    }
    Some(agent.to_owned())
}

/// Whether a contact is one of those that documentation uses (RFC 2606) or that we ship.
fn is_placeholder(agent: &str) -> bool {
    const PLACEHOLDERS: [&str; 8] =
        ["example.org", "example.com", "example.net", ".example", ".invalid", "your.site", "your-site", "changeme"];
    let agent = agent.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|placeholder| agent.contains(placeholder))
}

fn networks(value: Value<'_>) -> Vec<IpNet> {
    let parse = |text: Text<'_>| {
        let address = || text.text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.text.parse().ok().or_else(address);
        if network.is_none() {
            let message = format!("{} is not a network", quoted(text.text));
            text.report().add(text.error(message).help("write one such as \"192.168.1.0/24\" or \"fd00::/8\""));
        }
        network
    };
    value.texts("an array of networks").into_iter().filter_map(parse).collect()
}

/// An address, or a table with the address and credentials.
pub(super) fn proxy(value: Value<'_>, secrets: &Secrets<'_>) -> Option<Url> {
    if !value.is_table() {
        return value.text("a web address").and_then(proxy_address);
    }
    let table = value.table("proxy")?;
    let url = table.text("url", "a web address").and_then(proxy_address);
    if !table.has("url") {
        table.missing("url", "write `url = \"http://proxy:3128\"`");
    }
    let username = username(&table, &[':']);
    let password = secrets.read(&table, &PASSWORD);
    table.finish();
    let (mut url, username, password) = (url?, username?, password?);
    url.set_username(&username).ok()?;
    url.set_password(Some(&password.0)).ok()?;
    Some(url)
}

fn proxy_address(text: Text<'_>) -> Option<Url> {
    let help = "write `proxy = { url = \"http://proxy:3128\", username = \"…\", password_file = \"…\" }`";
    let fault = match Url::parse(text.text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => text
            .error("the proxy's address holds credentials, which never stand in the config")
            .help(help)
            .hiding_source(),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            text.error("a proxy is an http or https address")
        }
        Ok(url) => return Some(url),
        Err(error) => text.error(format!("this is not a web address: {error}")),
    };
    text.report().add(fault);
    None
}

/// `[retention]`: how long things are kept.
pub(super) fn retention(documents: &[Document], report: &Report) -> RetentionSettings {
    let table = Table::merged(documents, "retention", report);
    let keep = |key| table.get(key).and_then(values::duration);
    let keep_items = keep("keep_items").unwrap_or(400 * 24 * HOUR);
    let settings = RetentionSettings {
        keep_items,
        keep_tagged_items: keep("keep_tagged_items"),
        keep_issues: keep("keep_issues"),
    };
    for (key, kept) in [("keep_tagged_items", settings.keep_tagged_items), ("keep_issues", settings.keep_issues)] {
        if kept.is_some_and(|kept| kept < keep_items) {
            let message = format!("`{key}` is shorter than `keep_items`");
            let help = format!("it can only be longer than {}", values::written(keep_items));
            report.add(Diagnostic::error(table.place_of(key), message).help(help));
        }
    }
    table.finish();
    settings
}
