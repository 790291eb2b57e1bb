//! Each record of the consumer protocol (KIP-848) in Apache Kafka 4.3, as in
//! `group-coordinator/src/main/resources/common/message/ConsumerGroup*.json`.
//!
//! Keys have a single version, which is not flexible: there is no version 1 for "1+" to mean.

use crate::{StrBytes, message};
use bytes::Bytes;
use uuid::Uuid;

message! {
    /// Which group it is.
    pub struct ConsumerGroupMetadataKey, key 3, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
    }

    /// A group's epoch, which rises with every change of its members, their subscriptions or the topics.
    pub struct ConsumerGroupMetadataValue, key 3, versions "0", flexible "0+" {
        /// The group's epoch.
        epoch: i32, "0+";
        /// The hash of all topics that members subscribe to; 0 if there are none (KIP-1101).
        metadata_hash: i64, "0+", tag 0 "0+";
    }

    /// Which group it is.
    pub struct ConsumerGroupPartitionMetadataKey, key 4, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
    }

    /// The topics that members subscribe to, as Kafka wrote them before 4.1.
    pub struct ConsumerGroupPartitionMetadataValue, key 4, versions "0", flexible "0+" {
        /// The topics.
        topics: Vec<SubscribedTopicMetadata>, "0+";
    }

    /// A topic that members subscribe to (`TopicMetadata`).
    pub struct SubscribedTopicMetadata {
        /// Its id.
        topic_id: Uuid, "0+";
        /// Its name.
        topic_name: StrBytes, "0+";
        /// How many partitions it has.
        num_partitions: i32, "0+";
        /// Where they are; not used since 4.0.
        partition_metadata: Vec<SubscribedPartitionMetadata>, "0+";
    }

    /// Where a partition is (`PartitionMetadata`).
    pub struct SubscribedPartitionMetadata {
        /// The partition.
        partition: i32, "0+";
        /// The racks of its replicas.
        racks: Vec<StrBytes>, "0+";
    }

    /// Which member it is.
    pub struct ConsumerGroupMemberMetadataKey, key 5, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
        /// The member.
        member_id: StrBytes, "0+";
    }

    /// What a member says of itself.
    pub struct ConsumerGroupMemberMetadataValue, key 5, versions "0", flexible "0+" {
        /// The id that a static member gave itself.
        instance_id: Option<StrBytes>, "0+", nullable "0+";
        /// Its rack.
        rack_id: Option<StrBytes>, "0+", nullable "0+";
        /// The client's id.
        client_id: StrBytes, "0+";
        /// Where it came from.
        client_host: StrBytes, "0+";
        /// The topics that it subscribes to by name, ascending.
        subscribed_topic_names: Vec<StrBytes>, "0+";
        /// The regular expression of topics that it subscribes to.
        subscribed_topic_regex: Option<StrBytes>, "0+", nullable "0+";
        /// How long it may take to give partitions up, in ms; -1 if it did not say.
        rebalance_timeout_ms: i32, "0+", default -1;
        /// The assignor that it prefers.
        server_assignor: Option<StrBytes>, "0+", nullable "0+";
        /// What a member of the classic protocol says; `None` for one of the consumer protocol, which has to be written: Kafka takes
        /// what is absent for an empty one.
        classic_member_metadata: Option<ClassicMemberMetadata>, "0+", nullable "0+", tag 0 "0+",
            default Some(ClassicMemberMetadata::default());
    }

    /// What a member of the classic protocol says in a group of the consumer protocol.
    pub struct ClassicMemberMetadata {
        /// How long it may be silent, in ms.
        session_timeout_ms: i32, "0+";
        /// The protocols that it speaks, in the order of preference.
        supported_protocols: Vec<ClassicProtocol>, "0+";
    }

    /// A protocol of the classic protocol.
    pub struct ClassicProtocol {
        /// Its name.
        name: StrBytes, "0+";
        /// What the member says in it.
        metadata: Bytes, "0+";
    }

    /// Which group it is.
    pub struct ConsumerGroupTargetAssignmentMetadataKey, key 6, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
    }

    /// Of which group epoch the assignment is that members are brought to.
    pub struct ConsumerGroupTargetAssignmentMetadataValue, key 6, versions "0", flexible "0+" {
        /// The group's epoch that it was made for.
        assignment_epoch: i32, "0+";
        /// When it was made, in ms since the epoch; 0 if not known (KIP-1263).
        assignment_timestamp: i64, "0+", tag 0 "0+";
    }

    /// Which member it is.
    pub struct ConsumerGroupTargetAssignmentMemberKey, key 7, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
        /// The member.
        member_id: StrBytes, "0+";
    }

    /// The partitions that a member shall have.
    pub struct ConsumerGroupTargetAssignmentMemberValue, key 7, versions "0", flexible "0+" {
        /// The partitions, by topic.
        topic_partitions: Vec<TargetTopicPartitions>, "0+";
    }

    /// Partitions of a topic that a member shall have (`TopicPartition`).
    pub struct TargetTopicPartitions {
        /// The topic.
        topic_id: Uuid, "0+";
        /// The partitions.
        partitions: Vec<i32>, "0+";
    }

    /// Which member it is.
    pub struct ConsumerGroupCurrentMemberAssignmentKey, key 8, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
        /// The member.
        member_id: StrBytes, "0+";
    }

    /// The partitions that a member has.
    pub struct ConsumerGroupCurrentMemberAssignmentValue, key 8, versions "0", flexible "0+" {
        /// The epoch that the member has to say.
        member_epoch: i32, "0+";
        /// The epoch before, which it may still say if the answer with the new one was lost.
        previous_member_epoch: i32, "0+";
        /// How far it is (`MemberState`).
        state: i8, "0+";
        /// The partitions that it has.
        assigned_partitions: Vec<CurrentTopicPartitions>, "0+";
        /// The partitions that it has to give up.
        partitions_pending_revocation: Vec<CurrentTopicPartitions>, "0+";
    }

    /// Partitions of a topic that a member has (`TopicPartitions`).
    pub struct CurrentTopicPartitions {
        /// The topic.
        topic_id: Uuid, "0+";
        /// The partitions.
        partitions: Vec<i32>, "0+";
        /// The epoch at which the member got each; `None` in what Kafka wrote before 4.3 (KIP-1251).
        assignment_epochs: Option<Vec<i32>>, "0+", nullable "0+", tag 0 "0+";
    }

    /// Which regular expression it is.
    pub struct ConsumerGroupRegularExpressionKey, key 16, versions "0", flexible "1+" {
        /// The group.
        group_id: StrBytes, "0+";
        /// The expression.
        regular_expression: StrBytes, "0+";
    }

    /// The topics that a regular expression matches.
    pub struct ConsumerGroupRegularExpressionValue, key 16, versions "0", flexible "0+" {
        /// The topics by name, ascending.
        topics: Vec<StrBytes>, "0+";
        /// The offset of the metadata in which they were found.
        version: i64, "0+";
        /// When they were found, in ms since the epoch.
        timestamp: i64, "0+";
    }
}
