//! Reads a partition of `__consumer_offsets` into memory. Source: `CoordinatorLoaderImpl`.

use bytes::Bytes;
use protocol::coordinator_record::{CoordinatorRecord, ParseError};
use protocol::record_batch::{BatchError, BatchHeader, Batches, Record, RecordError, Records, expansion_limit};
use std::io;

use super::shard::Shard;
use crate::replica::{self, Partition, PartitionError};

/// The type of a control record that commits; 0 aborts (`ControlRecordType`).
const COMMIT: i16 = 1;
/// Bytes of a control record's key: version and type.
const CONTROL_KEY: usize = 4;

/// Why a partition's groups are not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("the record at offset {offset} is none of ours")]
    Record { offset: i64, source: ParseError },
    #[error("the record at offset {offset} cannot be read")]
    Damaged { offset: i64, source: RecordError },
    /// Nobody needs it any more.
    #[error("loading was given up")]
    GivenUp,
}

/// How a partition is read.
pub(super) struct Loading<'a> {
    pub buffer_bytes: usize,
    pub now_ms: i64,
    /// True when the result is not wanted any more.
    pub is_over: &'a dyn Fn() -> bool,
}

/// Replays everything in the partition. Returns the groups, and the offset after the last record. Blocks.
///
/// # Errors
/// [`LoadError`].
pub(super) fn load(partition: &Partition, loading: &Loading<'_>) -> Result<(Shard, i64), LoadError> {
    let mut shard = Shard::default();
    let take = |batches: &Bytes, offset| replay(&mut shard, batches, offset, loading.now_ms);
    let end_offset = replica::replay(partition, loading.buffer_bytes, loading.is_over, take)?;
    Ok((shard, end_offset.ok_or(LoadError::GivenUp)?))
}

/// Replays whole batches; returns the offset after them.
fn replay(shard: &mut Shard, batches: &Bytes, mut offset: i64, now_ms: i64) -> Result<i64, LoadError> {
    for batch in Batches::new(batches) {
        let (header, bytes) = batch?;
        let batch = batches.slice_ref(bytes);
        let limit = expansion_limit(batch.len());
        for record in Records::open(&batch, limit)? {
            let record = record.map_err(|source| LoadError::Damaged { offset: header.base_offset, source })?;
            replay_record(shard, &header, record, now_ms)?;
        }
        offset = header.next_offset();
    }
    Ok(offset)
}

fn replay_record(shard: &mut Shard, header: &BatchHeader, record: Record, now_ms: i64) -> Result<(), LoadError> {
    let offset = record.offset;
    if header.attributes.is_control() {
        if let Some(is_commit) = transaction_end(record.key.as_deref()) {
            shard.replay_end_of_transaction(header.producer_id, is_commit, now_ms);
        }
        return Ok(());
    }
    let producer_id = header.attributes.is_transactional().then_some(header.producer_id);
    match CoordinatorRecord::decode(record.key.unwrap_or_default(), record.value) {
        Ok(record) => shard.replay(&record, producer_id, now_ms),
        Err(ParseError::UnknownType(kind)) => {
            tracing::debug!(offset, kind, "passing over a record of another kind of group");
        }
        Err(source) => return Err(LoadError::Record { offset, source }),
    }
    Ok(())
}

/// Whether a control record commits a transaction; `None` for other control records.
fn transaction_end(key: Option<&[u8]>) -> Option<bool> {
    let key: &[u8; CONTROL_KEY] = key?.first_chunk()?;
    match i16::from_be_bytes([key[2], key[3]]) {
        COMMIT => Some(true),
        0 => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::group::classic::GroupState;
    use crate::group::consumer::ConsumerGroupState;
    use crate::group::members::Members;
    use crate::replica::testing::partition;
    use crate::replica::{Durability, Flusher};
    use storage::file_system::OsFileSystem;

    /// What `integration/golden/consumer_offsets.py` left behind in Apache Kafka 4.3.
    const KAFKAS: &[u8] = include_bytes!("../../tests/golden/consumer_offsets.log");

    fn load_from(folder: &Path, batches: &'static [u8], is_over: &dyn Fn() -> bool) -> Result<(Shard, i64), LoadError> {
        let flusher = Flusher::start(1);
        let partition = partition(Arc::new(OsFileSystem), folder, &flusher, Durability::Durable);
        partition.log().append_as_is(&Bytes::from_static(batches), 0).unwrap();
        let loaded = load(&partition, &Loading { buffer_bytes: 300, now_ms: 0, is_over });
        flusher.stop();
        loaded
    }

    fn offset(shard: &Shard, group: &str, topic: &str, partition: i32) -> Option<(i64, String)> {
        let committed = shard.committed_offset(group, topic, partition)?;
        Some((committed.offset, committed.metadata().trim_end_matches('\0').to_owned()))
    }

    #[test]
    fn groups_that_kafka_wrote_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (shard, end_offset) = load_from(folder.path(), KAFKAS, &|| false).unwrap();
        assert_eq!(end_offset, 24);
        assert_eq!(offset(&shard, "simple", "t", 0), Some((7, "second".to_owned())));
        assert_eq!(offset(&shard, "simple", "t", 1), Some((8, String::new())));
        assert!(shard.group("deleted").is_none());
        assert_eq!(offset(&shard, "modern", "t", 0), Some((3, String::new())));
        let modern = shard.consumer("modern").unwrap();
        assert_eq!((modern.state(), modern.members().len()), (ConsumerGroupState::Empty, 0));
        assert!(modern.epoch() > 1 && !modern.is_subscribed_to("t"));
        assert_eq!(offset(&shard, "classic", "u", 0), Some((9, String::new())));

        let Members::Classic(classic) = &shard.group("classic").unwrap().members else { panic!("it is classic") };
        assert_eq!((classic.state(), classic.generation()), (GroupState::Stable, 1));
        let member = classic.members().next().unwrap();
        assert_eq!(member.identity.instance_id.as_deref(), Some("one"));
        assert!(classic.is_subscribed_to("t") && classic.is_subscribed_to("u") && !classic.is_subscribed_to("v"));
        assert!(!member.assignment.is_empty());
        assert_eq!((shard.offset_count(), shard.groups().count()), (5, 4));
    }

    #[test]
    fn of_transactions_only_what_was_committed_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shard, _) = load_from(folder.path(), KAFKAS, &|| false).unwrap();
        assert_eq!(offset(&shard, "transactional", "t", 0), Some((100, String::new())));
        assert!(shard.is_unstable("transactional", "t", 0), "the last transaction is open");
        assert!(!shard.is_unstable("simple", "t", 0));
        let producer_id = Batches::new(KAFKAS).last().unwrap().unwrap().0.producer_id;
        shard.replay_end_of_transaction(producer_id, true, 0);
        assert_eq!(offset(&shard, "transactional", "t", 0), Some((102, String::new())));
        assert!(!shard.is_unstable("transactional", "t", 0));
    }

    #[test]
    fn loading_can_be_given_up() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load_from(folder.path(), KAFKAS, &|| true), Err(LoadError::GivenUp)));
    }
}
