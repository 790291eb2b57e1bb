//! Look, decide, act: one step at a time, each of which may fail, be dropped or be the last before a power cut.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ids::Uuid;
use protocol::record_batch::BatchHeader;

use super::layout::divide;
use super::local_log::{export, is_whole, leader_epoch_at, local_batch, look, store_copy};
use super::mirror::Mirrored;
use super::remote_partition::Newest;
use super::segment_object::{describe, join};
use super::sweep::{Doubt, orphans};
use super::tail::Tail;
use super::{
    CacheLimits, Decision, ExpiryReason, Idle, Manifest, ManifestError, ManifestVersion, Part, PartSegments,
    PartitionKeys, RemoteError, RemotePartition, RemoteReader, RemoteSegment, RemoteStore, Situation, TierConfig,
    decide,
};
use crate::log::{Log, SegmentExport};

/// A manifest with more segments than this leaves the older half to a part, which is written once.
const SPLIT: usize = 512;

/// Pieces in which one batch is read.
const SEAM_CHUNK: u64 = 64 << 10;

/// The sequence of a partition's first manifest.
const FIRST: i64 = 1;

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The active segment, which begins there, was closed.
    Rolled { base_offset: i64 },
    /// A segment is remote now.
    Copied { base_offset: i64, end_offset: i64, size_bytes: u64 },
    /// The start of the log moved up.
    Expired { log_start_offset: i64, reason: ExpiryReason },
    /// So many segments are gone.
    Deleted { count: usize },
    /// A clean segment took the place of `replaced` remote ones.
    Mirrored { base_offset: i64, end_offset: i64, size_bytes: u64, replaced: usize },
    /// A clean segment is the one that is remote already.
    Unchanged { base_offset: i64, end_offset: i64 },
    /// So many objects that no manifest names are gone.
    Swept { count: usize },
    /// The log left the tier, and so many objects are gone.
    Left { count: usize },
    /// There was nothing to do.
    Nothing(Idle),
}

/// What the broker knows that the log does not.
#[derive(Clone, Copy, Debug)]
pub struct StepInput {
    pub config: TierConfig,
    pub leader_epoch: i32,
    /// What lies below is replicated and in no open transaction (exclusive).
    pub stable_end_offset: i64,
    /// How old an object is that no manifest names when it is removed, in milliseconds.
    pub orphan_grace_ms: i64,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// Who is told of copies that have not happened yet.
pub trait CopyListener: fmt::Debug + Send + Sync {
    /// A segment is about to be copied; its checksum is not known. If the step then fails, there is no such segment.
    fn copy_begins(&self, segment: &Arc<RemoteSegment>);
}

/// Moves the segments of one partition. Only the partition's leader may have one.
#[derive(Debug)]
pub struct Mover {
    pub(super) store: Arc<RemoteStore>,
    broker_id: i32,
    pub(super) partition: Arc<RemotePartition>,
    listener: Option<Arc<dyn CopyListener>>,
    /// `None`: to be looked up, since nothing is known or what was known may be outdated.
    pub(super) published: Option<Published>,
    doubt: Doubt,
    tail: Tail,
    /// Of a compacted log.
    pub(super) mirrored: Mirrored,
}

/// The newest manifest.
#[derive(Debug)]
pub(super) struct Published {
    /// Of all manifests that are there, the newest last; the others go when the next one is there.
    pub(super) versions: Vec<ManifestVersion>,
    pub(super) log_start_offset: i64,
    /// Objects with the oldest segments.
    pub(super) parts: Vec<Part>,
}

impl Mover {
    pub fn new(store: Arc<RemoteStore>, broker_id: i32, partition: Arc<RemotePartition>) -> Self {
        Self {
            store,
            broker_id,
            partition,
            listener: None,
            published: None,
            doubt: Doubt::Unknown,
            tail: Tail::default(),
            mirrored: Mirrored::default(),
        }
    }

    /// Tells `listener` of every copy before it begins.
    #[must_use]
    pub fn with_listener(self, listener: Arc<dyn CopyListener>) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Forgets what it knows of the store: the next step looks there first.
    pub fn start_over(&mut self) {
        self.published = None;
        self.mirrored = Mirrored::default();
    }

