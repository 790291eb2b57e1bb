//! BROKER_LOGGER, a resource of DescribeConfigs and IncrementalAlterConfigs that is no configuration: the levels of this process'
//! loggers, which the cluster does not store and a restart forgets (KIP-412). Source: `ConfigHelper`, `RuntimeLoggerManager`.

use protocol::StrBytes;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use super::config_changes::{Asked, Operation, Refused, invalid_request};
use crate::error_code;
use crate::loggers::{LevelChange, LogLevel};
use crate::services::Services;

/// `ConfigResource.Type.BROKER_LOGGER`.
pub(super) const BROKER_LOGGER: i8 = 8;
/// `ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG`.
const SOURCE: i8 = 6;

/// The levels of the loggers that are asked for.
pub(super) fn describe(
    services: &Services,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let (name, node_id) = (resource.resource_name.as_str(), services.settings.node_id);
    match name.parse::<i32>() {
        _ if name.is_empty() => return Err(invalid_request("Broker id must not be empty")),
        Ok(id) if id == node_id => {}
        Ok(_) => {
            return Err(invalid_request(format!("Unexpected broker id, expected {node_id} but received {name}")));
        }
        Err(_) => return Err(invalid_request(format!("Broker id must be an integer, but it is: {name}"))),
    }
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    let is_asked_for = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name));
    let entry = |(name, level): (&'static str, LogLevel)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(level.name())))
            .with_config_source(SOURCE)
            .with_documentation(None)
    };
    Ok(services.loggers.all().into_iter().filter(|(name, _)| is_asked_for(name)).map(entry).collect())
}

/// Changes levels, all or none.
pub(super) fn alter(services: &Services, asked: &Asked<'_>, validate_only: bool) -> Result<(), Refused> {
    let (name, node_id) = (asked.resource_name, services.settings.node_id);
    match name.parse::<i32>() {
        Ok(id) if id == node_id => {}
        // Kafka names its own id twice.
        Ok(_) => return Err(invalid_request(format!("Unexpected node id. Expected {node_id}, but received {name}"))),
        Err(_) => return Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
    }
    let mut changes = Vec::with_capacity(asked.entries.len());
    for entry in &asked.entries {
        let change = match entry.operation {
            Some(Operation::Set) => LevelChange::Set(entry.value.unwrap_or_default()),
            Some(Operation::Delete) => LevelChange::Unset,
            Some(operation @ (Operation::Append | Operation::Subtract)) => {
                let message = format!("{} operation is not allowed for the BROKER_LOGGER resource", operation.name());
                return Err(invalid_request(message));
            }
            None => return Err(invalid_request(format!("Unknown operation type for the logger {}", entry.key))),
        };
        changes.push((entry.key, change));
    }
    let changed = services.loggers.change(&changes, validate_only);
    changed.map_err(|error| (error_code::logger(&error), error.to_string()))?;
    if !validate_only {
        tracing::info!("updated the levels of loggers: {changes:?}");
    }
    Ok(())
}
