//! `ottla tier`: what a cluster has in its cold tier, and what happened there, as `__remote_log_metadata` tells it.

mod event;
mod events;
mod ls;

use clap::Subcommand;

/// Shows what lies in remote storage, and what was copied there and deleted.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the remote segments of tiered topics.
    ///
    /// Examples:
    ///   ottla tier ls
    ///   ottla tier ls orders --json | jq .size
    #[command(verbatim_doc_comment)]
    Ls(ls::Arguments),
    /// Prints what became of remote segments, in the order of time: copied, deleted, each with its beginning and its end.
    ///
    /// Examples:
    ///   ottla tier events orders
    ///   ottla tier events --follow           # until Ctrl-C
    ///   ottla tier events --json | jq 'select(.state == "DELETE_SEGMENT_FINISHED")'
    #[command(verbatim_doc_comment)]
    Events(events::Arguments),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Ls(arguments) => arguments.run(),
            Self::Events(arguments) => arguments.run(),
        }
    }
}