    /// Does the next thing that is to be done.
    ///
    /// # Errors
    /// The store's or the disk's. Nothing is lost: the next step looks the newest manifest up again.
    ///
    /// # Cancel safety
    /// As an error; objects that no manifest names may stay in the store.
    pub async fn step(&mut self, log: &Arc<Log>, input: &StepInput) -> Result<Step, RemoteError> {
        if self.doubt == Doubt::Unknown {
            self.doubt = Doubt::Since(input.now_ms);
        }
        let result = self.try_step(log, input).await;
        if result.is_err() {
            self.start_over();
            self.doubt = Doubt::Since(input.now_ms);
        }
        result
    }

    async fn try_step(&mut self, log: &Arc<Log>, input: &StepInput) -> Result<Step, RemoteError> {
        if self.partition.is_leaving() {
            return Ok(Step::Left { count: self.leave(log, input).await? });
        }
        if self.published.is_none() {
            self.look_up(log, input).await?;
        }
        let local = look(log).await?;
        let active = self.tail.seen(local.active_base_offset, local.log_end_offset, input.now_ms);
        let view = self.partition.view();
        let decision = decide(&Situation {
            local: &local.segments,
            local_bytes: local.bytes,
            active,
            log_end_offset: local.log_end_offset,
            stable_end_offset: input.stable_end_offset.min(local.recovery_point),
            remote: &view.segments,
            log_start_offset: view.log_start_offset,
            clean: self.mirrored.of(local.cleaned_to, local.is_compacted),
            config: input.config,
            now_ms: input.now_ms,
        });
        match decision {
            Decision::Nothing(idle) => match self.doubt {
                Doubt::Since(then) if input.now_ms.saturating_sub(then) > input.orphan_grace_ms => {
                    match self.sweep(input).await? {
                        0 => Ok(Step::Nothing(idle)),
                        count => Ok(Step::Swept { count }),
                    }
                }
                _ => Ok(Step::Nothing(idle)),
            },
            Decision::Delete { count } => self.delete(log, input, count).await,
            Decision::Expire { log_start_offset, reason } => {
                self.partition.raise_log_start(log_start_offset);
                store_copy(&self.partition, log).await?;
                Ok(Step::Expired { log_start_offset, reason })
            }
            Decision::Copy { base_offset } => self.copy(log, input, base_offset).await,
            Decision::Roll { base_offset } => self.roll(log, base_offset).await,
            Decision::Mirror { base_offset } => self.mirror(log, input, base_offset).await,
        }
    }

    /// Takes over what the newest manifest says.
    async fn look_up(&mut self, log: &Arc<Log>, input: &StepInput) -> Result<(), RemoteError> {
        let newest = newest(&self.store, self.partition.keys()).await?;
        let known = self.partition.view();
        if newest.versions.is_empty() && !known.live().is_empty() {
            if !is_whole(log, &known).await? {
                return Err(self.emptied());
            }
            let folder = self.partition.keys().folder();
            tracing::warn!(%folder, "the store has nothing of a compacted log any more: it is copied anew");
        }
        if let Some(newer) = newest.versions.last().filter(|version| version.leader_epoch > input.leader_epoch) {
            return Err(RemoteError::Fenced { key: self.partition.keys().manifest(*newer) });
        }
        self.partition.change(|view| {
            view.segments.clone_from(&newest.segments);
            view.log_start_offset = view.log_start_offset.max(newest.manifest.log_start_offset);
        });
        if let Some(last) = newest.segments.last() {
            self.check_seam(log, last).await?;
        }
        store_copy(&self.partition, log).await?;
        let Newest { versions, manifest: Manifest { log_start_offset, parts, .. }, .. } = newest;
        self.published = Some(Published { versions, log_start_offset, parts });
        self.partition.set_known();
        Ok(())
    }

    /// A log that was begun anew, on a disk that replaces a lost one, has other records at the same offsets: nothing must be
    /// copied behind those that are remote, nor deleted because they are.
    async fn check_seam(&self, log: &Arc<Log>, last: &RemoteSegment) -> Result<(), RemoteError> {
        let offset = last.end_offset - 1;
        if log.config().compact || offset < log.cleaned_to()? {
            return check_epoch(log, last, offset).await;
        }
        let Some(local) = local_batch(log, offset).await? else { return Ok(()) };
        let none = CacheLimits { bytes: 0, count: 0 };
        let reader = RemoteReader::new(Arc::clone(&self.store), SEAM_CHUNK, none, none);
        let remote = reader.header(self.partition.keys(), last, offset).await?;
        let is_same = |remote: BatchHeader| (remote.base_offset, remote.crc) == (local.base_offset, local.crc);
        if remote.is_some_and(is_same) { Ok(()) } else { Err(RemoteError::Diverged { offset }) }
    }

