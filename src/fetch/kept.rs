//! Whose connections are kept after an answer, for the next feed of the same host.
//!
//! A connection at rest holds a read buffer as large as the answers were (measured: 80 KB where documents have 40), and a
//! socket at both ends. With thousands of hosts most would rest in vain: beyond a few hosts, the others are told that the
//! connection ends with the answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Long enough for the feeds of one host that follow each other, short enough not to hold thousands of sockets.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);
/// Hosts with connections at rest, if none of them sends a document.
const HOSTS_MAX: usize = 256;
/// For how many hosts one counts that is expected to send a document.
const WITH_A_DOCUMENT: usize = 4;

#[derive(Debug, Default)]
pub(super) struct KeptHosts {
    /// When each was last asked, and for how many it counts; by scheme, host and port.
    asked: Mutex<HashMap<String, (Instant, usize)>>,
}

impl KeptHosts {
    /// Whether the connection to a host that is asked now is to be kept. One that is asked whether anything has changed
    /// will mostly say no, in a few bytes.
    pub(super) fn keeps(&self, host: &str, may_say_no: bool, now: Instant) -> bool {
        let counts = if may_say_no { 1 } else { WITH_A_DOCUMENT };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = asked.get_mut(host) {
            *known = (now, known.1.max(counts));
            return true;
        }
        let is_full = |asked: &HashMap<_, (_, usize)>| {
            asked.values().map(|(_, counts)| counts).sum::<usize>() + counts > HOSTS_MAX
        };
        if is_full(&asked) {
            asked.retain(|_, (last, _)| now.duration_since(*last) <= KEPT_FOR);
        }
        let has_room = !is_full(&asked);
        if has_room {
            asked.insert(host.to_owned(), (now, counts));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_hosts_are_kept_as_long_as_they_are_asked() {
        let (hosts, start) = (KeptHosts::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        for number in 0..HOSTS_MAX / WITH_A_DOCUMENT {
            assert!(hosts.keeps(&format!("http://host-{number}"), false, at(0)));
        }
        assert!(!hosts.keeps("http://late", true, at(1)));
        assert!(hosts.keeps("http://host-7", false, at(8)), "it is known");
        assert!(hosts.keeps("http://late", false, at(11)), "the others have been at rest for too long");
        assert!(hosts.keeps("http://host-7", false, at(12)));
        assert_eq!(hosts.asked.lock().unwrap().len(), 2);
    }

    #[test]
    fn more_are_kept_that_are_asked_for_changes() {
        let (hosts, now) = (KeptHosts::default(), Instant::now());
        for number in 0..HOSTS_MAX - 1 {
            assert!(hosts.keeps(&format!("http://host-{number}"), true, now));
        }
        assert!(!hosts.keeps("http://with-a-document", false, now));
        assert!(hosts.keeps("http://last", true, now));
        assert!(!hosts.keeps("http://late", true, now));
    }
}
