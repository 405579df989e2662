//! The program under test: the real binary on a config and a data directory of its own.
//!
//! ```ignore
//! let app = App::watching(&[&origin.url("/feed.xml")]);
//! assert_eq!(app.poll(&[])["items_added"], 3);          // one process that ends
//! let daemon = app.start();                             // one that does not, until it is told or dropped
//! assert_eq!(daemon.get("/digests/all.atom").status, 200);
//! ```
//!
//! Whatever a test wants to know it asks from outside: exit codes, output, the log, HTTP, the database file.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// For what should come at once, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// In the environment of tests that run on a fast clock: how fast it is.
pub const CLOCK_RATE: &str = "VEILLE_CLOCK_RATE";

/// As fast as a test wants to poll its own origin.
pub const FAST: &str = "interval = \"2s\"\nmin_interval = \"2s\"\nallow_private_addresses = true\n";

/// One digest that holds every item there is.
pub const ALL: &str = "[digests.all]\ntitle = \"All of it\"\nquery = \"published>=1970-01-02\"\n";

/// A config and a data directory.
pub struct App {
    directory: tempfile::TempDir,
    data_dir: PathBuf,
}

impl App {
    /// `fetch` is the body of the `[fetch]` table, `watch` the text of an included file: feeds, tags, digests.
    pub fn new(fetch: &str, watch: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data_dir = directory.path().join("data");
        let app = Self { directory, data_dir };
        let service = format!(
            "include = [\"watch.toml\"]\n[service]\ndata_dir = \"{}\"\ntimezone = \"UTC\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://watch.example\"\n[fetch]\n{fetch}",
            app.data_dir.display()
        );
        app.write("veille.toml", &service);
        app.write("watch.toml", watch);
        app
    }

    /// These feeds, polled as fast as may be, and the digest `all`.
    pub fn watching(feeds: &[&str]) -> Self {
        Self::new(FAST, &(feed_tables(feeds) + ALL))
    }

    /// The data on another file system.
    pub fn with_data_at(mut self, data_dir: &Path) -> Self {
        let old = self.data_dir.display().to_string();
        let service = std::fs::read_to_string(self.config()).expect("written by us");
        self.write("veille.toml", &service.replace(&old, &data_dir.display().to_string()));
        self.data_dir = data_dir.to_owned();
        self
    }

    pub fn config(&self) -> PathBuf {
        self.directory.path().join("veille.toml")
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file beside the config, as an editor does: a new file in the place of the old one.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        let new = path.with_extension("new");
        std::fs::write(&new, text).expect("a file of the config");
        std::fs::rename(new, path).expect("a file of the config");
    }

    /// The binary with this config, and nothing of the surroundings of the test.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = veille(arguments);
        command.arg("--config").arg(self.config());
        command
    }

    /// The daemon on a clock that runs twenty times as fast; `preloaded` is faketime's library, perhaps with others.
    pub fn hastened(&self, preloaded: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(&["run"]);
        command.env("LD_PRELOAD", preloaded).env("FAKETIME", "+0 x20");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.command(arguments))
    }

    /// `veille poll … --json`, whatever its exit code.
    pub fn poll(&self, arguments: &[&str]) -> Value {
        let finished = self.run(&[&["poll", "--json"], arguments].concat());
        finished.json()
    }

    /// Starts the daemon and waits until it watches.
    pub fn start(&self) -> Daemon {
        Daemon::start(self.command(&["run", "-v"]))
    }

    /// A daemon whose wall clock alone is what stands in the file `clock`.
    pub fn start_by_its_own_clock(&self, faketime: &Path) -> Daemon {
        let mut command = self.command(&["run", "-v"]);
        command
            .env("LD_PRELOAD", faketime)
            .env("FAKETIME_TIMESTAMP_FILE", self.directory().join("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        Daemon::start(command)
    }

    /// The database as anyone's sqlite3 sees it.
    pub fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.data_dir.join("veille.db"), flags).expect("veille.db");
        database.busy_timeout(Duration::from_secs(5)).expect("a pragma");
        database
    }

    /// The one value of a query.
    pub fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Lets time pass for the store alone: everything it has noted lies so much further back.
    pub fn let_pass(&self, seconds: i64) {
        let shifted = |columns: &[&str]| {
            let set: Vec<String> = columns.iter().map(|name| format!("{name} = {name} - {seconds}000")).collect();
            set.join(", ")
        };
        let feeds = shifted(&[
            "next_check_at",
            "last_refresh_at",
            "last_success_at",
            "last_new_item_at",
            "fresh_until_at",
            "retry_after_at",
            "failing_since_at",
            "redirect_since_at",
            "broken_since_at",
        ]);
        let items = shifted(&["first_seen_at", "changed_at", "ordered_at"]);
        let signatures = shifted(&["first_seen_at", "ordered_at"]);
        let hosts = shifted(&["held_until_at", "asked_until_at"]);
        let articles = shifted(&["next_try_at"]);
        self.change(&format!(
            "UPDATE feeds SET {feeds}; UPDATE items SET {items}; UPDATE recent_signatures SET {signatures}; \
             UPDATE hosts SET {hosts}; UPDATE articles SET {articles};"
        ));
    }

    /// Changes the database while no daemon runs.
    pub fn change(&self, sql: &str) {
        Connection::open(self.data_dir.join("veille.db")).expect("veille.db").execute_batch(sql).expect(sql);
    }
}

