//! What a digest is pushed by: its webhooks, its mail, and `[smtp]`.
//!
//! Owns their keys. An output that could never work (mail of a stream, mail without a server) is an error here,
//! not a delivery that fails later.

use super::diagnostics::{Diagnostic, quoted};
use super::reader::{Document, Table, Text, Value};
use super::secrets::Secrets;
use super::{MailTls, SmtpSettings, WebhookSettings, service, values};
use std::collections::BTreeSet;

/// `[[digests.NAME.webhooks]]`.
pub(super) fn webhooks(table: &Table<'_>, secrets: &Secrets<'_>) -> Vec<WebhookSettings> {
    let expected = "an array of tables, each with a `url`";
    let values = table.get("webhooks").and_then(|value| value.array(expected)).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut webhooks = Vec::new();
    for value in values {
        let Some(webhook) = webhook(value, secrets) else { continue };
        if seen.insert(webhook.url.to_string()) {
            webhooks.push(webhook);
        } else {
            // Its address is a secret, often: who knows it may write there.
            let host = webhook.url.host_str().unwrap_or_default();
            let message = format!("the digest has a webhook at {} twice", quoted(host));
            secrets.report.add(Diagnostic::error(value.place(), message).help("remove one").hiding_source());
        }
    }
    webhooks
}

fn webhook(value: Value<'_>, secrets: &Secrets<'_>) -> Option<WebhookSettings> {
    let table = value.table("the webhook")?;
    let url = table.text("url", "a web address").and_then(values::web_address);
    if !table.has("url") {
        table.missing("url", "write `url = \"https://…\"`");
    }
    let secret = table.get("secret").and_then(|value| secrets.alone(value, "the webhook's secret"));
    table.finish();
    Some(WebhookSettings { url: url?, secret })
}

/// `email = { to = […] }` of a periodic digest.
pub(super) fn mail_to(table: &Table<'_>, has_smtp: bool) -> Vec<String> {
    let Some(value) = table.get("email") else { return Vec::new() };
    if !table.has("every") && !table.has("cron") {
        let message = "`email` is for a periodic digest, and this one is a stream: it has no issue to mail";
        let fault = Diagnostic::error(table.place_of("email"), message);
        table.report.add(fault.help("write `every = \"day\"`, or another period, or `cron`").resting_on_absence());
    }
    if !has_smtp {
        let message = "`email` needs a mail server, and there is no valid [smtp]";
        let fault = Diagnostic::error(table.place_of("email"), message);
        table.report.add(fault.help("write `host = \"…\"` and `from = \"…\"` in [smtp]").resting_on_absence());
    }
    let Some(email) = value.table("the digest's email") else { return Vec::new() };
    let written = email.get("to").map(|value| value.texts("an array of mail addresses"));
    if !email.has("to") {
        email.missing("to", "write `to = [\"reader@example.org\"]`");
    }
    email.finish();
    let mut to = Vec::new();
    for text in written.unwrap_or_default() {
        let Some(address) = mail_address(text) else { continue };
        if to.contains(&address) {
            text.report().add(text.error(format!("{} is given twice", quoted(&address))));
        } else {
            to.push(address);
        }
    }
    to
}

/// `[smtp]`; `None` when there is none, or none that is valid.
pub(super) fn smtp(documents: &[Document], secrets: &Secrets<'_>) -> Option<SmtpSettings> {
    if documents.iter().all(|document| !document.table.keys().any(|key| key.get_ref() == "smtp")) {
        return None;
    }
    let table = Table::merged(documents, "smtp", secrets.report);
    let host = table.text("host", "a host's name").and_then(host);
    let from = table.text("from", "a mail address").and_then(mailbox);
    for (key, what) in [("host", "write `host = \"smtp.…\"`"), ("from", "write `from = \"veille <veille@…>\"`")] {
        if !table.has(key) {
            table.missing(key, what);
        }
    }
    let tls = table.get("tls").map_or(Some(MailTls::StartTls), |value| value.text(TLS_FORM).and_then(tls));
    let login = table.get("login").and_then(|value| service::login(value, "[smtp] login", secrets, &[]));
    let has_login = table.has("login");
    if has_login && tls == Some(MailTls::None) && !host.as_deref().is_some_and(is_this_machine) {
        let message = "a password would go over the network in the clear";
        let fault = Diagnostic::error(table.place_of("tls"), message);
        table.report.add(fault.help("write `tls = \"starttls\"` or `tls = \"implicit\"`"));
    }
    let port = table.get("port").and_then(|value| value.integer(1..=65_535)).and_then(|port| u16::try_from(port).ok());
    table.finish();
    let tls = tls?;
    let usual = match tls {
        MailTls::Implicit => 465,
        MailTls::StartTls => 587,
        MailTls::None => 25,
    };
    Some(SmtpSettings { host: host?, port: port.unwrap_or(usual), tls, from: from?, login })
}

fn host(text: Text<'_>) -> Option<String> {
    let host = text.text.trim();
    if host.parse::<std::net::IpAddr>().is_ok() || url::Host::parse(host).is_ok() {
        return Some(host.to_owned());
    }
    let fault = text.error(format!("{} is not a host's name", quoted(text.text)));
    text.report().add(fault.help("write one such as \"smtp.example.org\""));
    None
}

const TLS_FORM: &str = "\"starttls\", \"implicit\" or \"none\"";

fn tls(text: Text<'_>) -> Option<MailTls> {
    match text.text {
        "starttls" => Some(MailTls::StartTls),
        "implicit" => Some(MailTls::Implicit),
        "none" => Some(MailTls::None),
        other => {
            let message = format!("{} is no way to secure mail", quoted(other));
            text.report().add(text.error(message).help(format!("write {TLS_FORM}")));
            None
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn mail_address(text: Text<'_>) -> Option<String> {
    let address = text.text.trim();
    if is_mail_address(address) {
        return Some(address.to_owned());
    }
    let message = format!("{} is not a mail address", quoted(address));
    text.report().add(text.error(message).help("write one such as \"reader@example.org\""));
    None
}

/// An address, or a name with an address in angle brackets.
fn mailbox(text: Text<'_>) -> Option<String> {
    let whole = text.text.trim();
    let address = match whole.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) if !name.contains(['<', '>', '"', ',']) => address,
        _ => whole,
    };
    if is_mail_address(address) {
        return Some(whole.to_owned());
    }
    let message = format!("{} is not a sender", quoted(whole));
    text.report().add(text.error(message).help("write one such as \"veille <veille@example.org>\""));
    None
}

/// What mail servers take (RFC 5321 section 4.1.2, without quoted local parts and address literals).
fn is_mail_address(address: &str) -> bool {
    let is_atom = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let is_local =
        local.len() <= 64 && is_atom(local) && !local.contains(['@', '<', '>', '(', ')', ',', ';', ':', '"', '\\']);
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    is_local && domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_has_a_local_part_and_a_domain() {
        for address in ["a@example.org", "first.last+tag@sub.example.org", "root@localhost"] {
            assert!(is_mail_address(address), "{address}");
        }
        for address in [
            "",
            "a",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@b@c",
            "a@example..org",
            "a,b@example.org",
            "a@example.org\r\nBcc: c",
        ] {
            assert!(!is_mail_address(address), "{address:?}");
        }
    }
}
