//! What a topic's keys for the cold tier must not say. Source: `LogConfig.validateTopicLogConfigValues`, but for its refusal of
//! compacted topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::image::Image;

use super::definitions::topic_key;
use super::topic::{LAG_BYTES, LAG_MS, MAX_UNSAVED, TopicValues};
use super::{BrokerConfig, ConfigError, Value};

type Keys = BTreeMap<Arc<str>, Arc<str>>;

const ENABLE: &str = "remote.storage.enable";

/// What is kept locally, and in all.
const LIMITS: [(&str, &str); 2] =
    [("local.retention.bytes", "retention.bytes"), ("local.retention.ms", "retention.ms")];

/// How long segments wait to be copied, what is kept locally, and in all.
const LAGS: [(&str, &str, &str); 2] =
    [(LAG_BYTES, "local.retention.bytes", "retention.bytes"), (LAG_MS, "local.retention.ms", "retention.ms")];

/// The keys of a tiered topic of which nothing else is known.
pub fn tiered_topic() -> Vec<(Arc<str>, Arc<str>)> {
    vec![(ENABLE.into(), "true".into())]
}

/// Checks the keys that a topic is to have in place of those that it had `before`.
///
/// # Errors
/// A contradiction, in Kafka's words.
pub(super) fn validate(settings: &BrokerConfig, before: &Keys, values: &Keys) -> Result<(), ConfigError> {
    let image = Image::default();
    let topic = Topic { values, defaults: TopicValues::new(settings, &image, "") };
    if !topic.value(ENABLE).is_true() {
        let was_tiered = before.get(ENABLE).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        return if was_tiered { topic.check_end() } else { Ok(()) };
    }
    if settings.remote.is_none() {
        let reason = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
                      log storage.";
        return Err(ConfigError::Conflict(reason.to_owned()));
    }
    topic.check_limits()?;
    topic.check_copies()?;
    topic.check_unsaved()?;
    topic.check_delay()
}

/// Checks what a broker's file makes the default of its topics, where it has a cold tier
/// (`LogConfig.validateBrokerLogConfigValues`).
///
/// # Errors
/// More is to be kept locally than in all.
pub(super) fn check_defaults(settings: &BrokerConfig) -> Result<(), ConfigError> {
    if settings.remote.is_none() {
        return Ok(());
    }
    let (image, values) = (Image::default(), Keys::new());
    Topic { values: &values, defaults: TopicValues::new(settings, &image, "") }.check_limits()
}

/// The local part, by its key and limit, is no larger than the whole.
pub(super) fn check_limit(
    (local_name, local): (&str, i64),
    (total_name, total): (&str, i64),
) -> Result<(), ConfigError> {
    let refuse = |reason: String| Err(ConfigError::invalid(local_name, local, reason));
    match local {
        _ if total < 0 => Ok(()),
        -2 => Ok(()),
        -1 => refuse(format!("Value must not be -1 as {total_name} value is set as {total}.")),
        local if local > total => refuse(format!("Value must not be more than {total_name} property value: {total}")),
        _ => Ok(()),
    }
}

/// What waits to be copied must not wait longer than it may stay local (KIP-1241).
pub(super) fn check_lag(
    (lag_name, lag): (&str, i64),
    (local_name, local): (&str, i64),
    (_, total): (&str, i64),
) -> Result<(), ConfigError> {
    let limit = if local == -2 { total } else { local };
    if limit < 0 || lag <= limit {
        return Ok(());
    }
    Err(ConfigError::invalid(
        lag_name,
        lag,
        format!("Value must not be more than {local_name} property value: {limit}"),
    ))
}

struct Topic<'a> {
    values: &'a Keys,
    defaults: TopicValues<'a>,
}

