//! Which keys and values topics, groups and subscriptions to metrics may have in the cluster. Brokers' keys are checked by the broker
//! itself, see [`super::alter`]. Source: `ControllerConfigurationValidator`, `GroupConfig.validate`, `ClientMetricsConfigs.validate`.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::controller::ConfigRules;
use raft::error::ConfigError as Refusal;
use raft::image::{ConfigResource, ConfigResourceType};

use super::definitions::{broker_key, client_metrics_key, group_key};
use super::{BrokerConfig, ConfigError, Value, tier, topic};

/// What a client can be chosen by (`ClientMetricsConfigs.isValidParam`).
const SELECTORS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

type Keys = BTreeMap<Arc<str>, Arc<str>>;

/// The rules of a node with those settings, which bound what groups may have.
pub struct Rules {
    pub settings: Arc<BrokerConfig>,
}

impl ConfigRules for Rules {
    fn check(&self, resource: &ConfigResource, before: &Keys, values: &Keys) -> Result<(), Refusal> {
        let invalid = |error: ConfigError| Refusal::Invalid(error.to_string());
        match resource.resource_type {
            ConfigResourceType::Topic => {
                let pairs = values.iter().map(|(name, value)| (&**name, &**value));
                topic::validate(pairs).map_err(invalid)?;
                tier::validate(&self.settings, before, values).map_err(invalid)
            }
            ConfigResourceType::Group => self.check_group(values).map_err(invalid),
            ConfigResourceType::ClientMetrics => check_client_metrics(values),
            ConfigResourceType::Broker => Ok(()),
        }
    }
}

impl Rules {
    fn check_group(&self, values: &Keys) -> Result<(), ConfigError> {
        for (name, text) in values {
            let unknown = || ConfigError::Conflict(format!("Unknown group config name: {name}"));
            let definition = group_key(name).ok_or_else(unknown)?;
            let value = Value::parse(definition, text)?;
            if let Value::Number(number) = value {
                self.check_limits(definition.name, number)?;
            }
        }
        ["consumer", "share", "streams"].iter().try_for_each(|protocol| self.check_times(protocol, values))
    }

    /// A group's key is bounded by two keys of the broker: `a.b` by `group.a.min.b` and `group.a.max.b`.
    fn check_limits(&self, name: &str, number: i64) -> Result<(), ConfigError> {
        let Some((protocol, rest)) = name.split_once('.') else { return Ok(()) };
        let rest = rest.strip_prefix("num.").unwrap_or(rest);
        let limit = |bound: &str| {
            let key = broker_key(&format!("group.{protocol}.{bound}.{rest}"))?;
            Some((key.name, self.settings.static_number(key.name)))
        };
        let must_be =
            |relation: &str, key: &str| Err(ConfigError::Conflict(format!("{name} must be {relation} {key}")));
        match (limit("min"), limit("max")) {
            (Some((key, min)), _) if number < min => must_be("greater than or equal to", key),
            (_, Some((key, max))) if number > max => must_be("less than or equal to", key),
            _ => Ok(()),
        }
    }

    /// A member that keeps its heartbeat must not lose its session.
    fn check_times(&self, protocol: &str, values: &Keys) -> Result<(), ConfigError> {
        let in_force = |name: &str| {
            let own = values.get(name).and_then(|text| text.trim().parse().ok());
            let of_broker = || Some(self.settings.static_number(broker_key(&format!("group.{name}"))?.name));
            own.or_else(of_broker).unwrap_or_default()
        };
        let (session, heartbeat) =
            (format!("{protocol}.session.timeout.ms"), format!("{protocol}.heartbeat.interval.ms"));
        if in_force(&session) > in_force(&heartbeat) {
            return Ok(());
        }
        Err(ConfigError::Conflict(format!("{session} must be greater than {heartbeat}")))
    }
}

