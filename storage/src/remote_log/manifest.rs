//! The list of a partition's remote segments, as bytes.

use bytes::Bytes;
use protocol::ids::Uuid;
use protocol::message;
use protocol::schema::EncodeError;

use super::envelope::{Magic, ManifestError, open, seal};
use super::{ManifestVersion, SegmentLayout};
use crate::leader_epoch::EpochEntry;

const MAGIC: Magic = *b"OTLM";

message! {
    /// What is remote of one partition.
    pub struct Manifest, key 0, versions "0", flexible "0+" {
        /// Of the leader that wrote it.
        leader_epoch: i32, "0+";
        /// Counts on from leader to leader.
        sequence: i64, "0+";
        /// Nothing before this offset (inclusive) is read again. Segments wholly below it are being deleted.
        log_start_offset: i64, "0+";
        /// Objects with the oldest segments, in order.
        parts: Vec<Part>, "0+";
        /// The newest segments, in order.
        segments: Vec<RemoteSegment>, "0+";
        /// Only in a log's folder: the log leaves the tier, and everything remote is to go.
        is_leaving: bool, "0+", tag 0 "0+";
    }

    /// Segments that stand in another object.
    pub struct Part {
        /// In the object's key.
        id: Uuid, "0+";
        /// First offset of the first of its segments (inclusive).
        base_offset: i64, "0+";
        /// Where the last of its segments ends (exclusive).
        end_offset: i64, "0+";
        /// How many segments.
        count: i32, "0+";
    }

    /// What such an object holds.
    pub struct PartSegments, key 1, versions "0", flexible "0+" {
        /// In order.
        segments: Vec<RemoteSegment>, "0+";
    }

    /// One remote segment.
    pub struct RemoteSegment {
        /// Random; in the keys of its objects.
        id: Uuid, "0+";
        /// First offset (inclusive).
        base_offset: i64, "0+";
        /// Where the next segment begins (exclusive).
        end_offset: i64, "0+";
        /// Bytes of the log.
        size_bytes: i64, "0+";
        /// CRC-32C of the log.
        crc: u32, "0+";
        /// Of its youngest record; ms since the epoch.
        max_timestamp: i64, "0+";
        /// When it was copied; ms since the epoch.
        copied_ms: i64, "0+";
        /// Who copied it.
        broker_id: i32, "0+";
        /// Where in it which leader epoch begins.
        leader_epochs: Vec<SegmentEpoch>, "0+";
        /// Bytes of the offset index, first in the joined object.
        offset_index_bytes: i32, "0+";
        /// Bytes of the time index, behind it.
        time_index_bytes: i32, "0+";
        /// Bytes of the index of aborted transactions, behind it; most segments have none.
        txn_index_bytes: i32, "0+";
        /// Bytes of the producers' snapshot at the end offset, behind it.
        producer_snapshot_bytes: i32, "0+";
        /// Bytes of the leader epochs from the log's start to the segment's end, behind it.
        leader_epochs_bytes: i32, "0+";
        /// CRC-32C of the joined object, or of the separate files one behind the other.
        indexes_crc: u32, "0+";
        /// See [`SegmentLayout`].
        layout: i8, "0+", tag 0 "0+";
    }

    /// A leader epoch of a segment.
    pub struct SegmentEpoch {
        /// The epoch.
        epoch: i32, "0+";
        /// Its first offset in the segment (inclusive).
        start_offset: i64, "0+";
    }
}

impl Manifest {
    /// Which manifest it is.
    pub fn version(&self) -> ManifestVersion {
        ManifestVersion { leader_epoch: self.leader_epoch, sequence: self.sequence }
    }

    /// The object.
    ///
    /// # Errors
    /// More segments than a length can say.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        seal(MAGIC, self)
    }

    /// The manifest in an object.
    ///
    /// # Errors
    /// [`ManifestError`] for anything that was not written by [`Manifest::encode`], and for segments out of order.
    pub fn decode(bytes: Bytes) -> Result<Self, ManifestError> {
        let manifest: Self = open(MAGIC, bytes)?;
        let parts = manifest.parts.iter().map(|part| (part.base_offset, part.end_offset));
        let is_sound = manifest.leader_epoch >= 0
            && manifest.sequence >= 0
            && manifest.log_start_offset >= 0
            && manifest.parts.iter().all(|part| part.count > 0)
            && in_order(parts.chain(ranges(&manifest.segments)))
            && manifest.segments.iter().all(RemoteSegment::is_sound);
        if is_sound { Ok(manifest) } else { Err(ManifestError::Contradiction) }
    }
}

impl PartSegments {
    /// The object.
    ///
    /// # Errors
    /// More segments than a length can say.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        seal(MAGIC, self)
    }

    /// The segments in an object.
    ///
    /// # Errors
    /// As [`Manifest::decode`].
    pub fn decode(bytes: Bytes) -> Result<Self, ManifestError> {
        let part: Self = open(MAGIC, bytes)?;
        let is_sound = in_order(ranges(&part.segments)) && part.segments.iter().all(RemoteSegment::is_sound);
        if is_sound { Ok(part) } else { Err(ManifestError::Contradiction) }
    }
}

impl PartSegments {
    /// Whether these are the segments that a manifest promised.
    pub(super) fn check(&self, part: &Part) -> Result<(), ManifestError> {
        let range = (self.segments.first().map(|s| s.base_offset), self.segments.last().map(|s| s.end_offset));
        let is_promised = range == (Some(part.base_offset), Some(part.end_offset))
            && i32::try_from(self.segments.len()) == Ok(part.count);
        if is_promised { Ok(()) } else { Err(ManifestError::Contradiction) }
    }
}

