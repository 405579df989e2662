//! Signatures of deliveries: `X-Hub-Signature: METHOD=HEX` (W3C WebSub section 8).

use hmac::Hmac;
use hmac::digest::{FixedOutput, KeyInit, Update};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// Whether `header` signs `body` with `secret`; the time it takes does not tell how nearly.
pub(super) fn is_signed(header: &str, secret: &str, body: &[u8]) -> bool {
    let Some((method, signature)) = header.trim().split_once('=') else { return false };
    let expected = match method.to_ascii_lowercase().as_str() {
        "sha1" => mac::<Hmac<Sha1>>(secret, body),
        "sha256" => mac::<Hmac<Sha256>>(secret, body),
        "sha384" => mac::<Hmac<Sha384>>(secret, body),
        "sha512" => mac::<Hmac<Sha512>>(secret, body),
        _ => return false,
    };
    expected.as_bytes().ct_eq(signature.trim().to_ascii_lowercase().as_bytes()).into()
}

/// In hexadecimal, lower case.
fn mac<M: KeyInit + Update + FixedOutput>(secret: &str, body: &[u8]) -> String {
    let mut mac = M::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.finalize_fixed().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 case 2 and RFC 4231 case 2: the key `Jefe`.
    const BODY: &[u8] = b"what do ya want for nothing?";
    const SHA1: &str = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    const SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn known_answers_are_accepted_in_either_case() {
        assert!(is_signed(&format!("sha1={SHA1}"), "Jefe", BODY));
        assert!(is_signed(&format!("SHA256={}", SHA256.to_uppercase()), "Jefe", BODY));
        for (method, digits) in [("sha384", 96), ("sha512", 128)] {
            let made = if method == "sha384" { mac::<Hmac<Sha384>>("k", BODY) } else { mac::<Hmac<Sha512>>("k", BODY) };
            assert_eq!(made.len(), digits);
            assert!(is_signed(&format!("{method}={made}"), "k", BODY));
        }
    }

    #[test]
    fn anything_else_is_not() {
        let (cut, other_method) = (format!("sha1={}", &SHA1[..38]), format!("sha256={SHA1}"));
        for header in ["", "sha1", "sha1=", "md5=00", SHA1, &cut, &other_method] {
            assert!(!is_signed(header, "Jefe", BODY), "{header}");
        }
        assert!(!is_signed(&format!("sha1={SHA1}"), "Jefe", b"another body"));
        assert!(!is_signed(&format!("sha1={SHA1}"), "another secret", BODY));
    }
}
