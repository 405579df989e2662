//! `veille export`: every public digest as static files, the bytes that the daemon serves.

use super::output::report;
use super::{Context, Workplace};
use crate::config::{DigestSettings, Settings};
use crate::digest::Publisher;
use crate::export::directory::{Export, Written};
use crate::export::{self, Format};
use crate::http::{
    FAVICON, archive, archive_document, digest_document, feed_health_document, public_outline, publisher,
};
use crate::model::{ArchivePart, FEED_HEALTH, PublishedFeed};
use crate::store::{ReadTx, StoreError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const ICON: &str = "favicon.svg";
const OUTLINE: &str = "digests.opml";

/// Write every public digest to a directory as static files, byte for byte as they are served
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory; files of an earlier export that are no longer wanted are removed from it
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let (settings, directory) = (Arc::clone(&workplace.settings), args.directory.clone());
    // In one snapshot, and file by file: the archives of years are larger than memory should be.
    let export = move |tx: &ReadTx<'_>| Ok(export_all(tx, &settings, &directory));
    let written = workplace.block_on(async |store| store.read(export).await)??;
    report(context, &written, || {
        let (directory, Written { changed, unchanged, removed }) = (args.directory.display(), &written);
        vec![format!("{directory}: {changed} files written, {unchanged} unchanged, {removed} removed")]
    })?;
    Ok(ExitCode::SUCCESS)
}

fn export_all(tx: &ReadTx<'_>, settings: &Settings, directory: &Path) -> anyhow::Result<Written> {
    let documents = documents(tx, settings)?;
    let in_all_formats = |document: &Document<'_>| {
        let stem = document.stem();
        Format::ALL.map(|format| format.address(&stem))
    };
    let mut paths: Vec<String> = documents.iter().flat_map(in_all_formats).collect();
    paths.extend([ICON, OUTLINE].map(str::to_owned));
    let mut export = Export::begin(directory, &paths)?;
    let publisher = publisher(settings);
    for document in &documents {
        let Some(feed) = document.read(tx, &publisher)? else { continue };
        for (path, format) in in_all_formats(document).iter().zip(Format::ALL) {
            export.write(path, &export::render(&feed, format))?;
        }
    }
    export.write(ICON, FAVICON.as_bytes())?;
    export.write(OUTLINE, &export::opml(crate::http::OUTLINE_TITLE, &public_outline(settings, &publisher)))?;
    Ok(export.finish()?)
}

/// What is published beside the list of digests and the picture that its documents name.
enum Document<'a> {
    Digest(&'a DigestSettings),
    Archive(&'a DigestSettings, ArchivePart),
    FeedHealth,
}

fn documents<'a>(tx: &ReadTx<'_>, settings: &'a Settings) -> Result<Vec<Document<'a>>, StoreError> {
    let mut documents = Vec::new();
    for digest in settings.digests.iter().filter(|digest| !digest.spec.private) {
        // What a document links to is there before it.
        documents.extend(archive(tx, digest)?.into_iter().map(|part| Document::Archive(digest, part)));
        documents.push(Document::Digest(digest));
    }
    documents.extend(settings.http.list_feed_health.then_some(Document::FeedHealth));
    Ok(documents)
}

impl Document<'_> {
    /// Its path without an extension.
    fn stem(&self) -> String {
        match self {
            Self::Digest(digest) => format!("digests/{}", digest.spec.name.0),
            Self::Archive(digest, part) => format!("digests/{}/archive/{}", digest.spec.name.0, part.number),
            Self::FeedHealth => format!("digests/{FEED_HEALTH}"),
        }
    }

    /// `None` before the digest was first in force.
    fn read(&self, tx: &ReadTx<'_>, publisher: &Publisher) -> Result<Option<PublishedFeed>, StoreError> {
        match self {
            Self::Digest(digest) => digest_document(tx, digest, publisher, None),
            Self::Archive(digest, part) => archive_document(tx, digest, publisher, *part),
            Self::FeedHealth => feed_health_document(tx, publisher).map(Some),
        }
    }
}
