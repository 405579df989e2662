//! What a kill does not show: the power fails, the clock jumps, the disk takes nothing, there are no descriptors left.

use super::*;
use crate::support::app::{get, limit_file_size};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;

/// The library that stands between the daemon and its files (`shim.c`); `None` where there is no C compiler, which is said.
fn shim(directory: &Path) -> Option<PathBuf> {
    let library = directory.join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/durability/shim.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
    match built {
        Ok(output) if output.status.success() => Some(library),
        refused => {
            println!("skipped: no C compiler: {refused:?}");
            None
        }
    }
}

/// The database and its log, as they stand in a directory.
fn database_files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    ["veille.db", "veille.db-wal", "veille.db-shm"].map(|name| directory.join(name)).into_iter()
}

/// Makes those of `to` what those of `from` are.
fn replace_database(from: &Path, to: &Path) {
    for (from, to) in database_files(from).zip(database_files(to)) {
        let _ = std::fs::remove_file(&to);
        if from.exists() {
            std::fs::copy(&from, &to).expect("copies");
        }
    }
}

/// After each round the database is cut back to what was synced last, file by file: less than any power cut leaves.
#[test]
fn d05_a_power_cut_takes_nothing_that_an_origin_was_answered_for() {
    let durable = tempfile::tempdir().expect("a temporary directory");
    let Some(library) = shim(durable.path()) else { return };
    let mut fleet = Fleet::new(FEEDS);
    let (mut faults, mut chance, mut cut_back) = (Faults::default(), fastrand::Rng::new(), 0);
    for round in 0..rounds() {
        replace_database(fleet.app.data_dir(), durable.path());
        publish(&fleet, &mut chance, false);
        let mut command = fleet.app.command(&["run"]);
        command.env("LD_PRELOAD", &library).env("DURABLE", durable.path());
        let mut daemon = Daemon::spawn(command);
        std::thread::sleep(Duration::from_millis(chance.u64(25..500)));
        publish(&fleet, &mut chance, false);
        std::thread::sleep(Duration::from_millis(chance.u64(25..500)));
        faults.exit += usize::from(daemon.has_ended());
        drop(daemon.kill());
        let files = |directory: &Path| {
            database_files(directory).take(2).map(|file| std::fs::read(file).ok()).collect::<Vec<_>>()
        };
        cut_back += usize::from(files(durable.path()) != files(fleet.app.data_dir()));
        replace_database(durable.path(), fleet.app.data_dir());
        let found = fleet.look();
        if found != Faults::default() {
            println!("round {round}: {found:?}");
        }
        faults.add(found);
    }
    println!("{cut_back} of {} rounds ended with something that had not been synced", rounds());
    catches_up(fleet, faults);
}

/// A fleet on a fast clock, since what cannot be stored is tried again after a minute.
fn on_a_fast_clock(feeds: usize) -> Fleet {
    let fleet = Fleet::new(feeds);
    fleet.app.write("veille.toml", &fleet.config().replace("200ms", "5s").replace("400ms", "5s"));
    fleet
}

/// Publishes until something waits that cannot be stored, for the reason that the log gives.
fn publish_until_refused(fleet: &Fleet, daemon: &Daemon, reason: &str) {
    let refused = wait_until(PATIENCE, || {
        publish_long(fleet);
        let caught_up = || (fleet.stored() == fleet.published()).then_some(false);
        let is_refused = || daemon.log().iter().any(|line| line.contains(reason)).then_some(true);
        wait_until(PATIENCE, || is_refused().or_else(caught_up)).filter(|refused| *refused)
    });
    assert!(refused.is_some(), "{:#?}", daemon.log());
}

/// Meanwhile it answers; afterwards it has everything, and has said little.
fn goes_on(fleet: &mut Fleet, mut daemon: Daemon, make_room: impl FnOnce()) {
    for path in ["/", "/digests/all.atom", "/healthz", "/readyz"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    assert!(fleet.stored() < fleet.published(), "something waits");
    make_room();
    let whole = wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(()));
    assert!(whole.is_some(), "{} stored of {}: {:#?}", fleet.stored(), fleet.published(), daemon.log());
    assert!(!daemon.has_ended());
    let log = daemon.kill();
    let errors = log.iter().filter(|line| line.contains("ERROR")).count();
    assert!(errors <= 12, "{errors} lines on one matter: {log:#?}");
    assert_eq!(fleet.look(), Faults::default());
}

