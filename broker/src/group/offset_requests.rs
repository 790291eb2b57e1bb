//! What handlers ask of committed offsets. Source: `GroupCoordinatorService.commitOffsets`, `fetchOffsets`, `deleteOffsets`.

use protocol::StrBytes;
use protocol::ids::Uuid;
use std::collections::HashSet;
use std::sync::Arc;

use super::members::{Group, Members};
use super::offset_shard::Commit;
use super::shard::Shard;
use super::{GroupCoordinator, GroupError};

/// An offset as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchedOffset {
    Committed {
        offset: i64,
        leader_epoch: i32,
        metadata: Box<str>,
    },
    /// Nothing is committed.
    None,
    /// A transaction that is not over has committed one.
    Unstable,
}

/// A partition whose offset is asked for.
#[derive(Clone, Debug)]
pub struct OffsetPlace {
    pub topic: StrBytes,
    /// Nil if it is asked for by name.
    pub topic_id: Uuid,
    pub partition: i32,
}

/// Who reads offsets.
#[derive(Clone, Copy, Debug)]
pub struct OffsetReader<'a> {
    /// `None` for somebody who does not say.
    pub member_id: Option<&'a str>,
    /// −1 for none.
    pub epoch: i32,
}

impl GroupCoordinator {
    /// Offsets are committed.
    ///
    /// # Errors
    /// The caller may not commit, or the offsets could not be stored.
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<(), GroupError> {
        self.check_active()?;
        let outcome = {
            let topics = self.topics();
            self.event(commit.group, |shard| Ok(((), shard.commit(commit, self.context(&topics))?)))?
        };
        self.counters.committed(commit.offsets.len());
        self.committed_value(outcome).await
    }

    /// Reads committed offsets of those partitions; nothing is committed in a group that does not exist.
    ///
    /// # Errors
    /// The reader is no member of this epoch, or whatever keeps the coordinator from serving.
    pub async fn fetch_offsets(
        &self,
        group: &str,
        reader: OffsetReader<'_>,
        places: &[OffsetPlace],
        require_stable: bool,
    ) -> Result<Vec<FetchedOffset>, GroupError> {
        let read = |shard: &mut Shard| -> Result<Vec<FetchedOffset>, GroupError> {
            shard.check_fetch(group, reader)?;
            let fetch = |place: &OffsetPlace| {
                fetch(shard, group, (&place.topic, place.topic_id), place.partition, require_stable)
            };
            Ok(places.iter().map(fetch).collect())
        };
        self.read(group, read).await?
    }

    /// Reads all committed offsets of a group, in the order of topics and partitions.
    ///
    /// # Errors
    /// As [`GroupCoordinator::fetch_offsets`].
    pub async fn fetch_all_offsets(
        &self,
        group: &str,
        reader: OffsetReader<'_>,
        require_stable: bool,
    ) -> Result<Vec<(Arc<str>, i32, FetchedOffset)>, GroupError> {
        let read = |shard: &mut Shard| {
            shard.check_fetch(group, reader)?;
            let all = shard.group(group).into_iter().flat_map(|group| group.offsets.iter());
            let fetched = all.map(|(topic, partition, _)| {
                (Arc::clone(topic), partition, fetch(shard, group, (topic, Uuid::nil()), partition, require_stable))
            });
            Ok(fetched.collect::<Vec<_>>())
        };
        self.read(group, read).await?
    }

    /// Deletes committed offsets, but for topics that members subscribe to, which are returned.
    ///
    /// # Errors
    /// There is no such group, it has members that are not consumers, or the deletion could not be stored.
    pub async fn delete_offsets(
        &self,
        group: &str,
        partitions: &[(StrBytes, i32)],
    ) -> Result<HashSet<StrBytes>, GroupError> {
        self.check_id(group)?;
        let outcome = self.event(group, |shard| {
            let (subscribed, effects) = shard.delete_offsets(group, partitions)?;
            self.counters.deleted(effects.records.len());
            Ok((subscribed, effects))
        })?;
        self.committed_value(outcome).await
    }
}

impl Shard {
    /// Goes on only if the reader may read offsets. In a group of the classic protocol, or in none, anybody may.
    fn check_fetch(&self, group: &str, reader: OffsetReader<'_>) -> Result<(), GroupError> {
        match self.group(group) {
            Some(Group { members: Members::Consumer(group), .. }) => group.check_fetch(reader.member_id, reader.epoch),
            Some(Group { members: Members::Classic(_), .. }) | None => Ok(()),
        }
    }
}

fn fetch(
    shard: &Shard,
    group: &str,
    (topic, topic_id): (&str, Uuid),
    partition: i32,
    require_stable: bool,
) -> FetchedOffset {
    if require_stable && shard.is_unstable(group, topic, partition) {
        return FetchedOffset::Unstable;
    }
    match shard.committed_offset(group, topic, partition).filter(|committed| committed.is_of(topic_id)) {
        Some(committed) => FetchedOffset::Committed {
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata().into(),
        },
        None => FetchedOffset::None,
    }
}
