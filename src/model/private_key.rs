//! The secret in the addresses of a private digest.

use std::fmt;
use subtle::ConstantTimeEq as _;

/// 160 random bits: who has them reads the digest, and nobody finds them by trying.
///
/// Compared in constant time, and never printed by `Debug`, so that no log tells it by accident.
#[derive(Clone)]
pub struct PrivateKey(String);

impl PrivateKey {
    pub const BYTES: usize = 20;

    /// As it stands in an address: hexadecimal, lower case.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// `None` when the text is no key of ours.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 2 * Self::BYTES && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// For an address that is shown to whom it belongs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `offered` is this key; the time it takes does not tell where they differ.
    #[must_use]
    pub fn is(&self, offered: &str) -> bool {
        self.0.as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_itself_alone_and_is_never_printed() {
        let key = PrivateKey::from_bytes(*b"twenty bytes of text");
        let text = key.reveal().to_owned();
        assert!(key.is(&text));
        for other in ["", &text[1..], &format!("{text}0"), &text.to_uppercase(), &text.replace('7', "8")] {
            assert!(!key.is(other), "{other}");
        }
        assert!(PrivateKey::from_text(&text).is_some_and(|same| same.is(&text)));
        for bad in ["", "../../", &text[1..], &text.to_uppercase()] {
            assert!(PrivateKey::from_text(bad).is_none(), "{bad}");
        }
        assert!(!format!("{key:?}").contains(&text));
    }
}
