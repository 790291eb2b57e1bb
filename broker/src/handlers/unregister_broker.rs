//! UnregisterBroker (key 64), version 0.
//!
//! Behaviour: the broker is no member any more; BROKER_ID_NOT_REGISTERED if it was none. Meant for brokers that are gone: one that
//! lives leads nothing afterwards, until it is started again.
//! Source: UnregisterBrokerRequest.json, `ControllerApis.handleUnregisterBroker`, `ReplicationControlManager.unregisterBroker`.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use raft::error::{BrokerEpochError, ControllerError};

use super::{Reply, RequestContext};
use crate::error_code;

pub(super) fn handle(context: RequestContext, request: UnregisterBrokerRequest) -> Reply<UnregisterBrokerResponse> {
    Reply::Later(Box::pin(async move {
        let services = &context.services;
        let unregistered = services.controller.unregister_broker(request.broker_id.0).await;
        services.caught_up().await;
        let response = UnregisterBrokerResponse::default().with_error_message(None);
        match unregistered {
            Ok(()) => response,
            Err(ControllerError::BrokerEpoch(BrokerEpochError::Unregistered(id))) => response
                .with_error_code(ErrorCode::BrokerIdNotRegistered.code())
                .with_error_message(Some(StrBytes::from_string(format!("Broker ID {id} is not currently registered")))),
            Err(error) => response
                .with_error_code(error_code::controller(&error).code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        }
    }))
}
