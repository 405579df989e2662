//! Transactions of the one connection that writes: begun, committed or undone, with a job in each or in a savepoint of one.

use super::super::{StoreError, WriteTx};
use rusqlite::Connection;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The connection of the thread.
pub(super) struct Session {
    pub(super) connection: Connection,
    /// How often anything was undone: what a job remembers beside the store is right for as long as this stays.
    rollbacks: Cell<u64>,
}

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, rollbacks: Cell::new(0) }
    }

    /// The open transaction, for a job.
    pub(super) fn tx(&self) -> WriteTx<'_> {
        WriteTx::new(&self.connection, self.rollbacks.get())
    }

    fn note_rollback(&self) {
        self.rollbacks.set(self.rollbacks.get() + 1);
    }

    pub(super) fn begin(&self) -> Result<(), StoreError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    pub(super) fn roll_back(&self) -> Result<(), StoreError> {
        self.note_rollback();
        // SQLite has done so by itself when the disk is full.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// Without a savepoint, which would keep a copy of every page that the job changes.
    pub(super) fn in_own_transaction<T>(
        &self,
        job: impl FnOnce(&WriteTx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.begin()?;
        let done = self.run_job(job).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            self.roll_back()?;
        }
        done
    }

    /// Runs a job in the open transaction, to its end.
    fn run_job<T>(&self, job: impl FnOnce(&WriteTx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let tx = self.tx();
        caught(|| job(&tx)).and_then(|value| tx.finish().map(|()| value))
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            // SQLite does so by itself when the disk is full: nothing of the batch is stored.
            self.note_rollback();
            return Err(StoreError::NotWritable("the transaction was rolled back, as by a full disk".into()));
        }
        self.connection.execute_batch("COMMIT").map_err(|error| {
            self.note_rollback();
            let _ = self.connection.execute_batch("ROLLBACK");
            StoreError::from(error)
        })
    }

    pub(super) fn in_savepoint<T>(
        &self,
        job: impl FnOnce(&WriteTx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.connection.is_autocommit() {
            return Err(StoreError::NotWritable("no transaction is open".into()));
        }
        self.connection.prepare_cached("SAVEPOINT job")?.execute([])?;
        let result = self.run_job(job);
        if result.is_err() {
            self.note_rollback();
        }
        if !self.connection.is_autocommit() {
            if result.is_err() {
                self.connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
            }
            self.connection.prepare_cached("RELEASE job")?.execute([])?;
        }
        result
    }
}

/// A job that panics has failed as another may: its message was printed, and what it wrote is undone. The thread goes on,
/// without which nothing would be stored any more.
pub(super) fn caught<T>(job: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let ended = catch_unwind(AssertUnwindSafe(job));
    ended.unwrap_or_else(|_| {
        Err(StoreError::Other("a write ended by a panic; this is a defect, please report it".into()))
    })
}
