//! Members of the consumer protocol (KIP-848), whom the broker assigns: each tells what it has in its heartbeats, and gives up and takes
//! what the answers say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use protocol::StrBytes;
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, TopicName,
};

use super::{Members, Shape};
use crate::broker::pause;
use crate::client::{Client, encode, text};

const HEARTBEAT_VERSION: i16 = 0;
const DESCRIBE_VERSION: i16 = 0;
const REBALANCE_TIMEOUT_MS: i32 = 300_000;
/// In each other round members subscribe to the first alone, so that every round has a new assignment.
const TOPICS: [&str; 2] = ["orders", "payments"];
/// Between the heartbeats of members that are on their way to their assignment.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(100);
/// Between the heartbeats of members that have theirs while others are on their way (`group.consumer.heartbeat.interval.ms`).
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(300);

struct Member {
    group: GroupId,
    client: Client,
    id: StrBytes,
    epoch: i32,
    owned: Vec<TopicPartitions>,
}

/// All members of all groups, each group's beside each other.
pub(super) struct ConsumerMembers {
    all: Vec<Member>,
    members: usize,
    round: usize,
}

impl ConsumerMembers {
    /// Makes two topics of a partition for each member of a group, too.
    pub(super) fn connect(address: SocketAddr, shape: Shape) -> Result<Self> {
        let mut client = Client::connect(address)?;
        for topic in TOPICS {
            client.create_topic(topic, i32::try_from(shape.members)?, &[])?;
        }
        let clients = Client::connect_all(address, shape.groups * shape.members)?;
        let member = |(number, client)| {
            let (group, id) = (number / shape.members, number % shape.members);
            let (group, id) = (GroupId(text(&format!("group-{group}"))), text(&format!("member-{id}")));
            Member { group, client, id, epoch: 0, owned: Vec::new() }
        };
        Ok(Self { all: clients.into_iter().enumerate().map(member).collect(), members: shape.members, round: 0 })
    }

    /// A heartbeat of every member of these groups, all on their way at the same time.
    fn heartbeat(&mut self, groups: &[usize], topics: Option<&[&str]>) -> Result<()> {
        for group in groups {
            for member in self.group(*group) {
                let request = member.heartbeat(topics);
                member.client.ask(&request, HEARTBEAT_VERSION)?;
            }
        }
        for group in groups {
            for member in self.group(*group) {
                let answer = member.client.answer::<ConsumerGroupHeartbeatRequest>(HEARTBEAT_VERSION)?;
                member.take(answer)?;
            }
        }
        Ok(())
    }

    fn group(&mut self, group: usize) -> &mut [Member] {
        &mut self.all[group * self.members..(group + 1) * self.members]
    }

    /// Whether each member of a group has its share of so many topics.
    fn is_assigned(&mut self, group: usize, topics: usize) -> bool {
        let partitions = self.members * topics;
        let members = self.group(group);
        let owned: usize = members.iter().flat_map(|member| &member.owned).map(|topic| topic.partitions.len()).sum();
        owned == partitions && members.iter().all(|member| member.epoch == members[0].epoch)
    }

    /// Those groups of which the broker knows that they are to change still: until their next assignment is computed (KIP-1263)
    /// members may have their shares by an older one.
    fn unstable(&mut self) -> Result<Vec<usize>> {
        let ids = self.all.iter().step_by(self.members).map(|member| member.group.clone()).collect();
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(ids);
        let described = self.all[0].client.send(&request, DESCRIBE_VERSION)?.groups;
        let unstable = described.iter().enumerate().filter(|(_, group)| group.group_state.as_str() != "Stable");
        Ok(unstable.map(|(number, _)| number).collect())
    }
}

impl Members for ConsumerMembers {
    /// Everybody subscribes to one topic more or less, and goes on until each has its share.
    fn rebalance(&mut self) -> Result<Duration> {
        let topics = &TOPICS[..1 + self.round % 2];
        self.round += 1;
        let start = Instant::now();
        let everyone: Vec<usize> = (0..self.all.len() / self.members).collect();
        let (mut groups, mut lived) = (everyone.clone(), start);
        self.heartbeat(&groups, Some(topics))?;
        loop {
            groups.retain(|group| !self.is_assigned(*group, topics.len()));
            if groups.is_empty() {
                let elapsed = start.elapsed();
                groups = self.unstable()?;
                if groups.is_empty() {
                    return Ok(elapsed);
                }
            }
            ensure!(start.elapsed() < DEADLINE, "{} groups are not assigned after {DEADLINE:?}", groups.len());
            pause(HEARTBEAT_INTERVAL);
            if lived.elapsed() > KEEP_ALIVE {
                lived = Instant::now();
                self.heartbeat(&everyone, None)?;
            } else {
                self.heartbeat(&groups, None)?;
            }
        }
    }

    fn heartbeats(&self) -> Result<Vec<Bytes>> {
        let frame = |member: &Member| encode(&member.lives(), HEARTBEAT_VERSION);
        self.all.iter().map(frame).collect()
    }
}

impl Member {
    /// What a member sends that has nothing to say.
    fn lives(&self) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_member_epoch(self.epoch)
    }

    fn heartbeat(&self, topics: Option<&[&str]>) -> ConsumerGroupHeartbeatRequest {
        let says = self.lives().with_topic_partitions(Some(self.owned.clone()));
        let Some(topics) = topics else { return says };
        says.with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
            .with_subscribed_topic_names(Some(topics.iter().map(|topic| TopicName(text(topic))).collect()))
    }

    fn take(&mut self, answer: ConsumerGroupHeartbeatResponse) -> Result<()> {
        ensure!(answer.error_code == 0, "heartbeat: error {} {:?}", answer.error_code, answer.error_message);
        self.epoch = answer.member_epoch;
        if let Some(assigned) = answer.assignment {
            let topics = assigned.topic_partitions.into_iter();
            let owned = topics.map(|topic| {
                TopicPartitions::default().with_topic_id(topic.topic_id).with_partitions(topic.partitions)
            });
            self.owned = owned.collect();
        }
        Ok(())
    }
}
