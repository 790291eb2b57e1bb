//! `.index`: the last offset of a batch, relative to the segment's base offset, and where the batch begins. Four bytes
//! each, big endian. Source: `OffsetIndex`.

use super::Index;

/// File format of `.index`.
pub struct OffsetIndex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Last offset of the batch minus the segment's base offset.
    pub relative_offset: u32,
    /// Byte in the `.log` file at which the batch begins.
    pub position: u32,
}

impl Index for OffsetIndex {
    type Entry = OffsetEntry;
    const ENTRY_SIZE: usize = 8;

    fn decode(bytes: &[u8]) -> OffsetEntry {
        let [o0, o1, o2, o3, p0, p1, p2, p3] = bytes.first_chunk().copied().unwrap_or_default();
        OffsetEntry {
            relative_offset: u32::from_be_bytes([o0, o1, o2, o3]),
            position: u32::from_be_bytes([p0, p1, p2, p3]),
        }
    }

    fn encode(entry: OffsetEntry, out: &mut Vec<u8>) {
        out.extend_from_slice(&entry.relative_offset.to_be_bytes());
        out.extend_from_slice(&entry.position.to_be_bytes());
    }

    fn rises(entry: OffsetEntry, next: OffsetEntry) -> bool {
        entry.relative_offset < next.relative_offset && entry.position < next.position
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{count, encode_all, entry, last_where, rising};
    use super::*;

    fn entries(pairs: &[(u32, u32)]) -> Vec<OffsetEntry> {
        pairs
            .iter()
            .map(|(relative_offset, position)| OffsetEntry { relative_offset: *relative_offset, position: *position })
            .collect()
    }

    #[test]
    fn bytes_are_kafkas() {
        let bytes = encode_all::<OffsetIndex>(&entries(&[(1, 2), (0x0102_0304, 0x0506_0708)]));
        assert_eq!(bytes, [0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(entry::<OffsetIndex>(&bytes, 1), Some(entries(&[(0x0102_0304, 0x0506_0708)])[0]));
        assert_eq!(entry::<OffsetIndex>(&bytes, 2), None);
    }

    #[test]
    fn zeros_and_falling_entries_end_an_index() {
        let mut bytes = encode_all::<OffsetIndex>(&entries(&[(5, 100), (9, 200)]));
        bytes.extend([0; 20]);
        assert_eq!(rising::<OffsetIndex>(&bytes), entries(&[(5, 100), (9, 200)]));
        assert_eq!(count::<OffsetIndex>(&bytes), 4);
    }

    proptest! {
        #[test]
        fn look_up_finds_what_a_scan_finds(steps in prop::collection::vec(1u32..50, 0..200), target in 0u32..6000) {
            let mut at = 0;
            let all: Vec<_> = steps.iter().map(|step| { at += step; OffsetEntry { relative_offset: at, position: at * 3 } }).collect();
            let found = last_where::<OffsetIndex>(&encode_all::<OffsetIndex>(&all), |e| e.relative_offset <= target);
            prop_assert_eq!(found, all.iter().copied().rev().find(|e| e.relative_offset <= target));
        }

        #[test]
        fn any_bytes_are_searched_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), target: u32) {
            let _ = last_where::<OffsetIndex>(&bytes, |e| e.relative_offset <= target);
            let _ = rising::<OffsetIndex>(&bytes);
        }
    }
}