#[test]
fn d07_a_limit_on_files_stops_nothing_but_storing() {
    let Some(faketime) = faketime_library() else { return };
    let mut fleet = on_a_fast_clock(4);
    let daemon = Daemon::start(fleet.app.hastened(faketime));
    publish_long(&fleet);
    wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(())).expect("there is room for these");
    let pid = daemon.pid();
    limit_file_size(pid, "700000:unlimited");
    publish_until_refused(&fleet, &daemon, "raise the limit on its size");
    goes_on(&mut fleet, daemon, || limit_file_size(pid, "unlimited"));
}

/// A digest more in the config.
fn add_digest(fleet: &Fleet, keys: &str) {
    let watch = std::fs::read_to_string(fleet.app.directory().join("watch.toml")).expect("written by us");
    fleet.app.write("watch.toml", &format!("{watch}[digests.more]\nquery = \"news\"\n{keys}"));
}

#[test]
fn d07_issues_that_cannot_be_cut_are_told_of_once_a_minute() {
    let fleet = Fleet::new(1);
    add_digest(&fleet, "cron = \"* * * * * *\"\nempty_issues = true\n");
    let daemon = fleet.app.start();
    let issues = || fleet.app.ask::<i64>("SELECT count(*) FROM issues");
    wait_until(PATIENCE, || (issues() > 0).then_some(())).expect("there is room for an issue a second");
    limit_file_size(daemon.pid(), "1:unlimited");
    let reason = "issues cannot be cut";
    daemon.wait_for_line(reason);
    std::thread::sleep(Duration::from_secs(4));
    let log = daemon.kill();
    assert_eq!(log.iter().filter(|line| line.contains(reason)).count(), 1, "{log:#?}");
}

#[test]
fn d07_a_config_that_cannot_be_stored_is_put_in_force_once_there_is_room() {
    let Some(faketime) = faketime_library() else { return };
    let fleet = on_a_fast_clock(1);
    let daemon = Daemon::start(fleet.app.hastened(faketime));
    limit_file_size(daemon.pid(), "1:unlimited");
    add_digest(&fleet, "");
    daemon.wait_for_line("config not reloaded, the one before stays in force");
    limit_file_size(daemon.pid(), "unlimited");
    daemon.wait_for_line("config reloaded");
    assert_eq!(daemon.get("/digests/more").status, 200);
}

#[test]
fn d07_a_reload_that_cannot_be_stored_changes_nothing_and_the_daemon_still_stops_at_once() {
    let fleet = Fleet::new(1);
    publish_long(&fleet);
    let daemon = fleet.app.start();
    wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(())).expect("there is room for these");
    limit_file_size(daemon.pid(), "1:unlimited");
    add_digest(&fleet, "");
    daemon.wait_for_line("config not reloaded, the one before stays in force");
    assert_eq!(daemon.get("/digests/more").status, 404, "a part of the new config is in force");
    daemon.wait_for_line("the index of words cannot be written");
    let (_, took, log) = daemon.stop();
    assert!(took < Duration::from_secs(10), "{took:?}: {log:#?}");

    let daemon = fleet.app.start();
    assert_eq!(daemon.get("/digests/more").status, 200);
}

#[test]
fn d07_a_command_beyond_a_limit_on_files_says_so_and_leaves_nothing_half() {
    let app = App::new(FAST, ALL);
    let limited = |bytes: &str, arguments: &[&str]| {
        let (veille, mut command) = (app.command(arguments), Command::new("prlimit"));
        command.arg(format!("--fsize={bytes}")).arg(veille.get_program()).args(veille.get_args());
        command.envs(veille.get_envs().filter_map(|(name, value)| Some((name, value?))));
        finish(&mut command)
    };
    let refused = |finished: Finished| {
        assert!(finished.code() == 2 && finished.stderr.contains("raise the limit on its size"), "{finished:?}");
    };
    refused(limited("100000", &["poll"]));
    assert_eq!(app.run(&["poll"]).code(), 0, "where it stopped it goes on");
    let copy = app.directory().join("copy.db");
    refused(limited("100000", &["backup", copy.to_str().expect("UTF-8")]));
    assert!(!copy.exists() && !copy.with_extension("db.partial").exists());
}

