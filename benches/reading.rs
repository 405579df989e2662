//! From bytes to items beside plain feed-rs on the same documents: `cargo bench --bench reading`.
//!
//! The documents are those of the shared corpus that feed-rs can read at all, or, where the corpus is not, one of ours.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use divan::Bencher;
use divan::counter::BytesCount;
use std::path::PathBuf;
use veille::feed::{ReadContext, read, to_text};

fn main() {
    divan::main();
}

fn documents() -> Vec<Vec<u8>> {
    let shared = std::env::var_os("VEILLE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let manifest = std::fs::read_to_string(shared.join("feeds/MANIFEST.tsv")).unwrap_or_default();
    let files = manifest.lines().skip(1).filter_map(|line| line.split('\t').next());
    let bodies = files.filter_map(|file| std::fs::read(shared.join("feeds").join(file)).ok());
    let mut readable: Vec<Vec<u8>> = bodies.filter(|body| feed_rs::parser::parse(body.as_slice()).is_ok()).collect();
    if readable.is_empty() {
        readable.push(own_document());
    }
    readable
}

fn own_document() -> Vec<u8> {
    let item = "<item><title>Q&amp;A</title><link>https://example.org/1</link><pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate>\
                <description>&lt;p&gt;One &lt;b&gt;two&lt;/b&gt; three.&lt;/p&gt;</description></item>";
    format!("<rss version=\"2.0\"><channel><title>T</title>{}</channel></rss>", item.repeat(200)).into_bytes()
}

fn measure(bencher: Bencher<'_, '_>, run: impl Fn(&[u8]) + Sync) {
    let documents = documents();
    let bytes: usize = documents.iter().map(Vec::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench(|| documents.iter().for_each(|body| run(body)));
}

#[divan::bench(sample_count = 20)]
fn veille_read(bencher: Bencher<'_, '_>) {
    measure(bencher, |body| {
        divan::black_box(read(body, &ReadContext::default()).ok());
    });
}

#[divan::bench(sample_count = 20)]
fn feed_rs_parse(bencher: Bencher<'_, '_>) {
    measure(bencher, |body| {
        divan::black_box(feed_rs::parser::parse(body).ok());
    });
}

#[divan::bench(sample_count = 20)]
fn html_to_text(bencher: Bencher<'_, '_>) {
    let html = "<p>One <b>two</b> &amp; <a href=\"https://example.org/\">three</a>, 中文 too.</p>\n".repeat(500);
    bencher.counter(BytesCount::of_str(&html)).bench(|| to_text(divan::black_box(&html)));
}
