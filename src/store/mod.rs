//! The store: one SQLite file, `veille.db`, and all SQL.
//!
//! One thread writes, a few read-only connections read. `&ReadTx` can look, `&WriteTx` can change:
//! who may write shows in the signature. No rusqlite type leaves this module, so that another
//! engine stays possible; no decision is taken here that a pure module could take.

mod addresses;
mod archives;
mod articles;
mod deliveries;
mod digests;
mod error;
mod feeds;
mod items;
mod lock;
mod maintenance;
mod notices;
mod private_keys;
mod readers;
mod rows;
mod schema;
mod stories;
mod subscriptions;
mod tags;
mod texts;
mod words;
mod writer;

pub use addresses::MissingFeed;
pub use articles::{StoredArticle, WantedArticle};
pub use deliveries::{HubLimits, Outcome};
pub use digests::{DigestVersion, Entrance, NewIssue};
pub use error::{StoreError, UnreadableFeed};
pub use items::{ItemFilter, KnownItems};
pub use lock::DirectoryLock;
pub use maintenance::Counts;
pub use stories::StoredSignature;
pub use tags::StoredTag;

use crate::model::{DigestName, ItemId, Timestamp};
use readers::Readers;
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use writer::Writer;

/// Name of the database within the data directory.
pub const DATABASE_NAME: &str = "veille.db";

/// Read-only connections; a page, a digest and a refresh rarely read at once more than this.
const READERS: usize = 4;

/// The open store. Cheap to share behind an `Arc`; closing it waits for the last write.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The file that was at the path when it was opened.
    file: Option<FileNumber>,
    writer: Writer,
    readers: Readers,
}

/// Device and number of a file, which stay while it is renamed.
type FileNumber = (u64, u64);

fn file_at(path: &Path) -> Option<FileNumber> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// A consistent view for reading.
#[derive(Debug)]
pub struct ReadTx<'a> {
    connection: &'a Connection,
}

/// The one open write transaction. Whatever it changes is committed together or not at all.
#[derive(Debug)]
pub struct WriteTx<'a> {
    connection: &'a Connection,
    rollbacks: u64,
    /// The digests that the job has changed, and when. Each gets one new version when the job is done, however many
    /// stories entered it.
    changed_digests: RefCell<BTreeMap<DigestName, Timestamp>>,
    /// The words of the items that the job has stored.
    new_words: RefCell<Vec<(ItemId, String)>>,
}

