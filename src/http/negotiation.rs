//! Which coding to send, from `Accept-Encoding` (RFC 9110 section 12.5.3).

use axum::http::{HeaderMap, header};

/// How the bytes of an answer are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl Coding {
    pub(super) const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Brotli];

    /// The value of `Content-Encoding`; identity has none.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// The coding with the highest weight; br before gzip before identity where weights are equal.
///
/// Identity when nothing is asked for, and also when everything is refused: an answer that a client did
/// not ask for serves it better than a 406.
pub(super) fn choose_coding(headers: &HeaderMap) -> Coding {
    let accepted = Accepted::parse(headers);
    [(Coding::Brotli, accepted.brotli), (Coding::Gzip, accepted.gzip), (Coding::Identity, accepted.identity)]
        .into_iter()
        .filter(|(_, weight)| *weight > 0)
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(Coding::Identity, |(coding, _)| coding)
}

/// Weights in thousandths.
struct Accepted {
    brotli: u16,
    gzip: u16,
    identity: u16,
}

impl Accepted {
    fn parse(headers: &HeaderMap) -> Self {
        let (mut brotli, mut gzip, mut identity, mut any) = (None, None, None, None);
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            let Ok(value) = value.to_str() else { continue };
            for member in value.split(',') {
                let (coding, weight) = coding_and_weight(member);
                let is = |name: &str| coding.eq_ignore_ascii_case(name);
                if is("br") {
                    brotli = Some(weight);
                } else if is("gzip") || is("x-gzip") {
                    gzip = Some(weight);
                } else if is("identity") {
                    identity = Some(weight);
                } else if is("*") {
                    any = Some(weight);
                }
            }
        }
        let named_or_any = |named: Option<u16>| named.or(any).unwrap_or(0);
        Self {
            brotli: named_or_any(brotli),
            gzip: named_or_any(gzip),
            // Acceptable unless excluded, but never asked for: any coding that is named wins over it.
            identity: identity.unwrap_or(u16::from(any != Some(0))),
        }
    }
}

fn coding_and_weight(member: &str) -> (&str, u16) {
    let mut parts = member.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (coding, weight.map_or(1000, thousandths))
}

/// A weight like `0.8`; one that cannot be read does not ask for anything.
fn thousandths(weight: &str) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 before")]
    weight.trim().parse::<f32>().map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(accept: &str, expected: Coding) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap());
        assert_eq!(choose_coding(&headers), expected, "Accept-Encoding: {accept}");
    }

    #[test]
    fn w7_nothing_asked_for_is_identity() {
        assert_eq!(choose_coding(&HeaderMap::new()), Coding::Identity);
        check("", Coding::Identity);
        check("zstd", Coding::Identity);
    }

    #[test]
    fn w7_the_heaviest_coding_wins_and_br_breaks_ties() {
        check("gzip", Coding::Gzip);
        check("GZip", Coding::Gzip);
        check("gzip, deflate, br", Coding::Brotli);
        check("gzip;q=1.0, br;q=0.5", Coding::Gzip);
        check("gzip;q=0.8, br ; q=0.9", Coding::Brotli);
        check("*", Coding::Brotli);
        check("*;q=0.1, gzip;q=0.2", Coding::Gzip);
        check("identity, gzip;q=0.5", Coding::Identity);
    }

    #[test]
    fn w7_a_weight_of_zero_refuses() {
        check("gzip;q=0", Coding::Identity);
        check("br;q=0, gzip", Coding::Gzip);
        check("br;q=0.000, *", Coding::Gzip);
        check("identity;q=0, gzip;q=0.001", Coding::Gzip);
        check("*;q=0", Coding::Identity);
        check("gzip;q=junk", Coding::Identity);
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("deflate"));
        headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(choose_coding(&headers), Coding::Gzip);
    }
}
