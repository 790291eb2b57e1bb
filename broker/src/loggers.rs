//! The loggers of this process, by the names of the program's parts, and how detailed each is: told and changed by request
//! (KIP-412), forgotten at a restart. Who writes the log is told of every change. Source: `LoggingController`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The logger above all others.
pub const ROOT: &str = "root";

/// All others, in order: the parts of the program that say anything, and libraries that do. With dots, since `kafka-configs` takes no
/// colons.
const NAMES: [&str; 33] = [
    "broker",
    "broker.group",
    "broker.handlers",
    "broker.monitoring",
    "broker.remote_description",
    "broker.remote_log_manager",
    "broker.remote_log_metadata",
    "broker.replica",
    "broker.replica_moves",
    "broker.server",
    "broker.start",
    "broker.system",
    "broker.tasks",
    "hyper_util",
    "object_store",
    "openraft",
    "ottla",
    "ottla.log_limit",
    "ottla.logging",
    "ottla.notify",
    "ottla.server",
    "raft",
    "raft.controller",
    "raft.quorum",
    "reqwest",
    "storage",
    "storage.checkpoint",
    "storage.leader_epoch",
    "storage.log",
    "storage.log_dir",
    "storage.producer_state",
    "storage.remote_log",
    "storage.segment",
];

/// How detailed a logger is (`LogLevelConfig`), in the order in which Kafka names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Error,
    /// Nothing here is so bad, so nothing is written.
    Fatal,
    Info,
    Trace,
    Warn,
}

impl LogLevel {
    const ALL: [Self; 6] = [Self::Debug, Self::Error, Self::Fatal, Self::Info, Self::Trace, Self::Warn];

    /// As requests spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Info => "INFO",
            Self::Trace => "TRACE",
            Self::Warn => "WARN",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Levels that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    pub root: LogLevel,
    /// Of single loggers; one that is not named has that of the nearest above it.
    pub own: BTreeMap<&'static str, LogLevel>,
}

impl LogLevels {
    fn of(&self, name: &str) -> LogLevel {
        let above = name.split_once('.').map_or(name, |(above, _)| above);
        self.own.get(name).or_else(|| self.own.get(above)).copied().unwrap_or(self.root)
    }

    fn change(&mut self, logger: &str, change: LevelChange<'_>) -> Result<(), LoggerError> {
        let name = logger_named(logger);
        if name.is_none() && logger != ROOT {
            return Err(LoggerError::Unknown(logger.to_owned()));
        }
        let level = match change {
            LevelChange::Set(text) => Some(
                LogLevel::parse(text)
                    .ok_or_else(|| LoggerError::UnknownLevel { logger: logger.to_owned(), level: text.to_owned() })?,
            ),
            LevelChange::Unset => None,
        };
        match (name, level) {
            (Some(name), Some(level)) => drop(self.own.insert(name, level)),
            (Some(name), None) => drop(self.own.remove(name)),
            (None, Some(level)) => self.root = level,
            (None, None) => return Err(LoggerError::Root),
        }
        Ok(())
    }
}

/// The logger of that name, but the root.
pub fn logger_named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// What is to become of a logger's level.
#[derive(Clone, Copy, Debug)]
pub enum LevelChange<'a> {
    Set(&'a str),
    /// It gets that of the logger above it.
    Unset,
}

/// Why a level was not changed, in Kafka's words (`RuntimeLoggerManager`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// There is no such logger.
    #[error("Logger {0} does not exist!")]
    Unknown(String),
    /// There is no such level.
    #[error(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {}",
        LogLevel::ALL.map(LogLevel::name).join(", ")
    )]
    UnknownLevel { logger: String, level: String },
    /// Above the root there is no logger to take a level from.
    #[error("Removing the log level of the root logger is not allowed")]
    Root,
}

/// Who writes the log, as it learns of changed levels.
type Writer = Box<dyn Fn(&LogLevels) + Send + Sync>;

/// The loggers.
pub struct Loggers {
    started: LogLevels,
    levels: Mutex<LogLevels>,
    writer: Writer,
}

