//! What AlterConfigs and IncrementalAlterConfigs have in common: a request's resources are checked, each alone, before the controller is
//! asked. Source: `ConfigAdminManager.preprocess`, `ControllerConfigurationValidator`, `KafkaConfigSchema`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use protocol::error_code::ErrorCode;
use raft::controller::{ConfigChange, ConfigOp};
use raft::image::{ConfigResource, ConfigResourceType, Image};

use super::RequestContext;
use super::broker_loggers::{self, BROKER_LOGGER};
use crate::config::alter::{check_broker_keys, is_list};
use crate::config::definitions::{Definition, broker_key, topic_key};
use crate::error_code;

/// What is to become of one key (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    pub(super) fn from_id(id: i8) -> Option<Self> {
        [Self::Set, Self::Delete, Self::Append, Self::Subtract].get(usize::try_from(id).ok()?).copied()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// A key of a request.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    /// `None` if there is no such operation.
    pub(super) operation: Option<Operation>,
    pub(super) value: Option<&'a str>,
}

/// A resource of a request.
pub(super) struct Asked<'a> {
    pub(super) resource_type: i8,
    pub(super) resource_name: &'a str,
    pub(super) entries: Vec<Entry<'a>>,
    /// Keys that are not named are unset: what AlterConfigs does.
    pub(super) replaces: bool,
}

/// An error with its message.
pub(super) type Refused = (ErrorCode, String);

/// Changes the configurations of `asked` that can be changed; answers what became of each, in their order.
pub(super) async fn alter(
    context: &RequestContext,
    asked: &[Asked<'_>],
    validate_only: bool,
) -> Vec<Result<(), Refused>> {
    let mut results: Vec<Result<(), Refused>> = Vec::with_capacity(asked.len());
    let mut changes = Vec::new();
    let mut places = Vec::new();
    {
        let image = context.services.metadata.image();
        let repeated = repeated(asked);
        for (place, resource) in asked.iter().enumerate() {
            let key = (resource.resource_type, resource.resource_name);
            let checked = if repeated.contains(&key) {
                Err(invalid_request("Each resource must appear at most once."))
            } else if resource.resource_type == BROKER_LOGGER && !resource.replaces {
                check_entries(resource)
                    .and_then(|()| broker_loggers::alter(&context.services, resource, validate_only))
                    .map(|()| None)
            } else {
                prepare(context, &image, resource).map(Some)
            };
            results.push(checked.map(|change| {
                if let Some(change) = change {
                    changes.push(change);
                    places.push(place);
                }
            }));
        }
    }
    match context.services.controller.alter_configs(changes, validate_only).await {
        Ok(altered) => {
            for (place, (_, outcome)) in places.into_iter().zip(altered) {
                results[place] = outcome.map_err(|error| (error_code::config(&error), error.to_string()));
            }
        }
        Err(error) => {
            for place in places {
                results[place] = Err((error_code::controller(&error), error.to_string()));
            }
        }
    }
    context.services.caught_up().await;
    results
}

fn repeated<'a>(asked: &[Asked<'a>]) -> HashSet<(i8, &'a str)> {
    let mut counts: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in asked {
        *counts.entry((resource.resource_type, resource.resource_name)).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(resource, _)| resource).collect()
}

pub(super) fn invalid_request(message: impl Into<String>) -> Refused {
    (ErrorCode::InvalidRequest, message.into())
}

