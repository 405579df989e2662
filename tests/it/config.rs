//! Loading a config: what is right becomes settings, what is wrong is shown where it stands.

use crate::support::app::{App, finish};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use veille::config::{Environment, Example, Interval, Loaded, Refused, load, opml};
use veille::export::{OutlinedFeed, opml as write_opml};
use veille::model::{DigestKind, Schedule};

fn environment() -> Environment {
    Environment::new([("HOME", "/home/curator"), ("VEILLE_TEST_PASSWORD", "from the environment")])
}

/// Writes the files to a directory of their own and loads `veille.toml` there.
pub(crate) fn load_files(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Loaded, Refused>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let loaded = load(&directory.path().join("veille.toml"), &environment());
    (directory, loaded)
}

fn load_valid(files: &[(&str, &str)]) -> Loaded {
    load_files(files).1.unwrap_or_else(|errors| panic!("{errors}"))
}

/// Each piece of config in the manual, all pieces of a page together, beside a tag that they may name.
#[test]
fn the_config_that_the_manual_shows_is_right() {
    for page in ["README.md", "docs/feeds.md", "docs/how-to.md", "docs/outputs.md", "docs/service.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let shown: Vec<&str> = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("veille.toml", "include = [\"piece-*.toml\"]\n");
        for (nth, piece) in shown.iter().enumerate() {
            write(&format!("piece-{nth}.toml"), piece);
        }
        if !text.contains("[tags.french-ai]") {
            write("piece-tag.toml", "[tags.french-ai]\nany = [\"Mistral AI\"]\n");
        }
        assert!(!shown.is_empty(), "{page}");
        let loaded = load(&directory.path().join("veille.toml"), &environment().without_secrets());
        if let Err(refused) = loaded {
            panic!("{page}: {refused}");
        }
    }
}

/// A fixture: files under `== name`, then under `== shown` what `veille check` prints of them.
struct Fixture {
    path: PathBuf,
    files: Vec<(String, String)>,
    shown: String,
}

impl Fixture {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut parts = text.split("== ").skip(1).map(|part| part.split_once('\n').unwrap());
        let mut files: Vec<_> = parts.by_ref().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let shown = files.pop().filter(|(name, _)| name == "shown").unwrap().1;
        Self { path, files, shown }
    }

    fn actual(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (directory, loaded) = load_files(&files);
        let shown = match loaded {
            Ok(loaded) => loaded.warnings.render(false),
            Err(refused) => refused.errors.render(false) + &refused.warnings.render(false),
        };
        let shown = shown.trim_end();
        shown.replace(&format!("{}/", directory.path().display()), "") + "\n"
    }
}

/// Run with `VEILLE_BLESS=1` to write what is shown now into the fixtures; then read the diff.
#[test]
fn h35_every_diagnostic_shows_the_line_the_caret_and_what_to_do() {
    let bless = std::env::var_os("VEILLE_BLESS").is_some();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 20, "the fixtures are there");
    let mut faults = String::new();
    for fixture in paths.into_iter().map(Fixture::read) {
        let actual = fixture.actual();
        if actual == fixture.shown {
            continue;
        }
        if bless {
            let files: String = fixture.files.iter().map(|(name, text)| format!("== {name}\n{text}")).collect();
            fs::write(&fixture.path, format!("{files}== shown\n{actual}")).unwrap();
        } else {
            let _ = writeln!(faults, "{}:\n{actual}", fixture.path.display());
        }
    }
    assert!(faults.is_empty(), "shown otherwise than in the fixtures:\n{faults}");
}

#[test]
fn a_diagnostic_has_a_machine_form_with_file_line_and_column() {
    let (directory, loaded) = load_files(&[("veille.toml", "[fetch]\ntimeout = '法国'\n")]);
    let errors = loaded.unwrap_err().errors;
    let file = directory.path().join("veille.toml").display().to_string();
    assert_eq!(
        serde_json::to_value(errors.placed()).unwrap(),
        serde_json::json!([{
            "file": file, "line": 2, "column": 11,
            "message": "`法国` is not a duration",
            "help": "write a duration such as \"2s\", \"30m\", \"1h30m\" or \"400d\"",
        }])
    );
    let line = format!(
        "{file}:2:11: `法国` is not a duration (write a duration such as \"2s\", \"30m\", \"1h30m\" or \"400d\")"
    );
    assert_eq!(errors.lines(), [line]);
}

