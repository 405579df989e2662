//! `veille demo`: the whole daemon on sample feeds, without a network, in a temporary directory.

use super::Context;
use super::output::{print_json, print_lines, tell};
use super::workplace::daemon_runtime;
use crate::app::{self, ConfigSource};
use crate::demo::{self, OUTLETS, Origin};
use crate::model::Timestamp;
use anyhow::Context as _;
use serde::Serialize;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// The digest whose addresses are shown: what the shipped watch is for.
const SHOWN_DIGEST: &str = "french-ai-west";

/// Run the whole daemon on bundled sample feeds: no network, temporary data
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to serve; when it is taken, a free port is found
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
}

/// What to open.
#[derive(Debug, Serialize)]
struct Addresses {
    page: String,
    atom: String,
    rss: String,
    json: String,
    opml: String,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(context.data_dir.is_none(), "the demo's data is temporary; leave out --data-dir");
    let directory = tempfile::Builder::new().prefix("veille-demo-").tempdir().context("no temporary directory")?;
    let listen = free_address(args.listen)?;
    let runtime = daemon_runtime()?;
    runtime.block_on(async {
        let origin = Origin::start(Timestamp::now()).await.context("the demo's origin cannot listen")?;
        let config = demo::write_config(directory.path(), &origin.base_url(), listen)
            .with_context(|| format!("the demo's config cannot be written to {}", directory.path().display()))?;
        let source = ConfigSource::of(Some(&config), None)?;
        let mut terminal_closed = signal(SignalKind::hangup())?;
        tokio::select! {
            ran = app::run(source, |address| announce(&Addresses::at(address), directory.path(), context.json)) => ran,
            // To the daemon it means a reload; here nobody would be left to end it.
            _ = terminal_closed.recv() => Ok(()),
        }
    })?;
    // What is still at work would write into the directory.
    drop(runtime);
    directory.close().context("the demo's data cannot be removed")?;
    Ok(ExitCode::SUCCESS)
}

/// `wanted` if nobody listens there, else a free port beside it.
fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = match TcpListener::bind(wanted) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            tell(format_args!("veille: {wanted} is taken; the demo serves at a free port"));
            TcpListener::bind((wanted.ip(), 0))
        }
        other => other,
    };
    let listener =
        listener.with_context(|| format!("cannot listen on {wanted}; choose another address with --listen"))?;
    Ok(listener.local_addr()?)
}

impl Addresses {
    fn at(address: SocketAddr) -> Self {
        let digest = |format| format!("http://{address}/digests/{SHOWN_DIGEST}.{format}");
        Self {
            page: format!("http://{address}/"),
            atom: digest("atom"),
            rss: digest("rss"),
            json: digest("json"),
            opml: format!("http://{address}/digests.opml"),
        }
    }
}

/// A reader that has gone away is no reason to stop serving.
fn announce(addresses: &Addresses, directory: &Path, json: bool) {
    let printed = if json { print_json(addresses) } else { print_lines(screen(addresses, directory)) };
    if let Err(error) = printed {
        tracing::warn!(%error, "the demo's addresses could not be printed");
    }
}

fn screen(addresses: &Addresses, directory: &Path) -> Vec<String> {
    let feeds = OUTLETS.len();
    vec![
        format!(
            "veille watches {feeds} sample feeds. Their outlets and news are invented; two items come within minutes."
        ),
        String::new(),
        format!("  open       {}", addresses.page),
        format!("  subscribe  {}", addresses.atom),
        format!("             {}", addresses.rss),
        format!("             {}", addresses.json),
        format!("  all of it  {}", addresses.opml),
        String::new(),
        format!("Ctrl-C ends it and removes its data, {}.", directory.display()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one_of_the_same_address() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let wanted = taken.local_addr().expect("an address");
        let found = free_address(wanted).expect("a free port");
        assert_eq!(found.ip(), wanted.ip());
        assert!(found.port() != wanted.port() && found.port() != 0);
    }
}
