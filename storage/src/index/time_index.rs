//! `.timeindex`: the largest timestamp so far, and the last offset of the batch that has it, relative to the segment's
//! base offset. Eight and four bytes, big endian. Source: `TimeIndex`.

use super::Index;

/// File format of `.timeindex`.
pub struct TimeIndex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Last offset of the batch minus the segment's base offset.
    pub relative_offset: u32,
}

impl Index for TimeIndex {
    type Entry = TimeEntry;
    const ENTRY_SIZE: usize = 12;

    fn decode(bytes: &[u8]) -> TimeEntry {
        let [t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3] = bytes.first_chunk().copied().unwrap_or_default();
        TimeEntry {
            timestamp: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            relative_offset: u32::from_be_bytes([o0, o1, o2, o3]),
        }
    }

    fn encode(entry: TimeEntry, out: &mut Vec<u8>) {
        out.extend_from_slice(&entry.timestamp.to_be_bytes());
        out.extend_from_slice(&entry.relative_offset.to_be_bytes());
    }

    fn rises(entry: TimeEntry, next: TimeEntry) -> bool {
        entry.timestamp < next.timestamp && entry.relative_offset < next.relative_offset
    }
}

#[cfg(test)]
mod tests {
    use super::super::{encode_all, last_where, rising};
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        let bytes = encode_all::<TimeIndex>(&[TimeEntry { timestamp: 0x0102, relative_offset: 7 }]);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 7]);
    }

    #[test]
    fn the_floor_of_a_timestamp_is_found() {
        let all =
            [(10, 1), (20, 5), (30, 9)].map(|(timestamp, relative_offset)| TimeEntry { timestamp, relative_offset });
        let bytes = encode_all::<TimeIndex>(&all);
        let floor = |target| last_where::<TimeIndex>(&bytes, |e| e.timestamp <= target).map(|e| e.relative_offset);
        assert_eq!([floor(9), floor(10), floor(29), floor(99)], [None, Some(1), Some(5), Some(9)]);
        assert_eq!(rising::<TimeIndex>(&bytes).len(), 3);
    }
}