#[test]
fn s10_an_empty_file_is_a_config_of_defaults_that_listens_on_loopback() {
    for text in ["", "\u{FEFF}", "# nothing\n"] {
        let settings = load_valid(&[("veille.toml", text)]).settings;
        assert_eq!(settings.service.data_dir, Path::new("/home/curator/.local/state/veille"));
        assert!(settings.http.listen.ip().is_loopback());
        assert_eq!(settings.http.public_url.as_str(), "http://127.0.0.1:8787/");
        assert_eq!(settings.fetch.interval, Interval::Adaptive);
        assert_eq!(settings.fetch.min_interval, jiff::SignedDuration::from_mins(15));
        assert_eq!(settings.fetch.max_body_bytes, 10 * 1024 * 1024);
        assert!(settings.fetch.user_agent.starts_with("veille/") && settings.fetch.user_agent.contains("(+https://"));
        assert!(settings.feeds.is_empty() && settings.digests.is_empty());
    }
}

#[test]
fn a_link_local_address_to_listen_on_has_a_zone_that_no_address_for_readers_has() {
    let http = load_valid(&[("veille.toml", "[http]\nlisten = '[fe80::1%1]:8787'\n")]).settings.http;
    assert_eq!(
        (http.listen.to_string().as_str(), http.public_url.as_str()),
        ("[fe80::1%1]:8787", "http://[fe80::1]:8787/")
    );
}

#[test]
fn bytes_that_are_no_utf8_are_shown_where_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("veille.toml");
    fs::write(&path, b"# one\n[lists]\na = [\"caf\xe9\"]\n").unwrap();
    let shown = load(&path, &environment()).unwrap_err().to_string();
    assert!(shown.contains("veille.toml:3:10\n") && shown.contains("a = [\"caf\u{fffd}\"]"), "{shown}");
}

/// A pipe would be waited for, a device read for ever.
#[test]
fn what_an_include_finds_and_is_no_file_is_an_error_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("tags/shelf")).unwrap();
    fs::create_dir(at("tags/directory.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("tags/device.opml")).unwrap();
    assert!(Command::new("mkfifo").arg(at("tags/pipe.toml")).status().unwrap().success());
    fs::write(at("veille.toml"), "include = [\"tags/*\"]").unwrap();
    let refused = load(&at("veille.toml"), &environment()).unwrap_err();
    let faults: Vec<_> = refused.errors.placed().into_iter().map(|fault| fault.message).collect();
    let expected = |name: &str, what: &str| format!("cannot read `{}`: it is a {what}", at(name).display());
    assert_eq!(
        faults,
        [
            expected("tags/device.opml", "pipe, a socket or a device, not a file"),
            expected("tags/directory.toml", "directory"),
            expected("tags/pipe.toml", "pipe, a socket or a device, not a file"),
        ]
    );
}

#[test]
fn a_link_that_leads_nowhere_is_not_offered_in_its_own_place() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("gone.toml");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    fs::write(directory.path().join("veille.toml"), "include = [\"*.toml\"]").unwrap();
    let refused = load(&directory.path().join("veille.toml"), &environment()).unwrap_err();
    let told = refused.errors.placed();
    assert!(matches!(&told[..], [fault] if fault.message.contains("gone.toml")), "{told:?}");
    assert!(!told[0].help.as_deref().unwrap_or_default().contains("did you mean"), "{told:?}");
}

#[test]
fn a_missing_entry_file_is_one_plain_error() {
    let errors = load(Path::new("/nonexistent/veille.toml"), &environment()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "error: cannot read `/nonexistent/veille.toml`: No such file or directory (os error 2)"
    );
}

#[test]
fn bounds_in_seconds_are_legal_and_defaults_give_way_to_them() {
    let settings = load_valid(&[("veille.toml", "[fetch]\ninterval = '2s'\nmin_interval = '2s'\n")]).settings;
    assert_eq!(settings.fetch.interval, Interval::Fixed(jiff::SignedDuration::from_secs(2)));
    let settings = load_valid(&[("veille.toml", "[fetch]\nmax_interval = '10s'\n")]).settings;
    assert_eq!(settings.fetch.min_interval, jiff::SignedDuration::from_secs(10));
}

