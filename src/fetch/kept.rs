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
/// Hosts with connections at rest.
const HOSTS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct KeptHosts {
    /// When each was last asked, by scheme, host and port.
    asked: Mutex<HashMap<String, Instant>>,
}

impl KeptHosts {
    /// Whether the connection to a host that is asked now is to be kept.
    pub(super) fn keeps(&self, host: &str, now: Instant) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = asked.get_mut(host) {
            *last = now;
            return true;
        }
        if asked.len() >= HOSTS_MAX {
            asked.retain(|_, last| now.duration_since(*last) <= KEPT_FOR);
        }
        let has_room = asked.len() < HOSTS_MAX;
        if has_room {
            asked.insert(host.to_owned(), now);
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
        for number in 0..HOSTS_MAX {
            assert!(hosts.keeps(&format!("http://host-{number}"), at(0)));
        }
        assert!(!hosts.keeps("http://late", at(1)));
        assert!(hosts.keeps("http://host-7", at(8)), "it is known");
        assert!(hosts.keeps("http://late", at(11)), "the others have been at rest for too long");
        assert!(hosts.keeps("http://host-7", at(12)));
        assert_eq!(hosts.asked.lock().unwrap().len(), 2);
    }
}
