//! A broker is taken out of the cluster for good (`ReplicationControlManager.unregisterBroker`).

use super::leadership::{BrokerEvent, partition_changes};
use super::plan::{Plan, Situation};
use crate::error::{BrokerEpochError, ControllerError};
use protocol::metadata_record::UnregisterBrokerRecord;

/// Removes a broker from every ISR, and its registration. If it lives it is a stranger from now on, until it registers again.
pub(super) fn unregister_broker(situation: &Situation<'_>, broker_id: i32) -> Result<Plan<()>, ControllerError> {
    let broker = situation.image.broker(broker_id).ok_or(BrokerEpochError::Unregistered(broker_id))?;
    let mut records = partition_changes(situation, BrokerEvent::Leaves(broker_id));
    records.push(UnregisterBrokerRecord { broker_id, broker_epoch: broker.epoch }.into());
    Ok(Plan::splittable(records, ()))
}