#[test]
fn tables_of_several_files_are_joined_and_globs_are_sorted() {
    let loaded = load_valid(&[
        ("veille.toml", "include = ['sub/*.toml', 'sub/a.toml']\n[fetch]\ntimeout = '5s'\n"),
        ("sub/b.toml", "[fetch]\nper_host = 7\n[[feeds]]\nurl = 'https://b.test/'\n"),
        ("sub/a.toml", "include = ['deep/*.toml', '../veille.toml']\n[[feeds]]\nurl = 'https://a.test/'\n"),
        ("sub/deep/c.toml", "[[feeds]]\nurl = 'https://c.test/'\n"),
        ("sub/.hidden.toml", "not TOML at all"),
    ]);
    let urls: Vec<_> = loaded.settings.feeds.iter().map(|feed| feed.url.as_str()).collect();
    assert_eq!(urls, ["https://a.test/", "https://b.test/", "https://c.test/"]);
    assert_eq!((loaded.settings.fetch.timeout.as_secs(), loaded.settings.fetch.per_host), (5, 7));
    assert_eq!(loaded.settings.files.len(), 4);
    assert!(loaded.warnings.is_empty());
}

#[cfg(unix)]
#[test]
fn a_pattern_matches_names_that_are_not_utf8_and_passes_over_hidden_ones() {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join(std::ffi::OsStr::from_bytes(b"d\xe9p\xf4t"));
    fs::create_dir_all(config.join("tags/deeper/.git")).unwrap();
    for name in [&b"\xe9.toml"[..], b"ab.toml", b".#a.toml", b"deeper/b.toml", b"deeper/.git/c.toml"] {
        let path = config.join("tags").join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, format!("[tags.t{}]\nany = ['x']\n", name.len())).unwrap();
    }
    let tags_of = |include: &str| {
        fs::write(config.join("veille.toml"), format!("include = ['{include}']")).unwrap();
        let loaded = load(&config.join("veille.toml"), &environment()).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.settings.rules.tags.iter().map(|rule| rule.name.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(tags_of("tags/*.toml"), ["t7", "t6"]);
    assert_eq!(tags_of("**/*.toml"), ["t7", "t13", "t6"]);
}

#[test]
fn an_outline_of_a_configured_feed_only_adds_its_groups() {
    let opml = "<opml><body><outline text='News &amp; more'><outline title='From OPML' xmlUrl='HTTP://a.test:80/x?a=1&b=2'/>\
                <outline text='New' xmlUrl='feed://b.test/y' language='fr'/></outline></body></opml>";
    let toml =
        "include = ['list.opml']\n[[feeds]]\nurl = 'http://a.test/x?a=1&b=2'\ngroups = ['ai']\ntitle = 'From TOML'\n";
    let feeds = load_valid(&[("veille.toml", toml), ("list.opml", opml)]).settings.feeds;
    assert_eq!(feeds.len(), 2);
    assert_eq!(feeds[0].title.as_deref(), Some("From TOML"));
    assert_eq!(feeds[0].groups, ["ai", "News & more"]);
    assert_eq!((feeds[1].url.as_str(), feeds[1].language.as_deref()), ("http://b.test/y", Some("fr")));
}

#[test]
fn an_outline_without_a_real_language_names_none() {
    for (said, language) in [("unknown", None), ("Français", None), ("fr_CA", Some("fr-CA")), ("EN-us", Some("en-us"))]
    {
        let read =
            opml::read(&format!("<opml><body><outline xmlUrl='http://a.test/' language='{said}'/></body></opml>"));
        assert_eq!(read.feeds[0].language.as_deref(), language, "{said}");
    }
}

#[test]
fn addresses_keep_path_and_query_as_written() {
    let toml = "[[feeds]]\nurl = 'https://a.test/a%2Fb//c;d?q=%7E&z=1#top'\n";
    let feeds = load_valid(&[("veille.toml", toml)]).settings.feeds;
    assert_eq!(feeds[0].url.as_str(), "https://a.test/a%2Fb//c;d?q=%7E&z=1");
}

#[test]
fn secrets_come_from_files_the_environment_and_credentials() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("feed"), "from a credential\n").unwrap();
    fs::write(directory.path().join("password.txt"), "from a file\r\n").unwrap();
    let toml = "[[feeds]]\nurl = 'https://a.test/1'\nbasic_auth = { username = 'me', password_file = 'password.txt' }\n\
                [[feeds]]\nurl = 'https://a.test/2'\nbasic_auth = { username = 'me', password_env = 'PASSWORD' }\n\
                [[feeds]]\nurl = 'https://a.test/3'\nheaders = { Authorization = { credential = 'feed' } }\n\
                [http]\ntoken = { env = 'PASSWORD' }\n";
    fs::write(directory.path().join("veille.toml"), toml).unwrap();
    let environment = Environment::new([
        ("HOME", std::ffi::OsString::from("/home/curator")),
        ("PASSWORD", "from the environment".into()),
        ("CREDENTIALS_DIRECTORY", directory.path().into()),
    ]);
    let settings = load(&directory.path().join("veille.toml"), &environment).unwrap().settings;
    let password = |index: usize| settings.feeds[index].basic_auth.as_ref().unwrap().1.0.as_str();
    assert_eq!((password(0), password(1)), ("from a file", "from the environment"));
    assert_eq!(settings.feeds[2].headers, [("Authorization".to_owned(), "from a credential".to_owned())]);
    assert_eq!(settings.http.token.as_ref().unwrap().0, "from the environment");
    assert!(!format!("{settings:?}").contains("from the environment"), "secrets are not shown");
}