impl fmt::Debug for Loggers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loggers").field("levels", &*self.lock()).finish_non_exhaustive()
    }
}

impl Loggers {
    /// Loggers with the levels that the process was started with, and who is to know of changes. `writer` must not ask for levels.
    pub fn new(started: LogLevels, writer: impl Fn(&LogLevels) + Send + Sync + 'static) -> Self {
        Self { levels: Mutex::new(started.clone()), started, writer: Box::new(writer) }
    }

    /// Every logger with its level: its own, or that of the nearest one above it that has one.
    pub fn all(&self) -> Vec<(&'static str, LogLevel)> {
        let levels = self.lock();
        let others = NAMES.into_iter().map(|name| (name, levels.of(name)));
        std::iter::once((ROOT, levels.root)).chain(others).collect()
    }

    /// Changes levels, all or none; with `validate_only` none in any case.
    ///
    /// # Errors
    /// The first that cannot be changed.
    pub fn change(&self, changes: &[(&str, LevelChange<'_>)], validate_only: bool) -> Result<(), LoggerError> {
        let mut present = self.lock();
        let mut levels = present.clone();
        for (logger, change) in changes {
            levels.change(logger, *change)?;
        }
        if !validate_only {
            (self.writer)(&levels);
            *present = levels;
        }
        Ok(())
    }

    /// Changes the level above all others; `None`: as the process was started.
    pub fn set_root(&self, root: Option<LogLevel>) {
        let mut present = self.lock();
        present.root = root.unwrap_or(self.started.root);
        (self.writer)(&present);
    }

    fn lock(&self) -> MutexGuard<'_, LogLevels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Loggers at that level, and what their writer is told.
    fn loggers(root: LogLevel) -> (Loggers, Arc<Mutex<Vec<LogLevels>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&told);
        let started = LogLevels { root, own: BTreeMap::from([("openraft", LogLevel::Error)]) };
        (Loggers::new(started, move |levels| writer.lock().unwrap().push(levels.clone())), told)
    }

    fn level(loggers: &Loggers, name: &str) -> &'static str {
        loggers.all().into_iter().find(|(known, _)| *known == name).unwrap().1.name()
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_above_it() {
        let (loggers, told) = loggers(LogLevel::Warn);
        let levels = ["root", "broker.server", "openraft"].map(|name| level(&loggers, name));
        assert_eq!(levels, ["WARN", "WARN", "ERROR"]);
        loggers.change(&[("broker", LevelChange::Set("DEBUG")), ("root", LevelChange::Set("INFO"))], false).unwrap();
        assert_eq!([level(&loggers, "raft"), level(&loggers, "broker.server")], ["INFO", "DEBUG"]);
        loggers.change(&[("broker.server", LevelChange::Set("FATAL"))], true).unwrap();
        assert_eq!(level(&loggers, "broker.server"), "DEBUG", "only validated");
        loggers.change(&[("broker", LevelChange::Unset)], false).unwrap();
        loggers.set_root(None);
        assert_eq!(level(&loggers, "broker.server"), "WARN");
        assert_eq!(told.lock().unwrap().len(), 3);
    }

    #[test]
    fn refusals_are_in_kafkas_words_and_change_nothing() {
        let (loggers, told) = loggers(LogLevel::Info);
        let refused = |logger, change| {
            let changes = [("raft", LevelChange::Set("TRACE")), (logger, change)];
            loggers.change(&changes, false).unwrap_err().to_string()
        };
        assert_eq!(refused("kafka.server", LevelChange::Unset), "Logger kafka.server does not exist!");
        assert_eq!(
            refused("broker", LevelChange::Set("debug")),
            "Cannot set the log level of broker to debug as it is not a supported log level. Valid log levels are DEBUG, \
             ERROR, FATAL, INFO, TRACE, WARN"
        );
        assert_eq!(refused("root", LevelChange::Unset), "Removing the log level of the root logger is not allowed");
        assert_eq!(level(&loggers, "raft"), "INFO");
        assert_eq!(told.lock().unwrap().len(), 0);
    }
}
