//! Under a service manager: what it is told and when (`sd_notify(3)`), and what is on the disk and in the log.

use crate::support::app::{ALL, App, Daemon, FAST, PATIENCE, faketime_library, feed_tables, finish, wait_until};
use crate::support::origin::{Fault, Origin, ok, rss, status};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

/// The service manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket, directory }
    }

    /// Starts the daemon, which has to say within `watchdog` that it lives.
    fn start(&self, app: &App, watchdog: Duration) -> Daemon {
        let mut command = app.command(&["run"]);
        command
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        Daemon::start(command)
    }

    /// The next datagram; `None` after a while without.
    fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Hears everything up to the datagram that has this line.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(datagram) = self.hear() {
            let is_it = datagram.lines().any(|said| said == line);
            heard.push(datagram);
            if is_it {
                return heard;
            }
        }
        panic!("no {line}: {heard:?}")
    }

    /// How often it says within so long that it lives.
    fn pings_within(&self, time: Duration) -> usize {
        let end = Instant::now() + time;
        let mut pings = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            pings += usize::from(self.hear().is_some_and(|datagram| datagram.contains("WATCHDOG=1")));
        }
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        pings
    }
}

const UNIT: &str = include_str!("../../systemd/veille.service");

#[test]
fn s01_the_unit_scores_1_1_and_has_no_fault() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let unit = directory.path().join("veille.service");
    // The binary need not be installed for that.
    std::fs::write(&unit, UNIT.replace("ExecStart=/usr/bin/veille", "ExecStart=/bin/true")).expect("a file");
    let analyze = |arguments: &[&str]| finish(Command::new("systemd-analyze").args(arguments).arg(&unit));
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return println!("skipped: systemd-analyze is not installed");
    }
    let verified = analyze(&["verify"]);
    assert_eq!((verified.stdout.as_str(), verified.stderr.as_str()), ("", ""));
    let scored = analyze(&["security", "--offline=true", "--threshold=11", "--no-pager"]);
    assert!(scored.status.success(), "{}", scored.stdout);
}

/// What the unit does not start again: each fault ends with the status that it names, at once, and leaves nothing behind.
#[test]
fn s05_what_the_operator_must_mend_is_not_started_again_and_a_kill_is() {
    for line in ["Restart=on-failure", "RestartSec=5", "RestartPreventExitStatus=2", "StartLimitBurst=5"] {
        assert!(UNIT.lines().any(|said| said == line), "{line}");
    }
    let origin = Origin::start();
    origin.feed("/feed.xml").add(3);
    let watching = || App::watching(&[&origin.url("/feed.xml")]);
    let stored = |change: &dyn Fn(&std::path::Path)| {
        let app = watching();
        app.poll(&[]);
        change(&app.data_dir().join("veille.db"));
        app
    };
    let nowhere = watching();
    nowhere.write("veille.toml", "[service]\ndata_dir = \"/proc/nowhere\"\n");
    let misspelt = watching();
    misspelt.write("watch.toml", "[[feds]]\n");
    let faults = [
        ("a config with an error", misspelt, "unknown table"),
        ("no place for the data", nowhere, "the data directory cannot be used"),
        ("a newer schema", stored(&|file| set_version(file, 999)), "use a newer veille"),
        ("a text", stored(&|file| std::fs::write(file, "a letter").expect("writes")), "not a database of veille"),
        ("a first page of zeros", stored(&|file| overwrite(file, 0)), "not a database of veille"),
        ("a page of zeros", stored(&|file| overwrite(file, 4096)), "damaged"),
    ];
    for (fault, app, told) in faults {
        let file = app.data_dir().join("veille.db");
        let before = std::fs::read(&file).ok();
        let ended = app.run(&["run"]);
        assert_eq!(ended.code(), 2, "{fault}: {ended:?}");
        assert!(ended.stderr.contains(told), "{fault}: {ended:?}");
        assert!(std::fs::read(&file).ok() == before, "{fault}: the file has changed");
    }
    let (taken, app) = (TcpListener::bind("127.0.0.1:0").expect("a port"), watching());
    let service = std::fs::read_to_string(app.config()).expect("written");
    for (address, told) in
        [(taken.local_addr().expect("bound").to_string(), "in use"), ("192.0.2.1:1".to_owned(), "assign")]
    {
        app.write("veille.toml", &service.replace("127.0.0.1:0", &address));
        let ended = app.run(&["run"]);
        assert!(ended.code() == 1 && ended.stderr.contains(told), "what may pass is tried again: {ended:?}");
    }
    let app = watching();
    app.start().kill();
    assert_eq!(app.start().get("/readyz").status, 200, "a kill leaves nothing to mend");
}

