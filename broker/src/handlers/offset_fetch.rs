//! OffsetFetch (key 9), versions 1–10.
//!
//! Behaviour: the committed offsets of a group, or of several. Where nothing is committed, and in a group that does not exist,
//! offset −1 without an error. Without a list of topics, all that is committed. What was committed for an earlier topic of the name
//! is not that of a topic asked for by id.
//! Versions: v2 all topics, an error of the group · v5 leader epoch (KIP-320) · v6 flexible · v7 only stable offsets (KIP-447) ·
//! v8 several groups (KIP-709) · v9 member id and epoch of the consumer protocol (KIP-848), which classic groups pass over: a member of an earlier epoch
//! is refused · v10 topics by id, UNKNOWN_TOPIC_ID.
//! Source: OffsetFetchRequest.json, `KafkaApis.handleOffsetFetchRequest`, `OffsetMetadataManager.fetchOffsets`.

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};

use super::text::{str_bytes, topic_name};
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::{FetchedOffset, GroupError, OffsetPlace, OffsetReader};

const FIRST_WITH_GROUP_ERROR: i16 = 2;
const FIRST_WITH_SEVERAL_GROUPS: i16 = 8;
const FIRST_WITH_TOPIC_IDS: i16 = 10;
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
        let topics = request.topics.map(|topics| topics.into_iter().map(by_name).collect());
        let asked =
            OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() };
        single(fetch(&context, asked, require_stable).await, context.api_version)
    }))
}

/// A topic of versions that know a single group.
fn by_name(topic: OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    let OffsetFetchRequestTopic { name, partition_indexes } = topic;
    OffsetFetchRequestTopics { name, partition_indexes, ..OffsetFetchRequestTopics::default() }
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
        Ok(topics) => OffsetFetchResponseGroup::default().with_group_id(GroupId(asked.group_id)).with_topics(topics),
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
    let named: Vec<_> = topics.iter().map(|topic| (topic, name_of(context, topic))).collect();
    let places: Vec<_> =
        named.iter().filter_map(|(topic, name)| Some(places(topic, name.as_ref()?))).flatten().collect();
    let fetched = context.services.groups.fetch_offsets(group, reader, &places, stable).await?;
    let mut fetched = fetched.into_iter();
    let topics = named.iter().map(|(topic, name)| match name {
        Some(_) => answered(topic, |index| partition(index, fetched.next().unwrap_or(FetchedOffset::None))),
        None => answered(topic, |index| refused_partition(index, ErrorCode::UnknownTopicId)),
    });
    Ok(topics.collect())
}

/// The name of a topic that is asked for; `None` if there is no topic of its id. By name one may ask for topics that are gone.
fn name_of(context: &RequestContext, topic: &OffsetFetchRequestTopics) -> Option<StrBytes> {
    if context.api_version < FIRST_WITH_TOPIC_IDS {
        return Some(topic.name.clone());
    }
    let image = context.services.metadata.image();
    image.topics().by_id(topic.topic_id).map(|known| str_bytes(known.name()))
}

fn places(topic: &OffsetFetchRequestTopics, name: &StrBytes) -> Vec<OffsetPlace> {
    let place = |index: &i32| OffsetPlace { topic: name.clone(), topic_id: topic.topic_id, partition: *index };
    topic.partition_indexes.iter().map(place).collect()
}

/// The answer about a topic, which a version names or gives the id of.
fn answered(
    topic: &OffsetFetchRequestTopics,
    partition: impl FnMut(i32) -> OffsetFetchResponsePartitions,
) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics::default()
        .with_name(TopicName(topic.name.clone()))
        .with_topic_id(topic.topic_id)
        .with_partitions(topic.partition_indexes.iter().copied().map(partition).collect())
}

async fn fetch_all(
    context: &RequestContext,
    group: &str,
    reader: OffsetReader<'_>,
    stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, GroupError> {
    let all = context.services.groups.fetch_all_offsets(group, reader, stable).await?;
    let image = context.services.metadata.image();
    let id_of = |topic: &str| image.topics().by_name(topic).map(|known| known.id()).unwrap_or_default();
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (topic, index, offset) in all {
        if topics.last().is_none_or(|last| **last.name != *topic) {
            let new = OffsetFetchResponseTopics::default().with_name(topic_name(&topic)).with_topic_id(id_of(&topic));
            topics.push(new);
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(partition(index, offset));
        }
    }
    if context.api_version >= FIRST_WITH_TOPIC_IDS {
        // What is committed of a topic that is gone cannot be told without its name.
        topics.retain(|topic| !topic.topic_id.is_nil());
    }
    Ok(topics)
}

fn refused_partition(index: i32, code: ErrorCode) -> OffsetFetchResponsePartitions {
    partition(index, FetchedOffset::None).with_error_code(code.code())
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
    let response = OffsetFetchResponseGroup::default().with_group_id(GroupId(asked.group_id));
    if context.api_version >= FIRST_WITH_GROUP_ERROR {
        return response.with_error_code(code.code());
    }
    let topics = asked.topics.iter().flatten();
    let refused = topics.map(|topic| answered(topic, |index| refused_partition(index, code)));
    response.with_topics(refused.collect()).with_error_code(NONE)
}
