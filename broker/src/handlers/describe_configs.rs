//! DescribeConfigs (key 32), versions 1–4.
//!
//! Behaviour: topics and brokers; every key with its value in force, where that comes from, and the keys behind it. A broker
//! describes itself, or with an empty name what is set for all brokers.
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
use raft::image::{ConfigResourceType, Image};

use super::text::str_bytes;
use super::{Reply, RequestContext};
use crate::config::definitions::{BROKER, Definition, Kind, TOPIC, Update};
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
            Some(ConfigResourceType::ClientMetrics | ConfigResourceType::Group) | None => {
                Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {}", resource.resource_type)))
            }
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
        Ok(TOPIC.iter().filter(|definition| is_asked_for(resource, definition)).map(entry).collect())
    }

    fn broker(&self, resource: &DescribeConfigsResource) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
        let (name, node_id) = (resource.resource_name.as_str(), self.context.services.settings.node_id);
        let asked = BROKER.iter().copied().filter(|definition| is_asked_for(resource, definition));
        let layers = self.context.services.settings.layers_of(self.image);
        if name.is_empty() {
            let of_all = asked.filter_map(|definition| {
                let mut settings = layers.settings(definition.name);
                settings.retain(|setting| setting.source == Source::DynamicDefaultBroker);
                let value = settings.first()?.value.clone();
                Some(self.entry(definition, Some(value), settings))
            });
            return Ok(of_all.collect());
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
        Ok(asked.map(entry).collect())
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

fn is_asked_for(resource: &DescribeConfigsResource, definition: &Definition) -> bool {
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == definition.name))
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
