//! DescribeClientQuotas (key 48), versions 0–1.
//!
//! Behaviour: the entities with quotas that have the parts asked for: of a name, the default, or any; strictly, no other parts
//! (KIP-546). A filter that contradicts itself is refused whole.
//! Versions: v1 flexible.
//! Source: DescribeClientQuotasRequest.json, `ClientQuotasImage.describe`.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use raft::image::QuotaEntity;

use super::text::str_bytes;
use super::{Reply, RequestContext};

const TYPES: [&str; 3] = ["user", "client-id", "ip"];
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// What a part of an entity must be.
enum Wanted<'a> {
    /// That name; `None` is the default.
    Name(Option<&'a str>),
    Any,
}

type Filter<'a> = BTreeMap<&'a str, Wanted<'a>>;

pub(super) fn handle(
    context: RequestContext,
    request: DescribeClientQuotasRequest,
) -> Reply<DescribeClientQuotasResponse> {
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err((code, message)) => {
            let refused = DescribeClientQuotasResponse::default()
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(message)))
                .with_entries(None);
            return Reply::Now(refused);
        }
    };
    let image = context.services.metadata.image();
    let quotas = image.client_quotas().iter().filter(|(entity, _)| matches(entity, &filter, request.strict));
    let entries = quotas.map(|(entity, values)| entry(entity, values)).collect();
    Reply::Now(DescribeClientQuotasResponse::default().with_entries(Some(entries)))
}

fn filter(components: &[ComponentData]) -> Result<Filter<'_>, (ErrorCode, String)> {
    let invalid = |message: String| (ErrorCode::InvalidRequest, message);
    let mut filter = Filter::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if kind.is_empty() {
            return Err(invalid("Invalid empty entity type.".to_owned()));
        }
        if filter.contains_key(kind) {
            return Err(invalid(format!("Entity type {kind} cannot appear more than once in the filter.")));
        }
        if !TYPES.contains(&kind) {
            return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        let wanted = match (component.match_type, component._match.as_deref()) {
            (EXACT, Some(name)) => Wanted::Name(Some(name)),
            (EXACT, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned()));
            }
            (DEFAULT, None) => Wanted::Name(None),
            (SPECIFIED, None) => Wanted::Any,
            (DEFAULT | SPECIFIED, Some(_)) => {
                let name = if component.match_type == DEFAULT { "DEFAULT" } else { "SPECIFIED" };
                let message = format!("Request specified MATCH_TYPE_{name}, but also specified a match string.");
                return Err(invalid(message));
            }
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        };
        filter.insert(kind, wanted);
    }
    if filter.contains_key("ip") && filter.len() > 1 {
        let message = "Invalid entity filter component combination. IP filter component should not be used with user or \
                       clientId filter component.";
        return Err(invalid(message.to_owned()));
    }
    Ok(filter)
}

fn matches(entity: &QuotaEntity, filter: &Filter<'_>, strict: bool) -> bool {
    let has = |(kind, wanted): (&&str, &Wanted<'_>)| match (entity.get(*kind), wanted) {
        (Some(name), Wanted::Name(wanted)) => name.as_deref() == *wanted,
        (Some(_), Wanted::Any) => true,
        (None, _) => false,
    };
    (!strict || entity.len() == filter.len()) && filter.iter().all(has)
}

fn entry(entity: &QuotaEntity, values: &BTreeMap<Arc<str>, f64>) -> EntryData {
    let part = |(kind, name): (&Arc<str>, &Option<Arc<str>>)| {
        EntityData::default().with_entity_type(str_bytes(kind)).with_entity_name(name.as_deref().map(str_bytes))
    };
    let value = |(key, value): (&Arc<str>, &f64)| ValueData::default().with_key(str_bytes(key)).with_value(*value);
    EntryData::default().with_entity(entity.iter().map(part).collect()).with_values(values.iter().map(value).collect())
}
