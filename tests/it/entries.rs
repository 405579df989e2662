//! From a publisher's document to the entries of a digest, by the numbers of the checks: what an edit, a shuffle, an
//! empty hour, an odd date and hostile text make of them.

use crate::support;
use crate::support::app::{ALL, App, PATIENCE, feed_tables, wait_until};
use crate::support::origin::{Answer, Origin, ok};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use veille::store::Store;

/// Polled only by hand.
const BY_HAND: &str = "min_interval = \"24h\"\nallow_private_addresses = true\n";

fn watch(origin: &Origin) -> App {
    App::new(BY_HAND, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL))
}

fn document(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\"><channel><title>News</title>\
         <link>https://news.example/</link><description>of the day</description>{items}</channel></rss>"
    )
}

fn item(guid: usize, title: &str, date: &str, rest: &str) -> String {
    format!(
        "<item><guid isPermaLink=\"false\">{guid}</guid><title>{title}</title><pubDate>{date}</pubDate>{rest}</item>"
    )
}

/// The digest as a subscriber has it, in each format.
fn published(app: &App) -> [Vec<u8>; 3] {
    let daemon = app.start();
    ["atom", "rss", "json"].map(|format| daemon.get(&format!("/digests/all.{format}")).body)
}

fn entries([_, _, json]: &[Vec<u8>; 3]) -> Vec<Value> {
    let document: Value = serde_json::from_slice(json).expect("JSON");
    document["items"].as_array().expect("items").clone()
}

fn texts(entries: &[Value], key: &str) -> Vec<String> {
    entries.iter().map(|entry| entry[key].as_str().unwrap_or_default().to_owned()).collect()
}

/// Removes what was first seen before 2000, as retention does; how many items that were.
fn prune(app: &App) -> usize {
    let directory = app.data_dir().to_owned();
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let before: Timestamp = "2000-01-01T00:00:00Z".parse().unwrap();
        support::prune(&Store::open(&directory).unwrap(), before, Timestamp::now()).await
    })
}

#[test]
fn h13_entities_of_a_document_read_no_file_ask_nobody_and_grow_into_nothing() {
    let (origin, canary) = (Origin::start(), Origin::start());
    let app = watch(&origin);
    app.write("secret", "open sesame");
    let secret = format!("file://{}", app.directory().join("secret").display());
    let laughs: String =
        (1..12).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    for (definitions, title) in [
        (format!("<!ENTITY x SYSTEM \"{secret}\">"), "&x;".to_owned()),
        (format!("<!ENTITY x SYSTEM \"{}\">", canary.url("/entity")), "&x;".to_owned()),
        (format!("<!ENTITY % x SYSTEM \"{}\"> %x;", canary.url("/definitions")), String::new()),
        (format!("<!ENTITY l0 \"ha\">{laughs}"), "&l11;".to_owned()),
        (format!("<!ENTITY x \"{}\">", "ha".repeat(50_000)), "&x;".repeat(10_000)),
    ] {
        let plain = document(&item(1, &format!("News {title}"), "", ""));
        let body = plain.replacen("<rss", &format!("<!DOCTYPE rss [{definitions}]><rss"), 1);
        origin.script("/feed.xml", [ok(body)]);
        let polled = app.poll(&["--force"]);
        assert_eq!(polled["feeds"][0]["outcome"], "stored", "{definitions:.80}: {polled}");
        let read: String = app.ask("SELECT title FROM items");
        assert!(read.starts_with("News") && read.len() < 5_000, "{definitions:.80}: {read}");
        assert!(!read.contains("sesame") && !read.contains("haha"), "{definitions:.80}: {read}");
    }
    assert_eq!(canary.connections(), 0, "{:?}", canary.log());
}

#[test]
fn h16_one_text_arrives_from_every_encoding() {
    let (western, chinese) = ("café — “quoted” €", "café — “引用” €");
    let declared = |encoding: &str, text: &str| document(&item(1, text, "", "")).replacen("utf-8", encoding, 1);
    let coded = |encoding: &str, text: &str| {
        let encoding = encoding_rs::Encoding::for_label(encoding.as_bytes()).expect("an encoding");
        encoding.encode(text).0.into_owned()
    };
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let with_mark = |text: &str| utf_16(&format!("\u{feff}{text}"));
    let bodies = [
        (declared("utf-8", western).into_bytes(), "", western),
        (with_mark(&declared("utf-16", western)), "", western),
        (utf_16(&declared("utf-16", western)), "", western),
        (coded("windows-1252", &declared("windows-1252", western)), "", western),
        // What calls itself so is nearly always cp1252.
        (coded("windows-1252", &declared("iso-8859-1", western)), "", western),
        (coded("windows-1252", &declared("iso-8859-5", western)), "windows-1252", western),
        (coded("gb18030", &declared("gb18030", chinese)), "", chinese),
        (coded("gbk", &declared("gb2312", "法国的“引用”")), "", "法国的“引用”"),
        (coded("big5", &declared("big5", "法國的「引用」")), "", "法國的「引用」"),
        (declared("utf-8", "+ADw-b+AD4-").into_bytes(), "utf-7", "+ADw-b+AD4-"),
        (
            String::into_bytes(declared("utf-8", "café #"))
                .iter()
                .map(|b| if *b == b'#' { 0xff } else { *b })
                .collect(),
            "",
            "café \u{fffd}",
        ),
    ];
    let origin = Origin::start();
    let app = watch(&origin);
    for (number, (body, charset, expected)) in bodies.into_iter().enumerate() {
        let kind = if charset.is_empty() { "text/xml".to_owned() } else { format!("text/xml; charset={charset}") };
        origin.script("/feed.xml", [ok(body).header("Content-Type", kind)]);
        app.poll(&["--force"]);
        assert_eq!(app.ask::<String>("SELECT title FROM items"), expected, "{number}");
        let [atom, rss, json] = published(&app);
        for written in [atom, rss, json] {
            let written = String::from_utf8(written).expect("what we write is UTF-8");
            assert!(written.contains(expected), "{number}: {written}");
        }
    }
}