    async fn copy(&mut self, log: &Arc<Log>, input: &StepInput, base_offset: i64) -> Result<Step, RemoteError> {
        let Some(export) = export(log, base_offset).await? else {
            // It went since it was looked at.
            return Ok(Step::Nothing(Idle::UpToDate));
        };
        let segment = self.upload(&export, input.now_ms).await?;
        let mut segments = self.partition.view().segments.clone();
        // A replica that rolled elsewhere than the leader before may have in one segment what lies in several already.
        let apart = segments.partition_point(|other| other.base_offset < base_offset);
        if apart < segments.len() {
            segments.truncate(apart);
            self.doubt = Doubt::Since(input.now_ms);
        }
        segments.push(Arc::clone(&segment));
        self.publish(input.leader_epoch, &segments).await?;
        // Only now may readers see it, and the local segment go.
        self.partition.change(|view| view.segments = segments);
        store_copy(&self.partition, log).await?;
        let (end_offset, size_bytes) = (segment.end_offset, segment.size());
        Ok(Step::Copied { base_offset, end_offset, size_bytes })
    }

    pub(super) async fn upload(&self, export: &SegmentExport, now_ms: i64) -> Result<Arc<RemoteSegment>, RemoteError> {
        let (layout, keys) = (self.store.layout(), self.partition.keys());
        let joined = join(export);
        let mut segment = Arc::new(RemoteSegment {
            id: layout.new_id(),
            layout: layout.number(),
            copied_ms: now_ms,
            broker_id: self.broker_id,
            ..describe(export, &joined)
        });
        if let Some(listener) = &self.listener {
            listener.copy_begins(&segment);
        }
        let crc = self.store.upload(&keys.log(&segment), &export.log).await?;
        for (key, bytes) in keys.indexes(&segment).iter().zip(divide(&segment, &joined)) {
            self.store.create(key, bytes).await?;
        }
        Arc::make_mut(&mut segment).crc = crc;
        Ok(segment)
    }

    /// Deletes the objects of the first segments. A manifest that has them as unreadable comes before, one without them after.
    async fn delete(&mut self, log: &Arc<Log>, input: &StepInput, count: usize) -> Result<Step, RemoteError> {
        let view = self.partition.view();
        if self.published.as_ref().is_some_and(|known| known.log_start_offset < view.log_start_offset) {
            self.publish(input.leader_epoch, &view.segments).await?;
        }
        self.check_newest().await?;
        self.delete_objects(view.segments.iter().take(count)).await?;
        let segments = view.segments.get(count..).unwrap_or_default().to_vec();
        self.publish(input.leader_epoch, &segments).await?;
        self.partition.change(|view| view.segments = segments);
        store_copy(&self.partition, log).await?;
        Ok(Step::Deleted { count })
    }

