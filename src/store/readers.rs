//! A few read-only connections, each used by one reader at a time on a blocking thread.

use super::{ReadTx, StoreError, schema};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

#[derive(Debug)]
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let connections = (0..count).map(|_| schema::open_for_reading(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { free: Arc::new(Mutex::new(connections)), permits: Arc::new(Semaphore::new(count)) })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let free = Arc::clone(&self.free);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let borrowed = Borrowed::take(&free);
            borrowed.snapshot(job)
        });
        task.await.map_err(|error| StoreError::Other(format!("a reader ended by a panic: {error}")))?
    }
}

/// A connection on loan; goes back to the others even when the reader panics.
struct Borrowed<'a> {
    connection: Option<Connection>,
    free: &'a Mutex<Vec<Connection>>,
}

impl<'a> Borrowed<'a> {
    fn take(free: &'a Mutex<Vec<Connection>>) -> Self {
        let connection = lock(free).pop().expect("a permit stands for a free connection");
        Self { connection: Some(connection), free }
    }

    fn snapshot<T>(&self, job: impl FnOnce(&ReadTx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.connection.as_ref().expect("on loan until dropped");
        connection.execute_batch("BEGIN DEFERRED")?;
        let result = job(&ReadTx { connection });
        connection.execute_batch("ROLLBACK")?;
        result
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !connection.is_autocommit() {
                // Left by a panic: the snapshot must not outlive its reader. A failure shows at the next BEGIN.
                let _ = connection.execute_batch("ROLLBACK");
            }
            lock(self.free).push(connection);
        }
    }
}

fn lock(free: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}
