//! InitProducerId (key 22), versions 0–5.
//!
//! Behaviour: a new producer id with epoch 0 for an idempotent producer; its next epoch for one that names its id and
//! epoch (KIP-360). A transactional id is refused with COORDINATOR_NOT_AVAILABLE, which is what Kafka answers while no
//! coordinator serves: transactions are not here yet, and FindCoordinator says the same.
//! Versions: v2 flexible · v3 producer id and epoch · v5 TRANSACTION_ABORTABLE may be answered (KIP-890).
//! Source: InitProducerIdRequest.json, `TransactionCoordinator.handleInitProducerId`, `RPCProducerIdManager`.

use protocol::error_code::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Reply, RequestContext};

const NONE: i64 = -1;

pub(super) fn handle(context: RequestContext, request: InitProducerIdRequest) -> Reply<InitProducerIdResponse> {
    match request.transactional_id {
        Some(id) if id.0.is_empty() => Reply::Now(failed(ErrorCode::InvalidRequest)),
        Some(_) => Reply::Now(failed(ErrorCode::CoordinatorNotAvailable)),
        None => Reply::Later(Box::pin(async move {
            match context.services.producer_ids.next(&context.services).await {
                Ok(producer_id) => {
                    InitProducerIdResponse::default().with_producer_id(producer_id.into()).with_producer_epoch(0)
                }
                Err(error) => {
                    tracing::warn!(%error, "no producer id to be had");
                    failed(ErrorCode::CoordinatorLoadInProgress)
                }
            }
        })),
    }
}

fn failed(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse::default().with_error_code(code.code()).with_producer_id(NONE.into()).with_producer_epoch(-1)
}
