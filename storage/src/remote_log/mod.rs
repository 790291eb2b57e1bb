//! The cold tier: rolled segments as objects in a store. The one place of this crate where `async` is at home.
//!
//! ```text
//! <cluster id>/<topic>-<topic id>/<partition>/
//! ├── 00000000000000000042-<segment id>.log       the segment, byte for byte
//! ├── 00000000000000000042-<segment id>.indexes   its indexes, producer snapshot and leader epochs, joined
//! ├── part-<id>                                   segments that a manifest of many leaves to another object
//! └── manifest/0000000003-00000000000000000017    all of it that exists, as leader epoch 3 has it for the 17th time
//! <cluster id>/<topic>-<topic id>/
//! ├── topic/0000000003-00000000000000000002       what the topic is
//! └── offsets/<partition>/…                       of __consumer_offsets: what groups have committed in tiered topics
//! ```
//! or, where Kafka's `LocalTieredStorage` is named, the segments as that has them:
//! ```text
//! kafka-tiered-storage/<topic>-<partition>-<topic id>/
//! └── 00000000000000000042-<segment id>.{log,index,timeindex,txnindex,snapshot,leader_epoch_checkpoint}
//! ```
//!
//! # Invariants
//! - The store is the truth and explains itself. What no manifest names does not exist; the manifest is written last.
//! - No key is ever written twice. A segment's key holds a random id; a manifest is created only where there is none, and
//!   the highest (leader epoch, sequence) counts, so that what a deposed leader writes is not seen.
//! - Nothing is deleted while the newest manifest has it as readable. What lies below the manifest's log start offset is on
//!   its way out, and is named until it is gone.
//! - Every request has a deadline. Bytes from the store never panic.
//!
//! # Deliberately absent
//! The wall clock, and the choice of the store: the broker makes one from its settings.

mod buffers;
mod cache;
mod deletions;
mod description;
mod disk_cache;
mod envelope;
mod error;
mod inventory;
mod keys;
mod layout;
mod leave;
mod leavings;
mod local_log;
mod manifest;
mod mirror;
mod mover;
mod open_files;
mod policy;
mod positions;
mod probe;
mod rate;
mod reader;
mod rebuild;
mod remote_partition;
#[cfg(test)]
mod rivals;
mod segment_object;
mod source;
mod store;
mod sweep;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topic_manifest;

pub use cache::CacheLimits;
pub use deletions::{DeletedTopic, Deletions};
pub use description::{Describer, Description, newest_description};
pub use disk_cache::DiskCache;
pub use envelope::ManifestError;
pub use error::RemoteError;
pub use inventory::{Contents, Inventory, StoredPartition, StoredTopic, clusters, stored_topics};
pub use keys::{ManifestVersion, PartitionKeys};
pub use layout::SegmentLayout;
pub use manifest::{Manifest, Part, PartSegments, RemoteSegment, SegmentEpoch};
pub use mover::{CopyListener, Mover, Step, StepInput};
pub use policy::{ActivePart, CleanPart, CopyDelay, Decision, ExpiryReason, Idle, Situation, TierConfig, decide};
pub use probe::{ProbeError, probe};
pub use rate::RateLimit;
pub use reader::RemoteReader;
pub use rebuild::begin_behind;
pub(crate) use remote_partition::COPY;
pub use remote_partition::{RemotePartition, RemoteView};
pub use store::{RemoteStore, StoreLimits};
pub use topic_manifest::{GroupOffsets, StoredConfig, StoredOffset, TopicManifest};

pub use object_store;
