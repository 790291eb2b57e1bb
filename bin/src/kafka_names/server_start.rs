//! `kafka-server-start [-daemon] server.properties [--override property=value]*`. Source: `kafka-server-start.sh`, `Kafka.getPropsFromArgs`.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use super::options::Options;
use super::{Failure, KAFKA_VERSION};
use crate::commands::key_value;

const OPTIONS: Options = Options { flags: &["help", "version"], values: &["override"], optional: &[] };
const USAGE: &str = "USAGE: kafka-server-start [-daemon] server.properties [--override property=value]*";
const DAEMON: &str = "-daemon";
/// Where the output of a daemon goes, as in Kafka's scripts.
const LOG_DIR: &str = "LOG_DIR";
const OUTPUT_FILE: &str = "kafkaServer.out";

pub(super) fn run(arguments: &[String]) -> ExitCode {
    let is_daemon = arguments.first().is_some_and(|first| first == DAEMON);
    let arguments = if is_daemon { &arguments[1..] } else { arguments };
    match start(arguments, is_daemon) {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    }
}

fn start(arguments: &[String], is_daemon: bool) -> Result<ExitCode, Failure> {
    let parsed = OPTIONS.parse(arguments).map_err(|error| Failure::error(error.to_string()))?;
    if parsed.has("version") {
        super::print(KAFKA_VERSION)?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = match &parsed.rest[..] {
        [file] if !parsed.has("help") => PathBuf::from(file),
        [] => return Err(Failure::usage(USAGE.to_owned(), false)),
        [_] => return Err(Failure::usage(USAGE.to_owned(), false)),
        [_, others @ ..] => {
            return Err(Failure::error(format!("Found non argument parameters: {}", others.join(","))));
        }
    };
    let overrides: Vec<(String, String)> = parsed
        .values("override")
        .iter()
        .map(|text| key_value(text).map_err(|_| Failure::error(format!("Invalid command line properties: {text}"))))
        .collect::<Result<_, _>>()?;
    if is_daemon {
        let started = start_daemon(&file, &overrides);
        return match started {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) => Err(Failure::error(format!("cannot start in the background: {error}"))),
        };
    }
    Ok(crate::serve(Some(&file), overrides))
}

/// Starts the broker as a process of its own, out of reach of this terminal's Ctrl-C. As with Kafka's script nobody waits for it:
/// whether it serves is seen in its log.
fn start_daemon(file: &Path, overrides: &[(String, String)]) -> io::Result<()> {
    let folder = log_folder()?;
    fs::create_dir_all(&folder)?;
    let log = File::create(folder.join(OUTPUT_FILE))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("server").arg(file);
    for (key, value) in overrides {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    command.spawn()?;
    Ok(())
}

/// `$LOG_DIR`, or `logs` beside the folder of the script.
fn log_folder() -> io::Result<PathBuf> {
    if let Some(folder) = std::env::var_os(LOG_DIR).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let folder = called.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(match folder.and_then(Path::parent).filter(|base| !base.as_os_str().is_empty()) {
        Some(base) => base.join("logs"),
        None => std::env::current_dir()?.join("logs"),
    })
}
