//! What handlers ask of groups of the consumer protocol. Source: `GroupCoordinatorService.consumerGroupHeartbeat`,
//! `consumerGroupDescribe`.

use std::sync::Arc;

use super::consumer::{DescribedConsumerGroup, Heartbeat, HeartbeatAnswer};
use super::effects::Effects;
use super::{GroupCoordinator, GroupError};

impl GroupCoordinator {
    /// A member joins or goes on.
    ///
    /// # Errors
    /// Whatever is wrong with the member or the group, and whatever keeps the coordinator from serving.
    pub async fn consumer_heartbeat(&self, group: &str, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, GroupError> {
        self.check_active()?;
        if let Some(name) = &heartbeat.assignor
            && !self.config().consumer.assignors.iter().any(|known| **known == **name)
        {
            let supported = self.config().consumer.assignors.join(", ");
            return Err(GroupError::UnsupportedAssignor { name: name.to_string(), supported });
        }
        let outcome = {
            let topics = self.topics();
            self.event(group, |shard| shard.consumer_heartbeat(group, heartbeat, self.context(&topics)))?
        };
        self.committed_value(outcome).await
    }

    /// A member leaves, for good or to come back.
    ///
    /// # Errors
    /// There is no such member, and whatever keeps the coordinator from serving.
    pub async fn consumer_leave(
        &self,
        group: &str,
        member_id: &Arc<str>,
        instance_id: Option<&str>,
        epoch: i32,
    ) -> Result<HeartbeatAnswer, GroupError> {
        self.check_active()?;
        let outcome = {
            let topics = self.topics();
            self.event(group, |shard| {
                let mut effects = Effects::default();
                let context = self.context(&topics);
                let answer = shard.consumer(group)?.leave(member_id, instance_id, epoch, context, &mut effects)?;
                Ok((answer, effects))
            })?
        };
        self.committed_value(outcome).await
    }

    /// Describes a group of the consumer protocol.
    ///
    /// # Errors
    /// [`GroupError::GroupNotFound`], [`GroupError::NotConsumerGroup`], and whatever keeps the coordinator from serving.
    pub async fn consumer_describe(&self, group: &str) -> Result<DescribedConsumerGroup, GroupError> {
        let described = self.read(group, |shard| {
            let topics = self.topics();
            shard.consumer(group).map(|group| group.describe(self.context(&topics)))
        });
        described.await?
    }
}
