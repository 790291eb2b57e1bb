//! Real clients: installs them into the cache, runs their programs, and checks their own verdict.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished};
use crate::workspace;

/// Two cores build rskafka's suite in three minutes, and in more when they have other work.
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// Installs a family of clients (`integration/clients/install`) unless it is there; returns where it is.
///
/// # Panics
/// It cannot be installed. A client test never skips itself.
#[track_caller]
fn installed(family: &str) -> PathBuf {
    let script = workspace::crate_folder().join("clients/install");
    PathBuf::from(process::run(Command::new(script).arg(family), b"", INSTALL_LIMIT).ok().trim())
}

/// Runs kcat with standard input.
#[track_caller]
pub fn kcat(arguments: &[&str], input: &[u8]) -> Finished {
    process::run(Command::new(installed("kcat")).args(arguments), input, RUN_LIMIT)
}

/// Runs a program of `integration/clients/python`.
#[track_caller]
pub fn python(program: &str, arguments: &[&str]) -> Finished {
    let interpreter = installed("python").join("bin/python");
    let path = workspace::crate_folder().join("clients/python").join(program);
    // Without its own byte code beside it, the checkout stays clean.
    process::run(Command::new(interpreter).arg("-B").arg(path).args(arguments), b"", RUN_LIMIT)
}

/// Runs a program of `integration/clients/node`. Node looks for packages beside the program, so it runs as a copy in
/// a folder of its own next to them.
#[track_caller]
pub fn node(program: &str, arguments: &[&str]) -> Finished {
    let packages = installed("node");
    let folder = tempfile::Builder::new().prefix("run.").tempdir_in(packages).expect("a folder in the cache");
    for file in [program, "common.js"] {
        let source = workspace::crate_folder().join("clients/node").join(file);
        std::fs::copy(&source, folder.path().join(file))
            .unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    }
    std::fs::write(folder.path().join("package.json"), r#"{"type":"module"}"#).expect("the folder can be written");
    process::run(Command::new("node").arg(folder.path().join(program)).args(arguments), b"", RUN_LIMIT)
}

/// Runs the Go program of `integration/clients/go`.
#[track_caller]
pub fn go(arguments: &[&str]) -> Finished {
    process::run(Command::new(installed("go").join("clients")).args(arguments), b"", RUN_LIMIT)
}

/// The command of an object store: `minio`, `versitygw` or `azurite`.
#[track_caller]
pub(crate) fn store(name: &str) -> Command {
    let folder = installed(name);
    match name {
        "azurite" => Command::new(folder.join("node_modules/.bin/azurite-blob")),
        _ => Command::new(folder.join(name)),
    }
}

/// Runs one file of rskafka's own tests against `bootstrap`.
#[track_caller]
pub fn rskafka_tests(file: &str, bootstrap: &str) -> Finished {
    let suite = installed("rskafka");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--locked", "--offline", "--test", file]);
    cargo.current_dir(&suite).env_remove("RUSTFLAGS").env("CARGO_TARGET_DIR", suite.join("target"));
    cargo.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
    // Without TEST_INTEGRATION every one of these tests passes by doing nothing.
    cargo.envs([("TEST_INTEGRATION", "1"), ("TEST_BROKER_IMPL", "kafka"), ("KAFKA_CONNECT", bootstrap)]);
    process::run(&mut cargo, b"", RUN_LIMIT)
}

/// The last line of a client program: `OK NAME VERSION checks=N`.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub version: String,
    pub checks: u32,
}

/// Checks that a client program ended well and says so in its last line.
///
/// # Panics
/// It did not.
#[track_caller]
pub fn verdict(client: &str, finished: Finished) -> Verdict {
    let shown = finished.everything();
    let output = finished.ok();
    let last = output.trim().lines().last().unwrap_or_default();
    let words: Vec<&str> = last.split(' ').collect();
    let parsed = match words[..] {
        ["OK", name, version, checks] if name == client => {
            checks.strip_prefix("checks=").and_then(|n| n.parse().ok()).map(|checks| (version.to_owned(), checks))
        }
        _ => None,
    };
    let (version, checks) = parsed.unwrap_or_else(|| panic!("no verdict of {client}:\n{shown}"));
    Verdict { version, checks }
}
