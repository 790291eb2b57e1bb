//! Log lines on standard error, one an event: for people on a terminal, JSON otherwise. How detailed they are can be changed while
//! the program runs.

use std::io::{IsTerminal, stderr};

use anyhow::bail;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::log_limit::LogLimit;

/// What openraft tells about each of its steps is of no use to who runs a broker.
const QUIET: &str = "openraft=error";
const FORMAT: &str = "OTTLA_LOG_FORMAT";

/// The log of this process.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    detail: Detail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// INFO, or what `RUST_LOG` says.
    AsStarted,
    Debug,
    Trace,
}

impl Detail {
    fn next(self) -> Self {
        match self {
            Self::AsStarted => Self::Debug,
            Self::Debug => Self::Trace,
            Self::Trace => Self::AsStarted,
        }
    }

    fn filter(self) -> EnvFilter {
        let filter = match self {
            Self::AsStarted => EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy(),
            Self::Debug => EnvFilter::new("debug"),
            Self::Trace => EnvFilter::new("trace"),
        };
        QUIET.parse().into_iter().fold(filter, EnvFilter::add_directive)
    }
}

impl Logging {
    /// Begins logging: INFO, or what `RUST_LOG` says.
    ///
    /// # Errors
    /// `OTTLA_LOG_FORMAT` is neither human nor json.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let is_human = match std::env::var(FORMAT).as_deref() {
            Ok("human") => true,
            Ok("json") => false,
            Ok("") | Err(_) => stderr().is_terminal(),
            Ok(other) => bail!("Invalid value {other} for {FORMAT}: must be one of human, json"),
        };
        let detail = Detail::AsStarted;
        let (filter, handle) = reload::Layer::new(detail.filter());
        let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr);
        let lines = if is_human {
            lines.with_ansi(stderr().is_terminal()).boxed()
        } else {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        };
        // A second start in one process keeps the first one's subscriber.
        let _ = tracing_subscriber::registry().with(filter).with(LogLimit::default()).with(lines).try_init();
        Ok(Self { filter: handle, detail })
    }

    /// One step more of detail; after the last one, as at the start.
    pub(crate) fn more_detail(&mut self) {
        self.detail = self.detail.next();
        match self.filter.reload(self.detail.filter()) {
            Ok(()) => tracing::info!(detail = ?self.detail, "the log's level was changed"),
            Err(error) => tracing::error!(%error, "the log's level cannot be changed"),
        }
    }
}
