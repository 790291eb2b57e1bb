//! The command line: a broker with its controller in one process, and the commands to look after it.

mod banner;
mod client;
mod commands;
mod interrupt;
mod kafka_names;
mod log_limit;
mod logging;
mod memory;
mod moments;
mod notify;
mod output;
mod progress;
mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands::key_value;

/// Maps memory without reserving it, so that a forged count in a request costs nothing (see the crate `protocol`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A drop-in Apache Kafka broker in one small binary.
///
/// With no command it starts a broker on 127.0.0.1:9092 with its data in ./ottla-data. Any Kafka client can talk to it:
///
///   kcat -b 127.0.0.1:9092 -t hello -P <<< 'hello, world'
///   kcat -b 127.0.0.1:9092 -t hello -C -o beginning -e
#[derive(Debug, Parser)]
#[command(name = "ottla", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the broker, with a Kafka server.properties if one is given.
    ///
    /// SIGTERM and SIGINT stop it cleanly; each SIGUSR2 makes its log more detailed: debug, trace, then as before. The log is for
    /// people on a terminal and JSON otherwise, or what OTTLA_LOG_FORMAT says, human or json. Without a file it listens on
    /// 127.0.0.1:9092 and keeps its data in ./ottla-data.
    ///
    /// Examples:
    ///   ottla server server.properties
    ///   ottla server server.properties --override log.dirs=/data --override num.partitions=3
    #[command(verbatim_doc_comment)]
    Server {
        /// Apache Kafka's own configuration file.
        file: Option<PathBuf>,
        #[command(flatten)]
        arguments: ServerArguments,
    },
    #[command(flatten)]
    Tool(commands::Command),
}

#[derive(Args, Debug, Default)]
struct ServerArguments {
    /// Sets one configuration key, over the file and the defaults. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
}

fn main() -> ExitCode {
    // Before anything is allocated: the tree of commands alone reaches over three huge pages.
    broker::system::use_ordinary_pages();
    memory::give_back_soon();
    let mut arguments = std::env::args_os();
    match arguments.next().as_deref().and_then(kafka_names::called_as) {
        Some(name) => kafka_names::run(name, arguments.collect()),
        None => run(std::env::args_os()),
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let command_line = CommandLine::parse_from(arguments);
    let tool = match command_line.command {
        None => return serve(None, command_line.server.overrides),
        Some(Command::Server { file, arguments }) => return serve(file.as_deref(), arguments.overrides),
        Some(Command::Tool(tool)) => tool,
    };
    match tool.run() {
        Err(error) if !output::is_broken_pipe(&error) => {
            banner::failure(&error);
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Runs the broker until it is told to stop.
fn serve(file: Option<&Path>, overrides: Vec<(String, String)>) -> ExitCode {
    match server::run(file, overrides) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            banner::failure(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<CommandLine, String> {
        CommandLine::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn kafkas_way_of_giving_a_file_and_overrides_is_understood() {
        let parsed =
            parse(&["ottla", "server", "a.properties", "--override", "log.dirs=/a=b", "--override", "node.id=2"]);
        let Some(Command::Server { file, arguments }) = parsed.unwrap().command else { panic!("no server command") };
        assert_eq!(file, Some(PathBuf::from("a.properties")));
        let expected = [("log.dirs", "/a=b"), ("node.id", "2")];
        assert_eq!(arguments.overrides, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_override_without_a_value_is_refused() {
        assert!(parse(&["ottla", "--override", "node.id"]).unwrap_err().contains("expected KEY=VALUE"));
    }
}
