//! OffsetFetch (key 9), versions 1–9.
//!
//! Behaviour: the committed offsets of a group, or of several. Where nothing is committed, and in a group that does not exist,
//! offset −1 without an error. Without a list of topics, all that is committed.
//! Versions: v2 all topics, an error of the group · v5 leader epoch (KIP-320) · v6 flexible · v7 only stable offsets (KIP-447) ·
//! v8 several groups (KIP-709) · v9 member id and epoch of the consumer protocol (KIP-848), which classic groups pass over: a member of an earlier epoch
//! is refused.
//! Source: OffsetFetchRequest.json, `KafkaApis.handleOffsetFetchRequest`, `OffsetMetadataManager.fetchOffsets`.

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::text::{str_bytes, topic_name};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::{FetchedOffset, GroupError, OffsetReader};

const FIRST_WITH_GROUP_ERROR: i16 = 2;
const FIRST_WITH_SEVERAL_GROUPS: i16 = 8;
const NO_OFFSET: i64 = -1;
const NO_EPOCH: i32 = -1;

pub(super) fn handle(context: RequestContext, request: OffsetFetchRequest) -> Reply<OffsetFetchResponse> {
    Reply::Later(Box::pin(async move {
        let require_stable = request.require_stable;
        if context.api_version >= FIRST_WITH_SEVERAL_GROUPS {
            let mut groups = Vec::with_capacity(request.groups.len());
            for asked in request.groups {
                groups.push(fetch(&context, asked, require_stable).await);
            }
            return OffsetFetchResponse::default().with_groups(groups);
        }
        let topics = request.topics.map(|topics| {
            let topic = |topic: protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic.name)
                    .with_partition_indexes(topic.partition_indexes)
            };
            topics.into_iter().map(topic).collect()
        });
        let asked = OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics);
        single(fetch(&context, asked, require_stable).await, context.api_version)
    }))
}

/// The answer of one group in the shape of versions that know no other.
fn single(group: OffsetFetchResponseGroup, version: i16) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let topic = |topic: OffsetFetchResponseTopics| {
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    let response = OffsetFetchResponse::default().with_topics(group.topics.into_iter().map(topic).collect());
    if version >= FIRST_WITH_GROUP_ERROR { response.with_error_code(group.error_code) } else { response }
}

async fn fetch(context: &RequestContext, asked: OffsetFetchRequestGroup, stable: bool) -> OffsetFetchResponseGroup {
    let reader = OffsetReader { member_id: asked.member_id.as_deref(), epoch: asked.member_epoch };
    let fetched = match &asked.topics {
        Some(topics) => fetch_some(context, &asked.group_id, reader, topics, stable).await,
        None => fetch_all(context, &asked.group_id, reader, stable).await,
    };
    match fetched {
        Ok(topics) => OffsetFetchResponseGroup::default().with_group_id(asked.group_id).with_topics(topics),
        Err(error) => refused(context, asked, &error),
    }
}

async fn fetch_some(
    context: &RequestContext,
    group: &str,
    reader: OffsetReader<'_>,
    topics: &[OffsetFetchRequestTopics],
    stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, GroupError> {
    let of_topic = |topic: &OffsetFetchRequestTopics| -> Vec<(StrBytes, i32)> {
        topic.partition_indexes.iter().map(|partition| (topic.name.0.clone(), *partition)).collect()
    };
    let partitions: Vec<_> = topics.iter().flat_map(of_topic).collect();
    let fetched = context.services.groups.fetch_offsets(group, reader, &partitions, stable).await?;
    let mut fetched = partitions.iter().zip(fetched).map(|((_, index), offset)| partition(*index, offset));
    let topics = topics.iter().map(|topic| {
        let partitions = fetched.by_ref().take(topic.partition_indexes.len()).collect();
        OffsetFetchResponseTopics::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    Ok(topics.collect())
}

async fn fetch_all(
    context: &RequestContext,
    group: &str,
    reader: OffsetReader<'_>,
    stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, GroupError> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (topic, index, offset) in context.services.groups.fetch_all_offsets(group, reader, stable).await? {
        if topics.last().is_none_or(|last| **last.name != *topic) {
            topics.push(OffsetFetchResponseTopics::default().with_name(topic_name(&topic)));
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(partition(index, offset));
        }
    }
    Ok(topics)
}

fn partition(index: i32, fetched: FetchedOffset) -> OffsetFetchResponsePartitions {
    let response = OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(NO_OFFSET)
        .with_committed_leader_epoch(NO_EPOCH)
        .with_metadata(Some(StrBytes::default()));
    match fetched {
        FetchedOffset::Committed { offset, leader_epoch, metadata } => response
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(str_bytes(&metadata))),
        FetchedOffset::None => response,
        FetchedOffset::Unstable => response.with_error_code(ErrorCode::UnstableOffsetCommit.code()),
    }
}

/// The error stands at the group, or at each partition in the version that has no other place (`OffsetFetchResponse.groupError`).
fn refused(context: &RequestContext, asked: OffsetFetchRequestGroup, error: &GroupError) -> OffsetFetchResponseGroup {
    let code = match error {
        // Older consumers know no COORDINATOR_NOT_AVAILABLE as an answer to this.
        GroupError::NotAvailable => ErrorCode::NotCoordinator,
        error => error_code::group(error),
    };
    let response = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
    if context.api_version >= FIRST_WITH_GROUP_ERROR {
        return response.with_error_code(code.code());
    }
    let topics = asked.topics.into_iter().flatten().map(|topic| {
        let refuse = |index: &i32| partition(*index, FetchedOffset::None).with_error_code(code.code());
        let partitions = topic.partition_indexes.iter().map(refuse).collect();
        OffsetFetchResponseTopics::default().with_name(topic.name).with_partitions(partitions)
    });
    response.with_topics(topics.collect()).with_error_code(NONE)
}
