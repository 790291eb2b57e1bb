//! `ottla check`: would a broker start with this configuration and these directories? Changes nothing.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use broker::config::{BrokerConfig, ConfigWarning, ListenerConfig};
use clap::Args;
use serde_json::json;
use storage::file_system::{FileSystem, OsFileSystem};
use storage::log_dir::{CLEAN_SHUTDOWN, Folder};
use storage::meta_properties::{Expected, MetaProperties, verify};

use super::{key_value, node_directories};
use crate::output::Output;
use crate::server::configure;

/// Checks a configuration file and the data directories that it names, and changes nothing.
///
/// Says what would keep a broker from starting (exit code 1), what is odd, and what is there.
///
/// Examples:
///   ottla check server.properties
///   ottla check server.properties --override log.dirs=/data --json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Apache Kafka's own configuration file; without it what `ottla` alone would start with.
    file: Option<PathBuf>,
    /// Sets one configuration key, over the file and the defaults. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
    /// One JSON object a finding and line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Warning,
    Error,
}

/// What was found about one thing.
#[derive(Debug)]
struct Finding {
    level: Level,
    text: String,
}

impl Finding {
    fn ok(text: impl Into<String>) -> Self {
        Self { level: Level::Ok, text: text.into() }
    }

    fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let findings = match configure(self.file.as_deref(), self.overrides) {
            Ok((config, warnings)) => examine(&config, &warnings),
            Err(error) => vec![Finding::error(format!("{error:#}"))],
        };
        let mut output = Output::new();
        for finding in &findings {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            if self.json {
                output.json(&json!({ "level": level, "text": finding.text }))?;
            } else {
                output.line(format!("{level:7}  {}", finding.text))?;
            }
        }
        output.flush()?;
        if findings.iter().any(|finding| finding.level == Level::Error) {
            bail!("a broker would not start like this");
        }
        Ok(())
    }
}

fn examine(config: &BrokerConfig, warnings: &[ConfigWarning]) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(format!("configuration of node {}", config.node_id))];
    findings.extend(warnings.iter().map(|warning| match warning {
        ConfigWarning::Unknown { name, nearest: Some(nearest) } => {
            Finding::warning(format!("unknown key {name}; did you mean {nearest}?"))
        }
        ConfigWarning::Unknown { name, nearest: None } => Finding::warning(format!("unknown key {name}")),
        ConfigWarning::NoEffect(names) => {
            Finding::warning(format!("keys that change nothing here: {}", names.join(", ")))
        }
    }));
    let directories = node_directories(config);
    let mut known = Vec::new();
    for path in &directories {
        findings.push(directory(path));
        match MetaProperties::load(&OsFileSystem, path) {
            Ok(Some(properties)) => known.push((path.as_path(), properties)),
            Ok(None) => {}
            Err(error) => findings.push(Finding::error(format!("{}: {error}", path.display()))),
        }
    }
    let expected = Expected { cluster_id: config.cluster_id.as_deref(), node_id: Some(config.node_id) };
    if let Err(error) = verify(known.iter().map(|(path, properties)| (*path, properties)), expected) {
        findings.push(Finding::error(error.to_string()));
    }
    let listeners = config.listeners.client.iter().chain(&config.listeners.controller);
    findings.extend(listeners.map(listener));
    findings
}

fn directory(path: &Path) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::ok(format!("{shown} does not exist yet; it will be created"));
        }
        Err(error) => return Finding::error(format!("{shown}: {error}")),
        Ok(metadata) if !metadata.is_dir() => return Finding::error(format!("{shown} is no directory")),
        Ok(metadata) if metadata.permissions().readonly() => {
            return Finding::error(format!("{shown} is not writable"));
        }
        Ok(_) => {}
    }
    let lock = path.join(".lock");
    // Taking the lock of a directory that nobody uses leaves it as it is; a missing file is not made.
    if lock.exists()
        && let Err(error) = OsFileSystem.lock(&lock)
    {
        return match error.kind() {
            io::ErrorKind::WouldBlock => Finding::error(format!("{shown} is in use by a running broker")),
            _ => Finding::error(format!("{}: {error}", lock.display())),
        };
    }
    let entries = match OsFileSystem.read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return Finding::error(format!("{shown}: {error}")),
    };
    let is_log = |name: &str| matches!(Folder::parse(name), Some(Folder::Partition(_)));
    let logs = entries.iter().filter(|entry| entry.is_dir && is_log(&entry.name)).count();
    let was_clean = entries.iter().any(|entry| entry.name == CLEAN_SHUTDOWN);
    let state = match (logs, was_clean) {
        (0, _) => "no partitions".to_owned(),
        (logs, true) => format!("{logs} partitions, stopped cleanly"),
        (logs, false) => format!("{logs} partitions, not stopped cleanly: the next start recovers them"),
    };
    match OsFileSystem.space(path) {
        Ok(space) => Finding::ok(format!("{shown}: {state}, {} MB free", space.usable_bytes / 1_000_000)),
        Err(error) => Finding::error(format!("{shown}: {error}")),
    }
}

/// A port that answers is taken. To listen on it, which alone is proof, would be more than a look.
fn listener(listener: &ListenerConfig) -> Finding {
    let host = if listener.host.is_empty() { "127.0.0.1" } else { &listener.host };
    let name = format!("{}://{}:{}", listener.name, listener.host, listener.port);
    if listener.port == 0 {
        return Finding::ok(format!("{name} takes any free port"));
    }
    let addresses: Vec<SocketAddr> = match (host, listener.port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Finding::error(format!("{name}: the host does not resolve: {error}")),
    };
    let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_millis(500)).is_ok();
    if addresses.iter().any(answers) {
        return Finding::error(format!("{name}: something listens there already"));
    }
    Finding::ok(format!("{name} is free"))
}
