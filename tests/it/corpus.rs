//! Real documents through the whole program: each is served as its publisher would, polled twice, and counted.

use crate::support::app::{App, feed_tables};
use crate::support::origin::{Origin, ok};
use crate::support::politeness::{Manners, assert_polite};
use std::collections::HashMap;
use std::path::PathBuf;

/// Where the documents are; `None` where they are not, which is said.
fn documents() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into();
    let shared = std::env::var_os("VEILLE_SHARED").map_or(beside, PathBuf::from);
    let feeds = shared.join("feeds");
    if feeds.join("MANIFEST.tsv").exists() {
        return Some(feeds);
    }
    println!("skipped: there are no documents in {}", feeds.display());
    None
}

#[test]
fn real_documents_are_stored_as_counted_and_a_second_poll_adds_none() {
    let Some(feeds) = documents() else { return };
    let manifest = std::fs::read_to_string(feeds.join("MANIFEST.tsv")).expect("reads");
    let columns: Vec<&str> = manifest.lines().next().expect("a header").split('\t').collect();
    let column = |name: &str| columns.iter().position(|known| *known == name).expect("a column of the manifest");
    let (file, items) = (column("file"), column("items"));
    let origin = Origin::start();
    let mut expected: HashMap<String, i64> = HashMap::new();
    for (number, line) in manifest.lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let document = std::fs::read(feeds.join(fields[file])).expect("a document of the manifest");
        let path = format!("/{}", fields[file]);
        origin.script(&path, [ok(document).etag(format!("\"{number}\"")).conditional()]);
        expected.insert(origin.url(&path), fields[items].parse().expect("a number"));
    }
    let urls: Vec<&str> = expected.keys().map(String::as_str).collect();
    let app = App::new("per_host = 8\nallow_private_addresses = true\n", &feed_tables(&urls));
    let first = app.poll(&[]);
    let failed = failures(&first);
    println!("{} cannot be read: {failed:#?}", failed.len());
    let second = app.poll(&["--force"]);
    let unmoved = (&second["not_modified"], &second["items_added"]);
    assert_eq!(unmoved, (&(expected.len() - failed.len()).into(), &0.into()), "{:?}", failures(&second));
    let database = app.database();
    let sql = "SELECT f.url, count(i.item_id) FROM feeds f LEFT JOIN items i USING (feed_id) GROUP BY 1";
    let mut statement = database.prepare(sql).expect(sql);
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).expect(sql);
    let stored: HashMap<String, i64> = rows.collect::<Result<_, _>>().expect(sql);
    let off: Vec<String> = expected
        .iter()
        .filter(|(url, count)| stored.get(*url) != Some(count))
        .map(|(url, count)| format!("{url}: {:?} stored, {count} listed", stored.get(url)))
        .collect();
    // Those that list an item twice: it is one item.
    println!("{} of {} documents are not stored as counted: {off:#?}", off.len(), expected.len());
    assert!(off.len() * 20 <= expected.len(), "{off:#?}");
    // What could not be read has left no validators, and is asked for as if for the first time.
    let mut log = origin.log();
    log.retain(|request| !failed.iter().any(|failure| failure.contains(&origin.url(&request.target))));
    assert_polite(&log, &Manners { in_flight_max: 8, ..Manners::default() });
}

fn failures(polled: &serde_json::Value) -> Vec<String> {
    let feeds = polled["feeds"].as_array().expect("feeds");
    feeds.iter().filter(|feed| feed["outcome"] == "failed").map(ToString::to_string).collect()
}
