//! Apache Kafka: its tools against any broker, and a node of it for the tests to be proven against.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished};
use crate::workspace;

/// Java starts slowly on a busy machine.
const TOOL_LIMIT: Duration = Duration::from_secs(180);
const START_LIMIT: Duration = Duration::from_secs(300);

fn script() -> Command {
    Command::new(workspace::crate_folder().join("kafka/kafka"))
}

/// Runs `kafka-NAME.sh` with `arguments` to its end.
#[track_caller]
pub fn tool(name: &str, arguments: &[&str]) -> Finished {
    tool_with_input(name, arguments, b"")
}

/// The command of `kafka-NAME.sh` with logs from `level` on, for a tool that runs until it is told to stop.
pub(crate) fn tool_command(name: &str, level: &str) -> Command {
    let mut command = script();
    command.args(["tool", name]).env("KAFKA_TOOL_LEVEL", level);
    command
}

/// As [`tool`], with everything that its clients log on standard error: each request with its version.
#[track_caller]
pub fn tool_with_log(name: &str, arguments: &[&str]) -> Finished {
    process::run(tool_command(name, "DEBUG").args(arguments), b"", TOOL_LIMIT)
}

/// As [`tool`], with standard input.
#[track_caller]
pub fn tool_with_input(name: &str, arguments: &[&str], input: &[u8]) -> Finished {
    process::run(script().args(["tool", name]).args(arguments), input, TOOL_LIMIT)
}

/// Where `LocalTieredStorage` is, for `remote.log.storage.manager.class.path`.
#[track_caller]
pub fn tiered_class_path() -> String {
    process::run(script().arg("tiered-classpath"), b"", START_LIMIT).ok().trim().to_owned()
}

/// Compiles and runs a Java program of `integration/clients/java` on Kafka's class path.
#[track_caller]
pub fn java(program: &str, arguments: &[&str]) -> Finished {
    let path = workspace::crate_folder().join("clients/java").join(program);
    process::run(script().arg("java").arg(path).args(arguments), b"", TOOL_LIMIT)
}

/// Starts a node with its files under `folder` and returns its address. The voter is in the metadata log if `standalone`.
#[track_caller]
pub(crate) fn start(folder: &Path, port: u16, standalone: bool, settings: &[(String, String)]) -> String {
    let mut command = script();
    command.args(["start", "--heap", "512m", "--port", &port.to_string(), "--dir"]).arg(folder);
    command.args(standalone.then_some("--standalone"));
    command.args(settings.iter().map(|(key, value)| format!("{key}={value}")));
    process::run(&mut command, b"", START_LIMIT).ok().trim().to_owned()
}

#[track_caller]
pub(crate) fn stop(folder: &Path) -> bool {
    process::run(script().args(["stop", "--dir"]).arg(folder), b"", TOOL_LIMIT).status.success()
}