    pub(super) async fn delete_objects(
        &self,
        segments: impl Iterator<Item = &Arc<RemoteSegment>>,
    ) -> Result<(), RemoteError> {
        let keys = self.partition.keys();
        for key in segments.flat_map(|segment| keys.objects(segment)) {
            self.store.delete(&key).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_parts(&self, parts: &[Part]) -> Result<(), RemoteError> {
        for part in parts {
            self.store.delete(&self.partition.keys().part(part.id)).await?;
        }
        Ok(())
    }

    /// Removes what no manifest names and is old enough. Returns how many objects that were.
    async fn sweep(&mut self, input: &StepInput) -> Result<usize, RemoteError> {
        let Some(known) = &self.published else { return Ok(0) };
        let keys = self.partition.keys();
        // What is listed after the newest manifest was looked at may be newer, which makes it young.
        self.check_newest().await?;
        let mut listed = Vec::new();
        for folder in keys.folders() {
            listed.extend(self.store.list(&folder).await?);
        }
        let view = self.partition.view();
        let newest = known.versions.last().copied().unwrap_or_default();
        let young_ms = input.now_ms.saturating_sub(input.orphan_grace_ms);
        let segments = view.segments.iter().map(|segment| &**segment);
        let found = orphans(keys, &listed, segments, &known.parts, newest, young_ms);
        for key in &found.old {
            self.store.delete(key).await?;
        }
        self.doubt = if found.has_young { Doubt::Since(input.now_ms) } else { Doubt::None };
        Ok(found.old.len())
    }

    /// A leader that was deposed must not delete what its successor reads, nor say what the log is.
    pub(super) async fn check_newest(&self) -> Result<(), RemoteError> {
        let keys = self.partition.keys();
        let known = self.published.as_ref().and_then(|known| known.versions.last().copied());
        match versions(&self.store, keys).await?.last().copied() {
            Some(newest) if Some(newest) != known => Err(RemoteError::Fenced { key: keys.manifest(newest) }),
            None if known.is_some() => Err(self.emptied()),
            _ => Ok(()),
        }
    }

    fn emptied(&self) -> RemoteError {
        RemoteError::Emptied { folder: self.partition.keys().folder(), segments: self.partition.view().live().len() }
    }

    /// Whoever led before may have written a manifest since it was looked for, and be about to delete what that has as unreadable:
    /// here it is unreadable from now on too. Whatever he writes later comes to nothing: the newest manifest is not his.
    async fn adopt(&mut self) -> Result<(), RemoteError> {
        let keys = self.partition.keys();
        let versions = versions(&self.store, keys).await?;
        let known = self.published.as_ref().and_then(|known| known.versions.last().copied());
        if let Some(newest) = versions.last().filter(|newest| Some(**newest) != known) {
            return Err(RemoteError::Fenced { key: keys.manifest(*newest) });
        }
        self.partition.raise_log_start(furthest_start(&self.store, keys, &versions).await?);
        if let Some(published) = &mut self.published {
            published.versions = versions;
        }
        Ok(())
    }

    /// Writes the manifest of `segments`, and removes what it replaces.
    pub(super) async fn publish(
        &mut self,
        leader_epoch: i32,
        segments: &[Arc<RemoteSegment>],
    ) -> Result<(), RemoteError> {
        self.check_newest().await?;
        let Some(known) = &self.published else { return Ok(()) };
        let keys = self.partition.keys();
        let first = segments.first().map_or(i64::MAX, |segment| segment.base_offset);
        let is_whole = |part: &Part| segments.binary_search_by_key(&part.end_offset, |last| last.end_offset).is_ok();
        let (mut parts, gone): (Vec<Part>, Vec<Part>) =
            known.parts.iter().cloned().partition(|part| part.end_offset > first && is_whole(part));
        let in_parts = parts.last().map_or(0, |last| last.end_offset);
        let own = segments.partition_point(|segment| segment.end_offset <= in_parts);
        let mut own: Vec<RemoteSegment> = segments[own..].iter().map(|s| RemoteSegment::clone(s)).collect();
        while own.len() > SPLIT {
            parts.push(self.write_part(own.drain(..SPLIT / 2).collect()).await?);
        }
        let version = known.versions.last().copied().unwrap_or_default().next(leader_epoch);
        let log_start_offset = self.partition.view().log_start_offset;
        let manifest = Manifest {
            leader_epoch: version.leader_epoch,
            sequence: version.sequence,
            log_start_offset,
            parts: parts.clone(),
            segments: own,
            ..Manifest::default()
        };
        let key = keys.manifest(version);
        self.store.create(&key, encoded(manifest.encode(), &key)?).await?;
        let replaced = known.versions.iter().map(|version| keys.manifest(*version));
        let is_takeover = known.versions.last().is_some_and(|last| last.leader_epoch != leader_epoch);
        let outdated: Vec<_> = replaced.chain(gone.iter().map(|part| keys.part(part.id))).collect();
        self.published = Some(Published { versions: vec![version], log_start_offset, parts });
        for key in outdated {
            self.store.delete(&key).await?;
        }
        if is_takeover { self.adopt().await } else { Ok(()) }
    }

    async fn write_part(&self, segments: Vec<RemoteSegment>) -> Result<Part, RemoteError> {
        let id = Uuid::new_v4();
        let part = Part {
            id,
            base_offset: segments.first().map_or(0, |segment| segment.base_offset),
            end_offset: segments.last().map_or(0, |segment| segment.end_offset),
            count: i32::try_from(segments.len()).unwrap_or(i32::MAX),
        };
        let key = self.partition.keys().part(id);
        self.store.create(&key, encoded(PartSegments { segments }.encode(), &key)?).await?;
        Ok(part)
    }
}

/// As [`Mover::check_seam`], of a log whose batches the cleaner may have changed: its history of leaders must be that of the remote
/// part.
async fn check_epoch(log: &Arc<Log>, last: &RemoteSegment, offset: i64) -> Result<(), RemoteError> {
    let remote = last.epochs().last().map(|entry| entry.epoch);
    match leader_epoch_at(log, offset).await? {
        local @ Some(_) if remote.is_some() && local != remote => Err(RemoteError::Diverged { offset }),
        _ => Ok(()),
    }
}

fn encoded<E: std::fmt::Display>(
    bytes: Result<Bytes, E>,
    key: &object_store::path::Path,
) -> Result<Bytes, RemoteError> {
    bytes.map_err(|error| RemoteError::Corrupt { key: key.clone(), reason: error.to_string() })
}

/// The versions of all manifests that are there, the newest last.
pub(super) async fn versions(store: &RemoteStore, keys: &PartitionKeys) -> Result<Vec<ManifestVersion>, RemoteError> {
    let listed = store.list(&keys.manifests()).await?;
    let mut versions: Vec<_> = listed.iter().filter_map(|o| PartitionKeys::manifest_version(&o.location)).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// The furthest start of the log that any of the manifests has. One that is not whole was never believed by who wrote it.
async fn furthest_start(
    store: &RemoteStore,
    keys: &PartitionKeys,
    versions: &[ManifestVersion],
) -> Result<i64, RemoteError> {
    let mut furthest = 0;
    for version in versions {
        if let Ok(manifest) = Manifest::decode(store.get(&keys.manifest(*version)).await?) {
            furthest = furthest.max(manifest.log_start_offset);
        }
    }
    Ok(furthest)
}

/// The newest whole manifest of a partition, with the segments of its parts. One that is not whole was never believed by who
/// wrote it, so the one before it is still there, unless it is the first of all. Where one of an earlier leader is left, the change of
/// leaders is not over: what that one has as unreadable may be gone.
pub(super) async fn newest(store: &RemoteStore, keys: &PartitionKeys) -> Result<Newest, RemoteError> {
    let versions = versions(store, keys).await?;
    for (at, version) in versions.iter().enumerate().rev() {
        let is_last = at == 0;
        let key = keys.manifest(*version);
        match Manifest::decode(store.get(&key).await?) {
            Ok(mut manifest) => {
                let segments = segments_of(store, keys, &manifest).await?;
                let left = furthest_start(store, keys, &versions[..at]).await?;
                manifest.log_start_offset = manifest.log_start_offset.max(left);
                return Ok(Newest { versions, manifest, segments });
            }
            Err(source) if is_last && version.sequence > FIRST || matches!(source, ManifestError::Version(_)) => {
                return Err(RemoteError::Manifest { key, source });
            }
            Err(error) => tracing::warn!(%key, %error, "a manifest is not whole; the one before it counts"),
        }
    }
    Ok(Newest { versions, ..Newest::default() })
}

async fn segments_of(
    store: &RemoteStore,
    keys: &PartitionKeys,
    manifest: &Manifest,
) -> Result<Vec<Arc<RemoteSegment>>, RemoteError> {
    let mut segments = Vec::new();
    for part in &manifest.parts {
        let key = keys.part(part.id);
        let damaged = |source| RemoteError::Manifest { key: key.clone(), source };
        let found = PartSegments::decode(store.get(&key).await?).map_err(damaged)?;
        found.check(part).map_err(damaged)?;
        segments.extend(found.segments);
    }
    segments.extend(manifest.segments.iter().cloned());
    // Of a part some segments may be gone already, which its object still has.
    segments.retain(|segment| segment.end_offset > manifest.log_start_offset || !in_parts(manifest, segment));
    Ok(segments.into_iter().map(Arc::new).collect())
}

fn in_parts(manifest: &Manifest, segment: &RemoteSegment) -> bool {
    manifest.parts.last().is_some_and(|last| segment.end_offset <= last.end_offset)
}
