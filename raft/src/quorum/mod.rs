//! The metadata quorum: openraft over the metadata log. No type of openraft leaves this room.
//!
//! ```text
//! __cluster_metadata-0/
//! ├── 00000000000000000000.log                        one raft entry = one record batch = one operation
//! ├── 00000000000000001234-0000000007.checkpoint      snapshot: the image as records
//! ├── quorum-state                                    the vote, replaced atomically
//! └── ottla-purge-point                               where raft's counting of the log begins, once a part was dropped
//! ```
//!
//! All but the last are KRaft's own files, so that Kafka's controller goes on with a directory of this one, and this one with Kafka's.
//!
//! # Invariants
//! - Vote and entries reach the disk in the order in which raft gave them, through one writer; nothing is acknowledged
//!   before it is synced, and after the first failed sync nothing is acknowledged any more.
//! - A raft index counts batches, an offset counts records; the offset of an entry depends only on the entries before it.

mod entry;
pub mod inspect;
mod kraft_voters;
mod log_store;
mod network;
mod purge_point;
mod quorum_state;
mod record;
mod snapshot;
mod snapshot_policy;
mod state_machine;
#[cfg(test)]
mod tests;
mod type_config;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::ClientWriteError;
use openraft::impls::BasicNode;
use openraft::{Config, Raft, ServerState};
use protocol::ids::{TopicPartition, Uuid};
use protocol::metadata_record::MetadataRecord;
use storage::{Log, LogConfig, LogDir};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::controller::{Leadership, Propose, ProposeError, Proposed};
use crate::image::{Image, Update};
use entry::damaged;
use kraft_voters::KRaftVoters;
use log_store::LogStore;
use network::Network;
pub use snapshot_policy::SnapshotPolicy;
use state_machine::{Restored, StateMachine, UPDATES};
use type_config::{Membership, Operation, StoredMembership, TypeConfig, member, node_id};

/// The topic of the metadata log.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Its id, fixed in every cluster (`Uuid.METADATA_TOPIC_ID`).
pub const METADATA_TOPIC_ID: Uuid = Uuid::from_u128(1);

/// Reads the wall clock: ms since the epoch.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

const START_DEADLINE: Duration = Duration::from_secs(30);
/// Entries that stay in the log behind a snapshot, for members that lag.
const KEPT_ENTRIES: u64 = 1_000;

/// Who this node is, and who votes.
#[derive(Clone)]
pub struct QuorumConfig {
    pub node_id: i32,
    /// Node id and address of every voter, this node's among them.
    pub voters: BTreeMap<i32, String>,
    /// Name of the listener that these addresses belong to.
    pub listener: Arc<str>,
    /// Where the metadata log is.
    pub log_dir: Arc<LogDir>,
    pub snapshots: SnapshotPolicy,
    pub now_ms: Now,
}

