//! From bytes to items beside other readers of the same documents, by turns in one run: `cargo bench --bench reading`.
//!
//! The documents are those of the shared corpus that feed-rs can read at all, and a hundred of the farm's, which its
//! generator makes; where these are not (`VEILLE_SHARED` says where), one of ours. feed-rs runs in this process;
//! `VEILLE_PARSEREF` names the program that cuts items out of XML and does nothing else, `VEILLE_PYTHON` a Python that has
//! feedparser, which gets a sample since it is slow. Figures are megabytes of document a second of one thread's CPU time.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use veille::feed::{ReadContext, read};

/// The least time of so many rounds counts: what disturbs only adds.
const ROUNDS: usize = 9;
/// feedparser reads about a megabyte a second.
const SAMPLE_BYTES: usize = 2_000_000;

fn main() {
    let sets = document_sets();
    println!("{:<10} {:>9} {:>8}  reader", "documents", "MB", "MB/s");
    for (name, documents) in &sets {
        let bytes: usize = documents.iter().map(Vec::len).sum();
        let row = |reader: &str, rate: f64| println!("{name:<10} {:>9.1} {rate:>8.1}  {reader}", bytes as f64 / 1e6);
        let [ours, theirs] = rates(documents, bytes);
        row("veille, everything included", ours);
        row("feed-rs alone", theirs);
        if let Some(rate) = parseref(documents) {
            row("parseref's own extraction (quick-xml)", rate);
        }
        if let Some(rate) = feedparser(documents) {
            row("python feedparser, a sample", rate);
        }
        println!("{name:<10} ratio to feed-rs: {:.2}", ours / theirs);
    }
}

fn document_sets() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let shared = std::env::var_os("VEILLE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let sets = [("corpus", corpus(&shared.join("feeds"))), ("farm", farm(&shared.join("bench/farm/generate.py")))];
    let mut sets: Vec<_> = sets.into_iter().filter(|(_, documents)| !documents.is_empty()).collect();
    if sets.is_empty() {
        sets.push(("own", vec![own_document()]));
    }
    sets
}

fn corpus(feeds: &Path) -> Vec<Vec<u8>> {
    let manifest = std::fs::read_to_string(feeds.join("MANIFEST.tsv")).unwrap_or_default();
    let files = manifest.lines().skip(1).filter_map(|line| line.split('\t').next());
    let bodies = files.filter_map(|file| std::fs::read(feeds.join(file)).ok());
    bodies.filter(|body| feed_rs::parser::parse(body.as_slice()).is_ok()).collect()
}

fn farm(generator: &Path) -> Vec<Vec<u8>> {
    if !generator.exists() {
        return Vec::new();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("python3").arg(generator).args(["--n", "100", "--out"]).arg(folder.path()).output();
    assert!(made.is_ok_and(|made| made.status.success()), "the farm's generator failed");
    let mut files: Vec<_> = std::fs::read_dir(folder.path().join("www/f"))
        .expect("the farm's documents")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a document of the farm")).collect()
}

fn own_document() -> Vec<u8> {
    let item = "<item><title>Q&amp;A</title><link>https://example.org/1</link><pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate>\
                <description>&lt;p&gt;One &lt;b&gt;two&lt;/b&gt; three.&lt;/p&gt;</description></item>";
    format!("<rss version=\"2.0\"><channel><title>T</title>{}</channel></rss>", item.repeat(200)).into_bytes()
}

/// Reads a document and forgets it.
type Run = dyn Fn(&[u8]);

/// Of veille and of feed-rs, who take turns.
fn rates(documents: &[Vec<u8>], bytes: usize) -> [f64; 2] {
    let mut least = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        let ours = |body: &[u8]| drop(black_box(read(body, &ReadContext::default())));
        let theirs = |body: &[u8]| drop(black_box(feed_rs::parser::parse(body)));
        let runs: [&Run; 2] = [&ours, &theirs];
        for (least, run) in least.iter_mut().zip(runs) {
            let started = cpu_time();
            documents.iter().for_each(|body| run(body));
            *least = (*least).min(cpu_time() - started);
        }
    }
    least.map(|time| bytes as f64 / 1e6 / time.as_secs_f64())
}

/// What this thread has used of a processor; where the system does not say, what the clock says.
fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = said.and_then(|said| said.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn parseref(documents: &[Vec<u8>]) -> Option<f64> {
    let program = std::env::var_os("VEILLE_PARSEREF")?;
    let folder = write_out(documents);
    let run = Command::new(program).arg("quickxml-items").arg(folder.path()).arg(ROUNDS.to_string()).output();
    let said = String::from_utf8(run.expect("parseref runs").stdout).expect("text");
    let rate = said.split_whitespace().find_map(|word| word.strip_prefix("best_mb_per_s="));
    Some(rate.expect("parseref says its rate").parse().expect("a number"))
}

fn feedparser(documents: &[Vec<u8>]) -> Option<f64> {
    const SCRIPT: &str = "\
import feedparser, pathlib, sys, time
bodies = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1], 'www/f').iterdir())]
start = time.process_time()
for body in bodies: feedparser.parse(body)
print(sum(map(len, bodies)) / 1e6 / (time.process_time() - start))";
    let python = std::env::var_os("VEILLE_PYTHON")?;
    let bytes: usize = documents.iter().map(Vec::len).sum();
    let every = bytes.div_ceil(SAMPLE_BYTES);
    let sample: Vec<Vec<u8>> = documents.iter().step_by(every).cloned().collect();
    let folder = write_out(&sample);
    let run = Command::new(python).args(["-c", SCRIPT]).arg(folder.path()).output().expect("python runs");
    let said = String::from_utf8(run.stdout).expect("text");
    Some(said.trim().parse().unwrap_or_else(|_| panic!("feedparser: {}", String::from_utf8_lossy(&run.stderr))))
}

/// The documents where parseref looks for them.
fn write_out(documents: &[Vec<u8>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("www/f");
    std::fs::create_dir_all(&files).expect("a folder");
    for (number, body) in documents.iter().enumerate() {
        std::fs::write(files.join(format!("{number:05}")), body).expect("a document");
    }
    folder
}
