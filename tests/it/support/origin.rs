//! A scripted origin: the server of the feeds under test, down to the bytes on the wire.
//!
//! ```ignore
//! let origin = Origin::start();
//! origin.script("/feed.xml", [ok(rss(3)).etag("\"a\"").max_age(60), status(500)]);
//! origin.script("/etag", [ok(rss(3)).etag("\"a\"").conditional()]);   // also /etag?n=1, each with its own state
//! let feed = origin.feed("/news.xml");                                // grows on command
//! feed.add(2);
//! // … the client under test polls …
//! assert_eq!(origin.requests("/feed.xml")[1].header("if-none-match"), Some("\"a\""));
//! ```
//!
//! It speaks HTTP/1.1 on plain sockets with a thread a connection, since a test must be able to send broken
//! framing, and has no opinion of its own: what is not scripted is a 404 and a canary hit.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const CONNECTION_STACK_BYTES: usize = 256 * 1024;
const IDLE_CONNECTION: Duration = Duration::from_mins(1);

/// A running origin. It stops when dropped.
pub struct Origin {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    started: Instant,
    scripts: Mutex<HashMap<String, Arc<Script>>>,
    log: Mutex<Vec<Request>>,
    logged: Condvar,
    connections: AtomicU64,
    stopped: AtomicBool,
    down: AtomicBool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// One request as it came, and what was answered.
#[derive(Debug, Clone)]
pub struct Request {
    /// Since the origin's start, on the monotonic clock.
    pub at: Duration,
    pub wall: SystemTime,
    /// Counts from 1.
    pub connection: u64,
    pub method: String,
    /// As sent.
    pub target: String,
    /// In order, names as sent.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// False: nothing was scripted for this address, so nobody may ask for it.
    pub scripted: bool,
    /// `None` while the answer is on its way.
    pub answered: Option<Answered>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    pub at: Duration,
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whole and well-framed, as far as the origin can tell.
    pub complete: bool,
}

impl Request {
    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

impl Origin {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0, None)
    }

