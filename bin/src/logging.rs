//! Log lines on standard error, one an event: for people on a terminal, JSON otherwise. How detailed they are can be changed while
//! the program runs.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;

use anyhow::bail;
use broker::loggers::{LogLevel, LogLevels, Loggers, logger_named};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use crate::log_limit::LogLimit;

/// What openraft tells about each of its steps is of no use to who runs a broker.
const QUIET: (&str, LevelFilter) = ("openraft", LevelFilter::ERROR);
const LEVELS: &str = "RUST_LOG";
const FORMAT: &str = "OTTLA_LOG_FORMAT";

/// The log of this process.
pub(crate) struct Logging {
    loggers: Arc<Loggers>,
    detail: Detail,
}

/// What the signal makes of the level above all others.
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

    fn root(self) -> Option<LogLevel> {
        match self {
            Self::AsStarted => None,
            Self::Debug => Some(LogLevel::Debug),
            Self::Trace => Some(LogLevel::Trace),
        }
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
        let directives = std::env::var(LEVELS).unwrap_or_default();
        let (started, refused) = started_filter(&directives);
        let levels = levels_of(&started);
        let (filter, handle) = reload::Layer::new(started.clone());
        let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr);
        let lines = if is_human {
            lines.with_ansi(stderr().is_terminal()).boxed()
        } else {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        };
        // A second start in one process keeps the first one's subscriber.
        let _ = tracing_subscriber::registry().with(filter).with(LogLimit::default()).with(lines).try_init();
        if !refused.is_empty() {
            tracing::warn!("{LEVELS}: not understood, and ignored: {}", refused.join(", "));
        }
        let loggers = Loggers::new(levels, move |levels| {
            if let Err(error) = handle.reload(filter_of(levels, &started)) {
                tracing::error!(%error, "the log's level cannot be changed");
            }
        });
        Ok(Self { loggers: Arc::new(loggers), detail: Detail::AsStarted })
    }

    /// The loggers, whose levels requests change.
    pub(crate) fn loggers(&self) -> Arc<Loggers> {
        Arc::clone(&self.loggers)
    }

    /// One step more of detail; after the last one, as at the start. Loggers with a level of their own keep it.
    pub(crate) fn more_detail(&mut self) {
        self.detail = self.detail.next();
        self.loggers.set_root(self.detail.root());
        tracing::info!(detail = ?self.detail, "the log's level was changed");
    }
}

/// What is written at the start: INFO, or what the directives (`debug`, `broker::server=trace`) say, and those that say nothing.
fn started_filter(directives: &str) -> (Targets, Vec<&str>) {
    let mut filter = Targets::new().with_target(QUIET.0, QUIET.1).with_default(LevelFilter::INFO);
    let mut refused = Vec::new();
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        match (directive.parse::<LevelFilter>(), directive.parse::<Targets>()) {
            (Ok(level), _) => filter = filter.with_default(level),
            (Err(_), Ok(targets)) => filter.extend(targets),
            (Err(_), Err(_)) => refused.push(directive),
        }
    }
    (filter, refused)
}

/// The levels as requests name them.
fn levels_of(filter: &Targets) -> LogLevels {
    let own = filter.iter().filter_map(|(target, level)| Some((logger_of(target)?, log_level(level))));
    LogLevels { root: filter.default_level().map_or(LogLevel::Info, log_level), own: own.collect() }
}

/// What is written with these levels. Directives for what is no logger stay as they were `started`.
fn filter_of(levels: &LogLevels, started: &Targets) -> Targets {
    let others = started.iter().filter(|(target, _)| logger_of(target).is_none());
    let others = others.map(|(target, level)| (target.to_owned(), level));
    let own = levels.own.iter().map(|(logger, level)| (logger.replace('.', "::"), level_filter(*level)));
    others.chain(own).collect::<Targets>().with_default(level_filter(levels.root))
}

/// Requests name the parts of the program with dots.
fn logger_of(target: &str) -> Option<&'static str> {
    logger_named(&target.replace("::", "."))
}

fn log_level(filter: LevelFilter) -> LogLevel {
    match filter {
        LevelFilter::TRACE => LogLevel::Trace,
        LevelFilter::DEBUG => LogLevel::Debug,
        LevelFilter::INFO => LogLevel::Info,
        LevelFilter::WARN => LogLevel::Warn,
        LevelFilter::ERROR => LogLevel::Error,
        LevelFilter::OFF => LogLevel::Fatal,
    }
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Fatal => LevelFilter::OFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn directives_are_levels_of_loggers() {
        let (filter, refused) = started_filter("warn, broker::server=debug,broker::server::reader=trace,hyper=x,x=y=z");
        assert_eq!(refused, ["hyper=x", "x=y=z"]);
        let levels = levels_of(&filter);
        assert_eq!(levels.root, LogLevel::Warn);
        let own = [("broker.server", LogLevel::Debug), ("openraft", LogLevel::Error)];
        assert_eq!(levels.own, own.into_iter().collect());
        let changed = LogLevels { root: LogLevel::Fatal, own: [("broker", LogLevel::Info)].into_iter().collect() };
        let filter = filter_of(&changed, &filter);
        assert!(filter.would_enable("broker::server", &Level::INFO));
        assert!(!filter.would_enable("broker::server", &Level::DEBUG));
        assert!(filter.would_enable("broker::server::reader", &Level::TRACE), "no logger of that name");
        assert!(!filter.would_enable("raft", &Level::ERROR));
    }

    #[test]
    fn without_directives_news_is_told() {
        let (filter, refused) = started_filter("");
        assert!(refused.is_empty() && filter.would_enable("broker", &Level::INFO));
        assert!(!filter.would_enable("openraft::core", &Level::WARN));
        let levels = levels_of(&filter);
        assert_eq!(filter_of(&levels, &filter), filter);
    }
}
