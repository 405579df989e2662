//! `veille export DIR`: the bytes that are served, and nothing else of ours, whatever was there before.

use super::serving::Watch;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use veille::config::{Environment, load};
use veille::http::Limits;

const ENTRY_FILE: &str = r#"
include = ["digests.toml"]
[http]
public_url = "https://watch.example.org"
[tags.french-ai]
title = "French AI"
publish = false
any = ["Mistral AI"]
[[feeds]]
url = "https://news.example.org/feed.xml"
"#;

const STREAM: &str = r#"
[digests.french-ai]
title = "French AI going west"
query = "tag:french-ai"
"#;

const WEEKLY: &str = r#"
[digests.weekly]
title = "French AI, weekly"
query = "tag:french-ai"
every = "week"
at = "Mon 08:00"
"#;

const PRIVATE: &str = r#"
[digests.secret]
title = "For our eyes"
query = "tag:french-ai"
private = true
"#;

fn export(data_dir: &Path, target: &Path) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veille"));
    command.arg("--config").arg(data_dir.join("config/veille.toml")).arg("--data-dir").arg(data_dir);
    let output = command.arg("--json").arg("export").arg(target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every file below the directory but the manifest.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in ["", "digests"] {
        for entry in fs::read_dir(directory.join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with(".veille-export") {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_what_is_served_and_leaves_nothing_stale() {
    let watch = Watch::start_with(Limits::default(), |settings| {
        let data_dir = settings.service.data_dir.clone();
        let config = data_dir.join("config");
        fs::create_dir(&config).unwrap();
        fs::write(config.join("veille.toml"), ENTRY_FILE).unwrap();
        fs::write(config.join("digests.toml"), [STREAM, WEEKLY, PRIVATE].concat()).unwrap();
        let environment = Environment::default().with_data_dir(Some(data_dir));
        *settings = load(&config.join("veille.toml"), &environment).unwrap().settings;
    })
    .await;
    let data_dir = watch.directory.path();
    let key = watch.private_key("secret").await;
    let target = tempfile::tempdir().unwrap();
    let directory = target.path().join("site");

    let report = export(data_dir, &directory);
    let exported = files(&directory);
    let names: Vec<&str> = exported.keys().map(String::as_str).collect();
    let wanted = ["french-ai.atom", "french-ai.json", "french-ai.rss", "weekly.atom", "weekly.json", "weekly.rss"];
    let wanted: Vec<String> = wanted.iter().map(|name| format!("digests/{name}")).collect();
    assert_eq!(names, [&["digests.opml".to_owned()][..], &wanted, &["favicon.svg".to_owned()]].concat());
    assert_eq!((&report["changed"], &report["removed"]), (&8.into(), &0.into()));
    for (name, bytes) in &exported {
        let served = watch.get(&format!("/{name}"), "").await;
        assert_eq!(served.status, 200, "{name}");
        assert!(*bytes == served.body, "{name} is not what is served");
        assert!(!String::from_utf8_lossy(bytes).contains(&key), "{name} tells a key");
    }

    assert_eq!(export(data_dir, &directory)["unchanged"], 8, "nothing is written twice");
    fs::write(directory.join("digests/own.txt"), "somebody's own").unwrap();
    // One of the digests is private from now on.
    fs::write(
        data_dir.join("config/digests.toml"),
        format!("{STREAM}{}", WEEKLY.replace("every", "private = true\nevery")),
    )
    .unwrap();
    let report = export(data_dir, &directory);
    assert_eq!(report["removed"], 3, "{report}");
    let left: Vec<String> = files(&directory).into_keys().collect();
    let wanted = [
        "digests.opml",
        "digests/french-ai.atom",
        "digests/french-ai.json",
        "digests/french-ai.rss",
        "digests/own.txt",
        "favicon.svg",
    ];
    assert_eq!(left, wanted);
}
