//! Changes of a broker's keys while it runs: which may be made. Source: `DynamicBrokerConfig.validate`, `DynamicThreadPool`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use raft::image::{ConfigResource, Configs};

use super::definitions::{Definition, Kind, Update, broker_key, is_of_listener};
use super::tier::{check_lag, check_limit};
use super::{BrokerConfig, ConfigError, Value, check_listener_limit, is_listener_limit};

/// Keys whose value may at most double and at least halve at once.
const THREADS: [&str; 9] = [
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
];

/// What tiered topics keep locally, and what topics keep in all, unless they say otherwise.
const LIMITS: [(&str, &str); 2] =
    [("log.local.retention.ms", "log.retention.ms"), ("log.local.retention.bytes", "log.retention.bytes")];

/// What waits to be copied.
const LAGS: [&str; 2] = ["log.remote.copy.lag.ms", "log.remote.copy.lag.bytes"];

/// Keys of TLS and SASL, which may change for one listener only.
const SECURITY: [&str; 2] = ["sasl.", "ssl."];

/// Checks the keys that a broker, or every broker, is to have in the cluster: all of them, not only those that change. Unknown keys
/// pass, as in Kafka.
///
/// # Errors
/// A key that cannot change, a value out of bounds, in Kafka's words.
pub fn check_broker_keys(
    settings: &BrokerConfig,
    configs: &Configs,
    resource: &ConfigResource,
    keys: &BTreeMap<Arc<str>, Arc<str>>,
) -> Result<(), ConfigError> {
    let is_fixed =
        |name: &str| (is_of_listener(name) && !is_listener_limit(name)) || has_update(name, Update::ReadOnly);
    refuse(keys, is_fixed, "Cannot update these configs dynamically")?;
    let is_security = |name: &str| SECURITY.iter().any(|prefix| name.starts_with(prefix)) && broker_key(name).is_some();
    let reason = "These security configs can be dynamically updated only per-listener using the listener prefix";
    refuse(keys, is_security, reason)?;
    let known = || keys.iter().filter_map(|(name, value)| Some((broker_key(name)?, value)));
    keys.iter().try_for_each(|(name, text)| check_listener_limit(name, text))?;
    for (definition, text) in known() {
        Value::parse_supported(definition, text)?;
    }
    if resource.name.is_empty() {
        let reason = "Cannot update these configs at default cluster level, broker id must be specified";
        refuse(keys, |name| has_update(name, Update::PerBroker), reason)?;
    }
    let layers = settings.layers(configs);
    for (definition, text) in known().filter(|(definition, _)| THREADS.contains(&definition.name)) {
        let old = layers.value(definition.name).map_or(1, |(_, value)| value.number());
        check_threads(definition, old, Value::parse(definition, text)?.number())?;
    }
    check_limits(settings, &configs.with(resource, keys))
}

/// The local part is no larger than the whole (`DynamicLogConfig.validateReconfiguration`).
fn check_limits(settings: &BrokerConfig, configs: &Configs) -> Result<(), ConfigError> {
    let layers = settings.layers(configs);
    let limit = |name| (name, layers.in_milliseconds(name).map_or(-1, |value| value.number()));
    LIMITS
        .iter()
        .zip(LAGS)
        .try_for_each(|((local, total), lag)| {
            check_limit(limit(local), limit(total))?;
            check_lag(limit(lag), limit(local), limit(total))
        })
        .map_err(|error| refused(&error))
}

/// Whether elements can be added to the key's value and taken out of it.
pub fn is_list(definition: Option<&Definition>) -> bool {
    definition.is_some_and(|definition| definition.kind == Kind::List)
}

fn has_update(name: &str, update: Update) -> bool {
    broker_key(name).is_some_and(|definition| definition.update == update)
}

fn refuse(
    keys: &BTreeMap<Arc<str>, Arc<str>>,
    is_refused: impl Fn(&str) -> bool,
    reason: &str,
) -> Result<(), ConfigError> {
    let refused: Vec<&str> = keys.keys().map(|name| &**name).filter(|name| is_refused(name)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!("{reason}: [{}]", refused.join(", "))))
}

fn check_threads(definition: &Definition, old: i64, new: i64) -> Result<(), ConfigError> {
    let name = definition.name;
    let reason = if new > old.saturating_mul(2) {
        format!("value should not be greater than double the current value {old}")
    } else if new < old / 2 {
        format!("value should be at least half the current value {old}")
    } else {
        return Ok(());
    };
    Err(refused(&format!("Dynamic thread count update validation failed for {name}={new}, {reason}")))
}

