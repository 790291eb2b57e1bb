//! Replays committed entries onto the image, publishes each new one, and makes snapshots of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use storage::LogDir;
use tokio::sync::mpsc;

use super::entry::{damaged, offsets_of};
use super::snapshot;
use super::type_config::{Entry, LogId, Payload, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, term};
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
    snapshot: Option<(SnapshotMeta, Bytes)>,
}

impl StateMachine {
    /// Starts from the newest snapshot in `folder`.
    pub(super) fn open(
        log_dir: Arc<LogDir>,
        folder: PathBuf,
        image: Arc<ArcSwap<Image>>,
        updates: mpsc::Sender<Update>,
    ) -> io::Result<Self> {
        let mut machine = Self {
            log_dir,
            folder,
            image,
            updates,
            last_applied: None,
            membership: StoredMembership::default(),
            snapshot: None,
        };
        if let Some((loaded, bytes)) = snapshot::load(machine.log_dir.file_system(), &machine.folder)? {
            let meta = SnapshotMeta { last_log_id: loaded.last_log_id, last_membership: loaded.membership.clone() };
            machine.last_applied = loaded.last_log_id;
            machine.membership = loaded.membership;
            machine.snapshot = Some((meta, bytes));
            machine.image.store(Arc::new(loaded.image));
        }
        Ok(machine)
    }

    async fn apply_one(&mut self, entry: Entry) -> io::Result<Option<Proposed>> {
        let image = self.image.load_full();
        let id = entry.log_id;
        let base_offset = image.offset() + 1;
        let last_offset = image.offset() + offsets_of(&entry);
        let epoch = i32::try_from(term(&id)).map_err(io::Error::other)?;
        let mut timestamp_ms = image.provenance().timestamp_ms;
        let mut builder = ImageBuilder::new(&image);
        let proposed = match entry.payload {
            Payload::Blank => None,
            Payload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(id), membership);
                None
            }
            Payload::Normal(operation) => {
                for record in operation.records.iter() {
                    builder.apply(record.clone()).map_err(damaged)?;
                }
                timestamp_ms = operation.timestamp_ms;
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
    type SnapshotData = Bytes;
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
            meta: SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() },
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, bytes: Bytes) -> io::Result<()> {
        let loaded = snapshot::decode(&bytes)?;
        snapshot::store(self.log_dir.file_system(), &self.folder, &loaded.image, &bytes)?;
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.snapshot = Some((meta.clone(), bytes));
        self.publish(loaded.image).await;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        if let Some((loaded, bytes)) = snapshot::load(self.log_dir.file_system(), &self.folder)? {
            let meta = SnapshotMeta { last_log_id: loaded.last_log_id, last_membership: loaded.membership };
            self.snapshot = Some((meta, bytes));
        }
        Ok(self.snapshot.clone().map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Makes one snapshot of an image, which does not change meanwhile.
pub(super) struct SnapshotTask {
    log_dir: Arc<LogDir>,
    folder: PathBuf,
    image: Arc<Image>,
    meta: SnapshotMeta,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotTask {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let (log_dir, folder) = (Arc::clone(&self.log_dir), self.folder.clone());
        let (image, meta) = (Arc::clone(&self.image), self.meta.clone());
        let built = tokio::task::spawn_blocking(move || {
            let bytes = snapshot::encode(&image, &meta)?;
            snapshot::store(log_dir.file_system(), &folder, &image, &bytes)?;
            Ok::<_, io::Error>(bytes)
        });
        let snapshot = built.await.map_err(io::Error::other)??;
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}
