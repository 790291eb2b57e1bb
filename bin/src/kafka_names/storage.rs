//! `kafka-storage`: `random-uuid`, `info`, `format`. Source: `StorageTool`, `Formatter`.

use std::collections::BTreeMap;
use std::path::Path;

use broker::config::BrokerConfig;
use protocol::ids::format_uuid;
use storage::file_system::OsFileSystem;
use storage::meta_properties::{META_PROPERTIES, MetaProperties};

use super::Failure;
use crate::commands::{FormatPlan, new_uuid, node_directories};
use crate::output::Output;
use crate::server::configure;

/// The release whose records a new cluster begins with.
const METADATA_VERSION: &str = "4.3-IV0";
const USAGE: &str = "usage: kafka-storage {info,format,random-uuid}\n\
                     info --config CONFIG\n\
                     format --config CONFIG --cluster-id CLUSTER_ID [--ignore-formatted] [--standalone]\n\
                     random-uuid";

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(usage("too few arguments"));
    };
    match command.as_str() {
        "random-uuid" => super::print(&format_uuid(new_uuid())),
        "info" => info(&Arguments::parse(rest)?.config()?),
        "format" => format(&Arguments::parse(rest)?),
        "-h" | "--help" => Err(Failure::usage(USAGE.to_owned(), true)),
        other => Err(usage(&format!("invalid choice: '{other}' (choose from 'info', 'format', 'random-uuid')"))),
    }
}

fn usage(reason: &str) -> Failure {
    Failure::error(format!("{USAGE}\nkafka-storage: error: {reason}"))
}

#[derive(Debug, Default)]
struct Arguments {
    config: Option<String>,
    cluster_id: Option<String>,
    ignore_formatted: bool,
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| usage(&format!("argument {name}: expected one argument")))
            };
            match name {
                "--config" | "-c" => arguments.config = Some(value()?),
                "--cluster-id" | "-t" => arguments.cluster_id = Some(value()?),
                "--ignore-formatted" | "-g" => arguments.ignore_formatted = true,
                // A node alone is always its own quorum.
                "--standalone" | "-s" | "--no-initial-controllers" | "-N" => {}
                "--release-version" | "-r" => check_release(&value()?)?,
                "--feature" | "-f" | "--initial-controllers" | "-I" | "--add-scram" | "-S" => {
                    return Err(Failure::error(format!("{name} is not supported; start without it")));
                }
                _ => return Err(usage(&format!("unrecognized arguments: '{word}'"))),
            }
        }
        Ok(arguments)
    }

    fn config(&self) -> Result<BrokerConfig, Failure> {
        let file = self.config.as_deref().ok_or_else(|| usage("argument --config/-c is required"))?;
        let (config, _) =
            configure(Some(Path::new(file)), Vec::new()).map_err(|error| Failure::error(format!("{error:#}")))?;
        Ok(config)
    }
}

fn check_release(release: &str) -> Result<(), Failure> {
    if METADATA_VERSION.split_once('-').is_some_and(|(version, _)| release == version) || release == METADATA_VERSION {
        return Ok(());
    }
    Err(Failure::error(format!("release {release} is not supported: a new cluster has {METADATA_VERSION}")))
}

fn format(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config()?;
    let cluster_id = arguments.cluster_id.as_deref().ok_or_else(|| usage("argument --cluster-id/-t is required"))?;
    let plan = FormatPlan::make(&config, Some(cluster_id)).map_err(|error| Failure::error(format!("{error:#}")))?;
    if let Some(first) = plan.formatted.first()
        && !arguments.ignore_formatted
    {
        return Err(Failure::error(format!(
            "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the others.",
            first.display()
        )));
    }
    let mut output = Output::new();
    if plan.unformatted.is_empty() {
        output.line("All of the log directories are already formatted.")?;
    }
    for path in &plan.unformatted {
        let kind = if *path == config.metadata_log_dir { "metadata" } else { "data" };
        output.line(format!(
            "Formatting {kind} directory {} with metadata.version {METADATA_VERSION}.",
            path.display()
        ))?;
        plan.format(path).map_err(|error| Failure::error(format!("{error:#}")))?;
    }
    Ok(output.flush()?)
}

fn info(config: &BrokerConfig) -> Result<(), Failure> {
    let directories = node_directories(config);
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for path in &directories {
        let shown = path.display();
        if !path.is_dir() {
            problems.push(format!("{shown} {}", if path.exists() { "is not a directory" } else { "does not exist" }));
            continue;
        }
        found.push(shown.to_string());
        match MetaProperties::load(&OsFileSystem, path) {
            Ok(None) => problems.push(format!("{shown} is not formatted.")),
            Err(error) => problems.push(format!("Error loading {}: {error}", path.join(META_PROPERTIES).display())),
            Ok(Some(properties)) => match &first {
                None => first = Some(properties),
                Some(first) if first.cluster_id != properties.cluster_id => {
                    problems.push("Mismatched cluster IDs between storage directories.".to_owned());
                }
                Some(first) if first.node_id != properties.node_id => {
                    problems.push("Mismatched node IDs between storage directories.".to_owned());
                }
                Some(_) => {}
            },
        }
    }
    let mut output = Output::new();
    section(&mut output, ("Found log directory:", "Found log directories:"), &found)?;
    if let Some(first) = &first {
        output.line(format!("Found metadata: {}\n", shown_properties(first)))?;
    }
    section(&mut output, ("Found problem:", "Found problems:"), &problems)?;
    output.flush()?;
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure { said: None, error: None, is_success: false }),
    }
}

/// A title, for one line or for several, the lines, and an empty one.
fn section(output: &mut Output, (one, several): (&str, &str), lines: &[String]) -> std::io::Result<()> {
    match lines.len() {
        0 => return Ok(()),
        1 => output.line(one)?,
        _ => output.line(several)?,
    }
    for line in lines {
        output.line(format!("  {line}"))?;
    }
    output.line("")
}

/// As a sorted Java map prints.
fn shown_properties(properties: &MetaProperties) -> String {
    let text = properties.encode();
    let entries: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", entries.join(", "))
}
