//! The store: one `SQLite` file, all SQL, one writer.
