//! A few read-only connections, each on a thread of its own.

use super::{ReadTx, StoreError, schema};
use crate::threads::Threads;
use rusqlite::Connection;
use std::path::Path;

#[derive(Debug)]
pub(super) struct Readers {
    threads: Threads<Connection>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let connections = (0..count).map(|_| schema::open_for_reading(path)).collect::<Result<Vec<_>, _>>()?;
        let threads = Threads::start("store-reader", connections.into_iter().map(|connection| move || connection));
        Ok(Self { threads })
    }

    /// Runs `job` on a snapshot.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let done = self.threads.work(|connection| snapshot(connection, job)).await;
        done.unwrap_or_else(|| Err(StoreError::Other("a reader ended by a panic".to_owned())))
    }
}

fn snapshot<T>(
    connection: &Connection,
    job: impl FnOnce(&ReadTx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN DEFERRED")?;
    let _end = Ended(connection);
    job(&ReadTx { connection })
}

/// Ends the snapshot, also when its reader panics. A failure shows at the next one's beginning.
struct Ended<'a>(&'a Connection);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}
