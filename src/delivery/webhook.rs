//! What a webhook is sent: a JSON document, its id, and a signature as Standard Webhooks describes it.

use crate::digest::delivery_id;
use crate::model::{Delivery, DigestSpec, PublishedEntry, Timestamp, Told};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

/// Of the body's form: raised when a field changes its meaning or goes, not when one is added.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    id: &'a str,
    /// `entry` or `issue`.
    event: &'static str,
    digest: About<'a>,
    entry: &'a PublishedEntry,
}

#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    title: &'a str,
    url: &'a str,
}

/// The id of a delivery, the same at every try: what a receiver has seen it need not take again.
pub(super) fn id(delivery: &Delivery) -> String {
    let subject = match &delivery.told {
        Told::Entry(entry) | Told::Issue(entry) => entry.0.as_str(),
        Told::Document => "",
    };
    delivery_id(&delivery.digest, &delivery.target, subject)
}

pub(super) fn body(id: &str, spec: &DigestSpec, page_url: &str, told: &Told, entry: &PublishedEntry) -> Vec<u8> {
    let event = if matches!(told, Told::Issue(_)) { "issue" } else { "entry" };
    let digest = About { name: &spec.name.0, title: &spec.title, url: page_url };
    let body = Body { version: VERSION, id, event, digest, entry };
    serde_json::to_vec(&body).expect("a document of strings and numbers is JSON")
}

/// The headers of a try at `now`, with a signature where there is a secret.
pub(super) fn headers(id: &str, body: &[u8], secret: Option<&str>, now: Timestamp) -> Vec<(&'static str, String)> {
    let timestamp = now.as_second();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
    ];
    headers.extend(secret.map(|secret| ("webhook-signature", signature(id, timestamp, body, secret))));
    headers
}

/// HMAC-SHA-256 over `ID.TIMESTAMP.BODY`: a message cannot be changed, nor sent again much later.
/// A secret that begins with `whsec_` is Base64, as the receivers' libraries make them; any other is its own bytes.
fn signature(id: &str, timestamp: i64, body: &[u8], secret: &str) -> String {
    let encoded = secret.strip_prefix("whsec_").and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    let key = encoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let signed = hmac_sha256(&key, &[id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body]);
    format!("v1,{}", BASE64_STANDARD.encode(signed))
}

pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key of HMAC has any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the specification and of its libraries' tests.
        let signed = signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let hex: String = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn without_a_secret_there_is_no_signature() {
        let names: Vec<&str> =
            headers("id", b"{}", None, Timestamp::UNIX_EPOCH).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-type", "webhook-id", "webhook-timestamp"]);
    }
}
