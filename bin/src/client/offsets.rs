//! Offsets of partitions by time, many partitions at a time, and the offsets that groups have committed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use protocol::error_code::ErrorCode;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::{ListOffsetsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest};

use super::groups::group_id;
use super::{Client, ClientError, Refusal, Result, text, topic_name};

const LIST_OFFSETS_VERSIONS: RangeInclusive<i16> = 1..=7;
/// From the version on in which groups stand in a list; topics by name, which from version 10 on is their id.
const OFFSET_FETCH_VERSIONS: RangeInclusive<i16> = 8..=9;
/// By topic name, as before.
const OFFSET_COMMIT_VERSIONS: RangeInclusive<i16> = 5..=9;
const OFFSET_DELETE_VERSIONS: RangeInclusive<i16> = 0..=0;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What a group has committed of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Of the next record to read.
    pub(crate) offset: i64,
    /// Of the last record read; −1 if the client did not say.
    pub(crate) leader_epoch: i32,
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetAt {
    /// The first.
    Earliest,
    /// That of the next record.
    Latest,
    /// That of the first record of this time or later, in milliseconds since the epoch.
    Timestamp(i64),
}

impl OffsetAt {
    fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::Timestamp(timestamp) => timestamp,
        }
    }
}

impl Client {
    /// Every partition of some topics. A topic that does not exist has none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn partitions_of(&mut self, topics: &[&str]) -> Result<Vec<Place>> {
        Ok(self.leaders_of(topics)?.into_keys().collect())
    }

    fn leaders_of(&mut self, topics: &[&str]) -> Result<BTreeMap<Place, i32>> {
        let mut leaders = BTreeMap::new();
        for topic in self.metadata(Some(topics), false)?.topics {
            match Refusal::check(topic.error_code, None) {
                Err(refusal) if refusal.code == ErrorCode::UnknownTopicOrPartition => continue,
                other => other?,
            }
            let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
            for partition in &topic.partitions {
                let place = Place { topic: name.clone(), partition: partition.partition_index };
                leaders.insert(place, partition.leader_id.0);
            }
        }
        Ok(leaders)
    }

    /// Looks one kind of offset up for many partitions. Partitions that do not exist or have no leader are not in the answer, nor
    /// are those that have no record of that time.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn list_offsets(&mut self, places: &[Place], at: OffsetAt) -> Result<BTreeMap<Place, i64>> {
        let mut topics: Vec<&str> = places.iter().map(|place| place.topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        let leaders = self.leaders_of(&topics)?;
        let mut by_leader: BTreeMap<i32, Vec<&Place>> = BTreeMap::new();
        for place in places {
            if let Some(leader) = leaders.get(place).filter(|leader| **leader >= 0) {
                by_leader.entry(*leader).or_default().push(place);
            }
        }
        let mut offsets = BTreeMap::new();
        for (leader, places) in by_leader {
            self.list_offsets_of(leader, &places, at, &mut offsets)?;
        }
        Ok(offsets)
    }

    fn list_offsets_of(
        &mut self,
        leader: i32,
        places: &[&Place],
        at: OffsetAt,
        offsets: &mut BTreeMap<Place, i64>,
    ) -> Result<()> {
        let topics = by_topic(places.iter().copied()).into_iter().map(|(topic, partitions)| {
            let partition = |place: &&Place| ListOffsetsPartition {
                partition_index: place.partition,
                timestamp: at.timestamp(),
                ..ListOffsetsPartition::default()
            };
            ListOffsetsTopic { name: text(topic), partitions: partitions.iter().map(partition).collect() }
        });
        let request = ListOffsetsRequest { replica_id: -1, topics: topics.collect(), ..ListOffsetsRequest::default() };
        let response = self.broker(leader)?.ask(&request, LIST_OFFSETS_VERSIONS)?;
        for topic in &response.topics {
            for found in &topic.partitions {
                Refusal::check(found.error_code, None)?;
                if found.offset >= 0 {
                    let place = Place { topic: topic.name.to_string(), partition: found.partition_index };
                    offsets.insert(place, found.offset);
                }
            }
        }
        Ok(())
    }

    /// As [`Self::committed`], the offsets alone.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn committed_offsets(&mut self, group: &str) -> Result<BTreeMap<Place, i64>> {
        Ok(self.committed(group)?.into_iter().map(|(place, committed)| (place, committed.offset)).collect())
    }

    /// Everything that a group has committed. A group that does not exist has nothing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn committed(&mut self, group: &str) -> Result<BTreeMap<Place, Committed>> {
        let asked = OffsetFetchRequestGroup { group_id: text(group), topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
        self.with_coordinator(group, |_, connection| {
            let response = connection.ask(&request, OFFSET_FETCH_VERSIONS)?;
            let found = response.groups.first().ok_or(ClientError::Malformed("no answer for the group"))?;
            Refusal::check(found.error_code, None)?;
            let mut committed = BTreeMap::new();
            for topic in &found.topics {
                for partition in &topic.partitions {
                    Refusal::check(partition.error_code, None)?;
                    if partition.committed_offset >= 0 {
                        let place = Place { topic: topic.name.to_string(), partition: partition.partition_index };
                        let (offset, leader_epoch) = (partition.committed_offset, partition.committed_leader_epoch);
                        committed.insert(place, Committed { offset, leader_epoch });
                    }
                }
            }
            Ok(committed)
        })
    }

    /// Commits for a group of which this client is no member.
    ///
    /// # Errors
    /// The first partition's refusal, or [`ClientError`].
    pub(crate) fn commit_offsets(&mut self, group: &str, offsets: &BTreeMap<Place, i64>) -> Result<()> {
        let topics = by_topic(offsets.keys()).into_iter().map(|(topic, partitions)| {
            let partition = |place: &&Place| OffsetCommitRequestPartition {
                partition_index: place.partition,
                committed_offset: offsets.get(*place).copied().unwrap_or_default(),
                ..Default::default()
            };
            let partitions = partitions.iter().map(partition).collect();
            OffsetCommitRequestTopic { name: text(topic), partitions, ..Default::default() }
        });
        let request = OffsetCommitRequest { group_id: text(group), topics: topics.collect(), ..Default::default() };
        self.with_coordinator(group, |_, connection| {
            let response = connection.ask(&request, OFFSET_COMMIT_VERSIONS)?;
            let mut codes = response.topics.iter().flat_map(|topic| &topic.partitions);
            codes.try_for_each(|partition| Ok(Refusal::check(partition.error_code, None)?))
        })
    }

    /// Deletes what a group has committed of some partitions.
    ///
    /// # Errors
    /// The group's or the first partition's refusal, or [`ClientError`].
    pub(crate) fn delete_offsets(&mut self, group: &str, places: &[Place]) -> Result<()> {
        for result in self.try_delete_offsets(group, places)?.into_values() {
            result?;
        }
        Ok(())
    }

    /// As [`Self::delete_offsets`], and what became of each partition.
    ///
    /// # Errors
    /// The group's refusal, or [`ClientError`].
    pub(crate) fn try_delete_offsets(
        &mut self,
        group: &str,
        places: &[Place],
    ) -> Result<BTreeMap<Place, std::result::Result<(), Refusal>>> {
        let topics = by_topic(places.iter()).into_iter().map(|(topic, partitions)| {
            let partition =
                |place: &&Place| OffsetDeleteRequestPartition::default().with_partition_index(place.partition);
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions.iter().map(partition).collect())
        });
        let request = OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(topics.collect());
        self.with_coordinator(group, |_, connection| {
            let response = connection.ask(&request, OFFSET_DELETE_VERSIONS)?;
            Refusal::check(response.error_code, None)?;
            let results = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| {
                    let place = Place { topic: topic.name.to_string(), partition: partition.partition_index };
                    (place, Refusal::check(partition.error_code, None))
                })
            });
            Ok(results.collect())
        })
    }
}

fn by_topic<'a>(places: impl Iterator<Item = &'a Place>) -> BTreeMap<&'a str, Vec<&'a Place>> {
    let mut topics: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
    places.for_each(|place| topics.entry(&place.topic).or_default().push(place));
    topics
}
