//! Mail to a server that speaks TLS, wants a login and refuses: a scripted one, with certificates made for the test.

use super::fetching::Authority;
use crate::support::app::{App, Daemon, FAST, PATIENCE, wait_until};
use crate::support::origin::Origin;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const PASSWORD: &str = "correct horse";

/// When the connection is encrypted.
#[derive(Clone, Copy, PartialEq)]
enum Encryption {
    FromTheStart,
    AfterStartTls,
    /// It offers none.
    Never,
}

/// What happened, in order: `mail TO`, `login ok`, `login refused`, `in the clear COMMAND`.
type Events = Arc<Mutex<Vec<String>>>;

struct MailServer {
    address: SocketAddr,
    events: Events,
}

/// How one connection goes.
struct Conversation {
    encryption: Encryption,
    tls: Arc<ServerConfig>,
    events: Events,
    /// The answers to the next recipients; then `250`.
    answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl MailServer {
    fn start(encryption: Encryption, tls: ServerConfig, answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let events = Events::default();
        let conversation = Conversation {
            encryption,
            tls: Arc::new(tls),
            events: Arc::clone(&events),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that leaves in the middle is what these tests are about.
                let _ = conversation.hold(stream.unwrap());
            }
        });
        Self { address, events }
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

impl Conversation {
    fn hold(&self, stream: TcpStream) -> std::io::Result<()> {
        if self.encryption == Encryption::FromTheStart {
            return self.talk(self.encrypted(stream)?, true, true).map(drop);
        }
        match self.talk(stream, true, false)? {
            Some(stream) => self.talk(self.encrypted(stream)?, false, true).map(drop),
            None => Ok(()),
        }
    }

    fn encrypted(&self, stream: TcpStream) -> std::io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let connection = ServerConnection::new(Arc::clone(&self.tls)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        stream.flush()?;
        Ok(stream)
    }

    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    /// Talks until the client leaves; gives the stream back when it asks for STARTTLS.
    fn talk<S: Read + Write>(&self, stream: S, greets: bool, encrypted: bool) -> std::io::Result<Option<S>> {
        let mut stream = BufReader::new(stream);
        if greets {
            stream.get_mut().write_all(b"220 sink\r\n")?;
        }
        let mut line = String::new();
        while stream.read_line(&mut line)? > 0 {
            let command = line.trim_end().to_owned();
            line.clear();
            let verb = command.get(..4).unwrap_or_default();
            if !encrypted && matches!(verb, "AUTH" | "MAIL") {
                self.note(format!("in the clear {verb}"));
            }
            let answer = match verb {
                "EHLO" if encrypted => "250-sink\r\n250 AUTH PLAIN LOGIN".to_owned(),
                "EHLO" if self.encryption == Encryption::AfterStartTls => "250-sink\r\n250 STARTTLS".to_owned(),
                "EHLO" => "250 sink".to_owned(),
                "STAR" => {
                    stream.get_mut().write_all(b"220 go on\r\n")?;
                    return Ok(Some(stream.into_inner()));
                }
                "AUTH" => self.login(&command),
                "RCPT" => self.answers.lock().unwrap().pop_front().unwrap_or("250 ok").to_owned(),
                "DATA" => {
                    stream.get_mut().write_all(b"354 go on\r\n")?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail)?;
                    }
                    let to = mail.lines().find(|line| line.starts_with("To: ")).unwrap_or_default();
                    self.note(format!("mail {to}"));
                    "250 taken".to_owned()
                }
                "QUIT" => "221 bye".to_owned(),
                _ => "250 ok".to_owned(),
            };
            stream.get_mut().write_all(format!("{answer}\r\n").as_bytes())?;
        }
        Ok(None)
    }

    fn login(&self, command: &str) -> String {
        let given = command.strip_prefix("AUTH PLAIN ").and_then(|given| BASE64_STANDARD.decode(given).ok());
        let right = given.is_some_and(|given| given == format!("\0veille\0{PASSWORD}").as_bytes());
        self.note(if right { "login ok" } else { "login refused" }.to_owned());
        if right { "235 welcome" } else { "535 5.7.8 authentication credentials invalid" }.to_owned()
    }
}

/// A watch whose first issue is a mail through the server, which is known as `localhost`.
struct Mailed {
    app: App,
    authority: Authority,
}

impl Mailed {
    fn new(origin: &Origin, authority: Authority, server: &MailServer, tls: &str, to: &[&str]) -> Self {
        origin.feed("/news.xml").add(2);
        // An issue a second, of which only the first has stories.
        let watch = format!(
            "[smtp]\nhost = \"localhost\"\nport = {}\ntls = \"{tls}\"\nfrom = \"veille <veille@watch.example>\"\n\
             login = {{ username = \"veille\", password_file = \"smtp.password\" }}\n[[feeds]]\nurl = \"{}\"\n\
             [digests.often]\nquery = \"published>=1970-01-02\"\ncron = \"* * * * * *\"\nemail = {{ to = {to:?} }}\n",
            server.address.port(),
            origin.url("/news.xml")
        );
        let app = App::new(FAST, &watch);
        let mailed = Self { app, authority };
        mailed.password(PASSWORD);
        mailed
    }

    fn password(&self, password: &str) {
        self.app.write("smtp.password", &format!("{password}\n"));
    }

