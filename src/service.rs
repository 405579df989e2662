//! What we tell the service manager: ready, reloading, stopping, a status line, that we still work.
//!
//! The protocol of `sd_notify(3)`: datagrams of `NAME=value` lines to the socket that `NOTIFY_SOCKET`
//! names, by path or, behind an `@`, in Linux's abstract namespace. Without that variable, or when
//! `WATCHDOG_PID` says that the variables were meant for another process, every call is silent.
//! It decides nothing: whether we are ready or still work is for the caller to know.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A service manager reads at once or is in trouble itself: we do not wait for it any longer than this.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Speaks to the service manager that started us, if one did.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<SocketAddr>,
    /// `WATCHDOG_USEC`: a silence as long as this gets us killed and restarted.
    watchdog_timeout: Option<Duration>,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Values that make no sense are logged and count as unset.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name), std::process::id())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>, process_id: u32) -> Self {
        let number = |name| {
            let value = variable(name)?;
            let number = value.to_str().and_then(|digits| digits.parse::<u64>().ok());
            if number.is_none() {
                tracing::warn!(variable = name, ?value, "not a number; ignored");
            }
            number
        };
        if number("WATCHDOG_PID").is_some_and(|addressee| addressee != u64::from(process_id)) {
            return Self::default();
        }
        let socket = variable("NOTIFY_SOCKET").and_then(|name| match address(&name) {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!(socket = ?name, %error, "NOTIFY_SOCKET is no address; the service manager hears nothing");
                None
            }
        });
        let watchdog_timeout =
            number("WATCHDOG_USEC").filter(|&microseconds| microseconds > 0).map(Duration::from_micros);
        Self { watchdog_timeout: watchdog_timeout.filter(|_| socket.is_some()), socket }
    }

    /// The start, or a reload, is over: the database is open and the port answers.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\n{}", status_line(status)));
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&status_line(status));
    }

    /// A reload has begun; [`Self::ready`] ends it. (`Type=notify-reload` would also want
    /// `MONOTONIC_USEC`; our unit is `Type=notify`, which systemd 252 and older know too.)
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The way to a clean end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// We still work. To be said only after real work was seen, every [`Self::watchdog_interval`].
    pub fn watchdog(&self) {
        if self.watchdog_timeout.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    /// How often to say so: a third of the timeout, so that a ping that is late still comes within the
    /// half that `sd_watchdog_enabled(3)` advises. `None`: nobody waits for it.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog_timeout.map(|timeout| timeout / 3)
    }

    /// A message that cannot be delivered is logged: the work goes on, and the service manager will draw its own conclusions.
    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = deliver(message, socket) {
            tracing::warn!(?socket, message, %error, "the service manager could not be told");
        }
    }
}

fn deliver(message: &str, socket: &SocketAddr) -> io::Result<()> {
    // A socket a message, as sd_notify(3) does it: a restarted service manager is found again.
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(SEND_TIMEOUT))?;
    sender.send_to_addr(message.as_bytes(), socket)?;
    Ok(())
}

/// A status is one line: what follows a line break would be read as another variable.
fn status_line(status: &str) -> String {
    format!("STATUS={}", status.replace(['\n', '\r'], " "))
}

#[cfg(target_os = "linux")]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUR_PROCESS_ID: u32 = 4711;

    fn notifier(variables: &[(&str, &str)]) -> Notifier {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Notifier::from_variables(variable, OUR_PROCESS_ID)
    }

    /// A service manager that listens under `address` and forgets nothing.
    fn manager(address: &str) -> UnixDatagram {
        let socket =
            UnixDatagram::bind_addr(&super::address(address.as_ref()).expect("a socket address")).expect("bind");
        socket.set_nonblocking(true).expect("nonblocking");
        socket
    }

    /// Everything said so far. Datagrams of one machine are delivered before `send` returns.
    fn heard(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        std::iter::from_fn(|| {
            manager.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
        })
        .collect()
    }

    fn say_everything(notifier: &Notifier) {
        notifier.ready("12 feeds");
        notifier.status("next refresh\nin 3 s");
        notifier.watchdog();
        notifier.reloading();
        notifier.stopping();
    }

    const EVERYTHING: [&str; 5] =
        ["READY=1\nSTATUS=12 feeds", "STATUS=next refresh in 3 s", "WATCHDOG=1", "RELOADING=1", "STOPPING=1"];

    #[test]
    fn s3_a_socket_by_path_hears_every_state_in_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let path = path.to_str().expect("a path in UTF-8");
        let manager = manager(path);
        say_everything(&notifier(&[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "2000000")]));
        assert_eq!(heard(&manager), EVERYTHING);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn s3_an_abstract_socket_hears_every_state_in_order() {
        let name = format!("@veille-test-{}", std::process::id());
        let manager = manager(&name);
        say_everything(&notifier(&[("NOTIFY_SOCKET", &name), ("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "4711")]));
        assert_eq!(heard(&manager), EVERYTHING);
    }

    #[test]
    fn s3_variables_of_another_process_keep_us_silent() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let path = path.to_str().expect("a path in UTF-8");
        let manager = manager(path);
        let notifier = notifier(&[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "1")]);
        say_everything(&notifier);
        assert_eq!(notifier.watchdog_interval(), None);
        assert_eq!(heard(&manager), [""; 0]);
    }

    #[test]
    fn the_watchdog_is_fed_three_times_a_timeout_and_only_when_one_is_set() {
        fn check(variables: &[(&str, &str)], expected_ms: Option<u64>) {
            let interval = notifier(variables).watchdog_interval();
            assert_eq!(interval, expected_ms.map(Duration::from_millis), "{variables:?}");
        }
        check(&[("NOTIFY_SOCKET", "/run/n"), ("WATCHDOG_USEC", "60000000")], Some(20_000));
        check(&[("NOTIFY_SOCKET", "/run/n")], None);
        check(&[("NOTIFY_SOCKET", "/run/n"), ("WATCHDOG_USEC", "0")], None);
        check(&[("NOTIFY_SOCKET", "/run/n"), ("WATCHDOG_USEC", "soon")], None);
        check(&[("WATCHDOG_USEC", "60000000")], None);
        check(&[], None);
    }

    #[test]
    fn a_manager_that_is_gone_does_not_stop_the_work() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("nobody");
        say_everything(&notifier(&[("NOTIFY_SOCKET", path.to_str().expect("a path in UTF-8"))]));
    }
}
