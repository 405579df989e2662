//! Deliveries: what is pushed to those who asked for it, instead of waiting to be read.

use crate::model::{DigestName, EntryId, Timestamp};
use serde::Serialize;

/// How an output of a digest is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    Webhook,
    Email,
    /// A `WebSub` hub elsewhere, which is told that a document changed.
    Hub,
    /// A subscriber of the built-in hub, who is sent the document.
    Subscription,
}

impl OutputKind {
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Email, Self::Hub, Self::Subscription];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Hub => "hub",
            Self::Subscription => "subscription",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Row number of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct OutputId(pub i64);

/// An output that the config names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredOutput {
    pub digest: DigestName,
    pub kind: OutputKind,
    /// A web address, or an address of mail.
    pub target: String,
}

/// What a delivery tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Entry(EntryId),
    Issue(EntryId),
    /// That the digest's document is another.
    Document,
}

/// Row number of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DeliveryId(pub i64);

/// A delivery that waits to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub output: OutputId,
    pub digest: DigestName,
    pub kind: OutputKind,
    pub target: String,
    pub topic: String,
    /// The subscriber's own; of a webhook it stands in the settings.
    pub secret: Option<String>,
    pub told: Told,
    /// Of the digest, when the delivery was last noted.
    pub version: i64,
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// An output and how its deliveries are doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputHealth {
    pub digest: DigestName,
    pub kind: OutputKind,
    pub target: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topic: String,
    pub waiting: u64,
    pub delivered: u64,
    pub given_up: u64,
    pub last_delivered_at: Option<Timestamp>,
    pub next_try_at: Option<Timestamp>,
    /// Of a delivery that waits for its next try, else of the newest one that was given up.
    pub last_error: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
}

/// What a reader asks of the built-in hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRequest {
    pub digest: DigestName,
    /// The document, as in `weekly.atom`.
    pub topic: String,
    pub callback: String,
    /// The callback's host, by which requests are counted.
    pub host: String,
    pub subscribes: bool,
    pub secret: Option<String>,
    pub lease_s: u32,
    pub requested_at: Timestamp,
}