fn set_version(file: &std::path::Path, version: i32) {
    let database = rusqlite::Connection::open(file).expect("a database");
    database.pragma_update(None, "user_version", version).expect("a pragma");
}

/// Writes a page of zeros.
fn overwrite(file: &std::path::Path, offset: u64) {
    let opened = std::fs::OpenOptions::new().write(true).open(file).expect("a file");
    opened.write_all_at(&[0; 4096], offset).expect("writes");
}

#[test]
fn s02_s03_the_manager_is_told_what_happens_when_it_happens() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(3))]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    let manager = Manager::new();
    let daemon = manager.start(&app, Duration::from_secs(2));
    let heard = manager.wait_for("READY=1");
    assert!(heard.len() == 1 && heard[0].contains("STATUS="), "{heard:?}");
    assert_eq!(daemon.get("/readyz").status, 200, "and it is true");
    assert!(manager.pings_within(Duration::from_secs(4)) >= 3);
    daemon.signal("HUP");
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
    let (status, _, log) = daemon.stop();
    assert!(status.success(), "{log:#?}");
    manager.wait_for("STOPPING=1");
}

/// On a fast clock, since it is told once a minute.
#[test]
fn s02_the_status_tells_the_next_refresh_and_a_config_that_was_refused() {
    let Some(faketime) = faketime_library() else { return };
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(3)).etag("\"a\"").conditional()]);
    let hourly = "interval = \"1h\"\nallow_private_addresses = true\n";
    let app = App::new(hourly, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    let manager = Manager::new();
    let mut command = app.hastened(faketime);
    command.env("NOTIFY_SOCKET", manager.directory.path().join("notify"));
    let daemon = Daemon::start(command);
    manager.wait_for("READY=1");
    let status = manager.hear().expect("once a minute");
    assert!(status.starts_with("STATUS=watching 1 feeds") && status.contains("; next refresh at 20"), "{status}");
    app.write("watch.toml", "[[feds]]\n");
    daemon.signal("HUP");
    let heard = manager.wait_for("READY=1");
    let ready = heard.last().expect("just heard");
    assert!(ready.contains("watching 1 feeds") && ready.contains("was refused: see the journal"), "{ready}");
}

/// On a fast clock, since it is told once a minute.
#[test]
fn a_database_that_is_moved_away_from_a_daemon_is_told() {
    let Some(faketime) = faketime_library() else { return };
    let app = App::new("", ALL);
    let daemon = Daemon::start(app.hastened(faketime));
    assert_eq!(daemon.get("/readyz").status, 200);
    let (here, there) = (app.data_dir().join("veille.db"), app.data_dir().join("moved.db"));
    std::fs::rename(&here, &there).expect("it is moved");
    daemon.wait_for_line("put the file back");
    let unready = daemon.get("/readyz");
    assert!(unready.status == 503 && unready.text().contains("put the file back"), "{unready:?}");
    std::fs::copy(&there, &here).expect("a copy in its place");
    assert_eq!(daemon.get("/readyz").status, 503, "which is another file");
    std::fs::rename(&there, &here).expect("it is put back");
    assert_eq!(daemon.get("/readyz").status, 200);
}

