//! What the files of the metadata log say, for tools that look at them from outside. Pure: bytes in, contents out.

use std::io;

use bytes::Bytes;
use protocol::metadata_record::MetadataRecord;

use super::type_config::{Payload, node_id, term};
use super::{entry, hard_state, snapshot};
use crate::image::Image;

/// What a batch of the metadata log holds.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchContents {
    /// An operation of the controller.
    Records(Vec<MetadataRecord>),
    /// A leader begins its epoch.
    LeaderChange,
    /// The members of the quorum from here on, by node id.
    Members(Vec<i32>),
}

/// What the vote file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoteFile {
    /// The last vote: leader epoch, node voted for, and whether a quorum granted it.
    pub vote: Option<(u64, i32, bool)>,
    /// The last batch that was dropped from the log, by leader epoch and index, and the offset after it.
    pub purged: Option<(u64, u64, i64)>,
}

/// Reads one whole batch of the metadata log. The CRC is not looked at.
///
/// # Errors
/// Damaged bytes, or a record that is not known.
pub fn read_batch(batch: &Bytes) -> io::Result<BatchContents> {
    Ok(match entry::decode(batch, 0)?.payload {
        Payload::Normal(operation) => BatchContents::Records(operation.records.to_vec()),
        Payload::Blank => BatchContents::LeaderChange,
        Payload::Membership(membership) => {
            BatchContents::Members(membership.nodes().map(|(id, _)| node_id(*id)).collect())
        }
    })
}

/// Reads a snapshot, `<end offset>-<epoch>.checkpoint`.
///
/// # Errors
/// Damaged bytes, or a file without its footer.
pub fn read_snapshot(bytes: &Bytes) -> io::Result<Image> {
    snapshot::decode(bytes).map(|loaded| loaded.image)
}

/// Reads the vote file.
///
/// # Errors
/// Anything that this program did not write.
pub fn read_vote_file(bytes: Bytes) -> io::Result<VoteFile> {
    let state = hard_state::HardState::decode(bytes)?;
    Ok(VoteFile {
        vote: state.vote.map(|vote| (vote.leader_id.term, node_id(vote.leader_id.voted_for), vote.committed)),
        purged: state.purged.map(|(purged, end_offset)| (term(&purged), purged.index, end_offset)),
    })
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
            BatchContents::Members(vec![1]),
            BatchContents::LeaderChange,
            BatchContents::Records(vec![feature]),
            BatchContents::Records(vec![topic]),
        ] {
            assert!(batches.contains(&contents), "{contents:?} in {batches:?}");
        }
        let names = file_system.read_dir(&folder).unwrap();
        let snapshot = names.iter().find(|entry| entry.name.ends_with(".checkpoint") && !entry.name.starts_with('l'));
        let snapshot = file_system.read(&folder.join(&snapshot.expect("a snapshot").name)).unwrap();
        assert_eq!(read_snapshot(&snapshot.into()).unwrap().topics(), image.topics());
        let vote = read_vote_file(file_system.read(&folder.join("ottla-vote")).unwrap().into()).unwrap();
        assert_eq!(vote.vote.map(|(_, node, committed)| (node, committed)), Some((1, true)));
    }
}