impl RemoteSegment {
    /// Bytes of the log.
    pub fn size(&self) -> u64 {
        self.size_bytes.cast_unsigned()
    }

    /// In which objects it lies.
    pub fn layout(&self) -> SegmentLayout {
        SegmentLayout::of(self.layout).unwrap_or_default()
    }

    /// Bytes of all that goes with the log.
    pub fn indexes_size(&self) -> u64 {
        self.index_lengths().iter().map(|length| u64::from(length.cast_unsigned())).sum()
    }

    pub(super) fn index_lengths(&self) -> [i32; 5] {
        [
            self.offset_index_bytes,
            self.time_index_bytes,
            self.txn_index_bytes,
            self.producer_snapshot_bytes,
            self.leader_epochs_bytes,
        ]
    }

    /// Where in it which leader epoch begins.
    pub fn epochs(&self) -> impl Iterator<Item = EpochEntry> + '_ {
        self.leader_epochs.iter().map(|entry| EpochEntry { epoch: entry.epoch, start_offset: entry.start_offset })
    }

    fn is_sound(&self) -> bool {
        let entries = self.leader_epochs.iter().map(|entry| (entry.epoch, entry.start_offset));
        self.size_bytes >= 0
            && SegmentLayout::of(self.layout).is_some()
            && self.index_lengths().iter().all(|length| *length >= 0)
            && entries.clone().all(|(epoch, start_offset)| epoch >= 0 && start_offset >= 0)
            && entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
    }
}

fn ranges(segments: &[RemoteSegment]) -> impl Iterator<Item = (i64, i64)> + Clone {
    segments.iter().map(|segment| (segment.base_offset, segment.end_offset))
}

fn in_order(ranges: impl Iterator<Item = (i64, i64)> + Clone) -> bool {
    ranges.clone().all(|(base, end)| base >= 0 && base < end) && ranges.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote_log::envelope::ENVELOPE;

    fn manifest() -> Manifest {
        let segment = |base_offset, epoch| RemoteSegment {
            id: Uuid::from_u128(7),
            base_offset,
            end_offset: base_offset + 10,
            size_bytes: 1000,
            crc: 0xdead_beef,
            max_timestamp: 1_700_000_000_000,
            copied_ms: 1_700_000_000_001,
            broker_id: 1,
            leader_epochs: vec![SegmentEpoch { epoch, start_offset: base_offset }],
            offset_index_bytes: 8,
            time_index_bytes: 12,
            producer_snapshot_bytes: 10,
            leader_epochs_bytes: 9,
            ..RemoteSegment::default()
        };
        Manifest {
            leader_epoch: 3,
            sequence: 17,
            log_start_offset: 12,
            parts: vec![Part { id: Uuid::from_u128(9), base_offset: 0, end_offset: 10, count: 1 }],
            segments: vec![segment(10, 2), segment(20, 3)],
            is_leaving: false,
        }
    }

    /// What earlier versions have written must stay readable: these bytes never change.
    #[test]
    fn the_bytes_are_these() {
        let golden = "4f544c4d0000b928377500000003000000000000001100000000000000\
                      0c02000000000000000000000000000000090000000000000000000000000000000a000000010003";
        let bytes = manifest().encode().unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex[..golden.len()], *golden);
        assert_eq!((bytes.len(), crc32c::crc32c(&bytes[ENVELOPE..])), (276, 0xb928_3775));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Manifest::decode(manifest().encode().unwrap()), Ok(manifest()));
        let mut separate = manifest();
        separate.segments[1].layout = SegmentLayout::Separate.number();
        assert_eq!(Manifest::decode(separate.encode().unwrap()), Ok(separate));
        let leaving = Manifest { is_leaving: true, ..manifest() };
        assert_eq!(Manifest::decode(leaving.encode().unwrap()), Ok(leaving));
        let part = PartSegments { segments: manifest().segments };
        assert_eq!(PartSegments::decode(part.encode().unwrap()), Ok(part));
    }

    #[test]
    fn a_later_version_is_named() {
        let mut bytes = manifest().encode().unwrap().to_vec();
        bytes[5] = 9;
        assert_eq!(Manifest::decode(bytes.into()), Err(ManifestError::Version(9)));
    }

    #[test]
    fn contradictions_are_refused() {
        let spoil: [fn(&mut Manifest); 7] = [
            |m| m.segments.swap(0, 1),
            |m| m.segments[0].end_offset = 10,
            |m| m.segments[1].size_bytes = -1,
            |m| m.segments[1].layout = 2,
            |m| m.segments[1].time_index_bytes = -1,
            |m| m.parts[0].end_offset = 25,
            |m| m.segments[0].leader_epochs.push(SegmentEpoch { epoch: 1, start_offset: 15 }),
        ];
        for (at, spoil) in spoil.iter().enumerate() {
            let mut manifest = manifest();
            spoil(&mut manifest);
            assert_eq!(Manifest::decode(manifest.encode().unwrap()), Err(ManifestError::Contradiction), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_change_is_noticed(at in 0usize..276, bit in 0u8..8) {
            let mut bytes = manifest().encode().unwrap().to_vec();
            bytes[at] ^= 1 << bit;
            prop_assert!(Manifest::decode(bytes.into()).is_err());
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut sealed = b"OTLM\0\0".to_vec();
            sealed.extend(crc32c::crc32c(&bytes).to_be_bytes());
            sealed.extend(bytes);
            let _ = Manifest::decode(sealed.clone().into());
            let _ = PartSegments::decode(sealed.into());
        }
    }
}
