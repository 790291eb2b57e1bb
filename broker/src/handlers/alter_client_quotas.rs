//! AlterClientQuotas (key 49), versions 0–1.
//!
//! Behaviour: quotas of users, client ids and addresses are set or removed (KIP-546); each entity fails or succeeds alone. The answer
//! comes when this broker has taken the change over. An address may be given as a name, which is looked up here.
//! Versions: v1 flexible.
//! Source: AlterClientQuotasRequest.json, `ControllerApis.handleAlterClientQuotas`, `ClientQuotaControlManager`.

use std::sync::Arc;

use protocol::StrBytes;
use protocol::messages::alter_client_quotas_request::EntryData as Asked;
use protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};
use raft::controller::QuotaAlteration;
use raft::error::QuotaError;
use raft::image::QuotaEntity;

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::error_code;
use crate::server::resolve;

/// The part of an entity that is an address.
const IP: &str = "ip";

pub(super) fn handle(context: RequestContext, request: AlterClientQuotasRequest) -> Reply<AlterClientQuotasResponse> {
    Reply::Later(Box::pin(async move {
        let mut alterations = Vec::with_capacity(request.entries.len());
        for asked in &request.entries {
            alterations.push(alteration(asked).await);
        }
        let entities: Vec<_> = alterations.iter().map(|alteration| alteration.entity.clone()).collect();
        let altered = context.services.controller.alter_client_quotas(alterations, request.validate_only).await;
        context.services.caught_up().await;
        let entries = match altered {
            Ok(results) => results.into_iter().map(|(entity, result)| entry(&entity, result.err().as_ref())).collect(),
            Err(error) => {
                let (code, message) = (error_code::controller(&error), error.to_string());
                entities.iter().map(|entity| refused(entity, code.code(), message.clone())).collect()
            }
        };
        AlterClientQuotasResponse::default().with_entries(entries)
    }))
}

/// Of a part or a key that stands there twice the last counts, but for keys the controller minds.
async fn alteration(asked: &Asked) -> QuotaAlteration {
    let name = |name: &StrBytes| Arc::from(name.as_str());
    let entity: QuotaEntity =
        asked.entity.iter().map(|part| (name(&part.entity_type), part.entity_name.as_ref().map(name))).collect();
    let address_is_known = match entity.get(IP).and_then(Option::as_ref) {
        Some(address) => resolve(address).await.is_some(),
        None => true,
    };
    let ops = asked.ops.iter().map(|op| (name(&op.key), (!op.remove).then_some(op.value))).collect();
    QuotaAlteration { entity, ops, address_is_known }
}

fn entry(entity: &QuotaEntity, error: Option<&QuotaError>) -> EntryData {
    match error {
        Some(error) => refused(entity, error_code::quota(error).code(), error.to_string()),
        None => EntryData::default().with_error_message(None).with_entity(parts(entity)),
    }
}

fn refused(entity: &QuotaEntity, code: i16, message: String) -> EntryData {
    EntryData::default()
        .with_error_code(code)
        .with_error_message(Some(StrBytes::from_string(message)))
        .with_entity(parts(entity))
}

fn parts(entity: &QuotaEntity) -> Vec<EntityData> {
    let part = |(kind, name): (&Arc<str>, &Option<Arc<str>>)| {
        EntityData::default().with_entity_type(str_bytes(kind)).with_entity_name(name.as_deref().map(str_bytes))
    };
    entity.iter().map(part).collect()
}
