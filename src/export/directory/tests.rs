use super::*;

type Text<'t> = (&'t str, &'t str);

fn file<'t>(path: &'t str, text: &'t str) -> Text<'t> {
    (path, text)
}

fn write(directory: &Path, files: &[Text<'_>]) -> Result<Written, DirectoryError> {
    let paths: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let mut export = Export::begin(directory, &paths)?;
    for (path, text) in files {
        export.write(path, text.as_bytes())?;
    }
    export.finish()
}

fn names(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_export_replaces_the_last_one_and_leaves_other_files_alone() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("new/out");
    let first = write(&out, &[file("digests/a.atom", "1"), file("digests/b/archive/1.atom", "2"), file("x.opml", "3")])
        .unwrap();
    assert_eq!(first, Written { changed: 3, unchanged: 0, removed: 0 });
    fs::write(out.join("digests/mine.html"), "mine").unwrap();

    let second = write(&out, &[file("digests/a.atom", "1"), file("x.opml", "4")]).unwrap();
    assert_eq!(second, Written { changed: 1, unchanged: 1, removed: 1 });
    assert_eq!(names(&out), [".veille-export", "digests/a.atom", "digests/mine.html", "x.opml"]);
    assert_eq!(fs::read_to_string(out.join("x.opml")).unwrap(), "4");

    assert_eq!(write(&out, &[]).unwrap().removed, 2);
    assert_eq!(names(&out), [".veille-export", "digests/mine.html"]);
}

#[test]
fn an_unchanged_file_keeps_its_time() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), &[file("a", "same")]).unwrap();
    let path = home.path().join("a");
    let earlier = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
    write(home.path(), &[file("a", "same")]).unwrap();
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), earlier);
}

#[test]
fn h33_a_path_that_leads_out_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    for path in ["../x", "a/../../x", "/etc/x", "", ".", "..", "a//b", "a/./b", "a\\b", "a\0b", "a\nb", "a/", MANIFEST]
    {
        let error = write(&out, &[file("fine", ""), file(path, "")]).unwrap_err();
        assert!(matches!(error, DirectoryError::BadPath(_)), "{path:?}: {error}");
    }
    assert!(names(home.path()).is_empty());
}

#[test]
fn h33_two_names_never_share_a_file() {
    let home = tempfile::tempdir().unwrap();
    for (one, two) in [("a.atom", "a.atom"), ("a.atom", "A.atom"), ("a", "a/b"), ("d/É", "d/é")] {
        let error = write(home.path(), &[file(one, "1"), file(two, "2")]).unwrap_err();
        assert!(matches!(error, DirectoryError::SharedPath(..)), "{one} {two}: {error}");
    }
    assert!(names(home.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_neither_followed_nor_written_through() {
    let home = tempfile::tempdir().unwrap();
    let (out, elsewhere) = (home.path().join("out"), home.path().join("elsewhere"));
    fs::create_dir_all(&out).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("a"), "theirs").unwrap();
    std::os::unix::fs::symlink(&elsewhere, out.join("digests")).unwrap();
    assert!(matches!(write(&out, &[file("digests/a", "ours")]).unwrap_err(), DirectoryError::BadPath(_)));
    std::os::unix::fs::symlink(elsewhere.join("a"), out.join("a")).unwrap();
    write(&out, &[file("a", "ours")]).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.join("a")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "ours");

    fs::write(out.join(MANIFEST), "../elsewhere/a\ndigests/a\n/etc/hostname\n").unwrap();
    write(&out, &[file("b", "")]).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.join("a")).unwrap(), "theirs");
}

#[test]
fn a_file_that_an_interrupted_export_wrote_is_known_to_the_next() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("b")).unwrap();
    fs::write(home.path().join("b/theirs"), "").unwrap();
    // `b` is a directory that holds something, so the rename onto it fails after `a` was written.
    let error = write(home.path(), &[file("a", "1"), file("b", "2")]).unwrap_err();
    assert!(matches!(error, DirectoryError::Io { .. }), "{error}");
    assert_eq!(write(home.path(), &[file("c", "3")]).unwrap(), Written { changed: 1, unchanged: 0, removed: 1 });
    assert!(!home.path().join("a").exists());
}

#[test]
fn two_exports_at_once_do_not_mix() {
    let home = tempfile::tempdir().unwrap();
    let other = File::open(home.path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(write(home.path(), &[file("a", "1")]).unwrap_err(), DirectoryError::Busy(_)));
}
