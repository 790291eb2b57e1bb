//! Configurations over the wire: read with their sources, changed key by key.

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::{Client, ClientError, Refusal, Result, text};

const DESCRIBE_CONFIGS_VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
const ALTER_CONFIGS_VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
/// `ConfigSource.DEFAULT_CONFIG`.
const DEFAULT_SOURCE: i8 = 5;

/// What has a configuration (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    Topic = 2,
    /// The name is the broker's id, or empty for the default of all brokers.
    Broker = 4,
}

/// One topic, broker, or the default of all brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigResource {
    pub(crate) kind: ResourceKind,
    pub(crate) name: String,
}

/// One key as it stands.
#[derive(Clone, Debug)]
pub(crate) struct ConfigEntry {
    pub(crate) name: String,
    /// `None`: not set, or a secret.
    pub(crate) value: Option<String>,
    pub(crate) source: &'static str,
    pub(crate) is_default: bool,
    pub(crate) is_read_only: bool,
    pub(crate) is_sensitive: bool,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigChange {
    Set { name: String, value: String },
    Delete { name: String },
}

impl Client {
    /// All keys of a resource, sorted by name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn describe_configs(&mut self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>> {
        let asked = DescribeConfigsResource::default()
            .with_resource_type(resource.kind as i8)
            .with_resource_name(text(&resource.name))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![asked]);
        // A broker's own configuration is known to that broker only.
        let response = match resource.name.parse() {
            Ok(id) if resource.kind == ResourceKind::Broker => {
                self.metadata(Some(&[]), false)?;
                self.broker(id)?.ask(&request, DESCRIBE_CONFIGS_VERSIONS)?
            }
            _ => self.any().ask(&request, DESCRIBE_CONFIGS_VERSIONS)?,
        };
        let found = response.results.first().ok_or(ClientError::Malformed("no answer for the resource"))?;
        Refusal::check(found.error_code, found.error_message.as_deref())?;
        let entry =
            |config: &protocol::messages::describe_configs_response::DescribeConfigsResourceResult| ConfigEntry {
                name: config.name.to_string(),
                value: config.value.as_ref().map(ToString::to_string),
                source: source_name(config.config_source),
                is_default: config.config_source == DEFAULT_SOURCE,
                is_read_only: config.read_only,
                is_sensitive: config.is_sensitive,
            };
        let mut entries: Vec<_> = found.configs.iter().map(entry).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Changes some keys of a resource, all or none.
    ///
    /// # Errors
    /// [`ClientError::Refused`] in the broker's words; [`ClientError::Unsupported`] where it serves no such API.
    pub(crate) fn alter_configs(&mut self, resource: &ConfigResource, changes: &[ConfigChange]) -> Result<()> {
        let change = |change: &ConfigChange| match change {
            ConfigChange::Set { name, value } => {
                AlterableConfig::default().with_name(text(name)).with_config_operation(0).with_value(Some(text(value)))
            }
            ConfigChange::Delete { name } => {
                AlterableConfig::default().with_name(text(name)).with_config_operation(1).with_value(None)
            }
        };
        let asked = AlterConfigsResource::default()
            .with_resource_type(resource.kind as i8)
            .with_resource_name(text(&resource.name))
            .with_configs(changes.iter().map(change).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![asked]);
        let response = self.any().ask(&request, ALTER_CONFIGS_VERSIONS)?;
        let altered = response.responses.first().ok_or(ClientError::Malformed("no answer for the resource"))?;
        Ok(Refusal::check(altered.error_code, altered.error_message.as_deref())?)
    }
}

/// `DescribeConfigsResponse.ConfigSource`.
fn source_name(source: i8) -> &'static str {
    match source {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "DYNAMIC_CLIENT_METRICS_CONFIG",
        8 => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}
