//! DescribeConfigs (key 32), versions 1–4.
//!
//! Behaviour: topics, brokers, their loggers, groups and subscriptions to clients' metrics; every key with its value in force, where
//! that comes from, and the keys behind it. A broker describes itself, or with an empty name what is set for all brokers.
//! Versions: v1 sources and synonyms (KIP-226) · v3 types and documentation (KIP-569) · v4 flexible.
//! Source: DescribeConfigsRequest.json, `ConfigHelper`.

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use raft::controller::check_topic_name;
use raft::image::{ConfigResource, ConfigResourceType, Image};

use super::broker_loggers::{self, BROKER_LOGGER};
use super::text::{INVALID_REQUEST, str_bytes};
use super::{Reply, RequestContext};
use crate::config::definitions::{
    CLIENT_METRICS, Definition, GROUP, Kind, Update, all_broker_keys, broker_key, described_topic_keys, is_described,
};
use crate::config::topic::TopicValues;
use crate::config::{Setting, Source};

pub(super) fn handle(context: RequestContext, request: DescribeConfigsRequest) -> Reply<DescribeConfigsResponse> {
    let image = context.services.metadata.image();
    let describe = Describe { context: &context, image: &image, request: &request };
    let results = request.resources.iter().map(|resource| describe.resource(resource)).collect();
    Reply::Now(DescribeConfigsResponse::default().with_results(results))
}

struct Describe<'a> {
    context: &'a RequestContext,
    image: &'a Image,
    request: &'a DescribeConfigsRequest,
}

/// An error with its message.
type Refused = (ErrorCode, String);

