//! Ids for idempotent producers, from blocks that the controller gives out. Source: `RPCProducerIdManager`.

use std::ops::Range;

use raft::error::ControllerError;
use tokio::sync::Mutex;

use crate::services::Services;

/// What is left of the current block.
#[derive(Debug, Default)]
pub struct ProducerIds {
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// An id that no producer of the cluster has. Asks the controller for a block when there is none; those who ask meanwhile
    /// wait for the same block. Cancel safe: at worst a block is lost.
    ///
    /// # Errors
    /// The controller gave no block.
    pub async fn next(&self, services: &Services) -> Result<i64, ControllerError> {
        let mut block = self.block.lock().await;
        if let Some(id) = block.next() {
            return Ok(id);
        }
        *block = services.controller.allocate_producer_ids(services.settings.node_id, services.broker_epoch()).await?;
        block.next().ok_or(ControllerError::ProducerIdsExhausted)
    }
}