/// `[[feeds]]` tables.
pub fn feed_tables(feeds: &[&str]) -> String {
    feeds.iter().fold(String::new(), |mut text, url| {
        write!(text, "[[feeds]]\nurl = \"{url}\"\n").expect("a string takes what is written to it");
        text
    })
}

/// The binary, in an environment that says nothing.
pub fn veille(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veille"));
    command.args(arguments).stdin(Stdio::null());
    for variable in
        ["VEILLE_CONFIG", "VEILLE_LOG", "STATE_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC"]
    {
        command.env_remove(variable);
    }
    command
}

pub fn finish(command: &mut Command) -> Finished {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Finished { status, stdout: text(stdout), stderr: text(stderr) }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
}

/// What a daemon has said on stderr so far.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Daemon {
    /// Starts a command and waits until it says that it watches.
    pub fn start(command: Command) -> Self {
        Self::try_start(command).unwrap_or_else(|log| panic!("the daemon does not start: {log:#?}"))
    }

    /// The same; an `Err` holds the log of one that ended instead.
    pub fn try_start(command: Command) -> Result<Self, Vec<String>> {
        let mut daemon = Self::spawn(command);
        match daemon.log.wait(|line| line.contains("veille is watching") || line == END) {
            Some(line) if line != END => {
                let (_, rest) = line.split_once("address=").expect("the line names the address");
                daemon.address = rest.split(' ').next().unwrap_or(rest).parse().expect("an address");
                Ok(daemon)
            }
            _ => Err(daemon.log()),
        }
    }

    /// Starts a command and waits for nothing; its address is not known.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let reading = Arc::clone(&log);
        thread::spawn(move || reading.follow(stderr));
        Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), log }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().expect("no thread panics with the log").clone()
    }

    /// Waits for a line that holds `text`.
    pub fn wait_for_line(&self, text: &str) -> String {
        let found = self.log.wait(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line with {text:?}: {:#?}", self.log()))
    }

    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        get(self.address, path, headers)
    }

    /// Sends a form, as a page of ours would.
    pub fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let length = body.len().to_string();
        let own = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", &length)];
        ask(self.address, "POST", path, &[&own, headers].concat(), &body)
            .unwrap_or_else(|error| panic!("POST {path} at {}: {error}", self.address))
    }

    pub fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", response.text()))
    }

    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(killed.expect("kill runs").success(), "SIG{name} was not delivered");
    }

    /// SIGTERM, and how it ended and after how long.
    pub fn stop(mut self) -> (ExitStatus, Duration, Vec<String>) {
        let told_at = Instant::now();
        self.signal("TERM");
        let status = wait_until(PATIENCE, || self.child.try_wait().expect("a child of ours"));
        let took = told_at.elapsed();
        self.log.wait(|line| line == END);
        (status.expect("SIGTERM ends the daemon"), took, self.log())
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        self.log.wait(|line| line == END);
        self.log()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stands in the log for the end of stderr.
const END: &str = "(the log ends)";

impl Log {
    fn follow(&self, mut stderr: impl BufRead) {
        let mut line = Vec::new();
        while stderr.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            self.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
        self.push(END.to_owned());
    }

    fn push(&self, line: String) {
        self.lines.lock().expect("no thread panics with the log").push(line);
        self.grown.notify_all();
    }

    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let find = |lines: &[String]| lines.iter().find(|line| wanted(line)).cloned();
        let lines = self.lines.lock().expect("no thread panics with the log");
        let (lines, _) = self
            .grown
            .wait_timeout_while(lines, PATIENCE * clock_rate(), |lines| find(lines).is_none())
            .expect("no thread panics with the log");
        find(&lines)
    }
}

/// The library that fakes clocks; `None` where it is not installed, which is said.
pub fn faketime_library() -> Option<PathBuf> {
    let directories =
        ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    let mut libraries = directories.iter().map(|directory| Path::new(directory).join("libfaketimeMT.so.1"));
    let found = libraries.find(|path| path.exists());
    if found.is_none() {
        println!("skipped: faketime is not installed");
    }
    found
}

fn clock_rate() -> u32 {
    std::env::var(CLOCK_RATE).ok().and_then(|rate| rate.parse().ok()).unwrap_or(1)
}

/// Asks `condition` again and again until it gives something or `deadline` has passed.
pub fn wait_until<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        match condition() {
            None if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
            found => return found,
        }
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    ask(address, "GET", path, headers, "").unwrap_or_else(|error| panic!("GET {path} at {address}: {error}"))
}

fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").map_err(std::io::Error::other)?;
    }
    stream.write_all((request + "\r\n" + body).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head_end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(head_end.ok_or(std::io::ErrorKind::UnexpectedEof)? + 4);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let chunked =
        headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked");
    let body = if chunked { joined_chunks(body) } else { body.to_vec() };
    Ok(Response { status: status.ok_or(std::io::ErrorKind::InvalidData)?, headers, body })
}

fn joined_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let chunk = &rest[end + 2..];
        body.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    body
}

/// How large the files may be that a process writes: `SOFT[:HARD]`, in bytes. Beyond that it is as on a full disk.
pub fn limit_file_size(pid: u32, bytes: &str) {
    let limited = Command::new("prlimit").arg(format!("--pid={pid}")).arg(format!("--fsize={bytes}")).status();
    assert!(limited.expect("prlimit is in util-linux").success());
}
