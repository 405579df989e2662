//! What the rest of the daemon says of itself, for `/healthz`, `/readyz` and the pages.

use crate::model::Timestamp;
use jiff::SignedDuration;
use serde::Serialize;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A scheduler that was silent for so long has stalled; it beats at least every few seconds.
const SCHEDULER_SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// A reload that was refused, because the config has errors; the one before stays in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedReload {
    pub refused_at: Timestamp,
    /// The diagnostics, as `veille check` prints them.
    pub error: String,
}

/// Shared by those who report and those who tell.
#[derive(Debug)]
pub struct Health {
    /// Milliseconds since 1970.
    scheduler_beat_ms: AtomicI64,
    refused_reload: Mutex<Option<RefusedReload>>,
}

impl Health {
    /// `started_at` counts as the scheduler's first beat, so that a start is not a stall.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        Self { scheduler_beat_ms: AtomicI64::new(started_at.as_millisecond()), refused_reload: Mutex::new(None) }
    }

    /// The scheduler's loop has come round.
    pub fn scheduler_beats(&self, now: Timestamp) {
        self.scheduler_beat_ms.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// For how long the scheduler has been silent, once that is too long.
    pub(super) fn scheduler_stall(&self, now: Timestamp) -> Option<SignedDuration> {
        let beat_ms = self.scheduler_beat_ms.load(Ordering::Relaxed);
        let silence = SignedDuration::from_millis(now.as_millisecond().saturating_sub(beat_ms));
        (silence > SCHEDULER_SILENCE).then_some(silence)
    }

    /// Whether the scheduler's loop has come round lately.
    #[must_use]
    pub fn scheduler_is_alive(&self, now: Timestamp) -> bool {
        self.scheduler_stall(now).is_none()
    }

    pub fn reload_refused(&self, now: Timestamp, error: String) {
        *self.reload() = Some(RefusedReload { refused_at: now, error });
    }

    pub fn reload_accepted(&self) {
        *self.reload() = None;
    }

    #[must_use]
    pub fn refused_reload(&self) -> Option<RefusedReload> {
        self.reload().clone()
    }

    fn reload(&self) -> std::sync::MutexGuard<'_, Option<RefusedReload>> {
        self.refused_reload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
