//! Opening the database: whose it is, how old it is, and bringing it up to date.
//!
//! Migrations only ever append. Each runs in one transaction with the version that it makes, so a
//! kill at any moment leaves the old schema or the new one.

use super::error::in_words;
use super::{StoreError, maintenance};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `veil` in ASCII: tells our database from any other (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x7665_696c;

/// All migrations in order; the schema's version (`PRAGMA user_version`) is how many have run.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_item_words.sql"),
    include_str!("../../migrations/0003_signatures.sql"),
    include_str!("../../migrations/0004_feeds_and_notices.sql"),
    include_str!("../../migrations/0005_deliveries.sql"),
    include_str!("../../migrations/0006_articles.sql"),
    include_str!("../../migrations/0007_lean_entries.sql"),
    include_str!("../../migrations/0008_archives.sql"),
    include_str!("../../migrations/0009_words_at_once.sql"),
    include_str!("../../migrations/0010_ended_subscriptions.sql"),
    include_str!("../../migrations/0011_local_indexes.sql"),
    include_str!("../../migrations/0012_held_outputs.sql"),
    include_str!("../../migrations/0013_removed_feeds.sql"),
    include_str!("../../migrations/0014_broken_feeds.sql"),
    include_str!("../../migrations/0015_asked_holds.sql"),
];

/// How long a command waits for the daemon's write to end, and the reverse.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the write-ahead log may keep on disk after a checkpoint.
const WAL_LIMIT_BYTES: i64 = 64 << 20;

/// Pages of the log after which they are written into the database. When many feeds bring items at once, the same pages
/// of the indexes change in commit after commit: the longer the log, the fewer of them are written twice.
const WAL_PAGES: i64 = 8192;

/// Copies made before migrations that stay: the last one, and one more for who notices late.
const COPIES_KEPT: usize = 2;

/// Pages of the indexes that the writer keeps at hand.
const WRITER_CACHE_KIB: i64 = 4 << 10;

pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    create_private(path).map_err(|error| StoreError::Unusable {
        path: path.to_owned(),
        detail: format!("{error}; veille needs a data directory that it may write to"),
    })?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = checked_version(path, &connection)?;
    configure_writer(&connection).map_err(|error| StoreError::at(path, &error))?;
    let known = known_version();
    let is_older = version > 0 && version < known;
    let copy = copy_before(path, version);
    if is_older && !copy.exists() {
        maintenance::copy(&connection, &copy)?;
    }
    // A table that others refer to is made anew without their noticing.
    enforce_references(&connection, path, false)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        migrate(&mut connection, sql, index + 1).map_err(|error| StoreError::Unusable {
            path: path.to_owned(),
            detail: format!("migration {} failed, the database is as it was: {}", index + 1, in_words(&error)),
        })?;
    }
    enforce_references(&connection, path, true)?;
    if is_older {
        tracing::info!(
            from = version,
            to = known,
            copy = %copy.display(),
            "the database has the schema of this veille now; the copy of it as it was may go once all is well"
        );
        remove_old_copies(path, version);
    }
    Ok(connection)
}

/// The copy of a database as it was before it was migrated from `version`.
fn copy_before(path: &Path, version: i64) -> PathBuf {
    path.with_extension(format!("db.before-{version}"))
}

/// Removes the copies made before earlier migrations but for the newest, and what a kill has left of one, SQLite's journal
/// of it too.
fn remove_old_copies(path: &Path, version: i64) {
    let copies = (1..=version).rev().map(|version| copy_before(path, version)).filter(|copy| copy.exists());
    let beside = path.parent().and_then(|directory| directory.read_dir().ok()).into_iter().flatten().flatten();
    let unfinished = beside.map(|entry| entry.path()).filter(|found| {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(super::DATABASE_NAME) && name.contains(maintenance::PARTIAL)
    });
    for copy in copies.skip(COPIES_KEPT).chain(unfinished) {
        match std::fs::remove_file(&copy) {
            Ok(()) => tracing::info!(copy = %copy.display(), "removed an older copy of the database"),
            Err(error) => {
                tracing::warn!(copy = %copy.display(), %error, "an older copy of the database cannot be removed");
            }
        }
    }
}

