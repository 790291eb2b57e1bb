//! Who gets which partitions. Pure, and the same for the same members: ties are broken by ids, never by a hash.
//! Source: `ConsumerGroupPartitionAssignor`, `TargetAssignmentBuilder`. Like Kafka 4.3's, none of them looks at racks.

mod balancer;
mod range;
mod uniform;
mod uniform_heterogeneous;

#[cfg(test)]
mod tests;

use protocol::ids::Uuid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Partitions by topic; no topic has none.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// An assignor that this broker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As even as can be, and nobody loses what it need not lose.
    Uniform,
    /// A run of partitions of each topic, so that those of topics of one size go together.
    Range,
}

/// A member, as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    pub instance_id: Option<Arc<str>>,
    /// Topics that exist.
    pub subscribed: BTreeSet<Uuid>,
    /// What it was to have so far.
    pub assigned: Partitions,
}

/// What has to be assigned to whom.
#[derive(Clone, Debug, Default)]
pub struct GroupSpec {
    pub members: BTreeMap<Arc<str>, MemberSpec>,
    /// All members subscribe to the same topics.
    pub is_homogeneous: bool,
    /// How many partitions each topic has that anybody subscribes to.
    pub partition_counts: HashMap<Uuid, i32>,
}

impl GroupSpec {
    fn partition_count(&self, topic: Uuid) -> i32 {
        self.partition_counts.get(&topic).copied().unwrap_or(0)
    }
}

impl Assignor {
    /// The assignor of a name (`group.consumer.assignors`).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// Assigns every partition of every topic that somebody subscribes to. Each member of the group is in the result.
    pub fn assign(self, group: &GroupSpec) -> BTreeMap<Arc<str>, Partitions> {
        match self {
            _ if group.members.is_empty() => BTreeMap::new(),
            Self::Range => range::assign(group),
            Self::Uniform if group.is_homogeneous => uniform::assign(group),
            Self::Uniform => uniform_heterogeneous::assign(group),
        }
    }
}