#[test]
fn every_tag_is_a_stream_digest_unless_it_is_not_published() {
    let toml = "[tags.one]\nany = ['x']\ntitle = 'One'\n[tags.two]\nany = ['y']\npublish = false\n\
                [digests.two]\nquery = 'tag:two'\nevery = 'month'\nat = '31 09:30'\n";
    let digests = load_valid(&[("veille.toml", toml)]).settings.digests;
    let names: Vec<_> = digests.iter().map(|digest| (digest.spec.name.0.as_str(), digest.from_tag)).collect();
    assert_eq!(names, [("two", false), ("one", true)]);
    assert_eq!((digests[1].spec.title.as_str(), digests[1].query_text.as_str()), ("One", "tag:one"));
    let at = jiff::civil::time(9, 30, 0, 0);
    let DigestKind::Periodic { schedule, .. } = &digests[0].spec.kind else { panic!("not periodic") };
    assert_eq!(*schedule, Schedule::Month { day: 31, at });
}

#[test]
fn every_name_that_is_allowed_can_be_referred_to() {
    for name in ["a", "french-ai", "v1.2", "2026", "a_b", "not", "and", "7-8"] {
        let toml = format!("[lists]\n'{name}' = ['x']\n[tags.'{name}']\nany = ['@{name}']\n");
        let loaded = load_valid(&[("veille.toml", &toml)]);
        assert_eq!(loaded.settings.digests[0].query.references()[0].name, name);
    }
}

#[test]
fn the_shipped_config_has_neither_fault_nor_doubt() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/veille.toml");
    let loaded = load(&path, &environment()).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let settings = loaded.settings;
    let in_language =
        |language: &str| settings.feeds.iter().filter(|feed| feed.language.as_deref() == Some(language)).count();
    assert!(in_language("en") >= 40 && in_language("fr") >= 15 && in_language("zh") >= 20);
    for tag in &settings.rules.tags {
        let examples = |must_match| {
            let is_one = |example: &&Example| example.tag == tag.name && example.must_match == must_match;
            loaded.examples.iter().filter(is_one).count()
        };
        assert!(examples(true) >= 3 && examples(false) >= 3, "{} lacks examples", tag.name.0);
    }
}

#[test]
fn h36_hostile_opml_is_bounded_and_reported() {
    let deep = format!("<opml><body>{}<outline xmlUrl='http://a.test/'/>", "<outline text='d'>".repeat(100_000));
    let read = opml::read(&deep);
    assert_eq!((read.feeds.len(), read.feeds[0].groups.as_slice()), (1, ["d".to_owned()].as_slice()));

    let laughs = "<!DOCTYPE opml [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'><!ENTITY x SYSTEM 'file:///etc/passwd'>]>\
                  <opml><body><outline text='&b;&x;' xmlUrl='http://a.test/'/></body></opml>";
    assert_eq!(opml::read(laughs).feeds[0].title.as_deref(), Some("&b;&x;"));

    let bad = format!("<opml><body>{}</body></opml>", "<outline xmlUrl='file:///x'/>".repeat(5_000));
    let read = opml::read(&bad);
    assert!(read.feeds.is_empty() && read.problems.len() == 1_000);

    let broken = opml::read("<opml><body><outline xmlUrl='http://a.test/'/><outline xmlUrl='http://b.test");
    assert_eq!((broken.feeds.len(), broken.problems.len()), (1, 1));
}

#[test]
fn h36_the_import_of_a_list_without_end_takes_bounded_memory() {
    let app = App::new("", "");
    let outlines: String = (0..300_000).map(|n| format!("<outline xmlUrl='http://a.test/{n}'/>")).collect();
    let padding = " ".repeat(128 << 20);
    app.write("list.opml", &format!("<opml><body><!--{padding}-->{outlines}</body></opml>"));
    let list = app.directory().join("list.opml");
    let import = app.command(&["feeds", "import", &list.display().to_string()]);
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--data={}", 256 << 20)).arg(import.get_program()).args(import.get_args());
    let imported = finish(&mut limited);
    assert!(imported.status.success(), "{}", imported.stderr);
    assert!(imported.stdout.contains("250000 feeds are left out"), "the rest is reported");
    assert!(imported.stdout.contains("50000 new in"), "{}", imported.stderr);
}