impl Describe<'_> {
    fn resource(&self, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        let described = match ConfigResourceType::from_id(resource.resource_type) {
            Some(ConfigResourceType::Topic) => self.topic(resource),
            Some(ConfigResourceType::Broker) => self.broker(resource),
            Some(ConfigResourceType::Group) => self.group(resource),
            Some(ConfigResourceType::ClientMetrics) => self.client_metrics(resource),
            None if resource.resource_type == BROKER_LOGGER => {
                broker_loggers::describe(&self.context.services, resource)
            }
            None => Err((ErrorCode::InvalidRequest, INVALID_REQUEST.to_owned())),
        };
        match described {
            Ok(configs) => result.with_error_message(Some(StrBytes::default())).with_configs(configs),
            Err((code, message)) => {
                result.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    }

    fn topic(&self, resource: &DescribeConfigsResource) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let name = resource.resource_name.as_str();
        check_topic_name(name).map_err(|error| (ErrorCode::InvalidTopicException, error.to_string()))?;
        if self.image.topics().by_name(name).is_none() {
            return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
        }
        let values = TopicValues::new(&self.context.services.settings, self.image, name);
        let entry = |definition: &Definition| {
            self.entry(definition, Some(values.value(definition).to_string()), values.settings_of(definition))
        };
        Ok(described_topic_keys().filter(|definition| is_asked_for(resource, definition)).map(entry).collect())
    }

    fn broker(&self, resource: &DescribeConfigsResource) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let (name, node_id) = (resource.resource_name.as_str(), self.context.services.settings.node_id);
        let layers = self.context.services.settings.layers_of(self.image);
        let is_set = |definition: &Definition| {
            layers.own(definition.name).first().is_some_and(|setting| setting.source != Source::Default)
        };
        // Keys that Kafka does not show are told where somebody has set them.
        let asked = all_broker_keys().iter().copied().filter(|definition| {
            is_asked_for(resource, definition) && (is_described(definition.name) || is_set(definition))
        });
        if name.is_empty() {
            let of_all = asked.filter_map(|definition| {
                let mut settings = layers.settings(definition.name);
                settings.retain(|setting| setting.source == Source::DynamicDefaultBroker);
                let value = settings.first()?.value.clone();
                Some(self.entry(definition, Some(value), settings))
            });
            return Ok(of_all.chain(self.unknown(resource, Source::DynamicDefaultBroker)).collect());
        }
        if name.parse() != Ok(node_id) {
            let message = match name.parse::<i32>() {
                Ok(_) => format!("Unexpected broker id, expected {node_id} or empty string, but received {name}"),
                Err(_) => format!("Broker id must be an integer, but it is: {name}"),
            };
            return Err((ErrorCode::InvalidRequest, message));
        }
        let entry = |definition: &Definition| {
            let value = layers.own(definition.name).into_iter().next().map(|setting| setting.value);
            self.entry(definition, value, layers.settings(definition.name))
        };
        Ok(asked.map(entry).chain(self.unknown(resource, Source::DynamicBroker)).collect())
    }

    fn group(&self, resource: &DescribeConfigsResource) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let name = named(resource, "Group name must not be empty")?;
        let stored = ConfigResource { resource_type: ConfigResourceType::Group, name: name.into() };
        let layers = self.context.services.settings.layers_of(self.image);
        let entry = |definition: &Definition| {
            let own = self.own(&stored, definition, Source::DynamicGroup);
            // The broker's key of the same name is the default, if there is one.
            let of_broker = || match broker_key(&format!("group.{}", definition.name)) {
                Some(key) => layers.settings(key.name),
                None => definition.default.map(|value| default_setting(definition, value)).into_iter().collect(),
            };
            let settings = own.map_or_else(of_broker, |own| vec![own]);
            self.entry(definition, settings.first().map(|setting| setting.value.clone()), settings)
        };
        Ok(GROUP.iter().filter(|definition| is_asked_for(resource, definition)).map(entry).collect())
    }

    fn client_metrics(
        &self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let name = named(resource, "Client metrics subscription name must not be empty")?;
        let stored = ConfigResource { resource_type: ConfigResourceType::ClientMetrics, name: name.into() };
        let entry = |definition: &Definition| {
            let own = self.own(&stored, definition, Source::DynamicClientMetrics);
            let value = own.as_ref().map(|own| own.value.clone()).or(definition.default.map(str::to_owned));
            let source = own.map_or(Source::Default, |own| own.source);
            self.entry(definition, value, Vec::new()).with_config_source(source.id())
        };
        Ok(CLIENT_METRICS.iter().filter(|definition| is_asked_for(resource, definition)).map(entry).collect())
    }

    fn own(&self, resource: &ConfigResource, definition: &Definition, source: Source) -> Option<Setting> {
        let value = self.image.configs().get(resource, definition.name)?.to_string();
        Some(Setting { name: definition.name.to_owned(), value, source })
    }

    /// Keys that nobody knows are stored all the same; their values may be secrets.
    fn unknown(&self, resource: &DescribeConfigsResource, source: Source) -> Vec<DescribeConfigsResourceResult> {
        let stored =
            ConfigResource { resource_type: ConfigResourceType::Broker, name: resource.resource_name.as_str().into() };
        let unknown = self.image.configs().of(&stored).filter(|(name, _)| broker_key(name).is_none());
        let entry = |name: &str| {
            DescribeConfigsResourceResult::default()
                .with_name(str_bytes(name))
                .with_value(None)
                .with_is_sensitive(true)
                .with_config_source(source.id())
        };
        unknown.filter(|(name, _)| is_named(resource, name)).map(|(name, _)| entry(name)).collect()
    }

    fn entry(
        &self,
        definition: &Definition,
        value: Option<String>,
        settings: Vec<Setting>,
    ) -> DescribeConfigsResourceResult {
        let source = settings.first().map_or(Source::Default, |setting| setting.source);
        let documentation = || StrBytes::from_static_str(definition.documentation);
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(definition.name))
            .with_value(value.filter(|_| !definition.is_secret()).map(StrBytes::from_string))
            .with_is_sensitive(definition.is_secret())
            .with_read_only(definition.update == Update::ReadOnly)
            .with_config_source(source.id())
            .with_synonyms(
                settings
                    .iter()
                    .filter(|_| self.request.include_synonyms)
                    .map(|setting| synonym(definition, setting))
                    .collect(),
            )
            .with_config_type(type_id(definition.kind))
            .with_documentation(self.request.include_documentation.then(documentation))
    }
}

fn default_setting(definition: &Definition, value: &str) -> Setting {
    Setting { name: definition.name.to_owned(), value: value.to_owned(), source: Source::Default }
}

fn named<'a>(resource: &'a DescribeConfigsResource, refusal: &str) -> Result<&'a str, Refused> {
    let name = resource.resource_name.as_str();
    if name.is_empty() { Err((ErrorCode::InvalidRequest, refusal.to_owned())) } else { Ok(name) }
}

fn is_asked_for(resource: &DescribeConfigsResource, definition: &Definition) -> bool {
    is_named(resource, definition.name)
}

fn is_named(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
}

fn synonym(definition: &Definition, setting: &Setting) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(str_bytes(&setting.name))
        .with_value(Some(str_bytes(&setting.value)).filter(|_| !definition.is_secret()))
        .with_source(setting.source.id())
}

/// `DescribeConfigsResponse.ConfigType`.
fn type_id(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::String => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}
