//! Runs a broker until a signal, or until it fails.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use broker::Broker;
use broker::clock::Clock;
use broker::config::{BrokerConfig, ConfigWarning, Sources, environment};
use storage::properties;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::logging::Logging;
use crate::{banner, notify};

/// Runs the broker of that file, with `overrides` on top.
///
/// # Errors
/// It does not start, or fails while it runs.
pub(crate) fn run(file: Option<&Path>, overrides: Vec<(String, String)>) -> anyhow::Result<()> {
    let logging = Logging::start()?;
    let (config, warnings) = configure(file, overrides)?;
    warnings.iter().for_each(warn);
    tracing::info!("{}", config.text_of_values());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("worker").build()?;
    runtime.block_on(serve(config, logging))
}

/// The settings of that file, with `overrides` on top, and what is odd about them. Nothing is started or touched.
///
/// # Errors
/// The file cannot be read, or a value is refused.
pub(crate) fn configure(
    file: Option<&Path>,
    overrides: Vec<(String, String)>,
) -> anyhow::Result<(BrokerConfig, Vec<ConfigWarning>)> {
    let file = match file {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let properties = properties::parse_bytes(&bytes);
            Some(properties.with_context(|| format!("cannot understand {}", path.display()))?)
        }
        None => None,
    };
    // What is not UTF-8 is neither a key of ours nor a value of one.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = environment::parse(variables, |path| std::fs::read_to_string(path))?;
    for name in &environment.without_meaning {
        tracing::debug!("environment variable {name} changes nothing here");
    }
    let sources = Sources { file, environment, command_line: overrides };
    Ok(BrokerConfig::new(sources.properties())?)
}

fn warn(warning: &ConfigWarning) {
    match warning {
        ConfigWarning::Unknown { name, nearest: Some(nearest) } => {
            tracing::warn!("unknown configuration key {name} is ignored; did you mean {nearest}?");
        }
        ConfigWarning::Unknown { name, nearest: None } => {
            tracing::warn!("unknown configuration key {name} is ignored");
        }
        ConfigWarning::NoEffect(names) => {
            tracing::warn!("configuration keys that change nothing here: {}", names.join(", "));
        }
    }
}

async fn serve(config: BrokerConfig, mut logging: Logging) -> anyhow::Result<()> {
    let mut stop = StopSignals::new()?;
    let mut more_detail = signal(SignalKind::user_defined2())?;
    let broker = tokio::select! {
        broker = Broker::start(config, Clock::default(), logging.loggers()) => broker?,
        name = stop.next() => bail!("{name} during the start"),
    };
    let log_dirs: Vec<PathBuf> = broker.log_dirs().map(Path::to_owned).collect();
    banner::ready(&broker, &log_dirs);
    notify::tell(notify::State::Ready);
    loop {
        tokio::select! {
            name = stop.next() => {
                tracing::info!("{name}: stopping");
                notify::tell(notify::State::Stopping);
                break;
            }
            reason = broker.failed() => {
                broker.shutdown().await;
                bail!("the broker cannot go on: {reason}");
            }
            _ = more_detail.recv() => logging.more_detail(),
        }
    }
    broker.shutdown().await;
    Ok(())
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one. Cancel safe.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
