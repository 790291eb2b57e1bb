//! OffsetCommit (key 8), versions 2–9.
//!
//! Behaviour: answered when the offsets are stored. A partition that does not exist, and one whose metadata is too long, is
//! refused alone. Generation −1 commits for a group without members, which is created if need be. Members of the consumer protocol say
//! their epoch, the present one or one in which they had the partition already (KIP-1251).
//! Versions: v2–4 retention time of the offsets · v6 leader epoch (KIP-320) · v7 static members (KIP-345) · v8 flexible · v9
//! GROUP_ID_NOT_FOUND, and members of the consumer protocol (KIP-848).
//! Source: OffsetCommitRequest.json, `KafkaApis.handleOffsetCommitRequest`, `OffsetMetadataManager.commitOffset`.

use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use raft::image::TopicImage;

use super::{Reply, RequestContext};
use crate::error_code;
use crate::group::classic::Caller;
use crate::group::{Commit, OffsetCommit};

const FIRST_WITH_LEADER_EPOCH: i16 = 6;
const FIRST_WITH_CONSUMER_PROTOCOL: i16 = 9;
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
    let mut offsets = Vec::new();
    let topics = request.topics.iter().map(|topic| {
        let known = image.topics().by_name(&topic.name);
        let partitions = topic.partitions.iter().map(|committed| {
            let code = match refusal(context, known.map(|known| &**known), committed) {
                Some(code) => code.code(),
                None => {
                    let has_epoch = context.api_version >= FIRST_WITH_LEADER_EPOCH;
                    offsets.push(OffsetCommit {
                        topic: topic.name.0.clone(),
                        topic_id: known.map(|known| known.id()).unwrap_or_default(),
                        partition: committed.partition_index,
                        offset: committed.committed_offset,
                        leader_epoch: if has_epoch { committed.committed_leader_epoch } else { NO_EPOCH },
                        metadata: committed.committed_metadata.clone().unwrap_or_default(),
                    });
                    NONE
                }
            };
            OffsetCommitResponsePartition::default()
                .with_partition_index(committed.partition_index)
                .with_error_code(code)
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    let topics = topics.collect();
    (OffsetCommitResponse::default().with_topics(topics), offsets)
}

fn refusal(
    context: &RequestContext,
    topic: Option<&TopicImage>,
    committed: &OffsetCommitRequestPartition,
) -> Option<ErrorCode> {
    if topic.and_then(|topic| topic.partition(committed.partition_index)).is_none() {
        return Some(ErrorCode::UnknownTopicOrPartition);
    }
    let metadata = committed.committed_metadata.as_deref().unwrap_or_default();
    // A text has at most as many UTF-16 units as bytes.
    let limit = context.services.groups.config().offset_metadata_max_size;
    let is_too_long = metadata.len() > limit && metadata.encode_utf16().count() > limit;
    is_too_long.then_some(ErrorCode::OffsetMetadataTooLarge)
}
