//! What the files of the metadata log say, for tools that look at them from outside. Pure: bytes in, contents out.

use std::io;

use bytes::Bytes;
use protocol::metadata_record::MetadataRecord;

use super::purge_point::PurgePoint;
pub use super::snapshot::SnapshotId;
use super::type_config::{Operation, Payload, node_id, term};
use super::{entry, quorum_state, snapshot};
use crate::image::Image;

/// What a batch of the metadata log holds.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchContents {
    /// An operation of the controller.
    Records(Vec<MetadataRecord>),
    /// A leader begins its epoch.
    LeaderChange,
    /// KRaft's version and voters.
    KRaft,
    /// The members of the quorum from here on, by node id.
    Members(Vec<i32>),
}

/// The vote in `quorum-state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// The epoch that was voted in.
    pub leader_epoch: u64,
    /// Who leads it, or was voted for.
    pub node_id: i32,
    /// Whether it leads.
    pub is_leader: bool,
}

/// Reads one whole batch of the metadata log. The CRC is not looked at.
///
/// # Errors
/// Damaged bytes, or a record that is not known.
pub fn read_batch(batch: &Bytes) -> io::Result<BatchContents> {
    Ok(match entry::decode(batch, 0)?.payload {
        Payload::Normal(Operation::Records { records, .. }) => BatchContents::Records(records.to_vec()),
        Payload::Normal(Operation::Control(_)) => BatchContents::KRaft,
        Payload::Blank => BatchContents::LeaderChange,
        Payload::Membership(membership) => {
            BatchContents::Members(membership.nodes().map(|(id, _)| node_id(*id)).collect())
        }
    })
}

/// Reads a snapshot, which is named by its id.
///
/// # Errors
/// Damaged bytes, or a file without its footer.
pub fn read_snapshot(id: SnapshotId, bytes: &Bytes) -> io::Result<Image> {
    snapshot::decode(id, bytes).map(|loaded| loaded.image)
}

/// Reads the vote, of Kafka's or our own writing; `None` where nobody was voted for.
///
/// # Errors
/// Anything else.
pub fn read_quorum_state(bytes: &[u8]) -> io::Result<Option<QuorumState>> {
    Ok(quorum_state::decode(bytes)?.map(|vote| QuorumState {
        leader_epoch: vote.leader_id.term,
        node_id: node_id(vote.leader_id.voted_for),
        is_leader: vote.committed,
    }))
}

/// Reads the purge point: leader epoch and index of the last batch that was dropped from the log, and the offset after it.
///
/// # Errors
/// Anything that this program did not write.
pub fn read_purge_point(bytes: Bytes) -> io::Result<(u64, u64, i64)> {
    PurgePoint::decode(bytes).map(|point| (term(&point.log_id), point.log_id.index, point.end_offset))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use protocol::ids::{TopicPartition, Uuid};
    use protocol::metadata_record::{FeatureLevelRecord, TopicRecord};
    use protocol::record_batch::Batches;
    use storage::file_system::{FileSystem, LosingFileSystem};
    use storage::{Log, LogConfig, LogDir, LogDirOptions, ReadLimits};

    use super::super::{METADATA_TOPIC, METADATA_TOPIC_ID, Quorum, QuorumConfig, SnapshotPolicy};
    use super::*;
    use crate::controller::Propose;

    fn open_dir(file_system: &LosingFileSystem) -> Arc<LogDir> {
        let options = LogDirOptions::new(Arc::new(file_system.clone()) as Arc<dyn FileSystem>);
        LogDir::open(Path::new("/data"), &options).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_quorum_wrote_is_read_from_its_files() {
        let file_system = LosingFileSystem::new();
        let voters = [(1, "127.0.0.1:9093".to_owned())].into();
        let config = QuorumConfig {
            node_id: 1,
            voters,
            listener: "CONTROLLER".into(),
            log_dir: open_dir(&file_system),
            now_ms: Arc::new(|| 7),
            snapshots: SnapshotPolicy { max_bytes: 1 << 20, max_age: None },
        };
        let feature: MetadataRecord = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 25 }.into();
        let (quorum, updates) = Quorum::start(config, vec![feature.clone()]).await.unwrap();
        let topic: MetadataRecord = TopicRecord { name: "t".into(), topic_id: Uuid::from_u128(9) }.into();
        let leadership = quorum.leadership().await.unwrap();
        quorum.propose(leadership.epoch, vec![topic.clone()]).await.unwrap();
        quorum.shared.raft.trigger().snapshot().await.unwrap();
        let wait = quorum.shared.raft.wait(None);
        wait.metrics(|metrics| metrics.snapshot.is_some(), "a snapshot").await.unwrap();
        let image = quorum.image();
        quorum.shutdown().await.unwrap();
        drop((quorum, updates));

        let log_dir = open_dir(&file_system);
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let folder = log_dir.folder(&partition);
        let log = Log::open(&log_dir, partition, METADATA_TOPIC_ID, LogConfig::default());
        let limits = ReadLimits { end_offset: i64::MAX, max_bytes: 1 << 20, at_least_one: true };
        let bytes = log.read(0, limits).unwrap().read().unwrap();
        let batches = Batches::new(&bytes).map(|batch| read_batch(&bytes.slice_ref(batch.unwrap().1)).unwrap());
        let batches: Vec<_> = batches.collect();
        for contents in [
            BatchContents::KRaft,
            BatchContents::LeaderChange,
            BatchContents::Records(vec![feature]),
            BatchContents::Records(vec![topic]),
        ] {
            assert!(batches.contains(&contents), "{contents:?} in {batches:?}");
        }
        let names = file_system.read_dir(&folder).unwrap();
        let snapshot = names.iter().find_map(|entry| Some((SnapshotId::in_name(&entry.name)?, &entry.name)));
        let (id, name) = snapshot.expect("a snapshot");
        let snapshot = file_system.read(&folder.join(name)).unwrap();
        assert_eq!(*read_snapshot(id, &snapshot.into()).unwrap().topics(), *image.topics());
        let vote = read_quorum_state(&file_system.read(&folder.join("quorum-state")).unwrap()).unwrap().unwrap();
        assert_eq!((vote.node_id, vote.is_leader), (1, true));
    }
}
