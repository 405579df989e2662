//! The address guard: which addresses and ports a fetch may connect to.
//!
//! Pure. It judges parsed hosts and IP addresses; the client asks it at every hop for literals, the
//! resolver for every DNS answer, so that the address checked is the address connected to.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// What may be reached beside the public internet.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    pub allow_private: bool,
    pub allow_networks: Vec<IpNet>,
}

/// Why an address was refused, in words that finish "refused to connect: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "{address} is {kind}, which veille does not connect to; name its network in `allow_networks` or set `allow_private_addresses` if this is wanted"
    )]
    Address { address: IpAddr, kind: &'static str },
    #[error("port {0} does not serve web pages; give the port in the feed's own URL if this is wanted")]
    Port(u16),
    #[error("only http and https are fetched, not `{0}:`")]
    Scheme(String),
    #[error("the address names no host")]
    NoHost,
}

impl AddressPolicy {
    /// Judges everything that can be judged before DNS: scheme, port and an IP literal in whatever
    /// spelling (`url` has already turned `127.1`, `0x7f.1` and `①②7.0.0.1` into an address).
    ///
    /// `configured` is the feed's own URL: its port is the operator's word.
    pub fn check_url(&self, url: &Url, configured: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        let configured_port = url.host() == configured.host() && url.port() == configured.port();
        if !configured_port && !is_web_port(port) {
            return Err(Refusal::Port(port));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check(IpAddr::V6(address)),
            // RFC 6761 section 6.3: these names are this host, whatever a resolver says.
            Some(Host::Domain(name)) if is_localhost(name) => self.check(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Some(Host::Domain(name)) if !name.is_empty() => Ok(()),
            _ => Err(Refusal::NoHost),
        }
    }

    /// Judges one address, a literal or a DNS answer.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.allow_private {
            return Ok(());
        }
        let effective = embedded_v4(address).map_or(address, IpAddr::V4);
        if self.allow_networks.iter().any(|network| network.contains(&address) || network.contains(&effective)) {
            return Ok(());
        }
        let kind = match effective {
            IpAddr::V4(address) => special_v4(address),
            IpAddr::V6(address) => special_v6(address),
        };
        kind.map_or(Ok(()), |kind| Err(Refusal::Address { address, kind }))
    }
}

/// Whether a name is this host by RFC 6761, with or without its final dot.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The IPv4 address that an IPv6 one leads to: v4-mapped and v4-compatible (RFC 4291 section 2.5.5),
/// NAT64 (RFC 6052) and 6to4 (RFC 3056). A translator would connect us there.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => v4(high, low),
        _ => None,
    }
}

/// The special-purpose IPv4 blocks (IANA registry of RFC 6890) that are not the public internet.
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "an address of this host",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "a carrier's shared address",
        [169, 254, ..] => "a link-local address",
        [192, 0, 0, _] => "a protocol assignment",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "a documentation address",
        [192, 88, 99, _] => "a relay address",
        [198, 18 | 19, ..] => "a benchmarking address",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

/// The same for IPv6, once embedded IPv4 addresses are taken out.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "the unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        // Local-use NAT64 (RFC 8215): the prefix length, and so the IPv4 address behind it, is unknown.
        [0x64, 0xff9b, 1, ..] => "a local translation address",
        // Teredo (RFC 4380) hides an IPv4 address that it obfuscates; it is switched off everywhere.
        [0x2001, 0, ..] => "a tunnel address",
        [0x2001, 0x10..=0x3f, ..] => "an identifier, not an address",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "a documentation address",
        [0x100, 0, 0, 0, ..] => "a discard address",
        [0x2000..=0x3fff, ..] => return None,
        // RFC 4291 section 2.4: only 2000::/3 is given out as global unicast.
        _ => "a reserved address",
    })
}

/// Above 1024, what the Fetch standard's list of bad ports names and a browser would not ask either, and
/// the stores that would take a request line for a command.
const OTHER_SERVICES: [u16; 22] = [
    1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 11211,
];

fn is_web_port(port: u16) -> bool {
    matches!(port, 80 | 443) || (port >= 1024 && !OTHER_SERVICES.contains(&port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<(), Refusal> {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let configured = Url::parse("https://news.example/feed").unwrap();
        AddressPolicy::default().check_url(&url, &configured)
    }

    #[test]
    fn h01_every_spelling_of_a_private_address_is_refused() {
        for host in [
            "127.0.0.1",
            "[::1]",
            "0",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "017700000001",
            "0177.0.0.1",
            "[::ffff:7f00:1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "169.254.169.254",
            "①②7.0.0.1",
            "127.0.0.1.",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "[fc00::1]",
            "[fdff::1]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[::]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::10.0.0.1]",
            "[2002:7f00:1::]",
            "[2002:a00:1::1]",
            "[64:ff9b:1::7f00:1]",
            "[2001:0:5ef5:79fb::1]",
            "[::ffff:0:127.0.0.1]",
            "[4000::1]",
        ] {
            let refused = check(&format!("http://{host}/"));
            assert!(matches!(refused, Err(Refusal::Address { .. })), "{host}: {refused:?}");
        }
    }

    #[test]
    fn public_addresses_pass_in_every_family() {
        for host in [
            "93.184.215.14",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "223.255.255.1",
            "[2606:4700::1]",
            "[2a00:1450:4007::1]",
            "[::ffff:93.184.215.14]",
            "[64:ff9b::93.184.215.14]",
            "[2002:5db8:d70e::1]",
            "news.example",
        ] {
            assert_eq!(check(&format!("http://{host}/")), Ok(()), "{host}");
        }
    }

    #[test]
    fn h06_ports_that_are_not_the_webs_need_the_operators_word() {
        for port in [1, 22, 25, 53, 110, 143, 465, 587, 993, 6379, 6667, 11211] {
            assert_eq!(check(&format!("http://news.example:{port}/")), Err(Refusal::Port(port)));
        }
        for port in [80, 443, 3000, 8000, 8080, 8443, 49152] {
            assert_eq!(check(&format!("http://news.example:{port}/")), Ok(()), "{port}");
        }
        let configured = Url::parse("http://news.example:25/feed").unwrap();
        let policy = AddressPolicy::default();
        assert_eq!(policy.check_url(&configured, &configured), Ok(()));
        let elsewhere = Url::parse("http://other.example:25/feed").unwrap();
        assert_eq!(policy.check_url(&elsewhere, &configured), Err(Refusal::Port(25)));
    }

    #[test]
    fn h05_only_web_schemes_pass() {
        for url in ["file:///etc/passwd", "gopher://news.example/", "data:text/xml,<rss/>", "ftp://news.example/"] {
            assert!(matches!(check(url), Err(Refusal::Scheme(_))), "{url}");
        }
    }

    #[test]
    fn the_operator_may_open_one_network_or_all() {
        let lan = AddressPolicy { allow_private: false, allow_networks: vec!["192.168.7.0/24".parse().unwrap()] };
        assert_eq!(lan.check("192.168.7.9".parse().unwrap()), Ok(()));
        assert_eq!(lan.check("::ffff:192.168.7.9".parse().unwrap()), Ok(()));
        assert!(lan.check("192.168.8.9".parse().unwrap()).is_err());
        let all = AddressPolicy { allow_private: true, allow_networks: Vec::new() };
        assert_eq!(all.check("127.0.0.1".parse().unwrap()), Ok(()));
    }
}
