//! The offsets of groups come back as records of `__consumer_offsets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::StrBytes;
use protocol::coordinator_record::{CoordinatorRecord, OffsetCommitKey, OffsetCommitValue};
use protocol::ids::TopicPartition;
use protocol::record_batch::{BatchBuilder, Codec, ValidatedBatch};
use storage::Log;

use super::target::Target;
use super::{Plan, RestoreError, RestoredOffset};
use crate::group::{OFFSETS_TOPIC, new_topic, partition_for};
use crate::start::random_uuid;

/// Records are split into batches of about this many bytes, well below the largest that a topic takes.
const BATCH_BYTES: usize = 512 << 10;

/// Writes the offsets of the plan, into the topic that is there or a new one.
pub(super) async fn restore(target: &Target, plan: &Plan) -> Result<(), RestoreError> {
    if plan.offsets.is_empty() {
        return Ok(());
    }
    let known = target.image().topics().by_name(OFFSETS_TOPIC).map(|topic| (topic.id(), topic.partition_count()));
    match known {
        Some((id, count)) => {
            for (index, offsets) in by_partition(plan, i32::try_from(count).unwrap_or(i32::MAX)) {
                let name = TopicPartition::new(OFFSETS_TOPIC, index);
                let image = target.image();
                let state = image.topics().by_id(id).and_then(|topic| topic.partition(index));
                let leader_epoch = state.map_or(0, |state| state.leader_epoch());
                let log = target.existing_log(&name, id)?;
                append(&log, &offsets, leader_epoch, target.clock.now_ms())?;
            }
            Ok(())
        }
        None => create(target, plan).await,
    }
}

async fn create(target: &Target, plan: &Plan) -> Result<(), RestoreError> {
    let topic = new_topic(&target.settings.groups.topic, &target.image());
    let id = plan.offsets_topic.unwrap_or_else(random_uuid);
    let mut offsets = by_partition(plan, topic.partitions);
    let mut places = Vec::new();
    for index in 0..topic.partitions {
        let name = TopicPartition::new(OFFSETS_TOPIC, index);
        let place = target.place(&name, id, plan.offsets_leader_epoch)?;
        if let Some(offsets) = offsets.remove(&index) {
            let log = Log::open(&place.log_dir, name, id, storage::LogConfig::default());
            append(&log, &offsets, plan.offsets_leader_epoch, target.clock.now_ms())?;
        }
        places.push(place);
    }
    let configs: Vec<_> = topic.configs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    target.write_topic(&topic.name, id, &configs, places).await
}

fn by_partition(plan: &Plan, count: i32) -> BTreeMap<i32, Vec<&RestoredOffset>> {
    let mut offsets: BTreeMap<i32, Vec<&RestoredOffset>> = BTreeMap::new();
    for offset in &plan.offsets {
        offsets.entry(partition_for(&offset.group, count)).or_default().push(offset);
    }
    offsets
}

/// Appends the offsets durably, as committed now: they are kept as long as if they were.
fn append(log: &Arc<Log>, offsets: &[&RestoredOffset], leader_epoch: i32, now_ms: i64) -> Result<(), RestoreError> {
    let append_batch = |builder: BatchBuilder| -> Result<(), RestoreError> {
        let batch = ValidatedBatch::trusted(builder.build()).map_err(std::io::Error::other)?;
        log.append(&batch, leader_epoch, now_ms)?;
        Ok(())
    };
    let mut builder = BatchBuilder::new(0, Codec::None);
    for offset in offsets {
        let (key, value) = record(offset, now_ms).encode()?;
        builder.append(now_ms, Some(&key), value.as_deref(), &[]);
        if builder.size() >= BATCH_BYTES {
            append_batch(std::mem::replace(&mut builder, BatchBuilder::new(0, Codec::None)))?;
        }
    }
    if builder.record_count() > 0 {
        append_batch(builder)?;
    }
    log.flush()?;
    Ok(log.close()?)
}

fn record(offset: &RestoredOffset, now_ms: i64) -> CoordinatorRecord {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let key = OffsetCommitKey { group: text(&offset.group), topic: text(&offset.topic), partition: offset.partition };
    let value = OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: text(&offset.metadata),
        commit_timestamp: now_ms,
        expire_timestamp: -1,
        topic_id: offset.topic_id,
    };
    CoordinatorRecord::OffsetCommit(key, Some(value))
}
