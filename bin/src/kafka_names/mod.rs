//! The names of Kafka's scripts: called by one of them, with or without `.sh`, this program takes that script's arguments,
//! prints what it prints on standard output, and ends with its exit code. On standard error it says the same in one line,
//! without the traces of Java.

mod broker_api_versions;
mod consumer_groups;
mod dump_log;
mod java_order;
mod options;
mod server_start;
mod server_stop;
mod storage;
mod topics;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write, stderr};
use std::path::Path;
use std::process::ExitCode;

use ::storage::properties;

use crate::client::ClientError;
use crate::output::Output;

/// The scripts that there are, without `.sh`.
pub(crate) const NAMES: [&str; 9] = [
    "kafka-server-start",
    "kafka-server-stop",
    "kafka-storage",
    "kafka-topics",
    "kafka-broker-api-versions",
    "kafka-consumer-groups",
    "kafka-dump-log",
    "zookeeper-server-start",
    "zookeeper-server-stop",
];

/// What the tools say of their version: the Kafka that they are like, then ours.
const KAFKA_VERSION: &str = concat!("4.3.1 (Ottla:", env!("CARGO_PKG_VERSION"), ")");

const NO_ZOOKEEPER: &str =
    "No ZooKeeper is needed: the broker keeps its metadata itself. Nothing was started or stopped.";

/// The script that this program was called as, if it was.
pub(crate) fn called_as(program: &OsStr) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    NAMES.into_iter().find(|known| *known == name)
}

/// Does what the script of that name does.
pub(crate) fn run(name: &'static str, arguments: Vec<OsString>) -> ExitCode {
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let result = match name {
        "kafka-server-start" => return server_start::run(&arguments),
        "kafka-server-stop" => server_stop::run(&arguments),
        "kafka-storage" => storage::run(&arguments),
        "kafka-topics" => topics::run(&arguments),
        "kafka-broker-api-versions" => broker_api_versions::run(&arguments),
        "kafka-consumer-groups" => consumer_groups::run(&arguments),
        "kafka-dump-log" => dump_log::run(&arguments),
        _ => print(NO_ZOOKEEPER),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// How a script ends when it does not do what it was asked.
#[derive(Debug)]
struct Failure {
    /// On standard output.
    said: Option<String>,
    /// On standard error.
    error: Option<String>,
    is_success: bool,
}

impl Failure {
    /// A line on standard error.
    fn error(text: String) -> Self {
        Self { said: None, error: Some(text), is_success: false }
    }

    /// How to call it, on standard error. Whoever asked for it gets exit code 0.
    fn usage(text: String, was_asked_for: bool) -> Self {
        Self { said: None, error: Some(text), is_success: was_asked_for }
    }

    /// The tool's version, which was asked for.
    fn version() -> Self {
        Self { said: Some(KAFKA_VERSION.to_owned()), error: None, is_success: true }
    }

    /// The client's words on standard error.
    fn of(error: ClientError) -> Self {
        Self::error(error.to_string())
    }

    fn report(self) -> ExitCode {
        if let Some(said) = &self.said
            && print(said).is_err()
        {
            return ExitCode::FAILURE;
        }
        if let Some(error) = &self.error {
            let _ = writeln!(stderr(), "{error}");
        }
        if self.is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl From<io::Error> for Failure {
    /// Whoever stopped reading needs no message.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { said: None, error: None, is_success: true };
        }
        Self::error(error.to_string())
    }
}

fn print(line: &str) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(line)?;
    Ok(output.flush()?)
}

/// What every tool begins with: its options, its usage, its version.
fn begin(options: &options::Options, arguments: &[String], usage: &str) -> Result<options::Parsed, Failure> {
    let parsed = options.parse(arguments).map_err(|error| Failure::error(error.to_string()))?;
    if parsed.has("help") {
        return Err(Failure::usage(usage.to_owned(), true));
    }
    if parsed.has("version") { Err(Failure::version()) } else { Ok(parsed) }
}

/// The one action that was asked for; `None` for several, or none.
fn only_action(parsed: &options::Parsed, actions: &[&'static str]) -> Option<&'static str> {
    let mut asked = actions.iter().copied().filter(|action| parsed.has(action));
    asked.next().filter(|_| asked.next().is_none())
}

/// `--command-config`: settings of a client. Connections are plain, so a file that asks for more is refused.
fn check_command_config(parsed: &options::Parsed) -> Result<(), Failure> {
    let Some(path) = parsed.value("command-config") else { return Ok(()) };
    let bytes = std::fs::read(path).map_err(|error| Failure::error(format!("{path}: {error}")))?;
    let properties = properties::parse_bytes(&bytes).map_err(|error| Failure::error(format!("{path}: {error}")))?;
    let protocol = properties.into_iter().rfind(|(key, _)| key == "security.protocol");
    match protocol {
        Some((_, protocol)) if !protocol.trim().eq_ignore_ascii_case("PLAINTEXT") => Err(Failure::error(format!(
            "{path} asks for security.protocol={protocol}, which this tool does not speak; use Apache Kafka's own tool there"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_the_suffix_and_anywhere() {
        for path in ["kafka-topics.sh", "kafka-topics", "/opt/kafka/bin/kafka-topics.sh", "./kafka-topics"] {
            assert_eq!(called_as(OsStr::new(path)), Some("kafka-topics"), "{path}");
        }
        for path in ["ottla", "kafka-topics.sh.sh", "kafka-configs.sh", "/kafka-topics/ottla", ""] {
            assert_eq!(called_as(OsStr::new(path)), None, "{path}");
        }
    }
}