#[test]
fn d08_a_file_system_that_turns_read_only_stops_nothing_but_storing() {
    let Some(faketime) = faketime_library() else { return };
    let disk = tempfile::tempdir().expect("a temporary directory");
    let Some(library) = shim(disk.path()) else { return };
    let mut fleet = on_a_fast_clock(4);
    let mut command = fleet.app.hastened(format!("{}:{}", faketime.display(), library.display()));
    command.env("DURABLE", disk.path());
    let daemon = Daemon::start(command);
    publish_long(&fleet);
    wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(())).expect("it can be written");
    let flag = disk.path().join("read-only");
    std::fs::write(&flag, "").expect("writes");
    publish_until_refused(&fleet, &daemon, "cannot be written");
    goes_on(&mut fleet, daemon, || std::fs::remove_file(flag).expect("is removed"));
}

/// Each round at another time of another day, before and after the last one's.
#[test]
fn d11_a_clock_that_jumps_by_days_loses_nothing_and_brings_nothing_twice() {
    let Some(faketime) = faketime_library() else { return };
    let mut fleet = Fleet::new(FEEDS);
    let (mut faults, mut chance) = (Faults::default(), fastrand::Rng::new());
    for round in 0..rounds() {
        publish(&fleet, &mut chance, false);
        let mut command = fleet.app.command(&["run"]);
        let jump = chance.i32(-86_400..86_400);
        // What a jump ahead makes overdue comes over ten minutes.
        command.env("LD_PRELOAD", &faketime).env("FAKETIME", format!("{jump:+} x60"));
        let mut daemon = Daemon::spawn(command);
        std::thread::sleep(Duration::from_millis(chance.u64(50..1000)));
        faults.exit += usize::from(daemon.has_ended());
        drop(daemon.kill());
        let found = fleet.look();
        if found != Faults::default() {
            println!("round {round}, {jump:+} s: {found:?}");
        }
        faults.add(found);
    }
    let stored = fleet.stored();
    assert!(stored > 0, "some were polled");
    fleet.app.poll(&["--force"]);
    faults.add(fleet.look());
    println!("{stored} and at last {} of {} items, {faults:?}", fleet.stored(), fleet.published());
    assert_eq!((fleet.stored(), faults), (fleet.published(), Faults::default()));
}

/// Readers who never ask take every descriptor that the daemon may have. It neither spins nor ends, and when they leave
/// it goes on.
#[test]
fn d15_without_a_descriptor_left_it_waits() {
    let mut fleet = Fleet::new(FEEDS);
    for (_, feed) in &fleet.feeds {
        feed.add(1);
    }
    let mut daemon = fleet.app.start();
    wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(())).expect("items come");
    let limited = Command::new("prlimit").arg(format!("--pid={}", daemon.pid())).arg("--nofile=64:64").status();
    assert!(limited.expect("prlimit is in util-linux").success());
    let idle: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(daemon.address()).expect("the kernel accepts")).collect();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it runs").count();
    wait_until(PATIENCE, || (descriptors() >= 64).then_some(())).expect("it takes what it may");
    for (_, feed) in &fleet.feeds {
        feed.add(1);
    }
    let (before, begun) = (cpu_time(daemon.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let share = cpu_time(daemon.pid()).saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("{:.0} % of a processor meanwhile", share * 100.0);
    assert!(share < 0.5, "it spins");
    drop(idle);
    let whole = wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(()));
    assert!(whole.is_some(), "{} stored of {}: {:#?}", fleet.stored(), fleet.published(), daemon.log());
    assert_eq!(get(daemon.address(), "/digests/all.atom", &[]).status, 200);
    assert!(!daemon.has_ended());
    let log = daemon.kill();
    let refused = log.iter().filter(|line| line.contains("cannot accept")).count();
    assert!((1..=2).contains(&refused), "{refused} lines on one matter: {log:#?}");
    assert_eq!(fleet.look(), Faults::default());
}

