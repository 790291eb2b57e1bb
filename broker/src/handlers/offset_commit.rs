//! OffsetCommit (key 8), versions 2–10.
//!
//! Behaviour: answered when the offsets are stored. A partition that does not exist, and one whose metadata is too long, is
//! refused alone. Generation −1 commits for a group without members, which is created if need be. Members of the consumer protocol say
//! their epoch, the present one or one in which they had the partition already (KIP-1251).
//! Versions: v2–4 retention time of the offsets · v6 leader epoch (KIP-320) · v7 static members (KIP-345) · v8 flexible · v9
//! GROUP_ID_NOT_FOUND, and members of the consumer protocol (KIP-848) · v10 topics by id, UNKNOWN_TOPIC_ID.
//! Source: OffsetCommitRequest.json, `KafkaApis.handleOffsetCommitRequest`, `OffsetMetadataManager.commitOffset`.

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};
use raft::image::TopicImage;

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::classic::Caller;
use crate::group::{Commit, OffsetCommit};

const FIRST_WITH_LEADER_EPOCH: i16 = 6;
const FIRST_WITH_CONSUMER_PROTOCOL: i16 = 9;
const FIRST_WITH_TOPIC_IDS: i16 = 10;
const NO_EPOCH: i32 = -1;

pub(super) fn handle(context: RequestContext, request: OffsetCommitRequest) -> Reply<OffsetCommitResponse> {
    let (mut response, offsets) = check(&context, &request);
    if offsets.is_empty() {
        return Reply::Now(response);
    }
    Reply::Later(Box::pin(async move {
        let commit = Commit {
            group: &request.group_id,
            caller: Caller {
                member_id: &request.member_id,
                instance_id: request.group_instance_id.as_deref(),
                generation: request.generation_id_or_member_epoch,
            },
            retention_ms: Some(request.retention_time_ms).filter(|retention| *retention != -1),
            knows_consumer_protocol: context.api_version >= FIRST_WITH_CONSUMER_PROTOCOL,
            offsets: &offsets,
        };
        if let Err(error) = context.services.groups.commit(&commit).await {
            let code = error_code::group(&error).code();
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            // What was refused before keeps its own reason.
            partitions.filter(|partition| partition.error_code == NONE).for_each(|refused| refused.error_code = code);
        }
        response
    }))
}

/// The answer if all goes well, and what has to be stored for it.
fn check(context: &RequestContext, request: &OffsetCommitRequest) -> (OffsetCommitResponse, Vec<OffsetCommit>) {
    let image = context.services.metadata.image();
    let uses_ids = context.api_version >= FIRST_WITH_TOPIC_IDS;
    let mut offsets = Vec::new();
    let topics = request.topics.iter().map(|asked| {
        let topics = image.topics();
        let known = if uses_ids { topics.by_id(asked.topic_id) } else { topics.by_name(&asked.name) };
        let partitions = match known {
            Some(known) => check_partitions(context, asked, known, &mut offsets),
            None if uses_ids => refuse_all(asked, ErrorCode::UnknownTopicId),
            None => refuse_all(asked, ErrorCode::UnknownTopicOrPartition),
        };
        // A version has room for either.
        OffsetCommitResponseTopic::default()
            .with_name(TopicName(asked.name.clone()))
            .with_topic_id(asked.topic_id)
            .with_partitions(partitions)
    });
    let topics = topics.collect();
    (OffsetCommitResponse::default().with_topics(topics), offsets)
}

fn check_partitions(
    context: &RequestContext,
    asked: &OffsetCommitRequestTopic,
    topic: &TopicImage,
    offsets: &mut Vec<OffsetCommit>,
) -> Vec<OffsetCommitResponsePartition> {
    let has_epoch = context.api_version >= FIRST_WITH_LEADER_EPOCH;
    let name = str_bytes(topic.name());
    let partitions = asked.partitions.iter().map(|committed| {
        if let Some(code) = refusal(context, topic, committed) {
            return partition(committed, code.code());
        }
        offsets.push(OffsetCommit {
            topic: name.clone(),
            topic_id: topic.id(),
            partition: committed.partition_index,
            offset: committed.committed_offset,
            leader_epoch: if has_epoch { committed.committed_leader_epoch } else { NO_EPOCH },
            metadata: committed.committed_metadata.clone().unwrap_or_default(),
        });
        partition(committed, NONE)
    });
    partitions.collect()
}

fn refuse_all(asked: &OffsetCommitRequestTopic, code: ErrorCode) -> Vec<OffsetCommitResponsePartition> {
    asked.partitions.iter().map(|committed| partition(committed, code.code())).collect()
}

fn partition(committed: &OffsetCommitRequestPartition, code: i16) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition::default().with_partition_index(committed.partition_index).with_error_code(code)
}

fn refusal(
    context: &RequestContext,
    topic: &TopicImage,
    committed: &OffsetCommitRequestPartition,
) -> Option<ErrorCode> {
    if topic.partition(committed.partition_index).is_none() {
        return Some(ErrorCode::UnknownTopicOrPartition);
    }
    let metadata = committed.committed_metadata.as_deref().unwrap_or_default();
    // A text has at most as many UTF-16 units as bytes.
    let limit = context.services.groups.config().offset_metadata_max_size;
    let is_too_long = metadata.len() > limit && metadata.encode_utf16().count() > limit;
    is_too_long.then_some(ErrorCode::OffsetMetadataTooLarge)
}