/// What holds for keys of every kind.
fn check_entries(asked: &Asked<'_>) -> Result<(), Refused> {
    let mut names = HashSet::new();
    if !asked.entries.iter().all(|entry| names.insert(entry.key)) {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let is_null = |entry: &&Entry<'_>| entry.operation != Some(Operation::Delete) && entry.value.is_none();
    let nulls: Vec<&str> = asked.entries.iter().filter(is_null).map(|entry| entry.key).collect();
    if !nulls.is_empty() {
        return Err(invalid_request(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    Ok(())
}

fn prepare(
    context: &RequestContext,
    image: &Image,
    asked: &Asked<'_>,
) -> Result<(ConfigResource, ConfigChange), Refused> {
    check_entries(asked)?;
    let Some(resource_type) = ConfigResourceType::from_id(asked.resource_type) else {
        return Err(invalid_request(format!("Unknown resource type {}", asked.resource_type)));
    };
    let resource = ConfigResource { resource_type, name: asked.resource_name.into() };
    let ops = asked.entries.iter().map(|entry| Ok((Arc::from(entry.key), operation(resource_type, entry)?)));
    let ops: BTreeMap<Arc<str>, ConfigOp> = ops.collect::<Result<_, Refused>>()?;
    if resource_type == ConfigResourceType::Broker {
        check_broker(context, image, &resource, &ops, asked.replaces)?;
    }
    let change = if asked.replaces {
        let value = |(key, op): (Arc<str>, ConfigOp)| op.applied(None).map(|value| (key, value));
        ConfigChange::Replace(ops.into_iter().filter_map(value).collect())
    } else {
        ConfigChange::Incremental(ops)
    };
    Ok((resource, change))
}

fn definition_of(resource_type: ConfigResourceType, key: &str) -> Option<&'static Definition> {
    match resource_type {
        ConfigResourceType::Topic => topic_key(key),
        ConfigResourceType::Broker => broker_key(key),
        // Kafka splits none of their values.
        ConfigResourceType::ClientMetrics | ConfigResourceType::Group => None,
    }
}

fn operation(resource_type: ConfigResourceType, entry: &Entry<'_>) -> Result<ConfigOp, Refused> {
    let Some(operation) = entry.operation else {
        return Err(invalid_request(format!("Unknown operation type for config key {}", entry.key)));
    };
    let value: Arc<str> = entry.value.unwrap_or_default().into();
    let definition = definition_of(resource_type, entry.key);
    let default = || definition.and_then(|definition| definition.default).map(Into::into);
    match operation {
        Operation::Set => Ok(ConfigOp::Set(value)),
        Operation::Delete => Ok(ConfigOp::Delete),
        Operation::Append | Operation::Subtract if !is_list(definition) => {
            Err((ErrorCode::InvalidConfig, not_a_list(resource_type, operation, entry.key, definition.is_some())))
        }
        Operation::Append => Ok(ConfigOp::Append { elements: value, default: default() }),
        Operation::Subtract => Ok(ConfigOp::Subtract { elements: value, default: default() }),
    }
}

fn not_a_list(resource_type: ConfigResourceType, operation: Operation, key: &str, is_known: bool) -> String {
    let name = operation.name();
    match resource_type {
        ConfigResourceType::Broker if !is_known => format!("Unknown config name: {key}"),
        ConfigResourceType::Broker => {
            format!("Config value {} is not allowed for config key: {key}", name.to_lowercase())
        }
        _ => format!("Can't {name} to key {key} because its type is not LIST."),
    }
}

/// A broker changes its own keys, or with an empty name those of all brokers.
fn check_broker(
    context: &RequestContext,
    image: &Image,
    resource: &ConfigResource,
    ops: &BTreeMap<Arc<str>, ConfigOp>,
    replaces: bool,
) -> Result<(), Refused> {
    let (settings, name) = (&context.services.settings, &resource.name);
    if !name.is_empty() {
        match name.parse::<i32>() {
            Err(_) => return Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
            Ok(id) if id != settings.node_id => {
                let message = format!("Unexpected broker id, expected {}, but received {name}", settings.node_id);
                return Err(invalid_request(message));
            }
            Ok(_) => {}
        }
    }
    let stored = image.configs().of(resource).filter(|_| !replaces);
    let mut keys: BTreeMap<Arc<str>, Arc<str>> = stored.map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, op) in ops {
        match op.applied(keys.get(key)) {
            Some(value) => keys.insert(key.clone(), value),
            None => keys.remove(key),
        };
        if broker_key(key).is_none() {
            tracing::warn!(key = &**key, broker = &**name, "an unknown key is stored and changes nothing");
        }
    }
    let checked = check_broker_keys(settings, image.configs(), resource, &keys);
    checked.map_err(|error| invalid_request(error.to_string()))
}