/// Kafka takes the exception for the value and the message for the name; tools show it so.
fn refused(reason: &impl Display) -> ConfigError {
    let value = format!("org.apache.kafka.common.config.ConfigException: {reason}");
    ConfigError::Conflict(format!("Invalid value {value} for configuration Invalid dynamic configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &ConfigResource, keys: &[(&str, &str)]) -> String {
        let (settings, _) = BrokerConfig::new([]).unwrap();
        let keys = keys.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let checked = check_broker_keys(&settings, &Configs::default(), resource, &keys);
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    }

    /// A resource, its keys, and the refusal; empty for none.
    type Case<'a> = (&'a ConfigResource, &'a [(&'a str, &'a str)], &'a str);

    /// As Apache Kafka 4.3.1 answers IncrementalAlterConfigs, but for listeners' keys, which it stores.
    #[test]
    fn refusals_are_in_kafkas_words() {
        let (broker, all) = (ConfigResource::broker(1), ConfigResource::default_broker());
        let cases: &[Case] = &[
            (&broker, &[("num.partitions", "3")], "Cannot update these configs dynamically: [num.partitions]"),
            (
                &all,
                &[("node.id", "3"), ("log.retention.hours", "1"), ("log.retention.ms", "5")],
                "Cannot update these configs dynamically: [log.retention.hours, node.id]",
            ),
            (
                &broker,
                &[("ssl.keystore.type", "JKS")],
                "These security configs can be dynamically updated only per-listener using the listener prefix: \
                 [ssl.keystore.type]",
            ),
            (
                &all,
                &[("principal.builder.class", "x")],
                "Cannot update these configs at default cluster level, broker id must be specified: \
                 [principal.builder.class]",
            ),
            (
                &all,
                &[("log.retention.ms", "x")],
                "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
            ),
            (
                &all,
                &[("message.max.bytes", "-1")],
                "Invalid value -1 for configuration message.max.bytes: Value must be at least 0",
            ),
            (
                &broker,
                &[("background.threads", "100")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
                 failed for background.threads=100, value should not be greater than double the current value 10 for \
                 configuration Invalid dynamic configuration",
            ),
            (
                &broker,
                &[("background.threads", "2")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
                 failed for background.threads=2, value should be at least half the current value 10 for \
                 configuration Invalid dynamic configuration",
            ),
            (
                &all,
                &[("remote.log.reader.threads", "21")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
                 failed for remote.log.reader.threads=21, value should not be greater than double the current value 10 \
                 for configuration Invalid dynamic configuration",
            ),
            (
                &broker,
                &[("log.local.retention.ms", "604800001")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Invalid value 604800001 for configuration \
                 log.local.retention.ms: Value must not be more than log.retention.ms property value: 604800000 for \
                 configuration Invalid dynamic configuration",
            ),
            (
                &all,
                &[("log.local.retention.ms", "-1")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Invalid value -1 for configuration \
                 log.local.retention.ms: Value must not be -1 as log.retention.ms value is set as 604800000. for \
                 configuration Invalid dynamic configuration",
            ),
            (&all, &[("log.local.retention.ms", "5"), ("log.retention.ms", "5")], ""),
            (
                &all,
                &[("log.local.retention.ms", "5"), ("log.remote.copy.lag.ms", "6")],
                "Invalid value org.apache.kafka.common.config.ConfigException: Invalid value 6 for configuration \
                 log.remote.copy.lag.ms: Value must not be more than log.local.retention.ms property value: 5 for \
                 configuration Invalid dynamic configuration",
            ),
            (&all, &[("log.local.retention.ms", "5"), ("log.remote.copy.lag.ms", "5")], ""),
            (&broker, &[("log.local.retention.bytes", "5")], ""),
            (
                &broker,
                &[("background.threads", "0")],
                "Invalid value 0 for configuration background.threads: Value must be at least 1",
            ),
            (
                &broker,
                &[("listener.name.external.ssl.keystore.type", "JKS")],
                "Cannot update these configs dynamically: [listener.name.external.ssl.keystore.type]",
            ),
            (&broker, &[("background.threads", "20"), ("nonsense", "x"), ("log.retention.ms", "-1")], ""),
            (&all, &[("leader.replication.throttled.rate", "5"), ("num.io.threads", "16")], ""),
        ];
        for (resource, keys, expected) in cases {
            assert_eq!(check(resource, keys), *expected);
        }
    }

    #[test]
    fn a_key_that_is_refused_in_a_file_is_refused_here() {
        let refused = check(&ConfigResource::broker(1), &[("cordoned.log.dirs", "/a")]);
        assert!(refused.starts_with("Invalid value /a for configuration cordoned.log.dirs: "), "{refused}");
    }
}
