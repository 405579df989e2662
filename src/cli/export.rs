//! `veille export`: every public digest as static files, the bytes that the daemon serves.

use super::output::report;
use super::{Context, Workplace};
use crate::export::directory::{self, ExportedFile};
use crate::export::{self, Format};
use crate::http::{
    FAVICON, archive, archive_document, digest_document, feed_health_document, public_outline, publisher,
};
use crate::model::{FEED_HEALTH, PublishedFeed};
use crate::store::{ReadTx, StoreError};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Write every public digest to a directory as static files, byte for byte as they are served
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory; files of an earlier export that are no longer wanted are removed from it
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Debug, Serialize)]
struct Report {
    changed: usize,
    unchanged: usize,
    removed: usize,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let settings = Arc::clone(&workplace.settings);
    let read = move |tx: &ReadTx<'_>| {
        let publisher = publisher(&settings);
        let mut files = Vec::new();
        for digest in settings.digests.iter().filter(|digest| !digest.spec.private) {
            let Some(document) = digest_document(tx, digest, &publisher, None)? else { continue };
            let path = format!("digests/{}", digest.spec.name.0);
            files.extend(in_all_formats(&path, &document));
            for part in archive(tx, digest)? {
                let Some(document) = archive_document(tx, digest, &publisher, part)? else { continue };
                files.extend(in_all_formats(&format!("{path}/archive/{}", part.number), &document));
            }
        }
        if settings.http.list_feed_health {
            let document = feed_health_document(tx, &publisher)?;
            files.extend(in_all_formats(&format!("digests/{FEED_HEALTH}"), &document));
        }
        files.push(ExportedFile { path: "favicon.svg".to_owned(), bytes: FAVICON.as_bytes().to_owned() });
        let bytes = export::opml(crate::http::OUTLINE_TITLE, None, &public_outline(&settings, &publisher));
        files.push(ExportedFile { path: "digests.opml".to_owned(), bytes });
        Ok::<_, StoreError>(files)
    };
    let files = workplace.block_on(async |store| store.read(read).await)?;
    let written = directory::write(&args.directory, &files)?;
    let done = Report { changed: written.changed, unchanged: written.unchanged, removed: written.removed };
    report(context, &done, || {
        let (directory, Report { changed, unchanged, removed }) = (args.directory.display(), &done);
        vec![format!("{directory}: {changed} files written, {unchanged} unchanged, {removed} removed")]
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A document's files at a path without an extension.
fn in_all_formats(path: &str, document: &PublishedFeed) -> impl Iterator<Item = ExportedFile> {
    Format::ALL
        .into_iter()
        .map(move |format| ExportedFile { path: format.address(path), bytes: export::render(document, format) })
}
