//! What is said to `WebSub` hubs and subscribers (W3C Recommendation of 23 January 2018).

use super::webhook::hmac_sha256;
use crate::export::Format;
use crate::model::SubscriptionRequest;
use url::Url;
use url::form_urlencoded::Serializer;

/// Tells a hub that these documents changed. The recommendation leaves the form to the hub (section 6); this one,
/// of `PubSubHubbub` 0.4, is what public hubs take. Some of them call the address `hub.topic`.
pub(super) fn ping(topics: &[String]) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("hub.mode", "publish");
    for topic in topics {
        form.append_pair("hub.url", topic);
        form.append_pair("hub.topic", topic);
    }
    form.finish()
}

/// The headers with which a subscriber is sent a document (section 7): its type, where it is from, and,
/// if the subscriber gave a secret, a signature over the body (section 7.1).
pub(super) fn distribution_headers(
    topic_url: &str,
    hubs: &[String],
    format: Format,
    secret: Option<&str>,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("content-type", format.content_type().to_owned()), ("link", format!("<{topic_url}>; rel=\"self\""))];
    headers.extend(hubs.iter().map(|hub| ("link", format!("<{hub}>; rel=\"hub\""))));
    headers.extend(secret.map(|secret| {
        let hex: String = hmac_sha256(secret.as_bytes(), &[body]).iter().map(|byte| format!("{byte:02x}")).collect();
        ("x-hub-signature", format!("sha256={hex}"))
    }));
    headers
}

/// The address at which a reader is asked whether it meant its request (section 5.3). What the callback's query
/// holds already stays.
pub(super) fn verification(request: &SubscriptionRequest, callback: &Url, topic_url: &str, challenge: &str) -> Url {
    let mut url = callback.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("hub.mode", if request.subscribes { "subscribe" } else { "unsubscribe" });
    query.append_pair("hub.topic", topic_url);
    query.append_pair("hub.challenge", challenge);
    if request.subscribes {
        query.append_pair("hub.lease_seconds", &request.lease_s.to_string());
    }
    drop(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DigestName, Timestamp};

    #[test]
    fn a_callback_keeps_its_own_query() {
        let callback = Url::parse("https://reader.example/cb?id=7%2F8").unwrap();
        let request = SubscriptionRequest {
            digest: DigestName("ai".into()),
            topic: "ai.atom".into(),
            callback: callback.to_string(),
            host: "reader.example".into(),
            subscribes: true,
            secret: None,
            lease_s: 60,
            requested_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(
            verification(&request, &callback, "https://w.example/ai.atom", "c").as_str(),
            "https://reader.example/cb?id=7%2F8&hub.mode=subscribe&hub.topic=https%3A%2F%2Fw.example%2Fai.atom\
             &hub.challenge=c&hub.lease_seconds=60"
        );
    }

    #[test]
    fn a_document_is_signed_only_for_who_gave_a_secret() {
        let names = |secret| -> Vec<&str> {
            distribution_headers("t", &["h".into()], Format::Atom, secret, b"x")
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        assert_eq!(names(None), ["content-type", "link", "link"]);
        assert_eq!(names(Some("s")), ["content-type", "link", "link", "x-hub-signature"]);
    }
}
