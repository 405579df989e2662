//! Validated settings: what the rest of the program sees of the config.

use super::FileStamps;
use crate::model::DigestSpec;
use crate::query::{Query, RuleSet};
use ipnet::IpNet;
use jiff::{SignedDuration, tz::TimeZone};
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// A whole config, valid as a whole. Replaced as a whole on reload.
#[derive(Debug, Clone)]
pub struct Settings {
    pub service: ServiceSettings,
    pub http: HttpSettings,
    pub fetch: FetchSettings,
    pub retention: RetentionSettings,
    pub feeds: Vec<FeedSettings>,
    pub rules: RuleSet,
    pub digests: Vec<DigestSettings>,
    /// How mail is sent; there when a digest is sent by mail.
    pub smtp: Option<SmtpSettings>,
    /// Every file that was read, for watching.
    pub files: Vec<PathBuf>,
    pub stamps: FileStamps,
}

#[derive(Debug, Clone)]
pub struct ServiceSettings {
    pub data_dir: PathBuf,
    pub time_zone: TimeZone,
}

#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// Ends in `/`. Used in every address that leaves the house.
    pub public_url: Url,
    /// `WebSub` hubs to name in our feeds and to ping.
    pub hubs: Vec<Url>,
    /// Whether readers may subscribe at our own hub.
    pub hub: bool,
    /// Whether the digest of the feeds' own health stands in the list of public digests and among what is exported.
    pub list_feed_health: bool,
    /// Who may change state through pages; `None`: nobody.
    pub login: Option<Login>,
    /// Whether we subscribe at the hubs that feeds name.
    pub subscribe_to_hubs: bool,
    /// The bearer token that may change state through the API; `None`: none does.
    pub token: Option<Secret>,
    /// The web servers before us, whose word on who asks is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Of one address, this machine's own excepted; 0: no limit.
    pub requests_per_minute: u32,
}

/// A user's name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: Secret,
}

/// How often a feed is polled.
#[derive(Debug, Clone, PartialEq)]
pub enum Interval {
    /// From the feed's own rhythm, within `min_interval..=max_interval`.
    Adaptive,
    Fixed(SignedDuration),
    /// Six fields, seconds first, in the service's time zone.
    Cron(String),
}

#[derive(Debug, Clone)]
pub struct FetchSettings {
    pub interval: Interval,
    pub min_interval: SignedDuration,
    pub max_interval: SignedDuration,
    /// For one whole visit.
    pub timeout: SignedDuration,
    /// Bytes after decompression.
    pub max_body_bytes: u64,
    pub concurrency: usize,
    pub per_host: usize,
    /// Least time between two starts at one host and port; `None`: a second, but none at loopback addresses.
    pub per_host_gap: Option<SignedDuration>,
    pub user_agent: String,
    pub allow_private_addresses: bool,
    /// Private networks that may be reached all the same.
    pub allow_networks: Vec<IpNet>,
    pub proxy: Option<Url>,
}

#[derive(Debug, Clone)]
pub struct RetentionSettings {
    pub keep_items: SignedDuration,
    /// `None`: as long as `keep_items`.
    pub keep_tagged_items: Option<SignedDuration>,
    pub keep_issues: Option<SignedDuration>,
}

#[derive(Debug, Clone)]
pub struct FeedSettings {
    /// As configured; sent as it stands (no normalisation of path or query), fragment removed.
    pub url: Url,
    pub title: Option<String>,
    pub groups: Vec<String>,
    /// `None`: the default of `[fetch]`.
    pub interval: Option<Interval>,
    pub language: Option<String>,
    pub full_text: bool,
    /// Whether it waits for the other feeds of its host, and speaks for them when it is told to come later.
    pub host_limits: bool,
    pub enabled: bool,
    pub headers: Vec<(String, String)>,
    pub basic_auth: Option<(String, Secret)>,
    pub proxy: Option<Url>,
}

impl FeedSettings {
    /// A feed of which nothing is configured but its URL.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            title: None,
            groups: Vec::new(),
            interval: None,
            language: None,
            full_text: false,
            host_limits: true,
            enabled: true,
            headers: Vec::new(),
            basic_auth: None,
            proxy: None,
        }
    }
}

/// A secret read from a file or the environment; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone)]
pub struct DigestSettings {
    pub spec: DigestSpec,
    pub query: Query,
    /// The query as written.
    pub query_text: String,
    /// Made from a tag that publishes itself.
    pub from_tag: bool,
    pub webhooks: Vec<WebhookSettings>,
    /// Addresses that each issue is mailed to.
    pub mail_to: Vec<String>,
}

/// A receiver of a digest's entries, or of its issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    pub url: Url,
    /// What messages to it are signed with.
    pub secret: Option<Secret>,
}

/// How the connection to the mail server is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte.
    Implicit,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// Not at all: for a mail server on this machine.
    None,
}

/// The mail server, and who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// `Name <local@domain>`, or the address alone.
    pub from: String,
    pub login: Option<Login>,
}
