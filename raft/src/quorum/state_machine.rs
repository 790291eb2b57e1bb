//! Replays committed entries onto the image, publishes each new one, and makes snapshots of it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use protocol::record_batch::Records;
use storage::LogDir;
use tokio::sync::mpsc;

use super::entry::{control_type, damaged, offsets_of};
use super::kraft_voters::KRaftVoters;
use super::snapshot::{self, SnapshotFile, SnapshotId};
use super::type_config::{
    Entry, LogId, Operation, Payload, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, term,
};
use crate::controller::Proposed;
use crate::image::{Delta, Image, ImageBuilder, Provenance, Update};

/// Updates that may wait for the broker: behind that, applying waits too.
pub(super) const UPDATES: usize = 1024;

/// The state machine of one node.
pub(super) struct StateMachine {
    log_dir: Arc<LogDir>,
    folder: PathBuf,
    image: Arc<ArcSwap<Image>>,
    updates: mpsc::Sender<Update>,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    voters: KRaftVoters,
    snapshot: Arc<Mutex<Option<Current>>>,
}

/// The newest snapshot on disk.
#[derive(Clone)]
struct Current {
    id: SnapshotId,
    meta: SnapshotMeta,
}

/// What a state machine starts from: the newest snapshot, or nothing.
#[derive(Default)]
pub(super) struct Restored {
    /// Everything that the snapshot stands for.
    pub(super) image: Image,
    /// The last entry of it; `None` without a snapshot.
    pub(super) last_applied: Option<LogId>,
    /// Who the members are until the log says otherwise.
    pub(super) membership: StoredMembership,
    pub(super) voters: KRaftVoters,
}

impl StateMachine {
    /// Starts from `restored`. Every new image is stored in `image` and told to `updates`.
    pub(super) fn new(
        log_dir: Arc<LogDir>,
        folder: PathBuf,
        restored: Restored,
        image: Arc<ArcSwap<Image>>,
        updates: mpsc::Sender<Update>,
    ) -> Self {
        let Restored { image: start, last_applied, membership, voters } = restored;
        let snapshot = last_applied.map(|last_log_id| Current {
            id: SnapshotId::of(&start),
            meta: SnapshotMeta { last_log_id: Some(last_log_id), last_membership: membership.clone() },
        });
        image.store(Arc::new(start));
        let snapshot = Arc::new(Mutex::new(snapshot));
        Self { log_dir, folder, image, updates, last_applied, membership, voters, snapshot }
    }

    async fn apply_one(&mut self, entry: Entry) -> io::Result<Option<Proposed>> {
        let image = self.image.load_full();
        let id = entry.log_id;
        let base_offset = image.offset() + 1;
        let last_offset = image.offset() + offsets_of(&entry)?;
        let epoch = i32::try_from(term(&id)).map_err(io::Error::other)?;
        let mut timestamp_ms = image.provenance().timestamp_ms;
        let mut builder = ImageBuilder::new(&image);
        let proposed = match entry.payload {
            Payload::Blank => None,
            Payload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(id), membership);
                None
            }
            Payload::Normal(Operation::Control(batch)) => {
                for record in Records::open(&batch, batch.len()).map_err(damaged)? {
                    let record = record.map_err(damaged)?;
                    self.voters.note(control_type(&record), &record.value.clone().unwrap_or_default());
                }
                Some(Proposed { base_offset, last_offset, epoch })
            }
            Payload::Normal(Operation::Records { records, timestamp_ms: proposed_ms }) => {
                for record in records.iter() {
                    builder.apply(record.clone()).map_err(damaged)?;
                }
                timestamp_ms = proposed_ms;
                Some(Proposed { base_offset, last_offset, epoch })
            }
        };
        let provenance = Provenance { offset: last_offset, epoch, timestamp_ms };
        self.publish(builder.finish(provenance).map_err(damaged)?).await;
        self.last_applied = Some(id);
        Ok(proposed)
    }

    /// Makes `image` the one that everybody sees, and tells the broker what is new in it.
    async fn publish(&self, image: Image) {
        let before = self.image.load_full();
        let image = Arc::new(image);
        self.image.store(Arc::clone(&image));
        let delta = Arc::new(Delta::between(&before, &image));
        // Without a receiver the node is stopping.
        let _ = self.updates.send(Update { image, delta }).await;
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotTask;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let proposed = self.apply_one(entry).await?;
            if let Some(responder) = responder {
                responder.send(proposed);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotTask {
        SnapshotTask {
            log_dir: Arc::clone(&self.log_dir),
            folder: self.folder.clone(),
            image: self.image.load_full(),
            voters: self.voters.clone(),
            meta: SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() },
            newest: Arc::clone(&self.snapshot),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, file: SnapshotFile) -> io::Result<()> {
        let loaded = snapshot::decode(file.id, &file.bytes)?;
        snapshot::store(self.log_dir.file_system(), &self.folder, &file)?;
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.voters = loaded.voters;
        *lock(&self.snapshot) = Some(Current { id: file.id, meta: meta.clone() });
        self.publish(loaded.image).await;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let Some(Current { id, meta }) = lock(&self.snapshot).clone() else { return Ok(None) };
        let snapshot = snapshot::read(self.log_dir.file_system(), &self.folder, id)?;
        Ok(Some(Snapshot { meta, snapshot }))
    }
}

fn lock(snapshot: &Mutex<Option<Current>>) -> MutexGuard<'_, Option<Current>> {
    snapshot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes one snapshot of an image, which does not change meanwhile.
pub(super) struct SnapshotTask {
    log_dir: Arc<LogDir>,
    folder: PathBuf,
    image: Arc<Image>,
    voters: KRaftVoters,
    meta: SnapshotMeta,
    newest: Arc<Mutex<Option<Current>>>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotTask {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let (log_dir, folder) = (Arc::clone(&self.log_dir), self.folder.clone());
        let (image, voters) = (Arc::clone(&self.image), self.voters.clone());
        let members = self.meta.last_membership.clone();
        let built = tokio::task::spawn_blocking(move || {
            let bytes = snapshot::encode(&image, &voters, &members)?;
            let file = SnapshotFile { id: SnapshotId::of(&image), bytes };
            snapshot::store(log_dir.file_system(), &folder, &file)?;
            Ok::<_, io::Error>(file)
        });
        let snapshot = built.await.map_err(io::Error::other)??;
        *lock(&self.newest) = Some(Current { id: snapshot.id, meta: self.meta.clone() });
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}