    fn start(&self, trusts: bool) -> Daemon {
        let mut command = self.app.command(&["run", "-v"]);
        if trusts {
            self.app.write("roots.pem", &self.authority.root_pem());
            command.env("SSL_CERT_FILE", self.app.directory().join("roots.pem"));
        }
        Daemon::start(command)
    }

    fn hurry(&self) {
        self.app.change(
            "UPDATE deliveries SET next_try_at = 0 WHERE state = 'waiting'; UPDATE outputs SET held_until_at = 0",
        );
    }

    #[track_caller]
    fn wait_for(&self, state: &str, count: i64) {
        let sql = format!("SELECT count(*) FROM deliveries WHERE state = '{state}'");
        let found = wait_until(PATIENCE, || (self.app.ask::<i64>(&sql) == count).then_some(()));
        assert!(found.is_some(), "{} {state}, {count} expected", self.app.ask::<i64>(&sql));
    }

    /// What the commands say of it: `status`, and the digest's own.
    fn told(&self) -> String {
        self.app.run(&["status"]).stdout + &self.app.run(&["digests", "show", "often"]).stdout
    }
}

fn check_delivered(encryption: Encryption, tls: &str) {
    let (origin, authority) = (Origin::start(), Authority::new());
    let server = MailServer::start(encryption, authority.certificate("localhost", 2020, 2099), &[]);
    let mailed = Mailed::new(&origin, authority, &server, tls, &["reader@mail.example"]);
    let daemon = mailed.start(true);
    mailed.wait_for("delivered", 1);
    drop(daemon);
    assert_eq!(server.events(), ["login ok", "mail To: reader@mail.example"]);
}

#[test]
fn mail_goes_over_starttls_with_a_login() {
    check_delivered(Encryption::AfterStartTls, "starttls");
}

#[test]
fn mail_goes_over_implicit_tls_with_a_login() {
    check_delivered(Encryption::FromTheStart, "implicit");
}

/// Neither a server that nobody vouches for, nor one with another's certificate, nor one without TLS is told anything.
#[test]
fn a_server_that_does_not_prove_who_it_is_gets_neither_password_nor_mail() {
    for (encryption, tls, name, trusts, words) in [
        (Encryption::AfterStartTls, "starttls", "localhost", false, "certificate"),
        (Encryption::FromTheStart, "implicit", "elsewhere.example", true, "certificate"),
        (Encryption::Never, "starttls", "localhost", true, "offers no STARTTLS"),
    ] {
        let (origin, authority) = (Origin::start(), Authority::new());
        let server = MailServer::start(encryption, authority.certificate(name, 2020, 2099), &[]);
        let mailed = Mailed::new(&origin, authority, &server, tls, &["reader@mail.example"]);
        let daemon = mailed.start(trusts);
        daemon.wait_for_line("a delivery failed");
        drop(daemon);
        let told = mailed.told();
        assert!(told.contains(words) && told.contains("1 waiting"), "{told}");
        assert_eq!(server.events(), [""; 0], "{name} by {tls}");
    }
}

#[test]
fn a_wrong_password_is_told_and_the_mail_goes_once_it_is_mended() {
    let (origin, authority) = (Origin::start(), Authority::new());
    let tls = authority.certificate("localhost", 2020, 2099);
    let server = MailServer::start(Encryption::AfterStartTls, tls, &[]);
    let mailed = Mailed::new(&origin, authority, &server, "starttls", &["reader@mail.example"]);
    mailed.password("tr0ub4dor");
    let daemon = mailed.start(true);
    daemon.wait_for_line("a delivery failed");
    let log = daemon.log().join("\n");
    drop(daemon);
    let told = mailed.told();
    assert!(told.contains("refuses the login of veille") && told.contains("535"), "{told}");
    assert!(!(log + &told).contains("tr0ub4dor"), "a password is told to nobody");

    mailed.password(PASSWORD);
    mailed.hurry();
    let daemon = mailed.start(true);
    mailed.wait_for("delivered", 1);
    drop(daemon);
    assert_eq!(server.events().last().map(String::as_str), Some("mail To: reader@mail.example"));
}

#[test]
fn a_refusal_for_now_is_tried_again_and_one_for_good_is_told_and_holds_up_no_other_reader() {
    let (origin, authority) = (Origin::start(), Authority::new());
    let tls = authority.certificate("localhost", 2020, 2099);
    // Two readers, each with a turn: whoever is first is asked to wait, the other does not exist.
    let refusals = ["451 4.7.1 greylisted, come back", "550 5.1.1 no such user here"];
    let server = MailServer::start(Encryption::FromTheStart, tls, &refusals);
    let readers = ["one@mail.example", "two@mail.example"];
    let mailed = Mailed::new(&origin, authority, &server, "implicit", &readers);
    let daemon = mailed.start(true);
    mailed.wait_for("given_up", 1);
    daemon.wait_for_line("greylisted");
    let told = mailed.told();
    assert!(told.contains("no such user here") && told.contains("greylisted"), "{told}");
    mailed.hurry();
    mailed.wait_for("delivered", 1);
    drop(daemon);
    let mails: Vec<String> = server.events().into_iter().filter(|event| event.starts_with("mail")).collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
}