#[test]
fn h19_an_item_of_8_mib_is_cut_between_characters_and_keeps_who_it_is() {
    let origin = Origin::start();
    let huge = format!("<link>https://news.example/huge</link><description>x{}</description>", "é".repeat(4 << 20));
    let items = item(1, "Huge", "", &huge) + &item(2, "Its neighbour", "", "");
    origin.script("/feed.xml", [ok(document(&items))]);
    let app = watch(&origin);
    for added in [2, 0] {
        let polled = app.poll(&["--force"]);
        assert_eq!((&polled["items_added"], &polled["items_changed"]), (&added.into(), &0.into()), "{polled}");
    }
    let text = "coalesce(nullif(content_text, ''), summary)";
    assert_eq!(
        app.ask::<String>("SELECT guid || ' ' || link FROM items WHERE title = 'Huge'"),
        "1 https://news.example/huge"
    );
    let bytes: u32 = app.ask(&format!("SELECT length(CAST({text} AS BLOB)) FROM items WHERE title = 'Huge'"));
    assert!((100_000..1 << 20).contains(&bytes), "{bytes}");
    let end: String = app.ask(&format!("SELECT substr(rtrim({text}, ' …'), -1) FROM items WHERE title = 'Huge'"));
    assert_eq!(end, "é");
}

/// Polls ten times a feed that answers with these documents in turn; how many items there are after each.
fn polled_ten_times(documents: impl Fn(usize) -> String) -> (App, Vec<i64>) {
    let origin = Origin::start();
    let answers: Vec<Answer> = (0..10).map(|n| ok(documents(n))).collect();
    origin.script("/feed.xml", answers);
    let app = watch(&origin);
    let count = |_| {
        app.poll(&["--force"]);
        app.ask("SELECT count(*) FROM items")
    };
    let counts = (0..10).map(count).collect();
    (app, counts)
}

#[test]
fn h20_guids_that_change_at_each_fetch_are_noticed_and_five_items_stay_five() {
    let (app, counts) = polled_ten_times(|fetch| {
        let linked =
            |n| item(100 * fetch + n, &format!("Item {n}"), "", &format!("<link>https://news.example/{n}</link>"));
        document(&(1..6).map(linked).collect::<String>())
    });
    assert_eq!(counts, [5; 10]);
    assert_eq!(entries(&published(&app)).len(), 5);
}

#[test]
fn h21_one_guid_on_five_items_is_five_items_and_an_item_listed_twice_is_one() {
    let one_guid = |n| item(7, &format!("Item {n}"), "", &format!("<link>https://news.example/{n}</link>"));
    let (app, counts) = polled_ten_times(|_| document(&(1..6).map(one_guid).collect::<String>()));
    assert_eq!(counts, [5; 10]);
    assert_eq!(entries(&published(&app)).len(), 5);
    let (_, counts) = polled_ten_times(|_| document(&one_guid(1).repeat(2)));
    assert_eq!(counts, [1; 10]);
}

#[test]
fn guids_that_are_given_again_to_other_stories_swallow_none() {
    let linked = |guid, n: usize| {
        let date = format!("Mon, 02 Nov 2026 08:{n:02}:00 GMT");
        item(guid, &format!("Story {n} of many"), &date, &format!("<link>https://news.example/{n}</link>"))
    };
    let places = |fetch| document(&(0..5).map(|place| linked(place, fetch + 4 - place)).collect::<String>());
    let (app, counts) = polled_ten_times(places);
    assert_eq!(counts, (5..15).collect::<Vec<i64>>());
    let told = texts(&entries(&published(&app)), "title");
    assert_eq!(told, (0..14).rev().map(|n| format!("Story {n} of many")).collect::<Vec<_>>());
    let begun_anew =
        |fetch| document(&(0..5).map(|n| linked(n, if fetch < 5 { n } else { 10 + n })).collect::<String>());
    let (_, counts) = polled_ten_times(begun_anew);
    assert_eq!(counts, [5, 5, 5, 5, 5, 10, 10, 10, 10, 10]);
}

