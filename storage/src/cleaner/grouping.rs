//! Which segments become one. Source: `Cleaner.groupSegmentsBySize`.

use std::ops::Range;

/// What counts of a segment when groups are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupCandidate {
    pub(crate) base_offset: i64,
    pub(crate) size_bytes: u64,
    pub(crate) index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// What a group may come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits {
    pub(super) segment_bytes: u64,
    pub(super) index_bytes: u64,
    /// Where the last candidate ends at the latest (exclusive).
    pub(super) end_offset: i64,
}

/// Splits `candidates`, segments in a row, into runs that each fit into one segment by size, by size of either index, and by
/// offsets, which indexes keep relative in 31 bits. Segments do not shrink too much that way.
pub(super) fn group(candidates: &[GroupCandidate], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while let Some(first) = candidates.get(start) {
        let mut total = *first;
        let mut end = start + 1;
        while let Some(next) = candidates.get(end) {
            let sum = GroupCandidate {
                base_offset: first.base_offset,
                size_bytes: total.size_bytes + next.size_bytes,
                index_bytes: total.index_bytes + next.index_bytes,
                time_index_bytes: total.time_index_bytes + next.time_index_bytes,
            };
            let last_offset = candidates.get(end + 1).map_or(limits.end_offset, |after| after.base_offset) - 1;
            // An empty one adds no offset.
            let is_near = next.size_bytes == 0 || last_offset - first.base_offset <= i64::from(i32::MAX);
            let fits = sum.size_bytes <= limits.segment_bytes
                && sum.index_bytes <= limits.index_bytes
                && sum.time_index_bytes <= limits.index_bytes;
            if !(fits && is_near) {
                break;
            }
            total = sum;
            end += 1;
        }
        groups.push(start..end);
        start = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(sizes: &[u64]) -> Vec<GroupCandidate> {
        let sized = |(number, size_bytes): (usize, &u64)| GroupCandidate {
            base_offset: number as i64 * 10,
            size_bytes: *size_bytes,
            ..GroupCandidate::default()
        };
        sizes.iter().enumerate().map(sized).collect()
    }

    fn limits(segment_bytes: u64) -> GroupLimits {
        GroupLimits { segment_bytes, index_bytes: 100, end_offset: 1000 }
    }

    #[test]
    fn a_group_is_as_large_as_a_segment_may_be() {
        assert_eq!(
            group(&candidates(&[40, 60, 1, 99, 100, 7, 500, 3]), limits(100)),
            [0..2, 2..4, 4..5, 5..6, 6..7, 7..8]
        );
        assert_eq!(group(&[], limits(100)), []);
    }

    #[test]
    fn indexes_count_too() {
        let mut all = candidates(&[1, 1, 1, 1]);
        all[1].index_bytes = 100;
        all[2].index_bytes = 1;
        all[3].time_index_bytes = 101;
        assert_eq!(group(&all, limits(100)), [0..2, 2..3, 3..4]);
    }

    #[test]
    fn offsets_are_at_most_two_to_the_31_apart() {
        let far = i64::from(i32::MAX);
        let mut all = candidates(&[1, 1, 1]);
        all[1].base_offset = 5;
        all[2].base_offset = far + 2;
        assert_eq!(group(&all, GroupLimits { end_offset: far + 100, ..limits(100) }), [0..1, 1..2, 2..3]);
        all[2].base_offset = far + 1;
        assert_eq!(group(&all, GroupLimits { end_offset: far + 100, ..limits(100) }), [0..2, 2..3]);
        all[2].size_bytes = 0;
        assert_eq!(group(&all, GroupLimits { end_offset: far + 100, ..limits(100) }).first(), Some(&(0..3)));
    }
}
