//! What can go wrong with the store, told apart where a caller acts differently.

use crate::model::WithoutQuery;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("{}: there is no database here yet; `veille run` or `veille poll` makes one", path.display())]
    Missing { path: PathBuf },
    #[error(
        "{}: the database has schema {found}, and this veille knows only up to {known}; use a newer veille, or restore {}.before-{known}",
        path.display(), path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{}: the database has schema {found} and this veille wants {known}; start `veille run` once to bring it up to date",
        path.display()
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("{}: this is not a database of veille; move it away, or choose another data directory", path.display())]
    Foreign { path: PathBuf },
    #[error("{}: the database is damaged ({detail}); restore a backup (see `veille backup`)", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("{}: {detail}", path.display())]
    Unusable { path: PathBuf, detail: String },
    #[error("another veille (pid {pid}) works in {}; stop it, or choose another data directory", path.display())]
    Busy { path: PathBuf, pid: String },
    #[error(
        "{}: another file is here than the one that veille works with, or none: what is stored now is lost with the next start; \
         stop veille, then put the file back or restore a backup", path.display()
    )]
    Displaced { path: PathBuf },
    #[error("the disk is full: nothing was stored; make room")]
    Full,
    #[error("the store cannot be written: {0}")]
    NotWritable(String),
    #[error("the store is closed")]
    Closed,
    #[error("the query took too long and was stopped")]
    TimedOut,
    /// What a list was to go on behind is in the store no more, or never was.
    #[error("the place where this list was to go on is gone; begin with its first page")]
    PlaceGone,
    #[error("the store holds {column} that cannot be read: {detail}")]
    Content { column: &'static str, detail: String },
    #[error(transparent)]
    Feed(UnreadableFeed),
    #[error("the store failed: {0}")]
    Other(String),
}

/// What is known of one feed cannot be read, which concerns no other.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "what the store holds of the feed {} cannot be read ({detail}); restore a backup (see `veille backup`)",
    WithoutQuery(url)
)]
pub struct UnreadableFeed {
    pub url: String,
    pub detail: String,
}

impl StoreError {
    /// Whether trying again later, with nothing changed, may work.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::NotWritable(_) | Self::TimedOut)
    }

    /// What opening met.
    pub(super) fn at(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full,
            Some(Code::SystemIoFailure) if takes_no_more(error) => Self::NotWritable(in_words(error)),
            Some(Code::NotADatabase) => Self::Foreign { path },
            Some(Code::DatabaseCorrupt) => Self::Damaged { path, detail: error.to_string() },
            Some(Code::CannotOpen | Code::PermissionDenied | Code::ReadOnly) => Self::closed_to_us(path, error),
            _ => Self::Unusable { path, detail: format!("the database cannot be opened: {}", in_words(error)) },
        }
    }

    /// SQLite makes files beside a database that is only looked at, too.
    pub(super) fn closed_to_us(path: PathBuf, error: &dyn std::error::Error) -> Self {
        const HELP: &str = "looking at it, too, takes the right to write it and its directory: \
            be their owner or root, or look at a copy elsewhere";
        Self::Unusable { path, detail: format!("the database cannot be opened: {error}; {HELP}") }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full,
            Some(Code::ReadOnly | Code::CannotOpen | Code::SystemIoFailure | Code::DatabaseBusy) => {
                Self::NotWritable(in_words(&error))
            }
            Some(Code::OperationInterrupted) => Self::TimedOut,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Other(format!("the database is damaged ({error}); restore a backup (see `veille backup`)"))
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

pub(super) fn in_words(error: &rusqlite::Error) -> String {
    const REFUSED: &str = "the system takes no more of this file: make room on the disk, or raise the limit on its size \
        (`ulimit -f`, LimitFSIZE=) or the quota";
    const HELD: &str = "another program, as a `sqlite3` in a transaction, writes and does not end; end it";
    match error.sqlite_error_code() {
        _ if takes_no_more(error) => format!("{error}: {REFUSED}"),
        Some(rusqlite::ErrorCode::DatabaseBusy) => format!("{error}: {HELD}"),
        _ => error.to_string(),
    }
}

/// SQLite tells a full disk by name where it writes into the database or its log. A limit or quota, and a full disk where
/// the index of the log is made longer, are a "disk I/O error".
fn takes_no_more(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_extended_error_code(), Some(SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_another_program_keeps_locked_is_told_with_what_to_do() {
        let busy = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None);
        let told = StoreError::from(busy);
        assert!(told.is_passing() && told.to_string().contains("another program"), "{told}");
    }
}