#[test]
fn s04_it_is_alive_only_while_the_store_answers() {
    let origin = Origin::start();
    // An origin that never answers is no reason to be restarted.
    origin.script("/feed.xml", [status(200).fault(Fault::Silence)]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    let manager = Manager::new();
    let mut daemon = manager.start(&app, Duration::from_millis(1500));
    assert!(manager.pings_within(Duration::from_secs(3)) >= 3);
    let other = rusqlite::Connection::open(app.data_dir().join("veille.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    manager.pings_within(Duration::from_secs(1));
    assert_eq!(manager.pings_within(Duration::from_secs(3)), 0, "the writer waits, and nobody says otherwise");
    other.execute_batch("ROLLBACK").expect("ends");
    assert!(manager.pings_within(Duration::from_secs(4)) >= 1);
    assert!(!daemon.has_ended());
}

#[test]
fn s07_everything_is_in_the_data_directory_and_for_its_owner_alone() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(3))]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let mut command = app.command(&["run"]);
    for name in ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, elsewhere.path());
    }
    command.current_dir(elsewhere.path());
    let daemon = Daemon::start(command);
    wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM items") == 3).then_some(())).expect("items come");
    let files: Vec<_> = app.data_dir().read_dir().expect("reads").map(|file| file.expect("a file").path()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files.iter().filter(|file| file.to_string_lossy().contains("veille.db")) {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    drop(daemon);
    assert_eq!(elsewhere.path().read_dir().expect("reads").count(), 0);
}

#[test]
fn s08_a_log_holds_no_secret_of_an_address_and_little_of_a_failure() {
    let origin = Origin::start();
    origin.script("/feed.xml", [status(500)]);
    let with_key = origin.url("/feed.xml?key=s3cr3t-in-a-query");
    let app = App::new(FAST, &(feed_tables(&[&with_key]) + ALL));
    let daemon = app.start();
    origin.wait_for("/feed.xml?key=s3cr3t-in-a-query", 3);
    let log = daemon.kill();
    assert!(!log.iter().any(|line| line.contains("s3cr3t")), "{log:#?}");
    assert!(log.iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).count() <= 5, "{log:#?}");
}

#[test]
fn s06_a_second_sigterm_ends_at_once() {
    let app = App::new(FAST, "");
    let mut daemon = app.start();
    // An orderly end waits for three seconds for who is slow to ask.
    let mut slow = std::net::TcpStream::connect(daemon.address()).expect("it listens");
    slow.write_all(b"GET / HTTP/1.1\r\nHost:").expect("it reads");
    daemon.signal("TERM");
    daemon.wait_for_line("stopping");
    let told_at = Instant::now();
    while !daemon.has_ended() {
        assert!(told_at.elapsed() < Duration::from_millis(900), "{:#?}", daemon.log());
        daemon.signal("TERM");
    }
    daemon.wait_for_line("told to stop twice");
}

/// As from a tool that writes the config and says so at once.
#[test]
fn s09_sighup_ends_no_daemon_that_is_about_to_start() {
    let origin = Origin::start();
    origin.feed("/feed.xml").add(3);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    app.poll(&[]);
    let other = rusqlite::Connection::open(app.data_dir().join("veille.db")).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    std::fs::remove_file(app.data_dir().join("veille.lock")).expect("the note of the poll");
    let daemon = Daemon::spawn(app.command(&["run"]));
    wait_until(PATIENCE, || app.data_dir().join("veille.lock").exists().then_some(())).expect("it starts");
    daemon.signal("HUP");
    other.execute_batch("COMMIT").expect("a transaction");
    daemon.wait_for_line("veille is watching");
    daemon.wait_for_line("config reloaded");
}

#[test]
fn s06_a_daemon_that_waits_to_retag_again_ends_when_told() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(3))]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    app.poll(&[]);
    app.change("CREATE TRIGGER refusal BEFORE INSERT ON item_tags BEGIN SELECT RAISE (ABORT, 'on purpose'); END");
    app.write("watch.toml", &(feed_tables(&[&origin.url("/feed.xml")]) + ALL + "[tags.news]\nany = [\"number\"]\n"));
    let daemon = app.start();
    daemon.wait_for_line("retagging was cut short");
    let (status, took, _) = daemon.stop();
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
}