    /// The same over TLS.
    pub fn start_tls(config: rustls::ServerConfig) -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0, Some(Arc::new(config)))
    }

    /// Listens where a test in a network namespace needs it.
    pub fn listen(ip: Ipv4Addr, port: u16, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind((ip, port)).expect("bind the scripted origin");
        let address = listener.local_addr().expect("a bound socket has an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            started: Instant::now(),
            scripts: Mutex::default(),
            log: Mutex::default(),
            logged: Condvar::new(),
            connections: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            down: AtomicBool::new(false),
            tls,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { address, scheme, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path` at this origin.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The same under the name `localhost`: another host to a client, the same origin to us.
    pub fn url_by_name(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    /// Answers `path`, with any query, by these answers in turn; the last is repeated. Each query keeps its own turn.
    /// A path without a `?` stands for all of its queries unless one is scripted by itself.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers: Vec<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a script needs an answer");
        self.insert(path, Script::Answers { answers, turns: Mutex::default() });
    }

    /// Answers `path` by a function of the request.
    pub fn serve(&self, path: &str, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        self.insert(path, Script::Function(Box::new(answer)));
    }

    /// Serves a feed that changes on command.
    pub fn feed(&self, path: &str) -> Feed {
        let feed = Feed::new(&self.url(path));
        let served = feed.clone();
        self.serve(path, move |request| served.answer(request));
        feed
    }

    /// Every request so far, in order of arrival.
    pub fn log(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }

    /// The requests for one target.
    pub fn requests(&self, target: &str) -> Vec<Request> {
        self.log().into_iter().filter(|request| request.target == target).collect()
    }

    /// Waits until the log satisfies `condition`; panics with the log after `deadline`.
    pub fn wait_until(&self, deadline: Duration, condition: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let log = lock(&self.shared.log);
        let (log, result) = self
            .shared
            .logged
            .wait_timeout_while(log, deadline, |log| !condition(log))
            .expect("no test thread panics with the log in hand");
        assert!(!result.timed_out(), "not within {deadline:?}; the log: {log:#?}");
        log.clone()
    }

    /// Waits for `count` answered requests for `target`.
    pub fn wait_for(&self, target: &str, count: usize) -> Vec<Request> {
        let answered = |request: &&Request| request.target == target && request.answered.is_some();
        self.wait_until(Duration::from_secs(20), |log| log.iter().filter(answered).count() >= count);
        self.requests(target)
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        lock(&self.shared.log).clear();
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests for what nobody may ask for.
    pub fn canary_hits(&self) -> Vec<Request> {
        self.log().into_iter().filter(|request| !request.scripted).collect()
    }

    /// While down, every connection is reset, and nothing is logged.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    fn insert(&self, path: &str, script: Script) {
        lock(&self.shared.scripts).insert(path.to_owned(), Arc::new(script));
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; if that fails it is not listening any more.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread panics with the lock in hand")
}

// ---------------------------------------------------------------------------------------------
// Answers

/// What to answer; built by chaining.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    framing: Framing,
    delay: Duration,
    drip: Option<(usize, Duration)>,
    fault: Option<Fault>,
    conditional: bool,
    gate: Option<Arc<Gate>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// RST instead of an answer.
    Reset,
    /// RST after so many bytes of the body.
    ResetAfter(usize),
    /// The connection ends in order, but after so many bytes of the body.
    CloseAfter(usize),
    /// A chunk size that is no number, after so many bytes of the body.
    BadChunkAfter(usize),
    /// Content-Length says this instead.
    Length(usize),
    /// These bytes instead of an answer, then the end.
    Raw(Vec<u8>),
    /// Interim answers (102) without end.
    EndlessInterim,
    /// The body over and over, without end.
    EndlessBody,
    /// Nothing is said, and the connection stays open.
    Silence,
}

/// Holds an answer back until it is opened: for "while this is in flight".
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let open = lock(&self.open);
        drop(self.opened.wait_while(open, |open| !*open).expect("no test thread panics with the gate in hand"));
    }
}

/// 200 with a document.
pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
    status(200).body(body)
}

/// A bare status.
pub fn status(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: Vec::new(),
        framing: Framing::Length,
        delay: Duration::ZERO,
        drip: None,
        fault: None,
        conditional: false,
        gate: None,
    }
}

/// 304, asked for or not.
pub fn not_modified() -> Answer {
    status(304)
}

/// A redirect.
pub fn redirect(code: u16, location: impl Into<Vec<u8>>) -> Answer {
    status(code).header("Location", location)
}

/// No answer but a fault.
pub fn fault(fault: Fault) -> Answer {
    status(200).body(rss(1)).fault(fault)
}

impl Answer {
    /// Adds a header; the value's bytes go out as they are.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What is answered, for a test that reads it in another way.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    #[must_use]
    pub fn etag(self, etag: impl Into<Vec<u8>>) -> Self {
        self.header("ETag", etag)
    }

    #[must_use]
    pub fn last_modified(self, date: impl Into<Vec<u8>>) -> Self {
        self.header("Last-Modified", date)
    }

    #[must_use]
    pub fn max_age(self, seconds: u64) -> Self {
        self.header("Cache-Control", format!("max-age={seconds}"))
    }

    #[must_use]
    pub fn retry_after(self, value: impl Into<Vec<u8>>) -> Self {
        self.header("Retry-After", value)
    }

    /// Answers 304 with the same headers when the request's validators match, If-None-Match first (RFC 9110
    /// section 13.2.2); dates are compared as strings, as many origins do.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// Waits before the answer.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends head and body by so many bytes at a time with a pause between.
    #[must_use]
    pub fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        self.drip = Some((bytes.max(1), pause));
        self
    }

    /// Waits for the gate before the answer.
    #[must_use]
    pub fn behind(mut self, gate: &Arc<Gate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// No length: the end of the connection is the end of the body.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        if let Fault::BadChunkAfter(_) = fault {
            self.framing = Framing::Chunked;
        }
        self.fault = Some(fault);
        self
    }

    fn to(&self, request: &Request) -> Self {
        let mut answer = self.clone();
        if self.conditional && self.matches(request) {
            answer.status = 304;
            answer.body.clear();
        }
        answer
    }

    fn matches(&self, request: &Request) -> bool {
        match (request.header("if-none-match"), header(&self.headers, "etag")) {
            (Some(asked), Some(etag)) => asked == "*" || asked.split(',').any(|tag| weak(tag.trim()) == weak(etag)),
            (Some(_), None) => false,
            (None, _) => {
                let date = header(&self.headers, "last-modified");
                date.is_some() && request.header("if-modified-since") == date
            }
        }
    }

    fn has_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }
}

fn weak(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

enum Script {
    Answers { answers: Vec<Answer>, turns: Mutex<HashMap<String, usize>> },
    Function(Box<dyn Fn(&Request) -> Answer + Send + Sync>),
}

impl Script {
    fn answer(&self, request: &Request) -> Answer {
        match self {
            Self::Answers { answers, turns } => {
                let mut turns = lock(turns);
                let turn = turns.entry(request.target.clone()).or_default();
                let answer = &answers[(*turn).min(answers.len() - 1)];
                *turn += 1;
                answer.to(request)
            }
            Self::Function(answer) => answer(request).to(request),
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Feeds

/// An RSS document of `count` items.
pub fn rss(count: usize) -> String {
    rss_of("http://feed.example/", 1..=count, "Item", &HashMap::new())
}

fn rss_of(
    link: &str,
    numbers: impl IntoIterator<Item = usize>,
    heading: &str,
    titles: &HashMap<usize, String>,
) -> String {
    let items = numbers.into_iter().map(|n| {
        let title = titles.get(&n).cloned().unwrap_or_else(|| format!("{heading} number {n}"));
        format!("<item><guid isPermaLink=\"false\">item-{n}</guid><title>{title}</title><link>{link}?item={n}</link></item>\n")
    });
    let items: Vec<String> = items.collect();
    let newest_first: String = items.into_iter().rev().collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel><title>Scripted news</title>\
         <link>{link}</link><description>Made for a test</description>\n{newest_first}</channel></rss>\n"
    )
}

/// A document full of addresses that nobody may ask for: all of them lead to `canary`.
pub fn tempting_rss(canary: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><?xml-stylesheet href=\"{canary}/style.xsl\"?>\
         <!DOCTYPE rss [<!ENTITY stolen SYSTEM \"{canary}/entity\">]>\
         <rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel><title>Tempting</title>\
         <link>{canary}/</link><image><url>{canary}/logo.png</url></image>\
         <atom:link rel=\"hub\" href=\"{canary}/hub\"/><atom:link rel=\"self\" href=\"{canary}/self\"/>\
         <atom:link rel=\"next\" href=\"{canary}/next\"/>\
         <cloud domain=\"127.0.0.1\" port=\"80\" path=\"/cloud\" registerProcedure=\"\" protocol=\"http-post\"/>\
         <item><guid>{canary}/guid</guid><title>Read me</title><link>{canary}/article</link>\
         <comments>{canary}/comments</comments><enclosure url=\"{canary}/sound.mp3\" length=\"9\" type=\"audio/mpeg\"/>\
         <description>&lt;img src=\"{canary}/pixel.gif\"&gt;&lt;a ping=\"{canary}/ping\" href=\"{canary}/a\"&gt;x&lt;/a&gt;</description>\
         </item></channel></rss>"
    )
}

/// A feed that changes on command, with a strong tag a version.
#[derive(Clone)]
pub struct Feed {
    state: Arc<Mutex<FeedState>>,
    link: String,
}

struct FeedState {
    /// Item numbers with the version that brought them; oldest first.
    items: Vec<(usize, u64)>,
    /// Every item that was ever published, in the same form.
    history: Vec<(usize, u64)>,
    heading: String,
    last: usize,
    version: u64,
    window: usize,
    forgetting: bool,
    failing: Option<Answer>,
    titles: HashMap<usize, String>,
}

impl Feed {
    fn new(link: &str) -> Self {
        let state = FeedState {
            items: Vec::new(),
            history: Vec::new(),
            heading: "Item".to_owned(),
            last: 0,
            version: 0,
            window: usize::MAX,
            forgetting: false,
            failing: None,
            titles: HashMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), link: link.to_owned() }
    }

    /// Publishes `count` new items and gives their numbers' end.
    pub fn add(&self, count: usize) -> usize {
        let mut state = lock(&self.state);
        state.version += 1;
        for _ in 0..count {
            state.last += 1;
            let item = (state.last, state.version);
            state.items.push(item);
            state.history.push(item);
        }
        let surplus = state.items.len().saturating_sub(state.window);
        state.items.drain(..surplus);
        state.last
    }

    /// What titles begin with, where the items of many feeds must not look like one story.
    pub fn set_heading(&self, heading: &str) -> &Self {
        lock(&self.state).heading = heading.to_owned();
        self
    }

    /// Every item ever published: its guid and the version that brought it.
    pub fn history(&self) -> Vec<(String, u64)> {
        lock(&self.state).history.iter().map(|(number, version)| (format!("item-{number}"), *version)).collect()
    }

    /// Changes the title of an item that is listed.
    pub fn retitle(&self, number: usize, title: &str) {
        let mut state = lock(&self.state);
        state.version += 1;
        state.titles.insert(number, title.to_owned());
    }

    /// The document lists at most so many items.
    pub fn set_window(&self, window: usize) -> &Self {
        lock(&self.state).window = window;
        self
    }

    /// Drops an item for ever once a client's If-None-Match claims to have seen it.
    pub fn set_forgetting(&self) -> &Self {
        lock(&self.state).forgetting = true;
        self
    }

    /// Answers this until it is taken back with `None`.
    pub fn set_failing(&self, answer: Option<Answer>) {
        lock(&self.state).failing = answer;
    }

    /// The guids now listed, oldest first.
    pub fn guids(&self) -> Vec<String> {
        lock(&self.state).items.iter().map(|(number, _)| format!("item-{number}")).collect()
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut state = lock(&self.state);
        if let Some(answer) = &state.failing {
            return answer.clone();
        }
        let claimed = request.header("if-none-match").and_then(|tag| tag.trim_matches(['"', 'v']).parse::<u64>().ok());
        if let Some(claimed) = claimed.filter(|_| state.forgetting) {
            state.items.retain(|(_, version)| *version > claimed);
        }
        let document = rss_of(&self.link, state.items.iter().map(|(number, _)| *number), &state.heading, &state.titles);
        ok(document).header("Content-Type", "application/rss+xml").etag(format!("\"v{}\"", state.version)).conditional()
    }
}

// ---------------------------------------------------------------------------------------------
// The wire

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            if self.down.load(Ordering::SeqCst) {
                reset(&stream);
                continue;
            }
            let connection = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
            let shared = Arc::clone(self);
            let thread = thread::Builder::new().stack_size(CONNECTION_STACK_BYTES);
            // A connection that ends with an error is the client's to notice.
            let spawned = thread.spawn(move || drop(shared.connection(&stream, connection)));
            drop(spawned.expect("a thread for a connection"));
        }
    }

    fn connection(&self, socket: &TcpStream, connection: u64) -> io::Result<()> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(IDLE_CONNECTION))?;
        let stream: Box<dyn ReadWrite> = match &self.tls {
            None => Box::new(socket.try_clone()?),
            Some(config) => {
                let session = rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Box::new(rustls::StreamOwned::new(session, socket.try_clone()?))
            }
        };
        let mut stream = BufReader::new(stream);
        while let Some(mut request) = read_request(&mut stream)? {
            if self.down.load(Ordering::SeqCst) {
                reset(socket);
                return Ok(());
            }
            request.connection = connection;
            request.at = self.started.elapsed();
            let script = self.find(&request.target);
            request.scripted = script.is_some();
            let index = self.enter(&request);
            let answer = script.map_or_else(|| status(404), |script| script.answer(&request));
            let mut wire = Wire { stream: stream.get_mut(), socket, drip: answer.drip, stopped: &self.stopped };
            if let Some(gate) = &answer.gate {
                gate.wait();
            }
            thread::sleep(answer.delay);
            let keep = wire.send(&answer, &request.method, |headers, complete| {
                self.leave(index, answer.status, headers, complete);
            })?;
            if !keep || self.stopped.load(Ordering::SeqCst) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn find(&self, target: &str) -> Option<Arc<Script>> {
        let scripts = lock(&self.scripts);
        let path = target.split('?').next().unwrap_or(target);
        scripts.get(target).or_else(|| scripts.get(path)).cloned()
    }

    fn enter(&self, request: &Request) -> usize {
        let mut log = lock(&self.log);
        log.push(request.clone());
        self.logged.notify_all();
        log.len() - 1
    }

    fn leave(&self, index: usize, status: u16, headers: Vec<(String, Vec<u8>)>, complete: bool) {
        let answered = Answered { at: self.started.elapsed(), status, headers, complete };
        // The log may have been cleared meanwhile.
        if let Some(request) = lock(&self.log).get_mut(index) {
            request.answered = Some(answered);
        }
        self.logged.notify_all();
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// `None` when the client has closed.
fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(start) = read_line(stream)? else { return Ok(None) };
    let mut words = start.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    while let Some(line) = read_line(stream)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_owned(), value.trim().as_bytes().to_vec()));
    }
    let length = header(&headers, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let wall = SystemTime::now();
    let at = Duration::ZERO;
    Ok(Some(Request { at, wall, connection: 0, method, target, headers, body, scripted: false, answered: None }))
}

fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line);
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

struct Wire<'w> {
    stream: &'w mut dyn ReadWrite,
    socket: &'w TcpStream,
    drip: Option<(usize, Duration)>,
    stopped: &'w AtomicBool,
}

impl Wire<'_> {
    /// Sends an answer and tells `done` before its last byte is out, so that a client that has its answer
    /// finds it in the log. Gives whether the connection may be used again.
    fn send(
        &mut self,
        answer: &Answer,
        method: &str,
        done: impl FnOnce(Vec<(String, Vec<u8>)>, bool),
    ) -> io::Result<bool> {
        let headers = headers_of(answer);
        match &answer.fault {
            Some(Fault::Reset) => {
                done(Vec::new(), false);
                reset(self.socket);
                return Ok(false);
            }
            Some(Fault::Raw(bytes)) => {
                done(Vec::new(), false);
                self.write(bytes)?;
                return Ok(false);
            }
            Some(Fault::Silence) => {
                done(Vec::new(), false);
                self.until_stopped(|_| Ok(()))?;
                return Ok(false);
            }
            Some(Fault::EndlessInterim) => {
                done(Vec::new(), false);
                self.until_stopped(|wire| wire.write(b"HTTP/1.1 102 Processing\r\n\r\n"))?;
                return Ok(false);
            }
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).into_bytes();
        for (name, value) in &headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let body: &[u8] = if answer.has_body() && method != "HEAD" { &answer.body } else { b"" };
        if let Some(fault) = &answer.fault {
            done(headers, false);
            self.write(&head)?;
            return self.broken_body(fault, body).map(|()| false);
        }
        let mut wire = head;
        match answer.framing {
            Framing::Chunked if answer.has_body() => wire.extend(chunks(body)),
            _ => wire.extend_from_slice(body),
        }
        let close = answer.framing == Framing::UntilClose
            || header(&headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        done(headers, true);
        self.write(&wire)?;
        Ok(!close)
    }

    fn broken_body(&mut self, fault: &Fault, body: &[u8]) -> io::Result<()> {
        let until = |bytes: usize| &body[..bytes.min(body.len())];
        match fault {
            Fault::ResetAfter(bytes) => {
                self.write(until(*bytes))?;
                // Gives the kernel time to hand over what was sent: a reset discards what is still in the queue.
                thread::sleep(Duration::from_millis(20));
                reset(self.socket);
                Ok(())
            }
            Fault::CloseAfter(bytes) => self.write(until(*bytes)),
            Fault::BadChunkAfter(bytes) => {
                let mut wire = chunks(until(*bytes));
                wire.truncate(wire.len() - b"0\r\n\r\n".len());
                wire.extend_from_slice(b"xyz\r\n");
                self.write(&wire)
            }
            Fault::EndlessBody => self.until_stopped(|wire| wire.write(body)),
            _ => self.write(body),
        }
    }

    fn until_stopped(&mut self, mut step: impl FnMut(&mut Self) -> io::Result<()>) -> io::Result<()> {
        while !self.stopped.load(Ordering::SeqCst) {
            step(self)?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (step, pause) = self.drip.unwrap_or((usize::MAX, Duration::ZERO));
        for piece in bytes.chunks(step.min(bytes.len()).max(1)) {
            self.stream.write_all(piece)?;
            self.stream.flush()?;
            thread::sleep(pause);
        }
        Ok(())
    }
}

fn headers_of(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let mut headers = answer.headers.clone();
    if header(&headers, "date").is_none() {
        let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.push(("Date".to_owned(), now.into_bytes()));
    }
    let length = match &answer.fault {
        Some(Fault::Length(length)) => *length,
        Some(Fault::EndlessBody) => usize::MAX >> 1,
        _ => answer.body.len(),
    };
    match answer.framing {
        _ if !answer.has_body() => {}
        Framing::Length => headers.push(("Content-Length".to_owned(), length.to_string().into_bytes())),
        Framing::Chunked => headers.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec())),
        Framing::UntilClose => headers.push(("Connection".to_owned(), b"close".to_vec())),
    }
    headers
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for piece in body.chunks(1000) {
        wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

fn reset(socket: &TcpStream) {
    let socket = socket2::SockRef::from(socket);
    // Whoever closed first, the connection is over.
    let _ = socket.set_linger(Some(Duration::ZERO));
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        410 => "Gone",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
