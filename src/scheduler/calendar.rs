//! The calendar: what happens at set times, by tokio-cron-scheduler.
//!
//! A job only rings a bell; a worker that guards against overlap does the work and decides, from the
//! store and the zone's rules, what is really due. So a tick that is late, doubled or lost (the crate
//! admits all three under load, and keeps a zone's offset of the day a job was made) can neither
//! repeat nor drop anything: the next tick finds the same work.

use std::sync::Arc;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Looks whether an issue is due: each second, since a digest's cron has seconds.
const CUT_ISSUES: &str = "* * * * * *";
/// Retention, forgetting of old signatures, the database's own upkeep, the sites of missing feeds: off the full hour.
const HOURLY: &str = "0 17 * * * *";
/// What the operator is told of feeds follows them within a minute.
const REVIEW_FEEDS: &str = "30 * * * * *";

/// Bells that the calendar rings; one that is ringing already is not rung twice.
#[derive(Debug, Clone, Default)]
pub struct Bells {
    pub cut_issues: Arc<Notify>,
    pub maintain: Arc<Notify>,
    pub seek_missing: Arc<Notify>,
    pub review_feeds: Arc<Notify>,
}

/// The running calendar.
pub struct Calendar {
    jobs: JobScheduler,
}

impl std::fmt::Debug for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calendar")
    }
}

impl Calendar {
    /// Starts ringing `bells`.
    ///
    /// # Errors
    /// The scheduler cannot be started.
    pub async fn start(bells: &Bells) -> Result<Self, JobSchedulerError> {
        let jobs = JobScheduler::new().await?;
        for (schedule, bell) in [
            (CUT_ISSUES, &bells.cut_issues),
            (HOURLY, &bells.maintain),
            (HOURLY, &bells.seek_missing),
            (REVIEW_FEEDS, &bells.review_feeds),
        ] {
            let bell = Arc::clone(bell);
            let job = Job::new_async(schedule, move |_, _| {
                let bell = Arc::clone(&bell);
                Box::pin(async move { bell.notify_one() })
            })?;
            jobs.add(job).await?;
        }
        jobs.start().await?;
        Ok(Self { jobs })
    }

    /// Rings no more.
    pub async fn stop(mut self) {
        if let Err(error) = self.jobs.shutdown().await {
            tracing::warn!(%error, "the calendar did not stop cleanly");
        }
    }
}
