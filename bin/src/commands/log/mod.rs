//! `ottla log`: the files of logs, without a broker: print them, check them, make them whole.

mod dump;
mod files;
mod partition;
mod records;
mod repair;
mod verify;

use clap::Subcommand;

/// Prints, checks and repairs the files of logs, while no broker runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dump(dump::Arguments),
    Verify(verify::Arguments),
    Repair(repair::Arguments),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Dump(arguments) => arguments.run(),
            Self::Verify(arguments) => arguments.run(),
            Self::Repair(arguments) => arguments.run(),
        }
    }
}
