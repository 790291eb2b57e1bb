//! `ottla tier`: what a cluster has in its cold tier and what happened there. `ls` and `events` read `__remote_log_metadata`; the others
//! look into the store itself, which explains itself without a broker, and ask a running one for what only it knows.

mod describe;
mod event;
mod events;
mod facts;
mod gc;
mod ls;
mod map;
mod restore;
mod status;
mod store;
mod verify;

use clap::Subcommand;

/// Shows what lies in remote storage, what was copied there and deleted, and checks it.
///
/// Examples:
///   ottla tier ls orders
///   ottla tier events --follow
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
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
    /// Tells of each partition what is remote, what is local, what waits to be copied, and why.
    ///
    /// Asks a running broker, on the port with its metrics; or looks into the store, if one is named; or both.
    ///
    /// Examples:
    ///   ottla tier describe orders
    ///   ottla tier describe --store s3://cold/kafka          # without any broker
    ///   ottla tier describe --config server.properties --monitoring 127.0.0.1:9644 --json
    #[command(verbatim_doc_comment)]
    Describe(describe::Arguments),
    /// Draws where the offsets of each partition are: in the store, in the local log, or in both.
    ///
    /// Examples:
    ///   ottla tier map orders
    ///   ottla tier map --store file:///mnt/cold --json
    #[command(verbatim_doc_comment)]
    Map(map::Arguments),
    /// Reads everything that manifests name, and compares it with their checksums; names what no manifest does.
    ///
    /// Needs no broker, and changes nothing. Exit code 1 if anything is missing or damaged. Beside a broker that writes, run it again
    /// before you believe that something is missing: it may have expired meanwhile.
    ///
    /// Examples:
    ///   ottla tier verify --store s3://cold/kafka
    ///   ottla tier verify orders --config server.properties --sizes-only
    #[command(verbatim_doc_comment)]
    Verify(verify::Arguments),
    /// Finds objects that nobody needs, and deletes them if told so.
    ///
    /// That is what failed copies and deletions left behind, once it is older than the grace; a broker does the same for the partitions that it
    /// leads. With --deleted-topics also what is left of topics that the running cluster does not know.
    ///
    /// Examples:
    ///   ottla tier gc --store s3://cold/kafka                # only says what it would do
    ///   ottla tier gc --config server.properties --deleted-topics -b localhost:9092 --delete
    #[command(verbatim_doc_comment)]
    Gc(gc::Arguments),
    /// Rebuilds a cluster, or some of its topics, from the store alone, on a node whose disks are empty.
    ///
    /// Topics come back with their ids, configurations and remote records, their local logs go on where the remote part ends, and groups go
    /// on where they had committed. No broker may run on the node; start it afterwards with the same configuration. Records that had not been
    /// copied are lost: groups that had read some of them go on behind the last that is there. A node that has a topic of the same name is
    /// refused. The old node must not come back: the store would not listen to it any more.
    ///
    /// Examples:
    ///   ottla tier restore server.properties --dry-run
    ///   ottla tier restore server.properties
    ///   ottla tier restore server.properties --topic orders --topic users
    #[command(verbatim_doc_comment)]
    Restore(restore::Arguments),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Ls(arguments) => arguments.run(),
            Self::Events(arguments) => arguments.run(),
            Self::Describe(arguments) => arguments.run(),
            Self::Map(arguments) => arguments.run(),
            Self::Verify(arguments) => arguments.run(),
            Self::Gc(arguments) => arguments.run(),
            Self::Restore(arguments) => arguments.run(),
        }
    }
}