/// What a process has had of the processors; clock ticks are hundredths of a second (proc(5)).
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit_once(')').expect("a name in parentheses").1;
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// What a month leaves behind shows in hours of as much work: feeds that bring an item at each visit, once a minute, which
/// are kept for an hour. `VEILLE_LONG=1` makes a day of it, of a hundred feeds.
#[test]
fn d17_memory_descriptors_and_database_stay_what_they_became() {
    const RATE: u32 = 400;
    const HOUR_MS: i64 = 3_600_000;
    let Some(faketime) = faketime_library() else { return };
    let (feeds, hours) = if std::env::var_os("VEILLE_LONG").is_some() { (100, 24) } else { (8, 4) };
    let origin = Origin::start();
    let visits: Mutex<HashMap<String, usize>> = Mutex::default();
    origin.serve("/feed", move |request| {
        let mut visits = visits.lock().expect("no thread panics");
        let newest = visits.entry(request.target.clone()).or_default();
        *newest += 1;
        let item = |n: usize| {
            let title = format!("{} {n}", NAMES[n % NAMES.len()].repeat(5));
            format!("<item><guid>{n}</guid><title>{title}</title><description>{}</description></item>", title.repeat(9))
        };
        let items: String = (*newest..*newest + 10).rev().map(item).collect();
        ok(format!("<rss version=\"2.0\"><channel><title>News</title>{items}</channel></rss>"))
            .etag(format!("\"{newest}\""))
    });
    let urls: Vec<String> = (0..feeds).map(|n| origin.url(&format!("/feed?n={n}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    // A generous timeout: on this clock it passes so much faster.
    let fetch = "interval = \"1m\"\nmin_interval = \"1m\"\nmax_interval = \"1m\"\nper_host = 20\ntimeout = \"1h\"\n\
                 allow_private_addresses = true\n[retention]\nkeep_items = \"1h\"\n";
    let app = App::new(fetch, &(feed_tables(&urls) + ALL));
    let mut command = app.command(&["run"]);
    command.env("LD_PRELOAD", faketime).env("FAKETIME", format!("+0 x{RATE}"));
    let mut daemon = Daemon::start(command);
    let newest = || app.ask::<Option<i64>>("SELECT max(first_seen_at) FROM items").unwrap_or(0);
    let began = wait_until(PATIENCE, || Some(newest()).filter(|at| *at > 0)).expect("items come");
    let mut after = |hours: i64| {
        let patience = PATIENCE + Duration::from_secs(hours.unsigned_abs() * 3600) / RATE;
        wait_until(2 * patience, || (newest() >= began + hours * HOUR_MS).then_some(())).expect("time passes");
        assert!(!daemon.has_ended());
        Measured::of(&daemon, &app)
    };
    let (early, late) = (after(hours / 2), after(hours));
    println!("{early:?} after {} hours, {late:?} after {hours}", hours / 2);
    assert!(late.resident_kib <= early.resident_kib * 11 / 10 + 4096, "{early:?}, then {late:?}");
    // Each feed may be in the midst of a visit when it is looked at.
    assert!(late.descriptors <= early.descriptors + feeds, "{early:?}, then {late:?}");
    // What is no longer kept is remembered by its key for sixty days.
    assert!(late.items <= early.items * 5 / 4 && late.pages <= early.pages * 3 / 2, "{early:?}, then {late:?}");
}

#[derive(Debug)]
struct Measured {
    resident_kib: u64,
    descriptors: usize,
    items: i64,
    pages: i64,
}

impl Measured {
    fn of(daemon: &Daemon, app: &App) -> Self {
        let process = Path::new("/proc").join(daemon.pid().to_string());
        let status = std::fs::read_to_string(process.join("status")).expect("a process of ours");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        Self {
            resident_kib: resident.trim().trim_end_matches(" kB").parse().expect("a number"),
            descriptors: process.join("fd").read_dir().expect("a process of ours").count(),
            items: app.ask("SELECT count(*) FROM items"),
            pages: app.ask("SELECT page_count FROM pragma_page_count()"),
        }
    }
}
