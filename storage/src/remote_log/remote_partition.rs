//! The remote part of one log as this broker knows it: what readers look at, and the mover changes.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::schema::EncodeError;

use super::{Manifest, ManifestVersion, PartitionKeys, RemoteSegment};
use crate::error::Error;
use crate::leader_epoch::LeaderEpochs;
use crate::log::Log;

/// A file in the partition's folder with what was last known, so that a start needs no store.
pub(crate) const COPY: &str = "remote-log-manifest";

/// What is remote at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteView {
    /// Nothing before this offset (inclusive) is read again.
    pub log_start_offset: i64,
    /// By offset; those that are being deleted too.
    pub segments: Vec<Arc<RemoteSegment>>,
}

impl RemoteView {
    /// The segments that can be read.
    pub fn live(&self) -> &[Arc<RemoteSegment>] {
        let dead = self.segments.partition_point(|segment| segment.end_offset <= self.log_start_offset);
        &self.segments[dead..]
    }

    /// First readable remote offset (inclusive); `None` if nothing is remote.
    pub fn start_offset(&self) -> Option<i64> {
        self.live().first().map(|segment| segment.base_offset.max(self.log_start_offset))
    }

    /// Where the remote part ends (exclusive); `None` if nothing is remote.
    pub fn end_offset(&self) -> Option<i64> {
        self.live().last().map(|segment| segment.end_offset)
    }

    /// Bytes of the logs of all segments that can be read.
    pub fn size_bytes(&self) -> u64 {
        self.live().iter().map(|segment| segment.size()).sum()
    }

    /// The segment in which `offset` lies.
    pub fn segment_of(&self, offset: i64) -> Option<&Arc<RemoteSegment>> {
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (offset >= self.log_start_offset && offset < segment.end_offset).then_some(segment)
    }

    /// The leader epochs of the remote part and, behind them, those of the local log.
    pub fn epochs_with(&self, local: &LeaderEpochs) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        let remote = self.live().iter().flat_map(|segment| segment.epochs());
        for entry in remote.chain(local.entries().iter().copied()) {
            let is_news = epochs.latest().is_none_or(|latest| entry.epoch > latest.epoch);
            if is_news {
                epochs.assign(entry.epoch, entry.start_offset);
            }
        }
        epochs
    }
}

/// The remote part of one log.
pub struct RemotePartition {
    keys: PartitionKeys,
    view: RwLock<Arc<RemoteView>>,
    /// Where the remote part ended (exclusive) that is noted in the log's folder.
    noted_end: AtomicI64,
    /// Whether anybody has said what is remote: the note in the log's folder, or the store.
    is_known: AtomicBool,
    /// Whether everything remote is going, since the log leaves the tier.
    is_leaving: AtomicBool,
    /// Why nothing moves, or the last failure; for people.
    status: Mutex<String>,
    /// Held while the copy is written: the mover and DeleteRecords both do.
    storing: Mutex<()>,
}

impl RemotePartition {
    /// Nothing remote is known yet.
    pub fn new(keys: PartitionKeys) -> Self {
        Self {
            keys,
            view: RwLock::default(),
            noted_end: AtomicI64::new(0),
            is_known: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            status: Mutex::default(),
            storing: Mutex::default(),
        }
    }

    /// What was known when the log was last used here.
    ///
    /// # Errors
    /// A failing disk. A damaged file is the same as none: the store knows.
    pub fn load(keys: PartitionKeys, log: &Log) -> Result<Self, Error> {
        let partition = Self::new(keys);
        if let Some(bytes) = log.read_beside(COPY)? {
            match Manifest::decode(bytes.into()) {
                Ok(manifest) => {
                    partition.change(|view| *view = view_of(&manifest));
                    partition.note_end(&partition.view());
                    partition.is_leaving.store(manifest.is_leaving, Ordering::Release);
                    if !manifest.segments.is_empty() {
                        partition.set_known();
                    }
                }
                Err(error) => {
                    tracing::warn!(partition = %log.partition(), %error, "what was known of the remote log is lost")
                }
            }
        }
        Ok(partition)
    }

    pub fn keys(&self) -> &PartitionKeys {
        &self.keys
    }

    /// What is remote now.
    pub fn view(&self) -> Arc<RemoteView> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut RemoteView)) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut view));
    }

    /// Whether it is known what is remote. If not, there may be more than the view has.
    pub fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    pub(super) fn set_known(&self) {
        self.is_known.store(true, Ordering::Release);
    }

    /// Moves the start of the log up to `offset`, if it is not there yet. The objects before it go later; whoever answers a
    /// client calls [`RemotePartition::store`] first.
    pub fn raise_log_start(&self, offset: i64) {
        self.change(|view| view.log_start_offset = view.log_start_offset.max(offset));
    }

    /// Notes in the log's folder what is known.
    ///
    /// # Errors
    /// A failing disk.
    pub fn store(&self, log: &Log) -> Result<(), Error> {
        let _turn = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view();
        let segments = view.segments.iter().map(|segment| RemoteSegment::clone(segment)).collect();
        let is_leaving = self.is_leaving();
        let manifest =
            Manifest { log_start_offset: view.log_start_offset, segments, is_leaving, ..Manifest::default() };
        // So many segments that their list is larger than two gigabytes are only in the store.
        let bytes: Result<_, EncodeError> = manifest.encode();
        bytes.map_or(Ok(()), |bytes| log.write_beside(COPY, &bytes))?;
        self.note_end(&view);
        Ok(())
    }

    /// Up to where (exclusive) local segments may go: a start after a crash knows that they are remote.
    pub fn copied_to(&self) -> i64 {
        if self.is_leaving() {
            return 0;
        }
        self.view().end_offset().unwrap_or(0).min(self.noted_end.load(Ordering::Acquire))
    }

    fn note_end(&self, view: &RemoteView) {
        self.noted_end.store(view.end_offset().unwrap_or(0), Ordering::Release);
    }

    /// Whether the log leaves the tier, and is not done with that.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// From now on nobody reads what is remote, nor lets local segments go because of it.
    pub(super) fn begin_leaving(&self, local_start: i64) {
        self.is_leaving.store(true, Ordering::Release);
        self.raise_log_start(local_start);
    }

    /// Knows of nothing any more: the store has nothing either.
    ///
    /// # Errors
    /// A failing disk.
    pub(super) fn forget(&self, log: &Log) -> Result<(), Error> {
        self.set_known();
        self.is_leaving.store(false, Ordering::Release);
        self.change(|view| *view = RemoteView::default());
        self.store(log)
    }

    /// Why nothing moves, or the last failure; empty if all is well.
    pub fn status(&self) -> String {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why nothing moves.
    pub fn set_status(&self, status: String) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

impl fmt::Debug for RemotePartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemotePartition({})", self.keys.folder())
    }
}

fn view_of(manifest: &Manifest) -> RemoteView {
    let segments = manifest.segments.iter().cloned().map(Arc::new).collect();
    RemoteView { log_start_offset: manifest.log_start_offset, segments }
}

/// The newest manifest of a partition and everything that it names; the default if there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest {
    /// Of all manifests that are there, the newest last.
    pub(super) versions: Vec<ManifestVersion>,
    pub(super) manifest: Manifest,
    /// Those of the manifest's parts, then its own.
    pub(super) segments: Vec<Arc<RemoteSegment>>,
}
