//! `veille parse`: feed documents in, a line of JSON for each out; touches no store and no network.

use super::input;
use crate::feed::{self, ParsedFeed, ReadContext, one_line};
use crate::model::{Enclosure, NewItem, Timestamp};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Read feed documents and print what is in them, a JSON line each
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Documents to read; `-`, or none, for standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Prints a line for each document. Exit code 1 when one is no readable feed, 2 when a file cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let standard_input = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &standard_input } else { args.files.as_slice() };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut code = 0;
    for file in files {
        let name = file.to_string_lossy();
        let result = match input::read(file) {
            Ok(body) => feed::read(&body, &ReadContext::default()).map_err(|error| (1, error.to_string())),
            Err(error) => Err((2, format!("cannot read the file: {error}"))),
        };
        match result {
            Ok(feed) => serde_json::to_writer(&mut out, &Line::of(&name, &feed))?,
            Err((failure, error)) => {
                code = code.max(failure);
                serde_json::to_writer(&mut out, &Failure { file: &name, error })?;
            }
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(ExitCode::from(code))
}

#[derive(Serialize)]
struct Failure<'a> {
    file: &'a str,
    error: String,
}

/// A document of the answer.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    format: feed::FeedFormat,
    title: Option<&'a str>,
    link: Option<&'a str>,
    language: Option<&'a str>,
    hub: Option<&'a str>,
    #[serde(rename = "self")]
    self_url: Option<&'a str>,
    ttl_s: Option<u64>,
    items: Vec<ItemLine<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct ItemLine<'a> {
    guid: Option<&'a str>,
    link: Option<&'a str>,
    title: Option<&'a str>,
    authors: &'a [String],
    published_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    categories: &'a [String],
    summary: Option<String>,
    content_html: Option<&'a str>,
    content_text: Option<String>,
    enclosures: &'a [Enclosure],
}

impl<'a> Line<'a> {
    fn of(file: &'a str, feed: &'a ParsedFeed) -> Self {
        Line {
            file,
            format: feed.format,
            title: feed.title.as_deref(),
            link: feed.link.as_deref(),
            language: feed.language.as_deref(),
            hub: feed.hubs.first().map(String::as_str),
            self_url: feed.self_url.as_deref(),
            ttl_s: feed.ttl_s,
            items: feed.items.iter().map(ItemLine::of).collect(),
            warnings: &feed.warnings,
        }
    }
}

impl<'a> ItemLine<'a> {
    fn of(item: &'a NewItem) -> Self {
        let content = &item.content;
        let filled = |text: &'a str| (!text.is_empty()).then_some(text);
        ItemLine {
            guid: content.guid.as_deref(),
            link: content.link.as_deref(),
            title: filled(&content.title),
            authors: &content.authors,
            published_at: content.published_at,
            updated_at: content.updated_at,
            categories: &content.categories,
            summary: filled(&content.summary).map(one_line),
            content_html: filled(&content.content_html),
            content_text: filled(&content.content_text).map(one_line),
            enclosures: &content.enclosures,
        }
    }
}
