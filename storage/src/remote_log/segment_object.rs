//! What goes up with a segment, joined into one object, and taken apart again.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{RemoteSegment, SegmentEpoch};
use crate::log::SegmentExport;

/// What is in a joined object, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    Offset,
    Time,
}

/// The joined object of what a log gives away.
pub(super) fn join(export: &SegmentExport) -> Bytes {
    let epochs = export.leader_epochs.encode();
    let pieces: [&[u8]; 5] =
        [&export.offset_index, &export.time_index, &export.txn_index, &export.producer_snapshot, epochs.as_bytes()];
    let mut joined = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}

/// What a manifest says of the segment, but for its id, checksum and time.
pub(super) fn describe(export: &SegmentExport, joined: &Bytes) -> RemoteSegment {
    let length = |bytes: &[u8]| i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let epochs = export.leader_epochs.entries().iter();
    let before = epochs.clone().rev().find(|entry| entry.start_offset <= export.base_offset);
    let inside = epochs.filter(|entry| entry.start_offset > export.base_offset);
    let first = before.map(|entry| SegmentEpoch { epoch: entry.epoch, start_offset: export.base_offset });
    let later = inside.map(|entry| SegmentEpoch { epoch: entry.epoch, start_offset: entry.start_offset });
    RemoteSegment {
        base_offset: export.base_offset,
        end_offset: export.end_offset,
        size_bytes: i64::try_from(export.log.size).unwrap_or(i64::MAX),
        max_timestamp: export.max_timestamp,
        leader_epochs: first.into_iter().chain(later).collect(),
        offset_index_bytes: length(&export.offset_index),
        time_index_bytes: length(&export.time_index),
        txn_index_bytes: length(&export.txn_index),
        producer_snapshot_bytes: length(&export.producer_snapshot),
        leader_epochs_bytes: length(export.leader_epochs.encode().as_bytes()),
        indexes_crc: crc32c::crc32c(joined),
        ..RemoteSegment::default()
    }
}

/// Where in the joined object an index is.
pub(super) fn range(segment: &RemoteSegment, index: Index) -> Range<usize> {
    let length = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let offsets = length(segment.offset_index_bytes);
    match index {
        Index::Offset => 0..offsets,
        Index::Time => offsets..offsets.saturating_add(length(segment.time_index_bytes)),
    }
}
