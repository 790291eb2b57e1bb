//! In which objects a segment lies.

use std::ops::Range;

use bytes::Bytes;
use protocol::ids::Uuid;

use super::RemoteSegment;

/// The version of the ids of segments that lie in separate files; Kafka's have version 4.
const OWN_VERSION: usize = 8;

/// In which objects a segment lies. Each segment says it in the manifest, so that both may be in one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentLayout {
    /// In two, beside the manifests: the log, and what goes with it, joined.
    #[default]
    Joined,
    /// In a file each, where Kafka's `LocalTieredStorage` has them.
    Separate,
}

impl SegmentLayout {
    /// As the manifest has it; `None`: a later version of this program knows.
    pub(super) fn of(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Joined),
            1 => Some(Self::Separate),
            _ => None,
        }
    }

    /// What the manifest says.
    pub(super) fn number(self) -> i8 {
        match self {
            Self::Joined => 0,
            Self::Separate => 1,
        }
    }

    /// A random id. In the folder where Kafka's own files may be it tells whose a file is: no manifest names theirs, and yet they
    /// are nobody's leavings.
    pub(super) fn new_id(self) -> Uuid {
        let random = Uuid::new_v4();
        match self {
            Self::Joined => random,
            Self::Separate => Uuid::from_u128(random.as_u128() & !(0xf << 76) | (OWN_VERSION as u128) << 76),
        }
    }

    /// Whether an id was made by [`SegmentLayout::new_id`].
    pub(super) fn made(self, id: Uuid) -> bool {
        self == Self::Joined || id.get_version_num() == OWN_VERSION
    }
}

/// Suffixes of the separate files, in the order in which they are joined. Source: `RemoteLogSegmentFileset`.
pub(super) const SEPARATE: [&str; 5] = ["index", "timeindex", TXN_INDEX, "snapshot", "leader_epoch_checkpoint"];
/// The one that there need not be.
const TXN_INDEX: &str = "txnindex";

/// The suffixes of the objects that go with a segment, and which part of what is joined each of them has.
pub(super) fn indexes(segment: &RemoteSegment) -> Vec<(&'static str, Range<usize>)> {
    let length = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let mut end: usize = 0;
    let ranges = segment.index_lengths().map(|bytes| {
        let start = end;
        end = start.saturating_add(length(bytes));
        start..end
    });
    match segment.layout() {
        SegmentLayout::Joined => vec![("indexes", 0..end)],
        SegmentLayout::Separate => {
            let files = SEPARATE.into_iter().zip(ranges);
            files.filter(|(suffix, range)| *suffix != TXN_INDEX || !range.is_empty()).collect()
        }
    }
}

/// The objects that go with a segment, by their suffixes, of what is `joined`.
pub(super) fn divide(segment: &RemoteSegment, joined: &Bytes) -> Vec<Bytes> {
    let within = |at: usize| at.min(joined.len());
    let ranges = indexes(segment).into_iter().map(|(_, range)| range);
    ranges.map(|range| joined.slice(within(range.start)..within(range.end))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(layout: SegmentLayout, lengths: [i32; 5]) -> RemoteSegment {
        let [offsets, times, txns, producers, epochs] = lengths;
        RemoteSegment {
            layout: layout.number(),
            offset_index_bytes: offsets,
            time_index_bytes: times,
            txn_index_bytes: txns,
            producer_snapshot_bytes: producers,
            leader_epochs_bytes: epochs,
            ..RemoteSegment::default()
        }
    }

    #[test]
    fn separate_files_hold_what_is_joined() {
        let joined = Bytes::from_static(b"oottTsssee");
        for lengths in [[2, 2, 1, 3, 2], [0, 0, 0, 0, 10]] {
            assert_eq!(divide(&segment(SegmentLayout::Joined, lengths), &joined).concat(), joined);
            let separate = segment(SegmentLayout::Separate, lengths);
            let files = divide(&separate, &joined);
            assert_eq!(files.concat(), joined);
            let suffixes: Vec<_> = indexes(&separate).into_iter().map(|(suffix, _)| suffix).collect();
            assert_eq!((files.len(), suffixes.len()), (SEPARATE.len() - usize::from(lengths[2] == 0), files.len()));
            assert_eq!(suffixes.contains(&TXN_INDEX), lengths[2] > 0, "an empty one is no file, as with Kafka");
        }
    }

    #[test]
    fn own_ids_are_told_from_kafkas() {
        for layout in [SegmentLayout::Joined, SegmentLayout::Separate] {
            assert_eq!(SegmentLayout::of(layout.number()), Some(layout));
            assert!((0..100).all(|_| layout.made(layout.new_id())));
        }
        assert!(!SegmentLayout::Separate.made(Uuid::new_v4()));
        assert_eq!(SegmentLayout::of(2), None);
    }
}
