//! What all commands do alike: with a reader that leaves, with an environment that says nothing.

use crate::support::app::{ALL, App, FAST, feed_tables, finish, veille};
use crate::support::origin::{Fault, Origin, fault, ok, redirect};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const TAG: &str = "[tags.mistral]\nany = [\"mistral\"]\n";

/// Runs a command into a pipe that nobody reads.
fn into_the_void(app: &App, arguments: &[&str]) -> (i32, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = app.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("starts");
    let output = child.wait_with_output().expect("ends");
    (output.status.code().expect("no signal"), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let app = App::new(FAST, &format!("{ALL}{TAG}"));
    app.write("items.jsonl", "{\"id\": 1, \"title\": \"Mistral\", \"tags\": [\"mistral\"]}\n");
    app.write("feed.json", "{\"version\": \"https://jsonfeed.org/version/1.1\", \"title\": \"t\", \"items\": []}");
    let (items, feed) = (app.directory().join("items.jsonl"), app.directory().join("feed.json"));
    let (items, feed) = (items.to_str().expect("UTF-8"), feed.to_str().expect("UTF-8"));
    assert_eq!(app.run(&["poll"]).code(), 0);
    for command in [
        &["status"][..],
        &["check"],
        &["feeds"],
        &["feeds", "export"],
        &["digests"],
        &["diff"],
        &["retag"],
        &["poll"],
        &["eval", items],
        &["tag", items],
        &["parse", feed],
        &["man"],
        &["completions", "bash"],
    ] {
        for json in [&[][..], &["--json"]] {
            let command = [command, json].concat();
            assert_eq!(into_the_void(&app, &command), (0, String::new()), "{command:?}");
        }
    }
    assert_eq!(into_the_void(&app, &["search", "mistral", "--json"]).0, 1, "the answer stays the answer");
}

#[test]
fn an_exit_code_tells_when_nobody_reads_what_is_wrong() {
    let app = App::new(FAST, &format!("{ALL}{TAG}"));
    assert_eq!(app.run(&["poll"]).code(), 0);
    let code = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        app.command(arguments).stderr(writer).status().expect("runs").code()
    };
    assert_eq!(code(&["poll", "nobody"]), Some(2));
    assert_eq!(code(&["why", "7"]), Some(1));
    assert_eq!(code(&["tag", "nowhere.jsonl"]), Some(2));
    app.write("watch.toml", "nonsense = 1");
    assert_eq!(code(&["check"]), Some(2));
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let check = |variable: &str| {
        finish(veille(&["check"]).current_dir(env!("CARGO_MANIFEST_DIR")).env("VEILLE_CONFIG", variable))
    };
    assert_eq!(check("").code(), 0, "{:?}", check(""));
    let missing = check("/nowhere/veille.toml");
    assert!(missing.code() == 2 && missing.stderr.contains("/nowhere/veille.toml"), "{missing:?}");
}

#[test]
fn commands_that_touch_no_data_need_no_home() {
    let app = App::new("", TAG);
    app.write("veille.toml", "include = [\"watch.toml\"]");
    app.write("items.jsonl", "{\"id\": 1, \"title\": \"Mistral\"}\n");
    let items = app.directory().join("items.jsonl");
    for command in [&["check"][..], &["tag", items.to_str().expect("UTF-8")]] {
        let finished = finish(app.command(command).env_clear());
        assert_eq!(finished.code(), 0, "{finished:?}");
    }
    let finished = finish(app.command(&["status"]).env_clear());
    assert!(finished.code() == 2 && finished.stderr.contains("write `data_dir`"), "{finished:?}");
}

