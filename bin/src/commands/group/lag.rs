//! How far a group is: what it has committed, what there is, and who reads it.

use std::collections::BTreeMap;

use crate::client::{Client, ClientError, GroupDescription, GroupMember, OffsetAt, Place};

/// A group with its partitions.
#[derive(Clone, Debug)]
pub(super) struct GroupLag {
    pub(super) description: GroupDescription,
    /// By topic and partition: those with an offset, and those that a member has.
    pub(super) partitions: Vec<PartitionLag>,
}

/// How far a group is in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartitionLag {
    pub(super) place: Place,
    /// Offset of the next record to read, if the group has committed any.
    pub(super) committed: Option<i64>,
    /// Offset of the partition's next record, if the partition is there.
    pub(super) end: Option<i64>,
    /// Index of the member that reads it.
    pub(super) member: Option<usize>,
}

impl PartitionLag {
    /// How many records are left to read. Records may have been deleted behind the group, so never below 0.
    pub(super) fn lag(&self) -> Option<i64> {
        Some((self.end? - self.committed?).max(0))
    }
}

impl GroupLag {
    /// # Errors
    /// `GroupIdNotFound`, or [`ClientError`].
    pub(super) fn of(client: &mut Client, group: &str) -> Result<Self, ClientError> {
        let description = client.describe_group(group)?;
        let mut places: BTreeMap<Place, (Option<i64>, Option<usize>)> = BTreeMap::new();
        for (place, committed) in client.committed_offsets(group)? {
            places.insert(place, (Some(committed), None));
        }
        for (index, member) in description.members.iter().enumerate() {
            for (topic, partitions) in &member.assignment {
                for partition in partitions {
                    let place = Place { topic: topic.clone(), partition: *partition };
                    places.entry(place).or_default().1 = Some(index);
                }
            }
        }
        let wanted: Vec<Place> = places.keys().cloned().collect();
        let ends = match client.list_offsets(&wanted, OffsetAt::Latest) {
            // A leader is being changed: the ends are told next time.
            Err(error) if error.code().is_some_and(|code| code.is_retriable()) => BTreeMap::new(),
            other => other?,
        };
        let partitions = places.into_iter().map(|(place, (committed, member))| {
            let end = ends.get(&place).copied();
            PartitionLag { place, committed, end, member }
        });
        Ok(Self { partitions: partitions.collect(), description })
    }

    /// The sum over all partitions of which it is known.
    pub(super) fn total(&self) -> i64 {
        self.partitions.iter().filter_map(PartitionLag::lag).sum()
    }

    pub(super) fn member(&self, partition: &PartitionLag) -> Option<&GroupMember> {
        partition.member.and_then(|index| self.description.members.get(index))
    }
}

/// A cell of a table: a number, or a dash where there is none.
pub(super) fn cell(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_is_left_if_both_ends_are_known() {
        let lag = |committed, end| {
            PartitionLag { place: Place { topic: "t".to_owned(), partition: 0 }, committed, end, member: None }.lag()
        };
        assert_eq!(lag(Some(3), Some(10)), Some(7));
        assert_eq!(lag(Some(10), Some(3)), Some(0), "the topic was made anew");
        assert_eq!((lag(None, Some(3)), lag(Some(3), None)), (None, None));
    }
}