/// A database that some `veille run` made, neither created nor migrated.
pub(super) fn open_as_it_is(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let (found, known) = (checked_version(path, &connection)?, known_version());
    if found < known {
        return Err(StoreError::Older { path: path.to_owned(), found, known });
    }
    configure_writer(&connection).map_err(|error| StoreError::at(path, &error))?;
    Ok(connection)
}

pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    // Not SQLITE_OPEN_READ_ONLY: a reader of a WAL database must be able to make its -shm file.
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| StoreError::at(path, &error))?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let at = |error| StoreError::at(path, &error);
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(at)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(at)?;
    // Otherwise a misspelt column in double quotes is silently a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(at)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false).map_err(at)?;
    // Else a statement is planned anew whenever a bound value changes: a tenth of the time of writing, for equal plans.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(at)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// The database holds what people read and their private digests: for its owner alone, as is each copy of it.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(drop)
}

/// The schema's version, 0 for a new file, once the file is known to be ours.
fn checked_version(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let pragma = |name: &str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(|error| StoreError::at(path, &error))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| StoreError::at(path, &error))?;
    let known = known_version();
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, found) if found > known => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        (APPLICATION_ID, found) => Ok(found),
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful of migrations")
}

fn enforce_references(connection: &Connection, path: &Path, enforce: bool) -> Result<(), StoreError> {
    connection.pragma_update(None, "foreign_keys", enforce).map_err(|error| StoreError::at(path, &error))
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL syncs the log at each commit: an item that was stored survives a power cut, and with it
    // the promise that a validator never claims more than the store holds. One commit a refresh pays for it.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", WAL_LIMIT_BYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")
}

/// Pages that a run over the archive comes back to: the ends of every tag's and digest's part of their indexes.
const CACHE_FOR_MANY_CHANGES_KIB: i64 = 32 << 10;
/// Those pages change in commit after commit.
const WAL_PAGES_FOR_MANY_CHANGES: i64 = 32_768;