fn check_client_metrics(values: &Keys) -> Result<(), Refusal> {
    for (name, text) in values {
        let unknown = || Refusal::InvalidRequest(format!("Unknown client metrics configuration: {name}"));
        let definition = client_metrics_key(name).ok_or_else(unknown)?;
        // The one key of them that is a number has words of its own.
        let out_of_bounds = || {
            let reason = "interval must be between 100 and 3600000 (1 hour)";
            Refusal::InvalidRequest(format!("Invalid value {text} for {name}, {reason}"))
        };
        let value = Value::parse(definition, text).map_err(|_| out_of_bounds())?;
        if definition.name == "match"
            && let Some(pattern) = value.elements().iter().find(|pattern| !is_selection(pattern))
        {
            return Err(Refusal::Invalid(format!("Illegal client matching pattern: {pattern}")));
        }
    }
    Ok(())
}

/// Whether it is a selector, `=` and something.
fn is_selection(pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('=').map(str::trim).collect();
    matches!(parts[..], [selector, value] if SELECTORS.contains(&selector) && !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource_type: ConfigResourceType, keys: &[(&str, &str)]) -> Result<(), Refusal> {
        let (settings, _) = BrokerConfig::new([]).unwrap();
        let resource = ConfigResource { resource_type, name: "x".into() };
        let keys = keys.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Rules { settings: Arc::new(settings) }.check(&resource, &Keys::new(), &keys)
    }

    /// As Apache Kafka 4.3.1 answers IncrementalAlterConfigs.
    #[test]
    fn groups_are_bounded_by_their_brokers_keys() {
        let cases = [
            (
                ("consumer.session.timeout.ms", "5"),
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (
                ("consumer.heartbeat.interval.ms", "16000"),
                "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
            ),
            (("nonsense", "5"), "Unknown group config name: nonsense"),
            (
                ("consumer.session.timeout.ms", "-1"),
                "Invalid value -1 for configuration consumer.session.timeout.ms: Value must be at least 1",
            ),
            (
                ("share.record.lock.duration.ms", "5"),
                "Invalid value 5 for configuration share.record.lock.duration.ms: Value must be at least 1000",
            ),
            (
                ("share.delivery.count.limit", "11"),
                "share.delivery.count.limit must be less than or equal to group.share.max.delivery.count.limit",
            ),
            (
                ("share.auto.offset.reset", "foo"),
                "Invalid value foo for configuration share.auto.offset.reset: Invalid value `foo` for configuration \
                 share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format \
                 'by_duration:<PnDTnHnMn.nS>'.",
            ),
            (
                ("streams.num.standby.replicas", "3"),
                "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
            ),
        ];
        for (pair, expected) in cases {
            let refused = check(ConfigResourceType::Group, &[pair]);
            assert_eq!(refused, Err(Refusal::Invalid(expected.to_owned())));
        }
        let good = [("consumer.session.timeout.ms", "50000"), ("share.auto.offset.reset", "by_duration:PT1H")];
        check(ConfigResourceType::Group, &good).unwrap();
    }

    /// As Apache Kafka 4.3.1 answers IncrementalAlterConfigs.
    #[test]
    fn subscriptions_to_metrics_are_checked() {
        let request = |message: &str| Err(Refusal::InvalidRequest(message.to_owned()));
        let cases = [
            (
                ("interval.ms", "1"),
                request("Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)"),
            ),
            (("foo", "1"), request("Unknown client metrics configuration: foo")),
            (("match", "foo=.*"), Err(Refusal::Invalid("Illegal client matching pattern: foo=.*".to_owned()))),
            (("match", "client_id"), Err(Refusal::Invalid("Illegal client matching pattern: client_id".to_owned()))),
            (("match", "client_id=a.*,client_software_name=b"), Ok(())),
            (("metrics", "org.apache"), Ok(())),
        ];
        for (pair, expected) in cases {
            assert_eq!(check(ConfigResourceType::ClientMetrics, &[pair]), expected);
        }
    }
}