/// Those of a service are handed to it alone.
#[test]
fn commands_that_tell_nobody_a_secret_need_none() {
    let app = App::new(FAST, TAG);
    app.poll(&[]);
    let service = std::fs::read_to_string(app.config()).expect("written");
    let login =
        "[http]\nlogin = { username = \"curator\", credential = \"login\" }\ntoken = { env = \"VEILLE_NO_TOKEN\" }\n";
    app.write("veille.toml", &service.replace("[http]\n", login));
    app.write("list.opml", "<opml><body><outline xmlUrl='http://a.test/'/></body></opml>");
    app.write("items.jsonl", "{\"id\": 1, \"title\": \"Mistral\"}");
    let at = |name: &str| app.directory().join(name).display().to_string();
    for command in [
        &["status"][..],
        &["feeds"],
        &["feeds", "export"],
        &["feeds", "import", &at("list.opml"), "--dry-run"],
        &["feeds", "fix"],
        &["digests"],
        &["diff"],
        &["export", &at("site")],
        &["backup", &at("copy.db")],
        &["tag", &at("items.jsonl")],
    ] {
        let finished = app.run(command);
        assert_eq!(finished.code(), 0, "{command:?}: {finished:?}");
    }
    for command in ["check", "run", "poll"] {
        let finished = app.run(&[command]);
        assert!(finished.code() == 2 && finished.stderr.contains("VEILLE_NO_TOKEN"), "{command}: {finished:?}");
    }
}

#[test]
fn a_database_out_of_reach_is_not_taken_for_none() {
    let app = App::new(FAST, ALL);
    std::fs::write(app.data_dir(), "a file").expect("where the directory would be");
    let looked = app.run(&["status"]);
    assert!(looked.code() == 2 && looked.stderr.contains("takes the right to write it"), "{looked:?}");
    std::fs::remove_file(app.data_dir()).expect("a file");
    let looked = app.run(&["status"]);
    assert!(looked.code() == 2 && looked.stderr.contains("there is no database here yet"), "{looked:?}");
    std::fs::create_dir_all(app.data_dir().join("veille.db")).expect("a directory that SQLite cannot open");
    let looked = app.run(&["status"]);
    assert!(looked.code() == 2 && looked.stderr.contains("takes the right to write it"), "{looked:?}");
}

#[test]
fn every_page_of_the_manual_that_is_named_is_printed() {
    let page = |command: &[&str]| finish(&mut veille(&[&["man"], command].concat()));
    let named = |page: &str| -> Vec<String> {
        page.lines().filter(|line| line.ends_with("(1)")).map(|line| line.replace("\\-", "-")).collect()
    };
    let all = named(&page(&[]).stdout);
    assert!(all.contains(&"veille-poll(1)".to_owned()), "{all:?}");
    for name in all {
        let command = name.trim_start_matches("veille-").trim_end_matches("(1)");
        let shown = page(&[command]);
        assert!(shown.code() == 0 && shown.stdout.contains(".SH SYNOPSIS"), "{name}: {shown:?}");
    }
    assert!(page(&["feeds"]).stdout.contains("veille\\-feeds\\-add(1)"));
    let add = page(&["feeds", "add"]).stdout;
    assert!(add.contains("dry") && add.contains(concat!("\"veille ", env!("CARGO_PKG_VERSION"), "\"")), "{add}");
    let unknown = page(&["fedes"]);
    assert!(unknown.code() == 2 && unknown.stderr.contains("`fedes` is no command"), "{unknown:?}");
}

#[test]
fn entries_are_shown_in_the_watchs_time_zone_with_the_same_exit_code_as_json() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(1);
    let app = App::watching(&[&origin.url("/news.xml")]);
    let service = std::fs::read_to_string(app.config()).expect("written");
    app.write("veille.toml", &service.replace("\"UTC\"", "\"Asia/Tokyo\""));
    let show = |json: &[&str]| app.run(&[&["digests", "show", "all"], json].concat());
    app.poll(&[]);
    let published: Timestamp =
        show(&["--json"]).json()["entries"][0]["published_at"].as_str().unwrap().parse().unwrap();
    let there = TimeZone::get("Asia/Tokyo").unwrap().to_datetime(published).strftime("%F %H:%M").to_string();
    assert!(show(&[]).stdout.starts_with(&there), "{there}: {:?}", show(&[]));
    let empty = App::watching(&[]);
    empty.poll(&[]);
    for json in [&[][..], &["--json"]] {
        assert_eq!(empty.run(&[&["digests", "show", "all"], json].concat()).code(), 1, "{json:?}");
    }
}