#[test]
fn h22_items_without_a_guid_of_their_own_stay_who_they_are() {
    let guid = |text: &str| format!("<guid isPermaLink=\"false\">{text}</guid>");
    let shapes: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("no guid", &|n| format!("<link>https://news.example/{n}</link>")),
        ("no guid, one link for all", &|_| "<link>https://news.example/</link>".to_owned()),
        ("neither", &|_| String::new()),
        ("a blank guid", &|_| guid("  ")),
        ("an odd guid", &|n| guid(&format!(" \u{200b}&amp;é\u{202e} {n} "))),
    ];
    for (shape, identity) in shapes {
        let (app, counts) = polled_ten_times(|_| {
            let item = |n| format!("<item><title>Item {n}</title>{}</item>", identity(n));
            document(&(1..6).map(item).collect::<String>())
        });
        assert_eq!(counts, [5; 10], "{shape}");
        assert_eq!(entries(&published(&app)).len(), 5, "{shape}");
    }
}

#[test]
fn h23_feeds_with_the_same_guids_share_none_of_their_items() {
    let origin = Origin::start();
    for path in ["/one.xml", "/two.xml"] {
        let items: String = (1..6).map(|n| item(n, &format!("{path} tells of matter {n}"), "", "")).collect();
        origin.script(path, [ok(document(&items))]);
    }
    let app = App::new(BY_HAND, &(feed_tables(&[&origin.url("/one.xml"), &origin.url("/two.xml")]) + ALL));
    for added in [10, 0] {
        assert_eq!(app.poll(&["--force"])["items_added"], added);
    }
    let ids: BTreeSet<String> = texts(&entries(&published(&app)), "id").into_iter().collect();
    assert_eq!(ids.len(), 10);
}