/// Why the quorum does not start, or has stopped.
#[derive(Debug, Error)]
pub enum QuorumError {
    #[error("the metadata log cannot be opened")]
    Open(#[source] io::Error),
    #[error("the metadata quorum failed: {0}")]
    Raft(String),
    #[error("the metadata log failed")]
    Log(#[from] storage::Error),
    #[error("the first records of the cluster were not committed")]
    Bootstrap(#[source] ProposeError),
    #[error("the metadata quorum has no leader after {} s", START_DEADLINE.as_secs())]
    NoLeader,
}

fn raft_failed(error: impl std::fmt::Display) -> QuorumError {
    QuorumError::Raft(error.to_string())
}

/// This node's part of the quorum. Clones are handles to the same.
#[derive(Clone)]
pub struct Quorum {
    shared: Arc<Shared>,
}

struct Shared {
    config: QuorumConfig,
    raft: Raft<TypeConfig, StateMachine>,
    log_store: LogStore,
    image: Arc<ArcSwap<Image>>,
    /// When the last snapshot was asked for, or the node started: ms since the epoch.
    last_snapshot_ms: AtomicI64,
}

/// The state of the quorum, as DescribeQuorum tells it.
#[derive(Clone, Debug)]
pub struct QuorumDescription {
    /// −1 while there is none.
    pub leader_id: i32,
    pub leader_epoch: i32,
    /// The offset up to which the log is committed (exclusive).
    pub high_watermark: i64,
    pub voters: Vec<MemberDescription>,
    pub observers: Vec<MemberDescription>,
}

/// One member of the quorum.
#[derive(Clone, Debug)]
pub struct MemberDescription {
    pub node_id: i32,
    pub address: String,
    /// −1 if the leader does not know.
    pub log_end_offset: i64,
    /// Directory id of its metadata log, if known.
    pub directory_id: Option<Uuid>,
}

impl Quorum {
    /// Opens the metadata log and joins the quorum. A quorum that never was is formed of the voters, and the first leader
    /// writes `bootstrap`, or what `kafka-storage format` left to be written instead of its features. Returns when a leader is known and everything it committed before is applied here, together with
    /// the receiver of every change after the image at that moment was published.
    ///
    /// # Errors
    /// A damaged or failing disk, or no leader in time.
    pub async fn start(
        config: QuorumConfig,
        bootstrap: Vec<MetadataRecord>,
    ) -> Result<(Self, mpsc::Receiver<Update>), QuorumError> {
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let folder = config.log_dir.folder(&partition);
        let log_config = LogConfig { retention_ms: None, retention_bytes: None, ..LogConfig::default() };
        let log = Log::open(&config.log_dir, partition, METADATA_TOPIC_ID, log_config);
        let (log_store, restored) = open(&config, log, &folder).map_err(QuorumError::Open)?;
        let voters = restored.voters.clone();
        let image = Arc::new(ArcSwap::default());
        let (updates, receiver) = mpsc::channel(UPDATES);
        let log_dir = Arc::clone(&config.log_dir);
        let state_machine = StateMachine::new(log_dir, folder, restored, Arc::clone(&image), updates);
        let raft = Raft::new(member(config.node_id), raft_config()?, Network, log_store.clone(), state_machine)
            .await
            .map_err(raft_failed)?;
        let last_snapshot_ms = AtomicI64::new((config.now_ms)());
        let quorum = Self { shared: Arc::new(Shared { config, raft, log_store, image, last_snapshot_ms }) };
        let receiver = quorum.join(voters, bootstrap, receiver).await?;
        Ok((quorum, receiver))
    }

    /// Joins the quorum, and drops the updates on the way to the first image that counts.
    async fn join(
        &self,
        voters: KRaftVoters,
        bootstrap: Vec<MetadataRecord>,
        mut receiver: mpsc::Receiver<Update>,
    ) -> Result<mpsc::Receiver<Update>, QuorumError> {
        let joined = async {
            if self.shared.config.voters.len() == 1 {
                // Nobody else could be leading: waiting for an election time-out would be waiting for nothing.
                self.shared.raft.trigger().elect(false).await.map_err(raft_failed)?;
            }
            let leadership = self.leadership().await.map_err(QuorumError::Bootstrap)?;
            // Every cluster that was begun has a metadata version.
            if self.image().features().is_empty() {
                self.begin_cluster(leadership.epoch, voters, bootstrap).await?;
            }
            Ok::<(), QuorumError>(())
        };
        let drained = async {
            // Applying waits for the channel: somebody has to read it.
            while receiver.recv().await.is_some() {}
        };
        tokio::select! {
            joined = tokio::time::timeout(START_DEADLINE, joined) => joined.map_err(|_| QuorumError::NoLeader)??,
            () = drained => return Err(raft_failed("stopped")),
        }
        while receiver.try_recv().is_ok() {}
        Ok(receiver)
    }

    /// Writes the first records: KRaft's voters, as `kafka-storage format` or the configuration has them, then those of the cluster.
    async fn begin_cluster(
        &self,
        epoch: i32,
        voters: KRaftVoters,
        bootstrap: Vec<MetadataRecord>,
    ) -> Result<(), QuorumError> {
        let config = &self.shared.config;
        let voters = match config.voters.get(&config.node_id) {
            Some(address) if voters.is_empty() => {
                let directory_id = config.log_dir.directory_id().unwrap_or_default();
                KRaftVoters::of_one(config.node_id, directory_id, &config.listener, address)
                    .map_err(QuorumError::Open)?
            }
            _ => voters,
        };
        let control = Operation::Control(voters.batch((config.now_ms)()));
        self.write(epoch, control).await.map_err(QuorumError::Bootstrap)?;
        let formatted =
            snapshot::bootstrap(config.log_dir.file_system(), config.log_dir.path()).map_err(QuorumError::Open)?;
        let records = match formatted {
            Some(formatted) => {
                let others = bootstrap.into_iter().filter(|record| !matches!(record, MetadataRecord::FeatureLevel(_)));
                formatted.into_iter().chain(others).collect()
            }
            None => bootstrap,
        };
        if !records.is_empty() {
            self.propose(epoch, records).await.map_err(QuorumError::Bootstrap)?;
        }
        Ok(())
    }

    /// The image of everything applied here.
    #[must_use]
    pub fn image(&self) -> Arc<Image> {
        self.shared.image.load_full()
    }

    /// What DescribeQuorum tells.
    #[must_use]
    pub fn describe(&self) -> QuorumDescription {
        let metrics = self.shared.raft.metrics().borrow_watched().clone();
        let store = &self.shared.log_store;
        let own = self.shared.config.node_id;
        let describe = |id: u64, address: &str| {
            let matched = metrics.replication.as_ref().and_then(|of| of.get(&id).cloned().flatten());
            let node_id = node_id(id);
            let log_end_offset = match matched {
                _ if node_id == own => store.end_offset(),
                Some(matched) => store.end_offset_of(matched.index).unwrap_or(-1),
                None => -1,
            };
            let directory_id = (node_id == own).then(|| self.shared.config.log_dir.directory_id()).flatten();
            MemberDescription { node_id, address: address.to_owned(), log_end_offset, directory_id }
        };
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let (voting, observing): (Vec<_>, Vec<_>) = membership.nodes().partition(|(id, _)| voters.contains(id));
        QuorumDescription {
            leader_id: metrics.current_leader.map_or(-1, node_id),
            leader_epoch: i32::try_from(metrics.current_term).unwrap_or(i32::MAX),
            high_watermark: self.image().offset() + 1,
            voters: voting.into_iter().map(|(id, node)| describe(*id, &node.addr)).collect(),
            observers: observing.into_iter().map(|(id, node)| describe(*id, &node.addr)).collect(),
        }
    }

    /// Begins a snapshot of everything applied, if one is due (`SnapshotGenerator`). It is made in the background; to be
    /// called every now and then.
    ///
    /// # Errors
    /// The quorum has stopped.
    pub async fn snapshot_if_due(&self) -> Result<(), QuorumError> {
        let shared = &self.shared;
        let metrics = shared.raft.metrics().borrow_watched().clone();
        if metrics.last_applied == metrics.snapshot {
            return Ok(());
        }
        let now_ms = (shared.config.now_ms)();
        let new_bytes = shared.log_store.bytes_behind(metrics.snapshot.map(|id| id.index));
        let age_ms = now_ms.saturating_sub(shared.last_snapshot_ms.load(Ordering::Relaxed));
        if !shared.config.snapshots.is_due(new_bytes, age_ms) {
            return Ok(());
        }
        shared.last_snapshot_ms.store(now_ms, Ordering::Relaxed);
        shared.raft.trigger().snapshot().await.map_err(raft_failed)
    }

    /// Leaves the quorum and closes the metadata log.
    ///
    /// # Errors
    /// A failing disk: what was acknowledged is on it all the same.
    pub async fn shutdown(&self) -> Result<(), QuorumError> {
        self.shared.raft.shutdown().await.map_err(raft_failed)?;
        let log_store = self.shared.log_store.clone();
        tokio::task::spawn_blocking(move || log_store.close()).await.map_err(raft_failed)??;
        Ok(())
    }
}

/// Opens what is on disk: the newest snapshot and the log behind it.
fn open(config: &QuorumConfig, log: Arc<Log>, folder: &Path) -> io::Result<(LogStore, Restored)> {
    let newest = snapshot::load(config.log_dir.file_system(), folder)?;
    let id = newest.as_ref().map(|(id, _)| *id);
    let log_store = LogStore::open(log, config.node_id, id, Arc::clone(&config.now_ms))?;
    let mut restored = Restored::default();
    let mut members = None;
    if let Some((id, loaded)) = newest {
        // One that stands for nothing has the voters of `kafka-storage format`.
        if id.end_offset > 0 {
            let last_applied = log_store.log_id_before(id.end_offset);
            restored.last_applied = Some(last_applied.ok_or_else(|| damaged("the snapshot does not fit the log"))?);
            restored.image = loaded.image;
        }
        (restored.voters, members) = (loaded.voters, loaded.members);
    }
    let nodes: BTreeMap<u64, BasicNode> =
        config.voters.iter().map(|(id, address)| (member(*id), BasicNode::new(address))).collect();
    let configured = || Membership::new(vec![nodes.keys().copied().collect()], nodes).map_err(damaged);
    restored.membership = match members {
        Some(members) => StoredMembership::new(restored.last_applied, members),
        None => StoredMembership::new(None, configured()?),
    };
    Ok((log_store, restored))
}

/// Election timing as measured: fail-over takes about twice the maximum.
fn raft_config() -> Result<Arc<Config>, QuorumError> {
    let config = Config {
        cluster_name: METADATA_TOPIC.to_owned(),
        heartbeat_interval: 100,
        election_timeout_min: 300,
        election_timeout_max: 600,
        // By bytes and by time, which openraft does not count.
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: KEPT_ENTRIES,
        enable_pre_vote: Some(true),
        // A leader that comes back begins a new epoch: what it had not synced may have been seen elsewhere.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    Ok(Arc::new(config.validate().map_err(raft_failed)?))
}

impl Propose for Quorum {
    async fn leadership(&self) -> Result<Leadership, ProposeError> {
        let shared = &self.shared;
        let wait = shared.raft.wait(None);
        let settled = wait.metrics(
            |metrics| {
                let leads = metrics.state == ServerState::Leader;
                let applied = metrics.last_applied.is_some_and(|id| id.leader_id.term == metrics.current_term);
                let follows = !leads && metrics.current_leader.is_some();
                (leads && applied) || follows
            },
            "a known leader",
        );
        let metrics = settled.await.map_err(|_| ProposeError::Stopped)?;
        if metrics.state != ServerState::Leader {
            return Err(ProposeError::NotLeader { leader_id: metrics.current_leader.map(node_id) });
        }
        let epoch = i32::try_from(metrics.current_term).map_err(|_| ProposeError::Stopped)?;
        Ok(Leadership { epoch, log_end_offset: shared.log_store.end_offset() })
    }

    fn image(&self) -> Arc<Image> {
        Quorum::image(self)
    }

    async fn propose(&self, epoch: i32, records: Vec<MetadataRecord>) -> Result<Proposed, ProposeError> {
        let timestamp_ms = (self.shared.config.now_ms)();
        self.write(epoch, Operation::Records { records: records.into(), timestamp_ms }).await
    }
}

impl Quorum {
    /// Writes one batch and waits until it is committed and applied here.
    async fn write(&self, epoch: i32, operation: Operation) -> Result<Proposed, ProposeError> {
        let shared = &self.shared;
        let term = u64::try_from(epoch).map_err(|_| ProposeError::NotLeader { leader_id: None })?;
        let (responder, _, completed) = openraft::impls::ProgressResponder::new();
        let written = shared.raft.write(operation).with_leader(term).responder(responder);
        written.await.map_err(|_| ProposeError::Stopped)?;
        let result = completed.await.map_err(|_| ProposeError::Unknown)?;
        match result {
            Ok(response) => response.data.ok_or(ProposeError::Unknown),
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                Err(ProposeError::NotLeader { leader_id: forward.leader_id.map(node_id) })
            }
            // Leadership was lost after the entry was written here.
            Err(ClientWriteError::LogEntryDiscarded(_)) => Err(ProposeError::NotLeader { leader_id: None }),
            Err(ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)) => {
                Err(ProposeError::Unknown)
            }
        }
    }
}