#[test]
fn what_is_added_to_a_file_has_its_line_ends() {
    let app = App::new(FAST, "");
    let service = std::fs::read_to_string(app.config()).expect("written");
    app.write("veille.toml", &service.replace("watch.toml", "feeds.toml"));
    app.write("feeds.toml", "# Mine.\r\n[tags.a]\r\nany = [\"x\"]");
    app.write("list.opml", "<opml><body><outline text='One' xmlUrl='http://a.test/'/></body></opml>");
    let list = app.directory().join("list.opml");
    assert_eq!(app.run(&["feeds", "import", list.to_str().expect("UTF-8")]).code(), 0);
    let text = std::fs::read_to_string(app.directory().join("feeds.toml")).expect("a file");
    assert_eq!(
        text,
        "# Mine.\r\n[tags.a]\r\nany = [\"x\"]\r\n\r\n[[feeds]]\r\nurl = \"http://a.test/\"\r\ntitle = \"One\"\r\n"
    );
}

#[test]
fn feeds_that_are_added_at_once_are_all_added() {
    const COMMANDS: usize = 8;
    let app = App::new(FAST, "");
    let imports: Vec<_> = (0..COMMANDS)
        .map(|number| {
            app.write(
                &format!("{number}.opml"),
                &format!("<opml><body><outline xmlUrl='http://a.test/{number}'/></body></opml>"),
            );
            let list = app.directory().join(format!("{number}.opml"));
            app.command(&["feeds", "import", list.to_str().expect("UTF-8")])
                .stdout(Stdio::null())
                .spawn()
                .expect("the binary starts")
        })
        .collect();
    for mut import in imports {
        assert!(import.wait().expect("it ends").success());
    }
    let text = std::fs::read_to_string(app.config()).expect("the entry file, which has no feeds.toml beside it");
    assert_eq!(text.matches("url = \"http://a.test/").count(), COMMANDS, "{text}");
}

