//! The demo's config: the shipped tags and digests over the outlets of the demo's origin.

use super::outlets::{OUTLETS, Outlet};
use crate::config::SHIPPED;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The demo's `feeds.toml`.
#[derive(Debug, Serialize)]
struct FeedsFile {
    feeds: Vec<FeedTable>,
}

#[derive(Debug, Serialize)]
struct FeedTable {
    url: String,
    title: &'static str,
    groups: &'static [&'static str],
}

/// Writes a config into `directory` and returns its entry point. The daemon of that config polls the
/// origin at `origin_url` (as of [`Origin::base_url`](super::Origin::base_url)), keeps its data in
/// `directory` too, and listens at `listen`.
pub fn write_config(directory: &Path, origin_url: &str, listen: SocketAddr) -> io::Result<PathBuf> {
    let config = directory.join("config");
    fs::create_dir_all(config.join("tags"))?;
    for (name, text) in SHIPPED.iter().filter(|(name, _)| is_kept(name)) {
        fs::write(config.join(name), text)?;
    }
    fs::write(config.join("feeds.toml"), feeds_file(origin_url))?;
    let entry_point = config.join("veille.toml");
    fs::write(&entry_point, service_file(&directory.join("data"), listen))?;
    Ok(entry_point)
}

/// Tags and digests are those that are shipped; what is polled and served is the demo's own.
fn is_kept(name: &str) -> bool {
    !matches!(name, "veille.toml" | "feeds.toml")
}

fn feeds_file(origin_url: &str) -> String {
    let table = |outlet: &Outlet| FeedTable {
        url: format!("{origin_url}{}", outlet.feed_path()),
        title: outlet.title,
        groups: outlet.groups,
    };
    toml::to_string(&FeedsFile { feeds: OUTLETS.iter().map(table).collect() })
        .expect("invariant: strings and arrays of strings are TOML")
}

/// Short intervals, so that something happens while one looks. The origin is on loopback, which is a private address.
fn service_file(data_dir: &Path, listen: SocketAddr) -> String {
    let data_dir = toml::Value::from(&*data_dir.to_string_lossy());
    format!(
        r#"include = ["feeds.toml", "tags/*.toml", "digests.toml"]

[service]
data_dir = {data_dir}
timezone = "Europe/Paris"

[http]
listen = "{listen}"
public_url = "http://{listen}"

[fetch]
interval = "20s"
min_interval = "10s"
max_interval = "2m"
timeout = "10s"
per_host = 8
allow_private_addresses = true

[digests.minute-by-minute]
title = "French AI, minute by minute"
description = "A periodic digest in a hurry: whoever tries veille need not wait for Monday morning."
query = "tag:french-ai"
cron = "0 * * * * *"
group_by = "tag"
"#
    )
}
