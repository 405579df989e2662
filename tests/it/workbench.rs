//! The workbench: a rule is tried on the archive without a trace, and saved by whom the config names.

use crate::support::app::{App, Daemon, FAST, PATIENCE, feed_tables, wait_until};
use crate::support::origin::Origin;

const RULE: &str = "[tags.moves]\ntitle = \"Moves\"\nany = [\"number 1\"] # the first\nexamples.match = [\"number 1\"]";

/// A daemon that has stored twelve items named *Item number 1* to *12*, watched by one rule.
fn daemon(origin: &Origin, login: &str) -> (App, Daemon) {
    origin.feed("/news.xml").add(12);
    let app = App::new(FAST, &feed_tables(&[&origin.url("/news.xml")]));
    app.write("rules.toml", &format!("# Where companies go.\n{RULE}\n\n[tags.other]\nany = [\"nothing\"]\n"));
    let service = std::fs::read_to_string(app.config()).unwrap();
    let service = service.replace("[\"watch.toml\"]", "[\"watch.toml\", \"rules.toml\"]");
    app.write("veille.toml", &service.replace("[fetch]", &format!("{login}[fetch]")));
    app.poll(&[]);
    let daemon = app.start();
    (app, daemon)
}

/// What the page says the reader began with.
fn began_with(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"began_with\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

fn try_out(daemon: &Daemon, rule: &str) -> String {
    let answer = daemon.post("/rules", &[("tag", "moves"), ("rule", rule)], &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[test]
fn a_rule_is_tried_on_the_archive_and_leaves_no_trace() {
    let origin = Origin::start();
    let (app, daemon) = daemon(&origin, "");
    let page = daemon.get("/rules?tag=moves");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("any = [&quot;number 1&quot;] # the first"), "{}", page.text());
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let files = |app: &App| std::fs::read_to_string(app.directory().join("rules.toml")).unwrap();
    let before = files(&app);

    let gained = try_out(&daemon, &RULE.replace("\"number 1\"] #", "\"number 1\", \"number 2\", \"number 3\"] #"));
    assert!(gained.contains("+2"), "{gained}");
    assert!(gained.contains("−0") && gained.contains("1 kept among all 12 items"), "{gained}");
    assert!(gained.contains("Item <mark>number 2</mark>"), "{gained}");
    let lost = try_out(&daemon, "[tags.moves]\nany = [\"number 4\"]\nexamples.match = [\"number 1\"]");
    assert!(lost.contains("+1") && lost.contains("−1") && lost.contains("0 kept"), "{lost}");
    assert!(lost.contains("this example does not get the tag `moves`"), "{lost}");

    assert_eq!(files(&app), before);
    assert_eq!(daemon.json("/api/v1/items?tag=moves")["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_wrong_with_a_rule_is_said_where_it_stands() {
    let origin = Origin::start();
    let (app, daemon) = daemon(&origin, "");
    let directory = app.directory().display().to_string();
    let said = |rule: &str, expected: &str| {
        let page = try_out(&daemon, rule);
        assert!(!page.contains(&directory), "where the files lie is nobody's business: {page}");
        assert!(page.contains(expected), "{expected}: {page}");
        assert!(page.contains("This is not a rule yet"));
    };
    said("[tags.moves]\nany = [\"item\n", "line 2: ");
    said("[tags.moves]\nmatch = \"item AND\"", "rules.toml:3:");
    said("[tags.moves]\nmatch = \"@nowhere\"", "nowhere");
    said("[tags.other]\nany = [\"x\"]", "this must be the table [tags.moves] and nothing else");
    said("[tags.moves]\nany = [\"x\"]\n[http]\nlisten = \"0.0.0.0:80\"", "and nothing else");
    assert_eq!(daemon.get("/rules?tag=none").status, 404);
    assert_eq!(daemon.post("/rules", &[("rule", "x")], &[]).status, 400);
}

/// A login for the curator, and the file that it lasts with.
fn login() -> (tempfile::NamedTempFile, String) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "open sesame").unwrap();
    let login = format!("login = {{ username = \"curator\", password_file = \"{}\" }}\n", secret.path().display());
    (secret, login)
}

/// In a browser a control hides the property of its form that has the control's name.
#[test]
fn the_script_asks_nothing_of_its_form_that_a_control_hides() {
    let (_secret, login) = login();
    let (_app, daemon) = daemon(&Origin::start(), &login);
    let page = daemon.get("/rules?tag=moves").text();
    let between = |text: &str, start: &str, end: &str| {
        let (_, rest) = text.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let form = between(&page, "<form class=\"rule\"", "</form>");
    let names: Vec<&str> = form.split(" name=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert_eq!(names, ["tag", "began_with", "rule", "action"]);
    let script = daemon.get(&between(&page, "<script src=\"", "\"")).text().replace("\"form.rule\"", "");
    let mut asked =
        script.split("form.").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap());
    assert!(asked.clone().count() > 0 && asked.all(|property| !names.contains(&property)), "{script}");
}

#[test]
fn w12_only_the_login_saves_a_rule_and_the_file_keeps_the_rest() {
    let origin = Origin::start();
    let rule = RULE.replace("\"number 1\"] #", "\"number 1\", \"number 2\"] #");
    {
        let (_app, daemon) = daemon(&origin, "");
        let fields = [("tag", "moves"), ("rule", rule.as_str()), ("action", "save")];
        assert_eq!(daemon.post("/rules", &fields, &[]).status, 403, "nobody may where the config names nobody");
    }
    let (_secret, login) = login();
    let (app, daemon) = daemon(&Origin::start(), &login);
    let page = daemon.get("/rules?tag=moves").text();
    let began = began_with(&page).to_owned();
    let fields = |began: &str| {
        [("tag", "moves"), ("rule", rule.as_str()), ("action", "save"), ("began_with", began)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let save = |began: &str, headers: &[(&str, &str)]| {
        let fields = fields(began);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        daemon.post("/rules", &fields, headers)
    };
    let refused = save(&began, &[]);
    assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true));
    assert_eq!(save(&began, &[("Authorization", "Basic Y3VyYXRvcjpndWVzcw==")]).status, 401);
    // "curator:open sesame"
    let known = ("Authorization", "Basic Y3VyYXRvcjpvcGVuIHNlc2FtZQ==");
    let cross = save(&began, &[known, ("Sec-Fetch-Site", "cross-site")]);
    assert_eq!(cross.status, 403, "w11: a page elsewhere cannot save, whatever the browser sends along");
    assert_eq!(save("0123456789abcdef", &[known]).status, 409, "changed elsewhere");
    let saved = save(&began, &[known]);
    assert_eq!((saved.status, saved.header("location")), (303, Some("/rules?tag=moves&saved=1")));
    let file = std::fs::read_to_string(app.directory().join("rules.toml")).unwrap();
    assert_eq!(file, format!("# Where companies go.\n{rule}\n\n[tags.other]\nany = [\"nothing\"]\n"));
    let tagged =
        || daemon.json("/api/v1/items?tag=moves")["items"].as_array().map(Vec::len).filter(|items| *items == 2);
    assert!(wait_until(PATIENCE, tagged).is_some(), "the config is reloaded and the archive tagged anew");
}