impl Topic<'_> {
    fn value(&self, name: &str) -> Value {
        let Some(definition) = topic_key(name) else { return Value::Number(0) };
        let own = self.values.get(name).and_then(|text| Value::parse(definition, text).ok());
        own.unwrap_or_else(|| self.defaults.value(definition))
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        LIMITS.iter().try_for_each(|(local, total)| {
            check_limit((local, self.value(local).number()), (total, self.value(total).number()))
        })?;
        let named = |name| (name, self.value(name).number());
        LAGS.iter().try_for_each(|(lag, local, total)| check_lag(named(lag), named(local), named(total)))
    }

    /// What is not copied must not leave the local log earlier (KIP-950).
    fn check_copies(&self) -> Result<(), ConfigError> {
        if !self.value("remote.log.copy.disable").is_true() {
            return Ok(());
        }
        for (local_name, total_name) in LIMITS {
            let local = self.value(local_name).number();
            if local != -2 && local != self.value(total_name).number() {
                return Err(ConfigError::Conflict(format!(
                    "When `remote.log.copy.disable` is set to true, the `{local_name}` and `{total_name}` must be set to the \
                     identical value because there will be no more logs copied to the remote storage."
                )));
            }
        }
        Ok(())
    }

    fn is_compacted(&self) -> bool {
        self.value("cleanup.policy").elements().iter().any(|policy| policy == "compact")
    }

    /// Whether the topic itself says how long its records may be local only.
    fn is_hurried(&self) -> bool {
        self.values.contains_key(MAX_UNSAVED) && self.value(MAX_UNSAVED).number() >= 0
    }

    /// What the cleaner has not been over is not copied, closed or not. A default of the broker's means the other topics.
    fn check_unsaved(&self) -> Result<(), ConfigError> {
        if !self.is_compacted() || !self.is_hurried() {
            return Ok(());
        }
        let reason =
            "A compacted topic's records are copied once they are cleaned: `max.compaction.lag.ms` bounds that.";
        Err(ConfigError::invalid(MAX_UNSAVED, self.value(MAX_UNSAVED).number(), reason))
    }

    /// What other keys want to have copied does not wait. A default of the broker's means the other topics.
    fn check_delay(&self) -> Result<(), ConfigError> {
        let lag_ms = self.value(LAG_MS).number();
        if lag_ms == 0 || self.value(LAG_BYTES).number() == 0 || !self.values.contains_key(LAG_MS) {
            return Ok(());
        }
        let reason = if self.is_compacted() {
            "A compacted topic's records are copied once they are cleaned: `min.compaction.lag.ms` delays that."
        } else if self.is_hurried() {
            "The topic's records must not wait longer than `ottla.remote.max.unsaved.ms` says."
        } else {
            return Ok(());
        };
        Err(ConfigError::invalid(LAG_MS, lag_ms, reason))
    }

    /// Whoever switches tiering off must say that what is remote may go.
    fn check_end(&self) -> Result<(), ConfigError> {
        if self.value("remote.log.delete.on.disable").is_true() {
            return Ok(());
        }
        let reason = "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote \
                      data and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If \
                      you want to disable remote storage and delete all remote data, please set \
                      `remote.storage.enable=false,remote.log.delete.on.disable=true`.";
        Err(ConfigError::Conflict(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn check(has_storage: bool, before: &[(&str, &str)], values: &[(&str, &str)]) -> Result<(), String> {
        let remote: &[(&str, &str)] = &[
            ("remote.log.storage.system.enable", "true"),
            ("ottla.remote.storage.url", "file:///cold"),
            ("log.retention.bytes", "1000"),
        ];
        let remote = if has_storage { remote } else { &[] };
        let properties = remote.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (settings, _) = BrokerConfig::new(properties).unwrap();
        validate(&settings, &keys(before), &keys(values)).map_err(|error| error.to_string())
    }

    const ON: (&str, &str) = (ENABLE, "true");

    /// As Apache Kafka 4.3.1 ends at the start.
    #[test]
    fn a_file_that_keeps_more_locally_than_in_all_is_refused() {
        let with = |remote: &str, name: &str, value: &str| {
            let keys = [
                ("remote.log.storage.system.enable", remote),
                ("ottla.remote.storage.url", "file:///cold"),
                ("log.retention.hours", "1"),
                (name, value),
            ];
            let properties = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
            BrokerConfig::new(properties).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let expected = "Invalid value 3600001 for configuration local.retention.ms: Value must not be more than retention.ms \
                        property value: 3600000";
        assert_eq!(with("true", "log.local.retention.ms", "3600001"), expected);
        assert_eq!(with("false", "log.local.retention.ms", "3600001"), "");
        assert_eq!(with("true", "log.local.retention.ms", "3600000"), "");
        assert_eq!(with("true", "log.local.retention.bytes", "5"), "");
    }

    #[test]
    fn tiering_needs_a_storage_and_any_log_will_do() {
        let refused = check(false, &[], &[ON]).unwrap_err();
        assert!(refused.starts_with("Tiered Storage functionality is disabled in the broker."), "{refused}");
        for policy in ["delete", "", "compact", "compact,delete"] {
            check(true, &[], &[ON, ("cleanup.policy", policy)]).unwrap();
        }
        check(false, &[], &[("cleanup.policy", "compact")]).unwrap();
    }

    #[test]
    fn the_local_part_is_no_larger_than_the_whole() {
        let cases = [
            (("local.retention.ms", "604800001"), "Value must not be more than retention.ms property value: 604800000"),
            (("local.retention.ms", "-1"), "Value must not be -1 as retention.ms value is set as 604800000."),
            (("local.retention.bytes", "1001"), "Value must not be more than retention.bytes property value: 1000"),
        ];
        for ((name, value), reason) in cases {
            let expected = format!("Invalid value {value} for configuration {name}: {reason}");
            assert_eq!(check(true, &[], &[ON, (name, value)]), Err(expected));
        }
        check(true, &[], &[ON, ("local.retention.ms", "5"), ("local.retention.bytes", "1000")]).unwrap();
        check(true, &[], &[ON, ("local.retention.ms", "-1"), ("retention.ms", "-1")]).unwrap();
    }

    #[test]
    fn what_waits_for_the_cleaner_cannot_be_hurried() {
        let (soon, compact) = ((MAX_UNSAVED, "60000"), ("cleanup.policy", "compact"));
        let expected = "Invalid value 60000 for configuration ottla.remote.max.unsaved.ms: A compacted topic's records are copied \
                        once they are cleaned: `max.compaction.lag.ms` bounds that.";
        assert_eq!(check(true, &[], &[ON, soon, compact]).as_ref().map_err(String::as_str), Err(expected));
        check(true, &[], &[ON, soon]).unwrap();
        check(true, &[], &[ON, (MAX_UNSAVED, "-1"), compact]).unwrap();
    }

    #[test]
    fn nothing_waits_longer_than_it_may_stay_or_than_another_key_wants() {
        let (local, day) = (("local.retention.ms", "5"), (LAG_MS, "86400000"));
        let refused =
            |reason: &str| Err(format!("Invalid value 86400000 for configuration remote.copy.lag.ms: {reason}"));
        let cases = [
            (&[ON, day][..], Ok(())),
            (&[ON, day, local], refused("Value must not be more than local.retention.ms property value: 5")),
            (&[ON, (LAG_MS, "-1"), local], Ok(())),
            (
                &[ON, day, ("cleanup.policy", "compact")],
                refused(
                    "A compacted topic's records are copied once they are cleaned: `min.compaction.lag.ms` delays that.",
                ),
            ),
            (
                &[ON, day, (MAX_UNSAVED, "60000")],
                refused("The topic's records must not wait longer than `ottla.remote.max.unsaved.ms` says."),
            ),
            (&[ON, day, (LAG_BYTES, "0"), (MAX_UNSAVED, "60000")], Ok(())),
        ];
        for (keys, expected) in cases {
            assert_eq!(check(true, &[], keys), expected, "{keys:?}");
        }
        let expected = "Invalid value 1001 for configuration remote.copy.lag.bytes: Value must not be more than \
                        local.retention.bytes property value: 1000";
        assert_eq!(check(true, &[], &[ON, (LAG_BYTES, "1001")]), Err(expected.to_owned()));
    }

    #[test]
    fn switching_off_says_what_becomes_of_the_data() {
        let refused = check(true, &[ON], &[]).unwrap_err();
        assert!(refused.starts_with("It is invalid to disable remote storage without deleting"), "{refused}");
        check(true, &[ON], &[("remote.log.delete.on.disable", "true")]).unwrap();
        check(true, &[], &[]).unwrap();
        let copies = [ON, ("remote.log.copy.disable", "true"), ("local.retention.ms", "5")];
        assert!(check(true, &[ON], &copies).unwrap_err().contains("identical value"));
        check(true, &[ON], &copies[..2]).unwrap();
    }
}
