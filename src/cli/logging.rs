//! Logs: lines on stderr, or native journal entries under systemd.

use super::Context;
use super::output::tell;
use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

/// `VEILLE_LOG` takes the directives of tracing's `EnvFilter` and wins over `-q` and `-v`.
const FILTER_VARIABLE: &str = "VEILLE_LOG";

pub(super) fn start(context: &Context) {
    let level = match (context.quiet, context.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::INFO,
        (false, 1) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    // Libraries speak only when something is wrong: their chatter is not our interface.
    let ours = format!("warn,veille={level}");
    let filter = match std::env::var(FILTER_VARIABLE).map(EnvFilter::try_new) {
        Ok(Ok(filter)) => filter,
        Ok(Err(error)) => {
            tell(format_args!("veille: {FILTER_VARIABLE}: {error}; it is passed over"));
            EnvFilter::new(ours)
        }
        Err(_) => EnvFilter::new(ours),
    };
    tracing_subscriber::registry().with(sink().with_filter(filter)).init();
}

/// The journal when systemd has connected our stderr to it, else stderr.
fn sink() -> Box<dyn Layer<Registry> + Send + Sync> {
    if std::env::var_os("JOURNAL_STREAM").is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        return Box::new(journal.with_field_prefix(None));
    }
    let colours = std::io::stderr().is_terminal();
    Box::new(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours))
}
