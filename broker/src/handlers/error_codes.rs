//! Where the error codes of each answer are, for the metrics. Source: `AbstractResponse.errorCounts`.

use protocol::messages::{
    AlterClientQuotasResponse, AlterConfigsResponse, AlterPartitionReassignmentsResponse, AlterReplicaLogDirsResponse,
    ApiVersionsResponse, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, CreatePartitionsResponse,
    CreateTopicsResponse, DeleteGroupsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
    DescribeClientQuotasResponse, DescribeClusterResponse, DescribeConfigsResponse, DescribeGroupsResponse,
    DescribeLogDirsResponse, DescribeProducersResponse, DescribeQuorumResponse, DescribeTopicPartitionsResponse,
    DescribeUserScramCredentialsResponse, ElectLeadersResponse, FindCoordinatorResponse, HeartbeatResponse,
    IncrementalAlterConfigsResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse,
    ListConfigResourcesResponse, ListGroupsResponse, ListOffsetsResponse, ListPartitionReassignmentsResponse,
    MetadataResponse, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse,
    ProduceResponse, SyncGroupResponse, UnregisterBrokerResponse, UpdateFeaturesResponse,
};

/// An answer that has error codes.
pub trait ErrorCodes {
    /// Shows each of them, that of success too.
    fn for_each_error_code(&self, see: &mut dyn FnMut(i16));
}

/// `A: own [b.c];` says that the answer `A` has an error code itself, and one in each of the `c` of each of its `b`.
macro_rules! error_codes {
    ($( $answer:ident: $($own:ident)? [ $( $first:ident $(. $inner:ident)* ),* ]; )*) => { $(
        impl ErrorCodes for $answer {
            fn for_each_error_code(&self, see: &mut dyn FnMut(i16)) {
                $( error_codes!(@ $own self, see,); )?
                $( error_codes!(@own self, see, $first $($inner)*); )*
            }
        }
    )* };
    (@own $value:expr, $see:ident,) => { $see($value.error_code) };
    (@own $value:expr, $see:ident, $field:ident $($rest:ident)*) => {
        for value in &$value.$field { error_codes!(@own value, $see, $($rest)*); }
    };
}

error_codes! {
    ProduceResponse: [responses.partition_responses];
    ListOffsetsResponse: [topics.partitions];
    MetadataResponse: own [topics, topics.partitions];
    OffsetCommitResponse: [topics.partitions];
    OffsetFetchResponse: own [topics.partitions, groups, groups.topics.partitions];
    FindCoordinatorResponse: own [coordinators];
    JoinGroupResponse: own [];
    HeartbeatResponse: own [];
    LeaveGroupResponse: own [members];
    SyncGroupResponse: own [];
    DescribeGroupsResponse: [groups];
    ListGroupsResponse: own [];
    ApiVersionsResponse: own [];
    CreateTopicsResponse: [topics];
    DeleteTopicsResponse: [responses];
    DeleteRecordsResponse: [topics.partitions];
    InitProducerIdResponse: own [];
    OffsetForLeaderEpochResponse: [topics.partitions];
    DescribeConfigsResponse: [results];
    AlterConfigsResponse: [responses];
    AlterReplicaLogDirsResponse: [results.partitions];
    DescribeLogDirsResponse: own [results];
    CreatePartitionsResponse: [results];
    DeleteGroupsResponse: [results];
    ElectLeadersResponse: own [replica_election_results.partition_result];
    IncrementalAlterConfigsResponse: [responses];
    AlterPartitionReassignmentsResponse: own [responses.partitions];
    ListPartitionReassignmentsResponse: own [];
    OffsetDeleteResponse: own [topics.partitions];
    DescribeQuorumResponse: own [topics.partitions];
    UpdateFeaturesResponse: own [results];
    DescribeClusterResponse: own [];
    DescribeProducersResponse: [topics.partitions];
    UnregisterBrokerResponse: own [];
    ConsumerGroupHeartbeatResponse: own [];
    ConsumerGroupDescribeResponse: [groups];
    ListConfigResourcesResponse: own [];
    DescribeTopicPartitionsResponse: [topics, topics.partitions];
    AlterClientQuotasResponse: [entries];
    DescribeClientQuotasResponse: own [];
    DescribeUserScramCredentialsResponse: own [results];
}

#[cfg(test)]
mod tests {
    use protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};

    use super::*;

    #[test]
    fn every_level_is_looked_at() {
        let partition = |code| MetadataResponsePartition::default().with_error_code(code);
        let topic =
            |code, partitions| MetadataResponseTopic::default().with_error_code(code).with_partitions(partitions);
        let topics = vec![topic(2, vec![partition(3), partition(4)]), topic(5, Vec::new())];
        let answer = MetadataResponse::default().with_error_code(1).with_topics(topics);
        let mut seen = Vec::new();
        answer.for_each_error_code(&mut |code| seen.push(code));
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }
}
