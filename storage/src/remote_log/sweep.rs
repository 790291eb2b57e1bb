//! Removes what copies and deletions that failed left behind: objects of a partition that no manifest names. Source: KAFKA-16511 shows
//! what becomes of a bucket without it.

use std::collections::HashSet;

use object_store::ObjectMeta;
use object_store::path::Path;

use super::{ManifestVersion, Part, PartitionKeys, RemoteSegment};

/// Whether there may be objects that no manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nobody has looked yet: an earlier leader, or this one before a crash, may have left some.
    Unknown,
    /// Since that moment; ms since the epoch.
    Since(i64),
    /// There are none.
    None,
}

/// What a sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Orphans {
    /// To be removed.
    pub(super) old: Vec<Path>,
    /// Whether there are others that are not old enough: somebody may be about to name them.
    pub(super) has_young: bool,
}

/// Which of the objects in a partition's folders nobody names. Those that were written after `young_ms` are left alone, and so is
/// whatever does not look like ours.
pub(super) fn orphans<'a>(
    keys: &PartitionKeys,
    listed: &[ObjectMeta],
    segments: impl Iterator<Item = &'a RemoteSegment>,
    parts: &[Part],
    newest: ManifestVersion,
    young_ms: i64,
) -> Orphans {
    let mut named: HashSet<Path> = parts.iter().map(|part| keys.part(part.id)).collect();
    named.extend(segments.flat_map(|segment| keys.objects(segment)));
    let mut orphans = Orphans::default();
    for object in listed.iter().filter(|object| !named.contains(&object.location)) {
        let is_ours = match PartitionKeys::manifest_version(&object.location) {
            Some(version) => version < newest,
            None => PartitionKeys::is_of_segment(&object.location),
        };
        match object.last_modified.timestamp_millis() > young_ms {
            _ if !is_ours => {}
            true => orphans.has_young = true,
            false => orphans.old.push(object.location.clone()),
        }
    }
    orphans
}
