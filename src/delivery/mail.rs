//! An issue as a mail: text and HTML of the same stories, and the way to the mail server.

use super::retry;
use crate::config::{MailTls, SmtpSettings};
use crate::digest::{IssueList, delivery_id, issue_html, issue_plain_text};
use crate::model::{Delivery, DigestSpec, Issue, PublishedEntry, Timestamp};
use crate::store::Outcome;
use jiff::tz::TimeZone;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use maud::{DOCTYPE, PreEscaped, html};
use std::time::{Duration, SystemTime};

/// For a command to be answered by the mail server.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// For the whole conversation.
const SENDING_TIMEOUT: Duration = Duration::from_mins(2);

/// An issue, ready to be written as a mail.
pub(super) struct IssueMail<'a> {
    pub spec: &'a DigestSpec,
    pub issue: &'a Issue,
    pub entry: &'a PublishedEntry,
    pub list: &'a IssueList,
    pub time_zone: &'a TimeZone,
}

/// The mail to one reader. The same issue gives the same mail to the byte, whenever it is sent, so that a server
/// which has it already can tell.
///
/// # Errors
/// An address or a title that a mail cannot hold, in words.
pub(super) fn write(mail: &IssueMail<'_>, from: &str, to: &str) -> Result<Message, String> {
    let from: Mailbox = from.parse().map_err(|error| format!("`from` in [smtp] is no sender: {error}"))?;
    let to: Mailbox = to.parse().map_err(|error| format!("`{to}` is no mail address: {error}"))?;
    let id = delivery_id(&mail.spec.name, to.email.as_ref(), &mail.entry.id.0);
    let id = id.trim_start_matches("urn:uuid:");
    let domain = from.email.domain().to_owned();
    let unsubscribe = format!("<mailto:{}?subject=unsubscribe%20{}>", from.email, mail.spec.name.0);
    let part = |content_type: &'static str, body: String| {
        let content_type = content_type.parse().expect("a constant media type");
        SinglePart::builder().content_type(content_type).body(body)
    };
    let alternatives = MultiPart::alternative()
        .boundary(format!("={id}="))
        .singlepart(part("text/plain; charset=utf-8", text(mail)))
        .singlepart(part("text/html; charset=utf-8", page(mail)));
    Message::builder()
        .message_id(Some(format!("<{id}@{domain}>")))
        .date(system_time(mail.issue.cut_at))
        .from(from)
        .to(to)
        .subject(mail.entry.title.as_str())
        .raw_header(raw("List-Id", &format!("<{}.{domain}>", mail.spec.name.0)))
        .raw_header(raw("List-Unsubscribe", &unsubscribe))
        // RFC 3834 section 5: no out-of-office answers to a program.
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .multipart(alternatives)
        .map_err(|error| format!("the mail cannot be written: {error}"))
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn text(mail: &IssueMail<'_>) -> String {
    let url = mail.entry.url.as_deref().unwrap_or_default();
    format!("{}\n{url}\n\n{}", mail.entry.title, issue_plain_text(mail.list, url, mail.time_zone))
}

/// No style and no image: every mail client shows it, and nothing tells the sender that it was read.
fn page(mail: &IssueMail<'_>) -> String {
    let entry = mail.entry;
    let url = entry.url.as_deref().unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang=[entry.language.as_deref()] {
            head { meta charset="utf-8"; title { (entry.title) } }
            body {
                h1 { @if let Some(url) = &entry.url { a href=(url) { (entry.title) } } @else { (entry.title) } }
                (PreEscaped(issue_html(mail.list, url, mail.time_zone)))
            }
        }
    }
    .into_string()
}

/// Hands a mail to the mail server.
pub(super) async fn send(message: Message, smtp: &SmtpSettings, delivery: &Delivery, now: Timestamp) -> Outcome {
    let failed = |error: String, is_final: bool, holds_output: bool| {
        let again = || retry::next_try_at(delivery.created_at, delivery.attempts, None, fastrand::f64(), now);
        Outcome::Failed { error, next_try_at: if is_final { None } else { again() }, holds_output }
    };
    let transport = match transport(smtp) {
        Ok(transport) => transport,
        Err(error) => return failed(format!("the mail server cannot be used: {error}"), false, true),
    };
    match tokio::time::timeout(SENDING_TIMEOUT, transport.send(message)).await {
        Ok(Ok(_)) => Outcome::Delivered,
        // 55x: this reader will not get it (RFC 5321 section 4.2.3). Other refusals, such as a wrong password,
        // can be mended.
        Ok(Err(error)) => {
            let code = error.status().map(u16::from);
            let is_final = code.is_some_and(|code| (550..=559).contains(&code));
            failed(refusal(smtp, code, &error), is_final, code.is_none())
        }
        Err(_) => failed(
            format!("the mail server {} took longer than {} s", smtp.host, SENDING_TIMEOUT.as_secs()),
            false,
            true,
        ),
    }
}

/// Why a mail was not taken, as the operator can use it.
fn refusal(smtp: &SmtpSettings, code: Option<u16>, error: &lettre::transport::smtp::Error) -> String {
    let host = &smtp.host;
    // The last cause says which certificate or which name it was; those above it only that there is one.
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
    match code {
        // RFC 4954 section 6.
        Some(530 | 534 | 535 | 538) => {
            let user = smtp.login.as_ref().map_or("nobody", |login| login.username.as_str());
            format!("the mail server {host} refuses the login of {user}: {error}; see `login` in [smtp]")
        }
        Some(_) => format!("the mail server {host} did not take it: {error}"),
        None if cause.contains("certificate") => {
            format!("the mail server {host} does not prove that it is {host}: {cause}")
        }
        None if error.is_client() && cause.contains("STARTTLS") => {
            format!("the mail server {host} offers no STARTTLS on port {}: {cause}; see `tls` in [smtp]", smtp.port)
        }
        None => format!("the mail server {host} did not take it: {cause}"),
    }
}

fn transport(smtp: &SmtpSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let parameters = || TlsParameters::new_rustls(smtp.host.clone());
    let tls = match smtp.tls {
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .hello_name(ClientId::default())
        .timeout(Some(COMMAND_TIMEOUT));
    if let Some(login) = &smtp.login {
        builder = builder.credentials(Credentials::new(login.username.clone(), login.password.0.clone()));
    }
    Ok(builder.build())
}
