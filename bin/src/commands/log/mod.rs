//! `ottla log`: the files of logs, without a broker: print them, check them, make them whole.

mod decoder;
mod dump;
mod files;
mod partition;
mod records;
mod remote_log;
mod repair;
mod verify;

use clap::Subcommand;

pub(crate) use decoder::Decoder;
pub(crate) use dump::Dump;
pub(crate) use files::FileKind;
pub(crate) use records::Detail;

/// Prints, checks and repairs the files of logs, while no broker runs.
///
/// Examples:
///   ottla log verify data
///   ottla log dump data/orders-0 --records
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
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
