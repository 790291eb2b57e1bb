//! Log lines: human, one line an event, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What openraft tells about each of its steps is of no use to who runs a broker.
const QUIET: &str = "openraft=error";

/// Begins logging: INFO, or what `RUST_LOG` says.
pub(crate) fn start() {
    let quiet = QUIET.parse().into_iter();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let filter = quiet.fold(filter, EnvFilter::add_directive);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .finish();
    // A second start in one process keeps the first one's subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