impl Store {
    /// Opens or creates `veille.db` in `data_dir` and brings its schema up to date.
    ///
    /// A database of an older schema is copied beside itself (`veille.db.before-N`) before it is migrated.
    ///
    /// # Errors
    /// The directory cannot be written, the file is no SQLite database, belongs to another program, is
    /// damaged, or was written by a newer veille. The file is left as it was.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(DATABASE_NAME);
        let connection = schema::open_for_writing(&path)?;
        let readers = Readers::open(&path, READERS)?;
        Ok(Self { writer: Writer::start(connection), readers, file: file_at(&path), path })
    }

    /// Opens an existing store as it is, beside the daemon that may be using it: nothing is created,
    /// migrated or checkpointed.
    ///
    /// # Errors
    /// There is no database in `data_dir`, its schema is not this veille's, or as [`Store::open`].
    pub fn open_existing(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(DATABASE_NAME);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::Missing { path }),
            Err(error) => return Err(StoreError::closed_to_us(path, &error)),
        }
        let connection = schema::open_as_it_is(&path)?;
        let readers = Readers::open(&path, 1)?;
        Ok(Self { writer: Writer::start(connection), readers, file: file_at(&path), path })
    }

    /// Whether the open file still is the one at its path: SQLite goes on writing to one that was moved or removed.
    ///
    /// # Errors
    /// It is not.
    pub fn check_file(&self) -> Result<(), StoreError> {
        if file_at(&self.path) == self.file { Ok(()) } else { Err(StoreError::Displaced { path: self.path.clone() }) }
    }

    /// Runs `job` on a read-only snapshot, on a blocking thread.
    ///
    /// # Errors
    /// What `job` returns.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.run(job).await
    }

    /// Runs `job` in a write transaction and returns once it is on disk.
    ///
    /// Jobs that wait at the same time share one commit, each in a savepoint of its own: a job that
    /// fails takes nothing of the others with it.
    ///
    /// # Errors
    /// What `job` returns, or why the commit failed; then nothing of the job is stored.
    pub async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(job).await
    }

    /// As [`Store::write`], for a job that can run a second time: the pages that such jobs change are not copied first.
    ///
    /// It runs again when another job of the same commit failed, after all that either did was rolled back.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_repeatable<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run_repeatable(job).await
    }

    /// Runs a long `job` in a transaction that nobody shares, and returns once it is on disk.
    ///
    /// The job asks now and then, by its second argument, whether others wait to write. Then it should end, and do the rest
    /// in another transaction: those that wait come first.
    ///
    /// # Errors
    /// What `job` returns, or why the commit failed; then nothing of the job is stored.
    pub async fn write_at_length<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>, &dyn Fn() -> bool) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run_at_length(job).await
    }

    /// As [`Store::write_at_length`], for a job that adds many rows and deletes none that others refer to. The job makes
    /// sure itself that what its rows refer to is there: SQLite does not look it up once more for each of them. Its third
    /// argument is [`Store::transactions`] as it stays while it runs.
    ///
    /// # Errors
    /// As [`Store::write_at_length`].
    pub async fn write_in_bulk<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>, &dyn Fn() -> bool, u64) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run_in_bulk(job).await
    }

    /// How many transactions have ended, those in bulk apart. A bulk job that finds the number that there was before
    /// something was read knows that nothing but bulk jobs of this process has changed it since. Others may write too: see
    /// [`WriteTx::others_version`].
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.writer.ended()
    }

    /// Writes a consistent copy to `target` while the store is in use, until `proceed` says no.
    ///
    /// # Errors
    /// `target` exists or cannot be written, the database is damaged, or the copy was not to be finished; nothing of it is left.
    pub async fn backup(&self, target: PathBuf, proceed: impl Fn() -> bool + Send + 'static) -> Result<(), StoreError> {
        self.readers.run(move |tx| maintenance::backup(tx.connection, &target, &proceed)).await
    }

    /// Lets the writer keep more of the database in memory, and more of its changes in the log, while much of it is
    /// changed; or gives that back.
    ///
    /// # Errors
    /// The store is closed.
    pub async fn expect_many_changes(&self, many: bool) -> Result<(), StoreError> {
        self.writer.outside_transaction(move |connection| schema::expect_many_changes(connection, many)).await
    }

    /// Writes the log back into the database file, so that the file alone is the whole store.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.writer.outside_transaction(maintenance::checkpoint).await
    }
}

impl<'a> WriteTx<'a> {
    fn new(connection: &'a Connection, rollbacks: u64) -> Self {
        Self { connection, rollbacks, changed_digests: RefCell::default(), new_words: RefCell::default() }
    }

    /// How often anything that a job wrote was undone, by this store since it was opened. What is remembered of writes
    /// beside the store is right for as long as this number stays.
    #[must_use]
    pub fn rollbacks(&self) -> u64 {
        self.rollbacks
    }

    /// Another number once another process has committed anything (`PRAGMA data_version`): a curator's decision is made
    /// beside the daemon.
    pub fn others_version(&self) -> Result<i64, StoreError> {
        Ok(self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Writes what was put off while the job, or all that share its commit, ran.
    fn finish(&self) -> Result<(), StoreError> {
        self.raise_versions()?;
        self.index_new_items()
    }

    /// The same transaction, for looking.
    #[must_use]
    pub fn as_read(&self) -> ReadTx<'a> {
        ReadTx { connection: self.connection }
    }
}
