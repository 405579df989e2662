//! Who asks: the address behind a request, through the web servers that the config trusts, and what it may ask for.
//!
//! Decides from the connection's address and the request head alone. An address that a header names counts only
//! when a trusted proxy wrote it: anybody else may write what they like there.

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a request that passed a web server carries: who is at its other end is not on this machine.
const FORWARDED: [HeaderName; 4] =
    [header::FORWARDED, header::VIA, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];
const CHAIN: &str = "x-forwarded-for";

/// An allowance is spent at once or by and by, and is whole again after this long.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered; beyond them those that have their whole allowance are forgotten, then all.
const MAX_ADDRESSES: usize = 10_000;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visitor {
    /// Of an IPv6 address its /64: whoever has one address of it has them all.
    pub(super) address: IpAddr,
    /// On this machine, and not sent on by a web server on it.
    pub(super) is_local: bool,
}

impl Visitor {
    /// `peer` is the other end of the connection, `proxies` are the web servers whose `X-Forwarded-For` counts.
    pub(super) fn new(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let address = behind(peer.to_canonical(), headers, proxies);
        let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(name));
        Self { address: household(address), is_local: address.is_loopback() && !is_forwarded }
    }
}

/// The nearest address that is not a proxy's, as the proxies saw it: each appends whom it heard, so the chain is
/// read from its end, and what stands before a stranger's address is the stranger's word.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut address = peer;
    let lines: Vec<&str> = headers.get_all(CHAIN).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    for named in lines.iter().flat_map(|line| line.split(',')).rev() {
        if !is_proxy(&address) {
            break;
        }
        let Some(before) = parse(named.trim()) else { break };
        address = before;
    }
    address
}

/// An address as proxies write it, some with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let alone = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    alone().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

/// What each address may still ask for.
#[derive(Debug, Default)]
pub struct Allowances(Mutex<HashMap<IpAddr, Instant>>);

impl Allowances {
    /// Takes a request from the address's allowance of `per_minute`; 0 sets no limit, and this machine has none.
    ///
    /// # Errors
    /// How long until there is one to take again.
    pub(super) fn take(&self, address: IpAddr, per_minute: u32, now: Instant) -> Result<(), Duration> {
        if per_minute == 0 || address.is_loopback() {
            return Ok(());
        }
        // An address is remembered by when its allowance is whole again; each request puts that off by its share.
        let mut whole_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if whole_at.len() >= MAX_ADDRESSES && !whole_at.contains_key(&address) {
            whole_at.retain(|_, at| *at > now);
        }
        if whole_at.len() >= MAX_ADDRESSES && !whole_at.contains_key(&address) {
            whole_at.clear();
        }
        let at = whole_at.entry(address).or_insert(now);
        let after = (*at).max(now) + WINDOW / per_minute;
        let wait = after.saturating_duration_since(now + WINDOW);
        if wait.is_zero() {
            *at = after;
            Ok(())
        } else {
            Err(wait)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen with these header lines from `peer`, 127.0.0.1 and 10/8 being trusted.
    fn check(peer: &str, lines: &[(&'static str, &str)], expected: (&str, bool)) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let proxies = ["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let found = Visitor::new(peer.parse().unwrap(), &headers, &proxies);
        assert_eq!((found.address.to_string().as_str(), found.is_local), expected, "{peer} {lines:?}");
    }

    #[test]
    fn w10_an_address_in_a_header_counts_only_from_a_trusted_proxy() {
        check("192.0.2.9", &[("x-forwarded-for", "127.0.0.1")], ("192.0.2.9", false));
        check("192.0.2.9", &[("x-forwarded-for", "203.0.113.5")], ("192.0.2.9", false));
        check("127.0.0.1", &[("x-forwarded-for", "203.0.113.5")], ("203.0.113.5", false));
        check("::ffff:127.0.0.1", &[("x-forwarded-for", "203.0.113.5")], ("203.0.113.5", false));
        // What the stranger wrote stands before what the proxies saw.
        check("127.0.0.1", &[("x-forwarded-for", "127.0.0.1, 203.0.113.5, 10.1.2.3")], ("203.0.113.5", false));
        check(
            "127.0.0.1",
            &[("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "203.0.113.5")],
            ("203.0.113.5", false),
        );
    }

    #[test]
    fn w10_addresses_in_a_header_are_read_as_proxies_write_them() {
        check("127.0.0.1", &[("x-forwarded-for", "203.0.113.5:4711")], ("203.0.113.5", false));
        check("127.0.0.1", &[("x-forwarded-for", "[2001:db8:1:2:3::9]:4711")], ("2001:db8:1:2::", false));
        check("127.0.0.1", &[("x-forwarded-for", "[2001:db8:1:2::9]")], ("2001:db8:1:2::", false));
        check("127.0.0.1", &[("x-forwarded-for", "203.0.113.5, unknown")], ("127.0.0.1", false));
        check("127.0.0.1", &[("x-forwarded-for", "")], ("127.0.0.1", false));
    }

    #[test]
    fn w15_only_who_is_on_this_machine_is_local() {
        check("127.0.0.1", &[], ("127.0.0.1", true));
        check("::1", &[], ("::1", true));
        check("10.0.0.1", &[], ("10.0.0.1", false));
        check("::1", &[("x-forwarded-for", "203.0.113.5")], ("::1", false));
        for name in ["forwarded", "via", "x-real-ip"] {
            check("127.0.0.1", &[(name, "anything")], ("127.0.0.1", false));
        }
    }

    #[test]
    fn w14_an_address_may_spend_a_minutes_requests_at_once_and_then_waits_for_its_share() {
        let (allowances, start) = (Allowances::default(), Instant::now());
        let take = |address: &str, second: u64| {
            allowances.take(address.parse().unwrap(), 6, start + Duration::from_secs(second)).map_err(|w| w.as_secs())
        };
        for _ in 0..6 {
            assert_eq!(take("192.0.2.1", 0), Ok(()));
        }
        assert_eq!(take("192.0.2.1", 0), Err(10));
        assert_eq!(take("192.0.2.1", 4), Err(6), "what was refused costs nothing");
        assert_eq!(take("192.0.2.2", 4), Ok(()), "another address has its own");
        assert_eq!(take("192.0.2.1", 10), Ok(()));
        assert_eq!(take("192.0.2.1", 10), Err(10));
        for _ in 0..6 {
            assert_eq!(take("192.0.2.1", 1_000), Ok(()), "after a pause it is whole, and no more than whole");
        }
        assert_eq!(take("192.0.2.1", 1_000), Err(10));
    }

    #[test]
    fn w14_this_machine_and_a_limit_of_nothing_are_not_limited() {
        let (allowances, now) = (Allowances::default(), Instant::now());
        for _ in 0..100 {
            for address in ["127.0.0.1", "::1"] {
                assert_eq!(allowances.take(address.parse().unwrap(), 1, now), Ok(()));
            }
            assert_eq!(allowances.take("192.0.2.1".parse().unwrap(), 0, now), Ok(()));
        }
    }

    #[test]
    fn w14_many_addresses_are_not_remembered_for_ever() {
        let (allowances, now) = (Allowances::default(), Instant::now());
        for address in 0..30_000_u32 {
            assert_eq!(allowances.take(IpAddr::V4(address.swap_bytes().into()), 1, now), Ok(()));
            assert!(allowances.0.lock().unwrap().len() <= MAX_ADDRESSES);
        }
    }
}
