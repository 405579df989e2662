//! One writer process a data directory.
//!
//! The directory itself is locked (flock), so that deleting a lock file lets nobody in; the file
//! `veille.lock` only tells the next one whom to ask.

use super::StoreError;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::Path;

/// Held for as long as this process may write to the data directory.
#[derive(Debug)]
pub struct DirectoryLock {
    _directory: File,
}

impl DirectoryLock {
    /// Takes the lock, making the directory if need be.
    ///
    /// # Errors
    /// Another process holds it, or the directory cannot be made or written.
    pub fn take(data_dir: &Path) -> Result<Self, StoreError> {
        let unusable = |error: std::io::Error| StoreError::Unusable {
            path: data_dir.to_owned(),
            detail: format!("the data directory cannot be used: {error}"),
        };
        create_private_directory(data_dir).map_err(unusable)?;
        let directory = File::open(data_dir).map_err(unusable)?;
        let note = data_dir.join("veille.lock");
        match directory.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = std::fs::read_to_string(&note).unwrap_or_default();
                let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() }.to_owned();
                return Err(StoreError::Busy { path: data_dir.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut file = File::create(&note).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _directory: directory })
    }
}

fn create_private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_and_names_the_first_even_without_the_note() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let first = DirectoryLock::take(directory.path()).expect("free");
        let error = DirectoryLock::take(directory.path()).expect_err("taken");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        std::fs::remove_file(directory.path().join("veille.lock")).expect("there");
        assert!(matches!(DirectoryLock::take(directory.path()), Err(StoreError::Busy { .. })));
        drop(first);
        DirectoryLock::take(directory.path()).expect("free again");
    }
}
