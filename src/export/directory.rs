//! Published documents as a directory of files, for people who serve them by nginx or as static pages.
//!
//! A reader never sees half a file: each is written beside its place and renamed into it. A file whose
//! bytes did not change is not touched, so the validators that a web server makes of its time stay.
//! Nothing outside the directory is written or removed, and inside only what an export wrote.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

/// Lists the files that the last export wrote, a path a line.
const MANIFEST: &str = ".veille-export";
/// Where a file is written before it is renamed; one export runs at a time, so one name suffices.
const UNFINISHED: &str = ".veille-export.unfinished";

/// What an export did, in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Written {
    pub changed: usize,
    pub unchanged: usize,
    pub removed: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A path leads out of the directory, through a link, or is no path.
    #[error("cannot export to `{0}`: it must be a plain path below the directory")]
    BadPath(String),
    /// Two files would be one, at least where upper and lower case are the same.
    #[error("cannot export `{0}` and `{1}`: they would share a file; rename one")]
    SharedPath(String, String),
    #[error("another export is writing to {0}; try again when it has ended")]
    Busy(PathBuf),
    #[error("cannot write {path}")]
    Io { path: PathBuf, source: io::Error },
}

/// An export under way: makes a directory hold exactly the files that are written to it, beside whatever it holds that is not
/// ours. The files of years are many, so that they come one by one.
#[derive(Debug)]
pub struct Export {
    directory: PathBuf,
    /// The only one at work, as long as this is open.
    lock: File,
    /// What the last export wrote, or may have begun to.
    old: BTreeSet<String>,
    announced: BTreeSet<String>,
    done: BTreeSet<String>,
    written: Written,
}

impl Export {
    /// Begins an export of at most these files: paths below the directory, with `/` between names.
    ///
    /// # Errors
    /// Nothing is changed when a path is bad, two share a file or another export is at work.
    pub fn begin(directory: &Path, paths: &[String]) -> Result<Self, DirectoryError> {
        let announced = checked_paths(paths)?;
        fs::create_dir_all(directory).map_err(at(directory))?;
        let lock = File::open(directory).map_err(at(directory))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::Busy(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(at(directory)(source)),
        }
        for path in &announced {
            refuse_links(directory, path)?;
        }
        let old = read_manifest(directory)?;
        // Until the work is done the manifest names old and new files: whatever is there after a crash is known to be ours.
        write_manifest(directory, &old.union(&announced).cloned().collect())?;
        let (directory, done, written) = (directory.to_owned(), BTreeSet::new(), Written::default());
        Ok(Self { directory, lock, old, announced, done, written })
    }

    /// Writes one of the files that were announced.
    ///
    /// # Errors
    /// It was not announced, or an I/O error, which leaves every file either as it was or as it is to be: a later export
    /// completes the work.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        if !self.announced.contains(path) {
            return Err(DirectoryError::BadPath(path.to_owned()));
        }
        if replace(&self.directory, path, bytes)? {
            self.written.changed += 1;
        } else {
            self.written.unchanged += 1;
        }
        self.done.insert(path.to_owned());
        Ok(())
    }

    /// Removes what an earlier export wrote and this one did not.
    ///
    /// # Errors
    /// An I/O error; a later export completes the work.
    pub fn finish(mut self) -> Result<Written, DirectoryError> {
        for path in self.old.difference(&self.done) {
            self.written.removed += usize::from(remove(&self.directory, path)?);
        }
        write_manifest(&self.directory, &self.done)?;
        self.lock.sync_all().map_err(at(&self.directory))?;
        Ok(self.written)
    }
}

fn checked_paths(files: &[String]) -> Result<BTreeSet<String>, DirectoryError> {
    let mut paths = BTreeSet::new();
    let mut folded: std::collections::BTreeMap<String, &str> = std::collections::BTreeMap::new();
    for path in files {
        if !is_plain(path) {
            return Err(DirectoryError::BadPath(path.clone()));
        }
        if let Some(other) = folded.insert(path.to_lowercase(), path) {
            return Err(DirectoryError::SharedPath(other.to_owned(), path.clone()));
        }
        paths.insert(path.clone());
    }
    for (lower, path) in &folded {
        let mut parents = lower.match_indices('/').map(|(end, _)| &lower[..end]);
        if let Some(file) = parents.find_map(|parent| folded.get(parent)) {
            return Err(DirectoryError::SharedPath((*file).to_owned(), (*path).to_owned()));
        }
    }
    Ok(paths)
}

/// Only names between single slashes: no root, no `.` or `..`, no other system's separator, nothing that a
/// line of the manifest cannot hold, none of our own two files.
fn is_plain(path: &str) -> bool {
    let is_component = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', '\0', '\n', '\r']);
    let only_normal = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    path.split('/').all(is_component) && only_normal && path != MANIFEST && path != UNFINISHED
}

/// A symbolic link below the directory would lead the writer out of it.
fn refuse_links(directory: &Path, path: &str) -> Result<(), DirectoryError> {
    for (end, _) in path.match_indices('/') {
        match fs::symlink_metadata(directory.join(&path[..end])) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(DirectoryError::BadPath(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(at(&directory.join(&path[..end]))(source)),
        }
    }
    Ok(())
}

/// Whether the file had to be written.
fn replace(directory: &Path, path: &str, bytes: &[u8]) -> Result<bool, DirectoryError> {
    let target = directory.join(path);
    let is_file =
        fs::symlink_metadata(&target).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes.len() as u64);
    if is_file && fs::read(&target).is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let unfinished = directory.join(UNFINISHED);
    let write = || -> io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &target)
    };
    write().map_err(at(&target))?;
    Ok(true)
}

/// Whether there was a file to remove. Directories that are empty after it go too.
fn remove(directory: &Path, path: &str) -> Result<bool, DirectoryError> {
    let target = directory.join(path);
    let is_directory = fs::symlink_metadata(&target).is_ok_and(|metadata| metadata.is_dir());
    if is_directory {
        // An export that failed there had announced a file where somebody keeps a directory.
        return Ok(false);
    }
    let removed = match fs::remove_file(&target) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(at(&target)(source)),
    };
    let mut parent = Path::new(path).parent();
    while let Some(name) = parent.filter(|name| !name.as_os_str().is_empty()) {
        // It fails where other files are: then the directory is not ours alone and stays.
        if fs::remove_dir(directory.join(name)).is_err() {
            break;
        }
        parent = name.parent();
    }
    Ok(removed)
}

/// The paths that the last export wrote. A line that an export could not have written is not acted upon.
fn read_manifest(directory: &Path) -> Result<BTreeSet<String>, DirectoryError> {
    let path = directory.join(MANIFEST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(source) => return Err(at(&path)(source)),
    };
    let is_ours = |line: &&str| is_plain(line) && refuse_links(directory, line).is_ok();
    Ok(text.lines().filter(is_ours).map(str::to_owned).collect())
}

fn write_manifest(directory: &Path, paths: &BTreeSet<String>) -> Result<(), DirectoryError> {
    let text: String = paths.iter().flat_map(|path| [path.as_str(), "\n"]).collect();
    replace(directory, MANIFEST, text.as_bytes()).map(|_| ())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { path, source }
}

#[cfg(test)]
mod tests;
