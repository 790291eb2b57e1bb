//! Quotas of clients change (`ClientQuotaControlManager`).

use super::plan::{Plan, Situation};
use crate::error::{ControllerError, QuotaError};
use crate::image::QuotaEntity;
use protocol::metadata_record::{ClientQuotaRecord, EntityData, MetadataRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parts of an entity: whose quota it is.
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// What is to become of the quotas of one entity.
#[derive(Clone, Debug)]
pub struct QuotaAlteration {
    /// Whose quotas.
    pub entity: QuotaEntity,
    /// Keys and their new values; `None` removes one.
    pub ops: Vec<(Arc<str>, Option<f64>)>,
    /// Whether the entity's address is one, or a name that has one. Who asks the controller has looked, for looking takes time.
    pub address_is_known: bool,
}

/// What became of each entity of a request, each named once.
pub type QuotaResults = Vec<(QuotaEntity, Result<(), QuotaError>)>;

/// The type of a quota's value (`QuotaConfig`).
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Double,
    Int,
    Long,
}

/// Changes quotas, or only says what would become of them. Each entity fails or succeeds alone; all that succeed are written together.
pub(super) fn alter_client_quotas(
    situation: &Situation<'_>,
    alterations: &[QuotaAlteration],
    validate_only: bool,
) -> Result<Plan<QuotaResults>, ControllerError> {
    let mut records = Vec::new();
    let mut results: BTreeMap<&QuotaEntity, Result<(), QuotaError>> = BTreeMap::new();
    for alteration in alterations {
        let entity = &alteration.entity;
        // A key that stands there twice makes Kafka take the entity for one that does.
        let altered = if results.contains_key(entity) || has_duplicates(alteration) {
            Err(QuotaError::DuplicateEntity(java_text(entity)))
        } else {
            alter(situation, alteration).map(|altered| records.extend(altered))
        };
        results.insert(entity, altered);
    }
    let results = results.into_iter().map(|(entity, result)| (entity.clone(), result)).collect();
    Ok(Plan::atomic(records, results)?.validated(validate_only))
}

fn has_duplicates(alteration: &QuotaAlteration) -> bool {
    let keys: std::collections::BTreeSet<_> = alteration.ops.iter().map(|(key, _)| key).collect();
    keys.len() < alteration.ops.len()
}

fn alter(situation: &Situation<'_>, alteration: &QuotaAlteration) -> Result<Vec<MetadataRecord>, QuotaError> {
    check_entity(&alteration.entity)?;
    let keys = keys_of(alteration)?;
    let current = situation.image.client_quotas().of(&alteration.entity);
    let mut records = Vec::new();
    for (key, value) in &alteration.ops {
        let old = current.and_then(|quotas| quotas.get(key)).copied();
        if let Some(value) = value {
            check_value(keys, key, *value)?;
        }
        // As objects in Java compare, so that a value that is no number is equal to itself.
        if old.map(f64::to_bits) != value.map(f64::to_bits) {
            records.push(record(&alteration.entity, key, *value));
        }
    }
    Ok(records)
}

fn record(entity: &QuotaEntity, key: &Arc<str>, value: Option<f64>) -> MetadataRecord {
    let part = |(entity_type, entity_name): (&Arc<str>, &Option<Arc<str>>)| EntityData {
        entity_type: entity_type.clone(),
        entity_name: entity_name.clone(),
    };
    ClientQuotaRecord {
        entity: entity.iter().map(part).collect(),
        key: key.clone(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    }
    .into()
}

fn check_entity(entity: &QuotaEntity) -> Result<(), QuotaError> {
    if entity.is_empty() {
        return Err(QuotaError::EmptyEntity);
    }
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&&**kind) {
            return Err(QuotaError::UnknownType(kind.clone()));
        }
        if name.as_deref() == Some("") {
            return Err(QuotaError::EmptyName(kind.clone()));
        }
    }
    Ok(())
}

/// The keys that such an entity can have.
fn keys_of(alteration: &QuotaAlteration) -> Result<&'static [(&'static str, Kind)], QuotaError> {
    const OF_USERS_AND_CLIENTS: &[(&str, Kind)] = &[
        ("producer_byte_rate", Kind::Long),
        ("consumer_byte_rate", Kind::Long),
        ("request_percentage", Kind::Double),
        ("controller_mutation_rate", Kind::Double),
    ];
    let Some(address) = alteration.entity.get(IP) else { return Ok(OF_USERS_AND_CLIENTS) };
    if alteration.entity.len() > 1 {
        return Err(QuotaError::CombinedAddress);
    }
    match address {
        Some(address) if !alteration.address_is_known => Err(QuotaError::UnknownAddress(address.clone())),
        _ => Ok(&[("connection_creation_rate", Kind::Int)]),
    }
}

fn check_value(keys: &[(&str, Kind)], key: &Arc<str>, value: f64) -> Result<(), QuotaError> {
    /// What may be left behind the point of a whole number.
    const TOLERANCE: f64 = 1e-6;
    let known = keys.iter().find(|(name, _)| *name == &**key);
    let Some((_, kind)) = known else { return Err(QuotaError::UnknownKey(key.clone())) };
    if value <= 0.0 {
        return Err(QuotaError::NotPositive(key.clone()));
    }
    match kind {
        Kind::Double => Ok(()),
        Kind::Int if value > f64::from(i32::MAX) => Err(QuotaError::TooLarge { key: key.clone(), kind: "an INT" }),
        Kind::Long if value > i64::MAX as f64 => Err(QuotaError::TooLarge { key: key.clone(), kind: "a LONG" }),
        Kind::Int | Kind::Long if (value % 1.0).abs() > TOLERANCE => Err(QuotaError::Fractional(key.clone())),
        Kind::Int | Kind::Long => Ok(()),
    }
}

/// The entity as Java prints it: a hash table in which `client-id` comes before `user`, as in ours.
fn java_text(entity: &QuotaEntity) -> String {
    let parts: Vec<String> =
        entity.iter().map(|(kind, name)| format!("{kind}={}", name.as_deref().unwrap_or("null"))).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}