#[test]
fn h24_an_edited_item_keeps_its_entry_its_id_and_its_date() {
    let origin = Origin::start();
    let date = "Mon, 23 Nov 2026 08:00:00 GMT";
    let first = item(1, "A plan", date, "<description>Soon.</description><category>plans</category>");
    let second = item(1, "A plan, amended", date, "<description>Later.</description><category>delays</category>");
    origin.script("/feed.xml", [ok(document(&first)), ok(document(&second))]);
    let app = watch(&origin);
    app.poll(&["--force"]);
    let before = entries(&published(&app));
    let polled = app.poll(&["--force"]);
    assert_eq!((&polled["items_added"], &polled["items_changed"]), (&0.into(), &1.into()));
    let after = entries(&published(&app));
    assert_eq!((before.len(), after.len()), (1, 1));
    for same in ["id", "date_published"] {
        assert_eq!(before[0][same], after[0][same], "{same}");
    }
    assert_eq!(after[0]["title"], "A plan, amended");
    assert!(after[0]["content_html"].as_str().unwrap().contains("Later."), "{}", after[0]);
    let modified = |entry: &Value| entry["date_modified"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(modified(&after[0]) > modified(&before[0]));
}

#[test]
fn an_entry_that_was_edited_while_a_rule_left_it_out_is_shown_as_changed() {
    let origin = Origin::start();
    let titled = |title| ok(document(&item(1, title, "Mon, 23 Nov 2026 08:00:00 GMT", "")));
    origin.script("/feed.xml", ["A plan", "A plan, amended"].map(titled));
    let watch = |query: &str| feed_tables(&[&origin.url("/feed.xml")]) + "[digests.all]\nquery = '" + query + "'\n";
    let app = App::new(BY_HAND, &watch("plan"));
    let shown = || {
        app.poll(&["--force"]);
        entries(&published(&app))
    };
    let before = shown();
    app.write("watch.toml", &watch("plane"));
    assert_eq!(shown().len(), 0);
    app.write("watch.toml", &watch("plan"));
    let after = shown();
    assert_eq!((&before[0]["id"], before.len()), (&after[0]["id"], after.len()));
    assert_eq!(after[0]["title"], "A plan, amended");
    let modified = |entry: &Value| entry["date_modified"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(modified(&after[0]) > modified(&before[0]), "{}", after[0]);
    for query in ["plane", "plan"] {
        app.write("watch.toml", &watch(query));
        shown();
    }
    assert_eq!(shown(), after, "what stayed as it was is not");
}

#[test]
fn an_issue_is_not_said_to_be_edited_where_it_shows_nothing_of_an_edit() {
    let origin = Origin::start();
    let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let told = |title: &str, end: &str| {
        let text = "The plan was laid before the council in the morning. ".repeat(10);
        ok(document(&item(1, title, &date, &format!("<description>{text}{end}</description>"))))
    };
    origin.script("/feed.xml", [told("A plan", "1 comment"), told("A plan", "2 comments"), told("Two plans", "")]);
    let often = "[digests.often]\nquery = \"plan*\"\ncron = \"* * * * * *\"\n";
    let app = App::new(BY_HAND, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL + often));
    let shown = || {
        let daemon = app.start();
        let [issue, stream] = ["often", "all"].map(|name| daemon.get(&format!("/digests/{name}.json")).body);
        let stream: Value = serde_json::from_slice(&stream).unwrap();
        (String::from_utf8(issue).unwrap(), stream["items"][0]["date_modified"].to_string())
    };
    app.poll(&["--force"]);
    let is_cut = || {
        app.poll(&[]);
        (app.ask::<u32>("SELECT count(*) FROM issues") == 1).then_some(())
    };
    wait_until(PATIENCE, is_cut).expect("an issue");
    let first = shown();
    app.poll(&["--force"]);
    let commented = shown();
    assert_eq!(commented.0, first.0, "an issue shows how the text begins");
    assert_ne!(commented.1, first.1, "an entry of a stream shows all of it");
    app.poll(&["--force"]);
    let retitled = shown();
    assert!(retitled.0 != first.0 && retitled.0.contains("Two plans") && retitled.1 != commented.1, "{}", retitled.0);
}

#[test]
fn an_enclosure_that_is_signed_anew_at_each_visit_is_followed_and_is_no_edit() {
    let origin = Origin::start();
    let spoken = |episode: &str| {
        let enclosure = format!("<enclosure url=\"https://cdn.example/{episode}\" type=\"audio/mpeg\" length=\"1\"/>");
        ok(document(&item(1, "An episode", "Mon, 23 Nov 2026 08:00:00 GMT", &enclosure)))
    };
    origin.script("/feed.xml", ["1.mp3?token=1", "1.mp3?token=2", "2.mp3?token=2"].map(spoken));
    let app = watch(&origin);
    let shown = || {
        app.poll(&["--force"]);
        let entry = entries(&published(&app)).remove(0);
        (entry["attachments"][0]["url"].as_str().unwrap().to_owned(), entry["date_modified"].to_string())
    };
    let [first, signed_anew, another] = [(); 3].map(|()| shown());
    assert_eq!(signed_anew, ("https://cdn.example/1.mp3?token=2".into(), first.1.clone()));
    assert!(another.0.contains("2.mp3") && another.1 > first.1, "{another:?}");
}

#[test]
fn h25_another_order_another_tag_and_a_moving_date_change_no_byte() {
    let origin = Origin::start();
    let dated = |minute: usize, numbers: &[usize]| {
        let items = numbers
            .iter()
            .map(|n| item(*n, &format!("Item {n}"), &format!("Mon, 23 Nov 2026 08:{minute:02}:00 GMT"), ""));
        ok(document(&items.collect::<String>())).etag(format!("\"{minute}\""))
    };
    let shuffles =
        [dated(1, &[1, 2, 3, 4, 5]), dated(2, &[5, 4, 3, 2, 1]), dated(3, &[3, 1, 5, 2, 4]), dated(4, &[5, 1, 2])];
    origin.script("/feed.xml", shuffles);
    let app = watch(&origin);
    assert_eq!(app.poll(&["--force"])["items_added"], 5);
    let before = published(&app);
    for _ in 0..3 {
        let polled = app.poll(&["--force"]);
        assert_eq!((&polled["items_added"], &polled["items_changed"]), (&0.into(), &0.into()), "{polled}");
        assert!(published(&app) == before, "the digest changed");
    }
}

#[test]
fn h26_an_empty_hour_loses_and_repeats_nothing_and_an_archive_does_not_come_on_top() {
    let origin = Origin::start();
    let of = |numbers: std::ops::Range<usize>, date: &str| {
        numbers.map(|n| item(n, &format!("Item {n}"), date, "")).collect::<String>()
    };
    let ten = of(1..11, "Mon, 23 Nov 2026 08:00:00 GMT");
    let archive = ten.clone() + &of(100..300, "Tue, 05 Mar 2019 08:00:00 GMT");
    let answers: Vec<Answer> = [&ten, "", &ten, &archive].map(|items| ok(document(items))).into();
    origin.script("/feed.xml", answers);
    let app = watch(&origin);
    let added: Vec<Value> = (0..3).map(|_| app.poll(&["--force"])["items_added"].clone()).collect();
    assert_eq!(added, [10, 0, 0]);
    let before = texts(&entries(&published(&app)), "id");
    assert_eq!(before.len(), 10);
    assert_eq!(app.poll(&["--force"])["items_added"], 200);
    let after = texts(&entries(&published(&app)), "id");
    assert_eq!(after[..10], before, "what is years old stands below what is new");
}

#[test]
fn h27_odd_dates_are_neither_ahead_of_us_nor_before_the_web_and_stay_where_they_are() {
    let origin = Origin::start();
    let dates = [
        "",
        "yesterday, more or less",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sat, 31 Dec 2016 23:59:60 GMT",
        "Mon, 23 Nov 2026 08:00:00 -1400",
        "Thu, 23 Nov 2028 08:00:00 GMT",
    ];
    let items: String = (1..).zip(dates).map(|(n, date)| item(n, &format!("Item {n}"), date, "")).collect();
    origin.script("/feed.xml", [ok(document(&items))]);
    let app = watch(&origin);
    assert_eq!(app.poll(&["--force"])["items_added"], dates.len());
    let before = published(&app);
    let read = entries(&before);
    assert_eq!(read.len(), dates.len());
    let (earliest, now) = ("1999-01-01T00:00:00Z".parse::<Timestamp>().unwrap(), Timestamp::now());
    for entry in &read {
        for key in ["date_published", "date_modified"] {
            let at: Timestamp = entry[key].as_str().unwrap().parse().expect("RFC 3339");
            assert!((earliest..=now).contains(&at), "{key} of {entry}");
        }
    }
    app.poll(&["--force"]);
    assert!(published(&app) == before, "a second fetch moved a date");
}

/// Five items are stored, and of three the time has passed.
fn with_three_old_of_five(origin: &Origin) -> App {
    let items: String = (1..6).map(|n| item(n, &format!("Item {n}"), "Mon, 23 Nov 2026 08:00:00 GMT", "")).collect();
    origin.script("/feed.xml", [ok(document(&items))]);
    let app = watch(origin);
    app.poll(&["--force"]);
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0 WHERE item_id <= 3");
    app
}

#[test]
fn h28_what_retention_removed_does_not_come_back_while_its_feed_lists_it() {
    let origin = Origin::start();
    let app = with_three_old_of_five(&origin);
    let pruned = prune(&app);
    assert_eq!(pruned, 3);
    for _ in 0..2 {
        assert_eq!(app.poll(&["--force"])["items_added"], 0);
    }
    assert_eq!(texts(&entries(&published(&app)), "title").len(), 2);
}

#[test]
fn h28_what_retention_removed_does_not_come_back_under_another_guid() {
    let linked = |fetch: usize, n| {
        item(10 * fetch + n, &format!("Item {n}"), "", &format!("<link>https://news.example/{n}</link>"))
    };
    let origin = Origin::start();
    origin.script("/feed.xml", (0..4).map(|fetch| ok(document(&(1..6).map(|n| linked(fetch, n)).collect::<String>()))));
    let app = watch(&origin);
    for _ in 0..2 {
        app.poll(&["--force"]);
    }
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0");
    assert_eq!(prune(&app), 5);
    for _ in 0..2 {
        let polled = app.poll(&["--force"]);
        assert_eq!((&polled["refreshed"], &polled["items_added"]), (&1.into(), &0.into()), "{polled}");
    }
}

#[test]
fn what_retention_removed_does_not_come_back_when_its_feed_breaks_a_long_silence() {
    const QUARTER: i64 = 91 * 24 * 3600;
    let origin = Origin::start();
    let listed = |last: usize| {
        let items = (1..=last).rev().map(|n| item(n, &format!("Item {n}"), "Mon, 23 Nov 2026 08:00:00 GMT", ""));
        document(&items.collect::<String>())
    };
    origin.script("/feed.xml", [ok(listed(3)), ok(listed(4)), ok(listed(5))]);
    let app = watch(&origin);
    app.poll(&["--force"]);
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0");
    assert_eq!(prune(&app), 3);
    for n in [4, 5] {
        app.let_pass(QUARTER);
        app.change(&format!("UPDATE tombstones SET last_listed_at = last_listed_at - {QUARTER}000"));
        prune(&app);
        assert_eq!(app.poll(&["--force"])["items_added"], 1, "the new one, {n}");
    }
    let left = || app.ask::<u32>("SELECT count(*) FROM tombstones");
    prune(&app);
    assert_eq!(left(), 3, "they are listed");
    app.change(&format!("UPDATE tombstones SET last_listed_at = last_listed_at - {QUARTER}000"));
    prune(&app);
    assert_eq!(left(), 0, "their feed has brought something since and has not listed them");
}

#[test]
fn the_language_of_the_config_speaks_before_the_documents() {
    let origin = Origin::start();
    let with_language = document(&item(1, "Item", "", "")).replacen("<item>", "<language>de</language><item>", 1);
    origin.script("/feed.xml", [ok(with_language)]);
    for (configured, expected) in [("", "de"), ("language = \"fr\"\n", "fr")] {
        let app = App::new(BY_HAND, &(feed_tables(&[&origin.url("/feed.xml")]) + configured + ALL));
        app.poll(&[]);
        let search = app.run(&["search", &format!("lang:{expected}"), "--json"]).json();
        assert_eq!(search["items"].as_array().map(Vec::len), Some(1), "{search}");
    }
}

/// A digest with room for three, as a subscriber polls it and as its pages go on.
#[test]
fn news_that_comes_late_stands_in_the_document_that_subscribers_poll() {
    let origin = Origin::start();
    let hours_ago = |hours: i64| {
        (Timestamp::now() - SignedDuration::from_hours(hours)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let told = |items: &[(usize, i64)]| {
        let items = items.iter().map(|(n, hours)| item(*n, &format!("Item {n}"), &hours_ago(*hours), ""));
        ok(document(&items.collect::<String>()))
    };
    origin.script("/busy.xml", [told(&[(1, 30)]), told(&[(6, 1), (2, 5), (3, 4), (4, 3), (5, 2), (1, 30)])]);
    origin.script("/slow.xml", [told(&[(11, 300)]), told(&[(11, 300)]), told(&[(13, 500), (12, 20), (11, 300)])]);
    let (busy, slow) = (origin.url("/busy.xml"), origin.url("/slow.xml"));
    let app = App::new(BY_HAND, &(feed_tables(&[&busy, &slow]) + ALL + "limit = 3\n"));
    let shown = || texts(&entries(&published(&app)), "title");
    app.poll(&["--force"]);
    assert_eq!(shown(), ["Item 1", "Item 11"]);
    app.poll(&["--force"]);
    assert_eq!(shown(), ["Item 6", "Item 5", "Item 4"], "the newest of what came together, in whatever order");
    app.poll(&["--force"]);
    assert_eq!(shown(), ["Item 6", "Item 5", "Item 12"], "that is news, and what it brings of its past is not");
    // The clock was ahead when those came.
    app.change("UPDATE digest_entries SET ordered_at = ordered_at + 86400000000 WHERE story_id > 2");
    origin.script("/busy.xml", [told(&[(7, 0)])]);
    app.poll(&["--force"]);
    assert_eq!(shown(), ["Item 7", "Item 6", "Item 12"]);
    let daemon = app.start();
    let (mut pages, mut before) = (Vec::new(), String::new());
    while before != "null" {
        let page = daemon.json(&format!("/api/v1/digests/all?limit=2{before}"));
        pages.extend(texts(page["stories"].as_array().expect("stories"), "entry_id"));
        before = if page["before"].is_null() { "null".to_owned() } else { format!("&before={}", page["before"]) };
    }
    let all = BTreeSet::from_iter(&pages);
    assert_eq!((pages.len(), all.len()), (10, 10), "each once: {pages:?}");
}

/// A digest with room for one.
#[test]
fn what_a_curator_puts_into_a_digest_stands_in_its_document() {
    let origin = Origin::start();
    let date =
        |hours: i64| (Timestamp::now() - SignedDuration::from_hours(hours)).strftime("%a, %d %b %Y %H:%M:%S GMT");
    let items = item(1, "First", &date(5).to_string(), "") + &item(2, "Second", &date(1).to_string(), "");
    origin.script("/feed.xml", [ok(document(&items))]);
    let tag = "[tags.picked]\nany = [\"nothing has it\"]\npublish = false\n";
    let digest = "[digests.all]\nquery = \"tag:picked\"\nlimit = 1\n";
    let app = App::new(BY_HAND, &(feed_tables(&[&origin.url("/feed.xml")]) + tag + digest));
    app.poll(&[]);
    for (guid, title) in [(2, "Second"), (1, "First")] {
        let id = app.ask::<i64>(&format!("SELECT item_id FROM items WHERE guid = '{guid}'")).to_string();
        assert_eq!(app.run(&["correct", &id, "+picked"]).code(), 0);
        assert_eq!(texts(&entries(&published(&app)), "title"), [title]);
    }
}

#[test]
fn a_poll_removes_what_has_had_its_time_as_the_daemon_does() {
    let origin = Origin::start();
    let app = with_three_old_of_five(&origin);
    app.poll(&[]);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2);
}

/// They are written many to a statement, and the last ones by themselves.
#[test]
fn the_items_of_a_document_are_stored_by_their_dates_however_many_they_are() {
    let origin = Origin::start();
    let document_of = |feed: usize, count: usize| {
        // Neither oldest nor newest first: seven has no divisor in common with the counts.
        let numbers = (0..count).map(|place| place * 7 % count);
        let items = numbers.map(|number| {
            let link = if number == 5 { "shared".to_owned() } else { format!("{feed}-{number}") };
            let date = format!("Mon, 23 Nov 2026 08:{number:02}:00 GMT");
            // No two words the same: each is written in letters for digits.
            let word = |word: usize| (1000 + feed * 500 + number * 5 + word).to_string();
            let letters = |digits: String| digits.bytes().map(|digit| char::from(digit - b'0' + b'k')).collect();
            let title = (0..5).map(|place| letters(word(place))).collect::<Vec<String>>().join(" ");
            item(number, &title, &date, &format!("<link>https://news.example/{link}</link>"))
        });
        document(&items.collect::<String>())
    };
    let counts = [8, 9, 43, 54];
    let paths: Vec<String> = counts.iter().map(|count| format!("/{count}.xml")).collect();
    for (feed, (count, path)) in counts.iter().zip(&paths).enumerate() {
        origin.script(path, [ok(document_of(feed, *count))]);
    }
    let addresses: Vec<String> = paths.iter().map(|path| origin.url(path)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let app = App::new(BY_HAND, &(feed_tables(&addresses) + ALL));
    for (address, count) in addresses.iter().zip(counts) {
        assert_eq!(app.poll(&[address])["items_added"], count);
        let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let stored = "SELECT group_concat(guid) FROM (SELECT guid FROM items WHERE feed_id = \
                      (SELECT max(feed_id) FROM items) ORDER BY item_id)";
        assert_eq!(app.ask::<String>(stored), expected.join(","));
    }
    let items: usize = counts.iter().sum();
    let stories = items - (counts.len() - 1);
    let asked = |sql: &str| app.ask::<i64>(&format!("SELECT count(*) FROM {sql}"));
    let equals = |sql: &str, expected: usize| assert_eq!(asked(sql), i64::try_from(expected).unwrap(), "{sql}");
    equals("items", items);
    equals("stories", stories);
    equals("(SELECT DISTINCT entry_id FROM stories)", stories);
    equals("(SELECT DISTINCT story_id FROM items JOIN stories USING (story_id))", stories);
    equals("items JOIN recent_signatures s USING (item_id, story_id, feed_id)", items);
    equals("unindexed_items", items);
    equals(
        "items WHERE link LIKE '%/shared' AND story_id = (SELECT story_id FROM items WHERE guid = '5')",
        counts.len(),
    );
}

#[test]
fn what_one_feed_has_told_is_not_told_again_by_another_that_comes_to_list_it_later() {
    let ago =
        |days: i64| (Timestamp::now() - SignedDuration::from_hours(24 * days)).strftime("%a, %d %b %Y %H:%M:%S +0000");
    let story = |guid: &str, number: i64, days: i64| {
        format!(
            "<item><guid isPermaLink=\"false\">{guid}{number}</guid><title>Number {number}</title>\
             <link>https://news.example/{number}</link><pubDate>{}</pubDate></item>",
            ago(days)
        )
    };
    let stories =
        |guid: &str, days: std::ops::Range<i64>| document(&days.map(|day| story(guid, day, day)).collect::<String>());
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(stories("blog-", 4..24))]);
    origin.script("/topic.xml", [ok(stories("topic-", 4..12)), ok(stories("topic-", 4..17))]);
    let app = watch(&origin);
    app.poll(&["--force"]);
    let week = 7 * 24 * 3_600_000_i64;
    app.change(&format!(
        "UPDATE items SET first_seen_at = first_seen_at - {week}; \
         UPDATE recent_signatures SET first_seen_at = first_seen_at - {week}"
    ));
    let dates = || texts(&entries(&published(&app)), "date_modified");
    let dated = dates();
    app.write("watch.toml", &(feed_tables(&[&origin.url("/feed.xml"), &origin.url("/topic.xml")]) + ALL));
    let told = || app.ask::<i64>("SELECT count(*) FROM digest_entries WHERE digest = 'all'");
    assert_eq!((app.poll(&["--force"])["items_added"].as_i64(), told()), (Some(8), 20), "its first document");
    assert_eq!((app.poll(&["--force"])["items_added"].as_i64(), told()), (Some(5), 20), "one that lists more of them");
    assert_eq!(dates(), dated, "nor is it shown as changed");

    // Long after, the same address tells of something else: a page that is written anew each week.
    origin.script("/topic.xml", [ok(document(&story("again-", 20, 2)))]);
    assert_eq!((app.poll(&["--force"])["items_added"].as_i64(), told()), (Some(1), 21), "another story by its date");
}

#[test]
fn an_item_that_comes_back_begins_no_second_story_while_others_tell_the_first() {
    let origin = Origin::start();
    let date = "Mon, 23 Nov 2026 08:00:00 GMT";
    for (path, guid, title) in [("/one.xml", 1, "A plan"), ("/two.xml", 2, "What others say of it")] {
        origin.script(path, [ok(document(&item(guid, title, date, "<link>https://news.example/plan</link>")))]);
    }
    let (one, two) = (origin.url("/one.xml"), origin.url("/two.xml"));
    let app = App::new(BY_HAND, &(feed_tables(&[&one, &two]) + ALL));
    let stories = || app.ask::<String>("SELECT group_concat(story_id || ' ' || entry_id) FROM stories");
    // Each by a process of its own: what the second has of the first is what was stored.
    app.poll(&[&one]);
    let story = stories();
    app.poll(&[&two]);
    assert_eq!(stories(), story, "the same link is the same story");
    let come_back = |expected: usize| {
        assert_eq!(prune(&app), expected);
        app.change("DELETE FROM tombstones; DELETE FROM recent_signatures");
        assert_eq!(app.poll(&["--force"])["items_added"], expected);
    };
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0 WHERE guid = '1'");
    come_back(1);
    assert_eq!(stories(), story, "begun again, it is the same");
    assert_eq!(app.ask::<u32>("SELECT count(DISTINCT story_id) FROM items"), 1);
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0");
    come_back(2);
    assert!(!stories().contains(&story), "a story that nobody tells is gone, and its number with it");
    assert_eq!(app.ask::<u32>("SELECT count(*) FROM bereft_stories"), 0);
}

#[test]
fn h29_an_address_that_would_run_or_open_a_file_is_in_no_digest_and_on_no_page() {
    const ADDRESSES: [&str; 5] = [
        "javascript:alert(1)",
        " JaVa&#9;script:alert(1)",
        "data:text/html,alert(1)",
        "vbscript:alert(1)",
        "file:///etc/alert(1)",
    ];
    let origin = Origin::start();
    let rest = |address: &str| {
        format!(
            "<link>{address}</link><description>x</description><enclosure url=\"{address}\" type=\"audio/mpeg\" length=\"1\"/>"
        )
    };
    let items: String = (1..)
        .zip(ADDRESSES)
        .map(|(n, address)| item(n, &format!("Title {n}"), "Mon, 23 Nov 2026 08:00:00 GMT", &rest(address)))
        .collect();
    let document = document(&items).replacen("<item>", &format!("<link>{}</link><item>", ADDRESSES[0]), 1);
    origin.script("/feed.xml", [ok(document)]);
    let app = watch(&origin);
    app.poll(&["--force"]);
    for document in published(&app) {
        let text = String::from_utf8(document).unwrap();
        assert!(text.contains("Title 5") && !text.contains("alert(1)"), "{text}");
    }
    let daemon = app.start();
    for number in 1..=ADDRESSES.len() {
        let page = daemon.get(&format!("/items/{number}")).text();
        assert!(page.contains("Title") && !page.contains("alert(1)") && !page.contains("at the source"), "{page}");
    }
}

#[test]
fn h30_hostile_text_comes_out_as_it_went_in_in_every_format() {
    let origin = Origin::start();
    let titles = ["A ]]> B", "A &lt; B", "<b> is bold", "Q&A: {{7*7}} C++", "“x” 🇫🇷 法国"];
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let items: String = (1..)
        .zip(titles)
        .map(|(n, title)| {
            // Twice: a title is HTML to most publishers, so this is how they write those characters.
            let content = "<link>https://news.example/a/story</link><description><![CDATA[<p>See <a href=\"../b\">b</a>, \
                           x]]]]><![CDATA[> &amp;lt; y</p><script>alert(1)</script>]]></description>";
            item(n, &escaped(&escaped(title)), "Mon, 23 Nov 2026 08:00:00 GMT", content)
        })
        .collect();
    origin.script("/feed.xml", [ok(document(&items))]);
    let app = watch(&origin);
    app.poll(&["--force"]);
    let documents = published(&app);
    let wanted: BTreeSet<String> = titles.map(str::to_owned).into();
    let json = entries(&documents);
    assert_eq!(texts(&json, "title").into_iter().collect::<BTreeSet<_>>(), wanted);
    let content = json[0]["content_html"].as_str().unwrap();
    assert!(content.contains("href=\"https://news.example/b\""), "{content}");
    assert!(content.contains("x]]&gt; &amp;lt; y") && !content.contains("script"), "{content}");
    for document in &documents[..2] {
        let text = String::from_utf8(document.clone()).unwrap();
        let mut read = BTreeSet::new();
        for entry in text.split("<title").skip(2) {
            let title = entry.split_once('>').and_then(|(_, rest)| rest.split_once("</title>")).expect("a title").0;
            let mut plain = String::new();
            let _ = write!(plain, "{}", quick_xml::escape::unescape(title).expect("XML"));
            read.insert(plain);
        }
        // The titles of the digest and of sources are titles too.
        assert!(wanted.is_subset(&read), "{read:?}");
        let content = quick_xml::escape::unescape(&text).expect("XML");
        assert!(content.contains("x]]&gt; &amp;lt; y") && !content.contains("alert(1)"), "no content as in JSON");
    }
}

#[test]
fn an_edit_of_an_item_without_a_date_of_publication_leaves_its_place_in_time() {
    let origin = Origin::start();
    let feed = |updated: &str, title: &str| {
        ok(format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Releases</title><id>urn:x</id><updated>{updated}</updated>\
             <entry><id>urn:1</id><title>{title}</title><link href=\"https://x.example/1\"/><updated>{updated}</updated></entry></feed>"
        ))
    };
    origin.script("/feed.xml", [feed("2020-01-01T00:00:00Z", "v1.0"), feed("2026-06-01T00:00:00Z", "v1.0, corrected")]);
    let old = "[digests.old]\ntitle = \"Old\"\nquery = \"published<2021\"\n";
    let app = App::new(BY_HAND, &(feed_tables(&[&origin.url("/feed.xml")]) + old));
    app.poll(&[]);
    let members = "SELECT group_concat(title) FROM items JOIN digest_entries USING (story_id) WHERE left_at IS NULL";
    assert_eq!(app.ask::<String>(members), "v1.0");
    assert_eq!(app.poll(&["--force"])["items_changed"], 1);
    assert_eq!(app.ask::<Option<String>>(members).as_deref(), Some("v1.0, corrected"));
    assert_eq!(app.ask::<i64>("SELECT updated_at / 1000 FROM items"), 1_780_272_000);
}
