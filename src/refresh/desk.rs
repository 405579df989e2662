//! What visits share beside the store: a few places where documents are worked on, and the memory of recent items.

use crate::model::Timestamp;
use crate::store::{StoreError, StoredSignature, WriteTx};
use crate::stories::{self, RecentItems, Signature, Teller};
use crate::threads::Threads;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Documents held in memory as items at once, from reading to stored: what bounds memory when thousands arrive together.
const DOCUMENTS_MAX: usize = 32;

/// Of 19; a thread that gets a tenth of what one of 0 gets beside it (setpriority(2), on Linux of a thread alone).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// One for the process; clones share it.
#[derive(Debug, Clone)]
pub struct Desk {
    documents: Arc<Semaphore>,
    /// Read and classify documents: as many as there are processors. They give way to the other threads: to the one that
    /// writes, which everything waits for when thousands of documents come at once (measured on two cores: a tenth off
    /// the whole), and to those that answer readers.
    readers: Arc<Threads<()>>,
    /// `None` until an item arrives; with the rollbacks that the store had counted by then.
    recent: Arc<Mutex<Option<(u64, RecentItems)>>>,
}

impl Default for Desk {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            documents: Arc::new(Semaphore::new(DOCUMENTS_MAX)),
            readers: Arc::new(Threads::start("reader", (0..processors).map(|_| give_way))),
            recent: Arc::default(),
        }
    }
}

impl Desk {
    /// A place for one document; held until it is stored.
    pub(super) async fn document(&self) -> SemaphorePermit<'_> {
        self.documents.acquire().await.expect("the desk is never closed")
    }

    /// Does work that takes processor time on a thread for it.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.readers.work(|()| work()).await;
        done.ok_or_else(|| StoreError::Other("reading a document ended by a panic".to_owned()))
    }

    /// Lends the memory of recent items, read from the store when first needed, and again once the store has undone
    /// anything: that may have been an item remembered here.
    pub(super) fn with_recent<T>(
        &self,
        tx: &WriteTx<'_>,
        now: Timestamp,
        work: impl FnOnce(&mut RecentItems) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        match recent.as_mut() {
            Some((rollbacks, recent)) if *rollbacks == tx.rollbacks() => work(recent),
            _ => work(&mut recent.insert((tx.rollbacks(), remembered(tx, now)?)).1),
        }
    }
}

/// Where it is refused, as by the systemd unit, the thread works as the others do.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

fn remembered(tx: &WriteTx<'_>, now: Timestamp) -> Result<RecentItems, StoreError> {
    let since = now.checked_sub(stories::WINDOW).unwrap_or(Timestamp::MIN);
    let mut recent = RecentItems::default();
    tx.as_read().visit_recent_signatures(since, RecentItems::ITEMS_MAX, |stored| {
        let StoredSignature { story_id, feed_id, ordered_at, first_seen_at, link, signature } = stored;
        // What an older version kept is not compared: those items of three days are found by their links alone.
        let signature = Signature::from_bytes(signature).unwrap_or_else(|| Signature::of("", ""));
        let teller = Teller { story_id, feed_id, ordered_at, link, signature: &signature };
        recent.add(teller, &signature.bands(), first_seen_at);
    })?;
    Ok(recent)
}