#[test]
fn a_list_comes_from_standard_input_too() {
    let app = App::new(FAST, ALL);
    let mut import = app
        .command(&["feeds", "import", "-", "--dry-run", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut list = import.stdin.take().expect("piped");
    write!(list, "<opml><body><outline xmlUrl='http://a.test/'/><outline xmlUrl='nothing'/></body></opml>")
        .expect("reads");
    drop(list);
    let output = import.wait_with_output().expect("ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["added"][0]["url"], "http://a.test/", "{report}");
    assert!(report["problems"][0].as_str().expect("a text").starts_with("-:1: `nothing` is left out"), "{report}");
}

#[test]
fn a_list_that_is_exported_and_imported_polls_what_was_polled() {
    let feeds = "[[feeds]]\nurl = \"https://a.example/on\"\n\
                 [[feeds]]\nurl = \"https://a.example/off\"\ngroups = [\"x\", \"y\"]\nenabled = false\n";
    let app = App::new(FAST, feeds);
    let list = app.run(&["feeds", "export"]).stdout;
    assert!(list.contains("xmlns:veille=") && list.matches("veille:enabled=\"false\"").count() == 2, "{list}");

    let imported = App::new(FAST, "");
    imported.write("list.opml", &list);
    let file = imported.directory().join("list.opml");
    let told = imported.run(&["feeds", "import", file.to_str().unwrap(), "--json"]).json();
    assert_eq!((&told["added"][0]["enabled"], &told["added"][1]["enabled"]), (&true.into(), &false.into()), "{told}");
    assert_eq!(imported.run(&["feeds", "export"]).stdout, list);

    let included = App::new(FAST, "");
    included
        .write("veille.toml", &std::fs::read_to_string(included.config()).unwrap().replace("watch.toml", "list.opml"));
    included.write("list.opml", &list);
    assert_eq!(included.run(&["feeds", "export"]).stdout, list, "an OPML file of the config says so too");
    included.write("list.opml", &list.replace(" veille:enabled=\"false\"", ""));
    assert!(!included.run(&["feeds", "export"]).stdout.contains("xmlns"), "no mark where none is needed");
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let app = App::new(FAST, TAG);
    for command in [["suggest", "mistral", "--limit", "0"], ["search", "mistral", "--limit", "0"]] {
        let finished = app.run(&command);
        assert!(finished.code() == 2 && finished.stderr.contains("0 is not in 1.."), "{finished:?}");
    }
}

#[test]
fn a_line_that_is_no_item_is_told_with_its_place_and_what_is_wrong() {
    let app = App::new(FAST, TAG);
    let check = |line: &str, told: &str| {
        app.write("items.jsonl", &format!("{{\"id\": 1}}\n{line}\n"));
        let items = app.directory().join("items.jsonl");
        let finished = app.run(&["tag", items.to_str().expect("UTF-8")]);
        assert_eq!((finished.code(), finished.stdout.lines().count()), (2, 1), "{finished:?}");
        assert!(finished.stderr.contains(told), "{line}: {finished:?}");
    };
    check("[]", "items.jsonl:2:1: this is no item: invalid type: sequence, expected an object");
    check("{\"title\": \"x\"}", "items.jsonl:2:14: this is no item: missing field `id`");
    check(
        "{\"id\": 1, \"title\": 5}",
        "items.jsonl:2:20: this is no item: invalid type: integer `5`, expected a string",
    );
    check(
        "{\"id\": 1, \"published_at\": \"2026-01-01\"}",
        "`published_at` is no instant such as \"2026-11-24T08:00:00Z\"",
    );
    check("{\"id\": []}", "`id` is neither a text nor a number");
}

/// Who mends the errors alone would only then learn of the doubts.
#[test]
fn a_check_tells_what_is_doubtful_beside_what_is_wrong() {
    let app = App::new(FAST, "[tags.a]\nmatch = 'franc* OR (b or c)'\n");
    let told = |list: &str| {
        let verdict = app.run(&["check", "--json"]).json();
        verdict[list].as_array().expect("a list").iter().map(|told| told["message"].to_string()).collect::<Vec<_>>()
    };
    assert!(matches!(&told("errors")[..], [error] if error.contains("in lower case")), "{:?}", told("errors"));
    assert!(matches!(&told("warnings")[..], [doubt] if doubt.contains("francisco")), "{:?}", told("warnings"));
    let shown = app.run(&["check"]);
    assert!(
        shown.code() == 2 && shown.stderr.contains("francisco") && shown.stderr.ends_with("1 error\n"),
        "{shown:?}"
    );
}

#[test]
fn a_phrase_ends_where_a_block_does_and_not_at_a_line_break() {
    let app = App::new(FAST, "[tags.phrase]\nmatch = '\"mistral ai\"'\n[tags.near]\nmatch = 'mistral NEAR/1 ai'\n");
    let check = |item: &str, expected: &[&str]| {
        app.write("items.jsonl", &format!("{{\"id\": 1, {item}}}\n"));
        let tagged = app.run(&["tag", app.directory().join("items.jsonl").to_str().expect("UTF-8")]).json();
        let tags: Vec<_> = tagged["tags"].as_array().expect("a list").iter().map(|tag| tag["tag"].clone()).collect();
        assert_eq!(tags, expected, "{item}");
    };
    let both = &["phrase", "near"];
    check(r#""summary": "<p>by Mistral</p><p>AI is here</p>""#, &["near"]);
    check(r#""content": "<h2>Mistral</h2>AI is here""#, &["near"]);
    check(r#""content": "<ul><li>Mistral<li>AI</ul>""#, &["near"]);
    check(r#""summary": "<p>by <b>Mistral</b>\n<i>AI</i></p>""#, both);
    check(r#""summary": "Mistral\nAI""#, both);
    check(r#""summary": "Mistral\n\nAI""#, &["near"]);
    check(r#""title": "Mistral\nAI""#, both);
    check(r#""content": "Mistral<br>AI""#, both);
}

#[test]
fn a_sentence_goes_on_at_a_line_break_in_the_title_too() {
    let app = App::new(FAST, "[tags.a]\nmatch = 'mistral SENTENCE ai'\n[tags.b]\nmatch = '\"mistral ai\"'\n");
    for field in ["title", "summary", "content"] {
        app.write("items.jsonl", &format!("{{\"id\": 1, \"{field}\": \"by Mistral\\r\\nAI\"}}\n"));
        let tagged = app.run(&["tag", app.directory().join("items.jsonl").to_str().expect("UTF-8")]).json();
        assert_eq!((&tagged["tags"][0]["tag"], &tagged["tags"][1]["tag"]), (&json!("a"), &json!("b")), "{field}");
        let span = &tagged["tags"][1]["evidence"][0];
        assert_eq!((&span["start"], &span["text"]), (&json!(3), &json!("Mistral\r\nAI")), "as given");
    }
}

/// `script` gives a command a terminal.
#[test]
fn a_terminal_is_shown_colours_and_not_the_codes_of_colours() {
    let app = App::new(FAST, "[tags.a]\nmatch = 'b or c'\n");
    let command = format!("'{}' --config '{}' check", env!("CARGO_BIN_EXE_veille"), app.config().display());
    let script = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output();
    let Ok(output) = script else { return eprintln!("passed over: there is no `script`") };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("\u{1b}[91merror\u{1b}[0m"), "{shown:?}");
}

/// What is given as `feed` may be a title or an address, and is one text.
#[test]
fn evidence_in_a_feeds_name_stands_where_it_is_given() {
    let app = App::new(FAST, "[tags.a]\nmatch = 'feed:monde'\n[tags.key]\nmatch = 'feed:secret'\n");
    let feeds = ["Le Monde", "https://monde.test/rss.xml?key=secret"];
    app.write("items.jsonl", &feeds.map(|feed| format!("{{\"id\": 1, \"feed\": \"{feed}\"}}\n")).concat());
    let tagged = app.run(&["tag", app.directory().join("items.jsonl").to_str().expect("UTF-8")]);
    assert_eq!(tagged.stdout.lines().count(), 2, "{tagged:?}");
    for (feed, line) in feeds.iter().zip(tagged.stdout.lines()) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let tags = line["tags"].as_array().expect("a list");
        assert!(matches!(&tags[..], [tag] if tag["tag"] == "a"), "a feed's key is no part of its name: {line}");
        for span in tags[0]["evidence"].as_array().expect("a list") {
            let place = |end: &str| usize::try_from(span[end].as_u64().expect("a number")).expect("small");
            assert_eq!(feed.get(place("start")..place("end")), span["text"].as_str(), "{line}");
        }
    }
}

#[test]
fn a_program_that_writes_an_item_and_waits_gets_its_tags() {
    let app = App::new(FAST, TAG);
    let mut tagger =
        app.command(&["tag"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut items = tagger.stdin.take().expect("piped");
    let mut tagged = BufReader::new(tagger.stdout.take().expect("piped")).lines();
    let (answered, answer) = mpsc::channel();
    std::thread::spawn(move || tagged.try_for_each(|line| answered.send(line.expect("UTF-8"))));
    for (title, tag) in [("Mistral opens", "mistral"), ("Nothing", "\"tags\":[]")] {
        write!(items, "\n{{\"id\": 1, \"title\": \"{title}\"}}\n{{\"id\": ").expect("it reads");
        let line = answer.recv_timeout(Duration::from_secs(20)).expect("an answer while the next item is not there");
        assert!(line.contains(tag), "{line}");
        writeln!(items, "2}}").expect("it reads");
        assert!(answer.recv_timeout(Duration::from_secs(20)).expect("the rest of the line").starts_with("{\"id\":2"));
    }
    drop(items);
    assert!(tagger.wait().expect("it ends").success());
}

#[test]
fn a_poll_by_title_asks_every_feed_of_it_and_tells_no_next_time_of_one_that_is_not_polled() {
    let origin = Origin::start();
    let table = |path: &str, more: &str| {
        origin.feed(path).add(1);
        format!("[[feeds]]\nurl = \"{}\"\ntitle = \"Harbour news\"\n{more}", origin.url(path))
    };
    let feeds = [table("/one.xml", ""), table("/two.xml", ""), table("/off.xml", "enabled = false\n")].concat();
    let app = App::new(FAST, &(feeds + ALL));
    let polled = app.run(&["poll", "Harbour news"]);
    assert_eq!(polled.code(), 0, "{polled:?}");
    assert_eq!(["/one.xml", "/two.xml", "/off.xml"].map(|path| origin.requests(path).len()), [1, 1, 0]);
    let declined = polled.stdout.lines().find(|line| line.contains("/off.xml")).expect("it is told of");
    assert!(declined.contains("enabled = false") && !declined.contains("next"), "{declined}");
    let again = app.poll(&[&origin.url("/off.xml")]);
    assert!(again["feeds"][0]["next_check_at"].is_null(), "{again}");
}

#[test]
fn a_feed_that_is_switched_off_fails_no_more() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(1);
    let table = format!("[[feeds]]\nurl = \"{}\"\n", origin.url("/nothing.xml"));
    let app = App::new(FAST, &(feed_tables(&[&origin.url("/news.xml")]) + &table));
    app.poll(&[]);
    let failing = || app.run(&["status", "--json"]).json()["failing"].as_array().expect("a list").len();
    assert_eq!(failing(), 1);
    app.write("watch.toml", &(table + "enabled = false\n"));
    app.poll(&[]);
    assert_eq!(failing(), 0);
    let page = app.start().get("/feeds");
    assert!(page.text().contains("all well."), "{}", page.text());
}

#[test]
fn a_cause_is_told_once() {
    let app = App::watching(&[]);
    app.poll(&[]);
    let site = app.config().join("site");
    let finished = app.run(&["export", site.to_str().expect("UTF-8")]);
    assert_eq!((finished.code(), finished.stderr.matches("Not a directory").count()), (2, 1), "{finished:?}");
}

#[test]
fn a_quiet_command_says_nothing_of_what_it_has_done() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(1);
    let app = App::watching(&[&origin.url("/news.xml")]);
    let at = |name: &str| app.directory().join(name).display().to_string();
    for command in [&["poll"][..], &["retag"], &["export", &at("site")], &["backup", &at("copy.db")]] {
        let quiet = app.run(&[&["-q"], command].concat());
        assert_eq!((quiet.code(), quiet.stdout.as_str(), quiet.stderr.as_str()), (0, "", ""), "{command:?}");
    }
    assert_eq!(app.run(&["-q", "retag", "--json"]).json()["items"], 1, "what is asked for is printed");
}

#[test]
fn a_backup_of_a_named_directory_needs_no_config() {
    let app = App::new(FAST, ALL);
    assert_eq!(app.run(&["poll"]).code(), 0);
    app.write("watch.toml", "nonsense = 1");
    let backup = |name: &str, more: &[&str]| {
        let file = app.directory().join(name);
        let arguments = [&["backup", file.to_str().expect("UTF-8"), "--json"], more].concat();
        (app.run(&arguments), file)
    };
    assert_eq!(backup("one.db", &[]).0.code(), 2, "the config says where");
    let (copied, file) = backup("two.db", &["--data-dir", app.data_dir().to_str().expect("UTF-8")]);
    assert!(copied.code() == 0 && file.exists(), "{copied:?}");
    assert_eq!(copied.json()["file"], file.to_str().expect("UTF-8"));
}

#[test]
fn a_site_to_add_needs_no_scheme() {
    let app = App::new(FAST, "");
    // Nobody listens there: what matters is where it was looked for.
    for site in ["127.0.0.1:1", "127.0.0.1:1/feed.xml"] {
        let finished = app.run(&["feeds", "add", site]);
        assert!(finished.code() == 1 && finished.stderr.contains("could not connect"), "{finished:?}");
    }
    let refused = app.run(&["feeds", "add", "ftp://site.example/"]);
    assert!(refused.code() == 2 && refused.stderr.contains("the scheme is `ftp`"), "{refused:?}");
}

/// Of a feed, of its failure, of the config: nothing gives orders to a terminal.
#[test]
fn h32_no_command_and_no_log_prints_an_escape() {
    let origin = Origin::start();
    let sly = "\\u001b]0;owned\\u0007\\u001b[31m";
    let item = format!(
        "{{\"id\": \"{sly}\", \"url\": \"https://x.example/{sly}\", \"title\": \"Mistral {sly}\u{202e}\", \"tags\": [\"{sly}\"]}}"
    );
    let feed =
        format!("{{\"version\": \"https://jsonfeed.org/version/1.1\", \"title\": \"{sly}\", \"items\": [{item}]}}");
    origin.script("/feed.json", [ok(feed.as_str())]);
    origin.script("/bad", [fault(Fault::Raw(b"HTTP/1.1 500 \x1b[31mno\r\n\r\n".to_vec()))]);
    origin.script("/away", [redirect(302, "http://\u{1b}[31m/")]);
    let urls = ["/feed.json", "/bad", "/away"].map(|path| origin.url(path));
    let app = App::new(FAST, &(feed_tables(&urls.each_ref().map(String::as_str)) + ALL + TAG));
    app.write("items.jsonl", "\u{1b}[31m\n");
    let items = app.directory().join("items.jsonl");
    let check = |said: &str, what: &[&str]| {
        let sly = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!said.contains(sly), "{what:?}: {said:?}");
    };
    for command in [
        &["poll"][..],
        &["status"],
        &["feeds"],
        &["digests", "show", "all"],
        &["search", "mistral"],
        &["search", "\u{1b}[31m AND ("],
        &["why", "1"],
        &["why", "\u{1b}[31m"],
        &["poll", "\u{1b}[31m"],
        &["digests", "show", "\u{1b}[31m"],
        &["suggest", "\u{1b}[31m"],
        &["correct", "1", "+\u{1b}[31m"],
        &["feeds", "fix", "\u{1b}[31m"],
        &["feeds", "add", "\u{1b}[31m"],
        &["tag", items.to_str().expect("UTF-8")],
    ] {
        let finished = app.run(command);
        check(&finished.stdout, command);
        check(&finished.stderr, command);
    }
    assert_eq!(app.run(&["search", "mistral"]).code(), 0, "the item is there");
    let daemon = app.start();
    origin.wait_for("/bad", 3);
    origin.wait_for("/away", 3);
    daemon.kill().iter().for_each(|line| check(line, &["run"]));
    app.write("watch.toml", "\"\\u001b[31m\" = 1\n");
    let refused = app.run(&["check"]);
    assert_eq!(refused.code(), 2);
    check(&refused.stderr, &["check"]);
}

/// What breaks a full-text index's own syntax, and what a database could be broken by.
#[test]
fn h37_any_text_is_a_query_or_told_not_to_be_one() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(3);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let daemon = app.start();
    let many_terms = (0..5_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" OR ");
    let deep = "(".repeat(300);
    let texts = [
        "multi-agent",
        "don't",
        "\"",
        "x:y",
        "*",
        "-a",
        "",
        " ",
        "'; DROP TABLE items;--",
        "a AND",
        "NEAR/",
        "/(/",
        "\u{0}",
        "法国 NEAR/0 AI",
        &"a ".repeat(50_000),
        &many_terms,
        &deep,
    ];
    for text in texts {
        let shown: String = text.chars().take(40).collect();
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for path in ["/?q=", "/api/v1/items?q="] {
            let answer = daemon.get(&format!("{path}{encoded}"));
            // An address of more than 8 KiB is none.
            let expected: &[u16] = if encoded.len() > 8_000 { &[414] } else { &[200, 400] };
            assert!(expected.contains(&answer.status), "{path}{shown}: {}", answer.status);
        }
        if text.len() < 100_000 && !text.contains('\0') {
            let found = app.run(&["search", "--", text]);
            assert!([0, 1, 2].contains(&found.code()) && !found.stderr.contains("panic"), "{shown}: {found:?}");
        }
    }
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 3);
    assert_eq!(daemon.get("/readyz").status, 200);
}