pub(super) fn expect_many_changes(connection: &Connection, many: bool) -> Result<(), StoreError> {
    let (cache_kib, wal_pages) =
        if many { (CACHE_FOR_MANY_CHANGES_KIB, WAL_PAGES_FOR_MANY_CHANGES) } else { (WRITER_CACHE_KIB, WAL_PAGES) };
    // Negative: in KiB, not in pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "wal_autocheckpoint", wal_pages)?;
    if !many {
        connection.execute_batch("PRAGMA shrink_memory")?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, sql: &str, version: usize) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(version).expect("a handful of migrations"))?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn a_new_database_gets_every_migration_and_opens_again() {
        let directory = directory();
        let path = directory.path().join("veille.db");
        for _ in 0..2 {
            let connection = open_for_writing(&path).expect("opens");
            let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("pragma");
            assert_eq!(version, i64::try_from(MIGRATIONS.len()).expect("small"));
        }
    }

    #[test]
    fn a_database_of_each_older_schema_is_copied_and_brought_up_to_date() {
        for version in 1..MIGRATIONS.len() {
            let directory = directory();
            let path = directory.path().join("veille.db");
            let mut old = Connection::open(&path).expect("opens");
            for (index, sql) in MIGRATIONS.iter().take(version).enumerate() {
                migrate(&mut old, sql, index + 1).expect("migrates");
            }
            drop(old);
            let connection = open_for_writing(&path).expect("opens");
            let now: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("pragma");
            assert_eq!(now, known_version());
            assert!(path.with_extension(format!("db.before-{version}")).exists());
        }
    }

    #[test]
    fn a_database_of_a_newer_veille_is_refused_untouched() {
        let directory = directory();
        let path = directory.path().join("veille.db");
        let connection = open_for_writing(&path).expect("opens");
        connection.pragma_update(None, "user_version", 999).expect("pragma");
        drop(connection);
        let error = open_for_writing(&path).expect_err("refused");
        assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error}");
    }

    #[test]
    fn an_older_database_keeps_its_stories_and_recent_signatures_and_leaves_a_copy_of_itself() {
        let directory = directory();
        let path = directory.path().join("veille.db");
        create_private(&path).expect("creates");
        let mut connection = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opens");
        let step = MIGRATIONS.iter().position(|sql| sql.contains("recent_signatures")).expect("a migration");
        for (index, sql) in MIGRATIONS[..step].iter().enumerate() {
            migrate(&mut connection, sql, index + 1).expect("migrates");
        }
        let item = "INSERT INTO feeds (feed_id, url) VALUES (3, 'https://a.test/feed');
             INSERT INTO stories (story_id, entry_id, created_at) VALUES (5, 'urn:x', 1), (6, 'urn:y', 20), (9, 'urn:z', 30);
             DELETE FROM stories WHERE story_id = 9;
             INSERT INTO items (item_id, feed_id, story_id, item_key, link_key, content_key, content_hash, title, authors, categories,
                 summary, content_html, content_text, enclosures, first_seen_at, changed_at, ordered_at)
             VALUES (7, 3, 5, 'k', 'l-0123456789abcdef0123456789abcdef', 'c', zeroblob(16), 'T', '[]', '[]', '', '', '', '[]', 20, 20, 10),
                    (8, 3, 6, 'm', NULL, 'c', zeroblob(16), 'T', '[]', '[]', '', '', '', '[]', 20, 20, 10);
             INSERT INTO digests (digest, kind, title, query, configured, changed_at, created_at)
             VALUES ('d', 'stream', 'D', 'a', 1, 1, 1);
             INSERT INTO digest_entries (digest, story_id, entered_at, updated_at, ordered_at) VALUES ('d', 6, 1, 1, 1);
             INSERT INTO signatures (item_id, signature) VALUES (7, x'0100');
             INSERT INTO signature_bands (band, hash, item_id) VALUES (0, 1, 7);";
        connection.execute_batch(item).expect("an item");
        drop(connection);
        let connection = open_for_writing(&path).expect("migrates");
        let check = |sql: &str, expected: &str| {
            let mut statement = connection.prepare(sql).expect("SQL");
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
            let found: Vec<String> = rows.collect::<Result<_, _>>().expect("texts");
            assert_eq!(found.join(", "), expected, "{sql}");
        };
        let link_hash = 0x0012_3456_789a_bcde_i64;
        check(
            "SELECT concat_ws(' ', item_id, story_id, feed_id, ordered_at, hex(signature), link_hash) FROM recent_signatures",
            &format!("7 5 3 10 0100 {link_hash}"),
        );
        check("SELECT concat_ws(' ', story_id, entry_id, created_at) FROM stories", "5 urn:x 1, 6 urn:y 20");
        check("SELECT concat_ws(' ', story_id, entry_id) FROM bereft_stories", "5 urn:x");
        check("SELECT concat_ws(' ', digest, story_id) FROM digest_entries", "d 6");
        check("SELECT seq || '' FROM sqlite_sequence WHERE name = 'stories'", "9");
        check("SELECT concat_ws(' ', \"table\", parent) FROM pragma_foreign_key_check", "");
        check("SELECT foreign_keys || '' FROM pragma_foreign_keys", "1");
        let copy = std::fs::metadata(path.with_extension(format!("db.before-{step}"))).expect("a copy");
        assert_eq!(copy.permissions().mode() & 0o777, 0o600, "as private as the database");
    }

    #[test]
    fn another_programs_database_and_a_plain_text_are_refused_untouched() {
        let directory = directory();
        let other = directory.path().join("other.db");
        Connection::open(&other).expect("opens").execute_batch("CREATE TABLE t (a)").expect("creates");
        assert!(matches!(open_for_writing(&other), Err(StoreError::Foreign { .. })));
        let text = directory.path().join("text.db");
        let words = "this is a letter, not a database. ".repeat(200);
        std::fs::write(&text, &words).expect("writes");
        assert!(matches!(open_for_writing(&text), Err(StoreError::Foreign { .. })));
        assert_eq!(std::fs::read_to_string(&text).expect("reads"), words);
    }

    #[test]
    fn the_database_is_for_its_owner_alone() {
        let directory = directory();
        let path = directory.path().join("veille.db");
        open_for_writing(&path).expect("opens");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