#[test]
fn every_shared_subscription_list_is_read_whole() {
    let shared = std::env::var_os("VEILLE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let Ok(lists) = fs::read_dir(shared.join("opml")) else {
        println!("skipped: {} has no lists", shared.display());
        return;
    };
    let mut urls = 0;
    for path in
        lists.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|kind| kind == "opml"))
    {
        let text = opml::decode(fs::read(&path).unwrap());
        let read = opml::read(&text);
        assert!(!read.problems.iter().any(|problem| problem.is_fatal), "{}", path.display());
        assert!(read.feeds.iter().all(|feed| !feed.groups.iter().any(String::is_empty)));
        urls += read.feeds.len();
        println!("{}: {} feeds, {} problems", path.display(), read.feeds.len(), read.problems.len());
    }
    assert!(urls > 2_600, "{urls}");
}

fn word() -> impl Strategy<Value = String> {
    "[a-zé法<>&\"' ]{1,12}"
        .prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .prop_filter("not empty", |text| !text.is_empty())
}

proptest! {
    #[test]
    fn a_written_list_reads_back_as_the_same_feeds(
        feeds in proptest::collection::btree_map(0..50u8, (word(), proptest::collection::btree_set(word(), 0..3), proptest::option::of("[a-z]{2}"), any::<bool>()), 0..8)
    ) {
        let written: Vec<_> = feeds
            .into_iter()
            .map(|(path, (title, groups, language, enabled))| OutlinedFeed {
                title,
                description: None,
                feed_url: format!("https://a.test/{path}?x=1&y={path}"),
                site_url: Some("https://a.test/".to_owned()),
                groups: groups.into_iter().collect(),
                language,
                enabled,
            })
            .collect();
        let text = String::from_utf8(write_opml("list", &written)).unwrap();
        let read = opml::read(&text);
        prop_assert!(read.problems.is_empty(), "{:?}", read.problems);
        let mut read: Vec<_> = read.feeds.into_iter().map(|feed| (feed.url.to_string(), feed.title, feed.groups, feed.language, feed.enabled)).collect();
        read.sort();
        let mut expected: Vec<_> = written.into_iter().map(|feed| (feed.feed_url, Some(feed.title), feed.groups, feed.language, feed.enabled)).collect();
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn an_output_that_could_never_work_is_an_error() {
    let digest = "[digests.d]\nquery = \"ai\"\n";
    let weekly = "[digests.d]\nquery = \"ai\"\nevery = \"week\"\nemail = { to = [\"a@example.org\"] }\n";
    let smtp = "[smtp]\nhost = \"mail.example.org\"\nfrom = \"v <v@example.org>\"\n";
    let check = |text: &str, expected: &str| {
        let errors = load_files(&[("veille.toml", text)]).1.expect_err(text);
        assert!(errors.to_string().contains(expected), "{text}\n{errors}");
    };
    check(&format!("{smtp}{digest}email = {{ to = [\"a@example.org\"] }}\n"), "it has no issue to mail");
    check(weekly, "needs a mail server");
    check(&format!("{smtp}{}", weekly.replace("a@example.org", "nobody")), "is not a mail address");
    check(&format!("{smtp}tls = \"ssl\"\n{digest}"), "is no way to secure mail");
    check(&format!("[smtp]\nhost = \"mail.example.org\"\n{digest}"), "has no `from`");
    check(
        &format!(
            "{smtp}tls = \"none\"\nlogin = {{ username = \"u\", password_env = \"VEILLE_TEST_PASSWORD\" }}\n{digest}"
        ),
        "in the clear",
    );
    check(&format!("[http]\nhub = true\n{digest}"), "`hub` needs `public_url`");
    check(&format!("{digest}[[digests.d.webhooks]]\nsecret = {{ env = \"VEILLE_TEST_PASSWORD\" }}\n"), "has no `url`");
    check(
        &format!("{digest}webhooks = [{{ url = \"https://a.example/\", secret = {{ value = \"s\" }} }}]\n"),
        "none may stand in the config",
    );
    check(
        &format!("{digest}webhooks = [{{ url = \"https://a.example/\" }}, {{ url = \"https://a.example/\" }}]\n"),
        "twice",
    );
    load_valid(&[("veille.toml", &format!("{smtp}{weekly}"))]);
}
