//! How the files of a config were when they were read, so that whoever begins to watch them learns of an edit before.

use crate::model::Timestamp;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Modification and length of each file, as they were just before it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileStamps(Vec<(PathBuf, Stamp)>);

/// `None` when the file could not be looked at.
type Stamp = Option<(SystemTime, u64)>;

impl FileStamps {
    pub(super) fn note(&mut self, path: &Path) {
        self.0.push((path.to_owned(), stamp(path)));
    }

    /// When the last of the files was modified.
    #[must_use]
    pub fn newest_at(&self) -> Option<Timestamp> {
        let modified = self.0.iter().filter_map(|(_, stamp)| Timestamp::try_from(stamp.as_ref()?.0).ok());
        modified.max()
    }

    /// Whether every file is as it was.
    pub fn are_current(&self) -> bool {
        self.0.iter().all(|(path, noted)| stamp(path) == *noted)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_and_a_removal_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("veille.toml");
        std::fs::write(&file, "a").unwrap();
        let mut stamps = FileStamps::default();
        stamps.note(&file);
        assert!(stamps.are_current());
        assert_eq!(stamps.newest_at(), std::fs::metadata(&file).unwrap().modified().unwrap().try_into().ok());
        std::fs::write(&file, "ab").unwrap();
        assert!(!stamps.are_current());
        let mut stamps = FileStamps::default();
        stamps.note(&file);
        std::fs::remove_file(&file).unwrap();
        assert!(!stamps.are_current());
    }
}
