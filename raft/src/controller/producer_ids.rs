//! Blocks of producer ids (`ProducerIdControlManager`).

use super::plan::{Plan, Situation};
use super::registration::check_broker_epoch;
use crate::error::ControllerError;
use protocol::metadata_record::ProducerIdsRecord;
use std::ops::Range;

/// Producer ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1_000;

/// Gives the next block to a broker.
pub(super) fn allocate_producer_ids(
    situation: &Situation<'_>,
    broker_id: i32,
    broker_epoch: i64,
) -> Result<Plan<Range<i64>>, ControllerError> {
    check_broker_epoch(situation.image, broker_id, broker_epoch)?;
    let first = situation.image.next_producer_id().unwrap_or(0);
    let next = first.checked_add(PRODUCER_ID_BLOCK_SIZE).ok_or(ControllerError::ProducerIdsExhausted)?;
    let record = ProducerIdsRecord { broker_id, broker_epoch, next_producer_id: next };
    Plan::atomic(vec![record.into()], first..next)
}
