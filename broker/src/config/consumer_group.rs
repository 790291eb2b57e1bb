//! What the group coordinator is told about groups of the consumer protocol: the keys `group.consumer.*`, and a group's own
//! `consumer.*`. Source: `GroupCoordinatorConfig`, `GroupConfig`.

use std::sync::Arc;

use raft::image::{ConfigResource, ConfigResourceType, Configs};

use super::{ConfigError, Keys};

/// Which groups change from one protocol to the other when their members do (`ConsumerGroupMigrationPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    Disabled,
    /// From the consumer to the classic protocol.
    Downgrade,
    /// From the classic to the consumer protocol.
    Upgrade,
    Bidirectional,
}

impl MigrationPolicy {
    pub fn allows_upgrade(self) -> bool {
        matches!(self, Self::Upgrade | Self::Bidirectional)
    }

    pub fn allows_downgrade(self) -> bool {
        matches!(self, Self::Downgrade | Self::Bidirectional)
    }

    fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "disabled" => Self::Disabled,
            "downgrade" => Self::Downgrade,
            "upgrade" => Self::Upgrade,
            // The row knows no other.
            _ => Self::Bidirectional,
        }
    }
}

/// A time that a group may have for itself, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time {
    /// The group's key.
    key: &'static str,
    /// The broker's.
    default_key: &'static str,
    default: i32,
    min: i32,
    max: i32,
}

/// The times of one group, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerTimes {
    /// A member that was silent for so long is removed.
    pub session_timeout_ms: i32,
    /// How often members send a heartbeat.
    pub heartbeat_interval_ms: i32,
    /// The shortest time between two assignments.
    pub assignment_interval_ms: i32,
}

/// The keys `group.consumer.*`, typed.
#[derive(Clone, Debug)]
pub struct ConsumerGroupConfig {
    /// Whether the protocol is served at all.
    pub is_served: bool,
    /// The names of assignors that members may ask for, the first being the default. Not empty.
    pub assignors: Vec<String>,
    /// Most members of a group.
    pub max_size: usize,
    pub migration_policy: MigrationPolicy,
    /// How often regular expressions are resolved again, in ms.
    pub regex_refresh_interval_ms: i64,
    session: Time,
    heartbeat: Time,
    assignment: Time,
}

impl ConsumerGroupConfig {
    pub(super) fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        let time = |key, default_key, min, max| Time {
            key,
            default_key,
            default: keys.int(default_key),
            min: keys.int(min),
            max: keys.int(max),
        };
        let config = Self {
            is_served: keys.value("group.coordinator.rebalance.protocols").elements().contains(&"consumer".to_owned()),
            assignors: keys.value("group.consumer.assignors").elements().to_vec(),
            max_size: keys.int("group.consumer.max.size"),
            migration_policy: MigrationPolicy::from_name(keys.value("group.consumer.migration.policy").text()),
            regex_refresh_interval_ms: keys.number("group.consumer.regex.refresh.interval.ms"),
            session: time(
                "consumer.session.timeout.ms",
                "group.consumer.session.timeout.ms",
                "group.consumer.min.session.timeout.ms",
                "group.consumer.max.session.timeout.ms",
            ),
            heartbeat: time(
                "consumer.heartbeat.interval.ms",
                "group.consumer.heartbeat.interval.ms",
                "group.consumer.min.heartbeat.interval.ms",
                "group.consumer.max.heartbeat.interval.ms",
            ),
            assignment: time(
                "consumer.assignment.interval.ms",
                "group.consumer.assignment.interval.ms",
                "group.consumer.min.assignment.interval.ms",
                "group.consumer.max.assignment.interval.ms",
            ),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let key = "group.consumer.assignors";
        let names = || self.assignors.iter();
        if self.assignors.is_empty() {
            return Err(ConfigError::invalid(key, "[]", "Configuration must not be empty"));
        }
        if names().enumerate().any(|(place, name)| names().take(place).any(|earlier| earlier == name)) {
            return Err(ConfigError::invalid(key, self.assignors.join(","), "Configuration has duplicates"));
        }
        for time in [&self.heartbeat, &self.session, &self.assignment] {
            time.check()?;
        }
        if self.heartbeat.default >= self.session.default {
            let (lesser, greater) = (self.heartbeat.default_key, self.session.default_key);
            return Err(ConfigError::Conflict(format!("{lesser} must be less than {greater}")));
        }
        Ok(())
    }

    /// The times of a group, as the cluster has stored them.
    pub fn times(&self, configs: &Configs, group: &Arc<str>) -> ConsumerTimes {
        let group = ConfigResource { resource_type: ConfigResourceType::Group, name: Arc::clone(group) };
        ConsumerTimes {
            session_timeout_ms: self.session.of(configs, &group),
            heartbeat_interval_ms: self.heartbeat.of(configs, &group),
            assignment_interval_ms: self.assignment.of(configs, &group),
        }
    }
}

impl Time {
    fn check(&self) -> Result<(), ConfigError> {
        let name = |bound: &str| self.default_key.replacen("consumer.", &format!("consumer.{bound}."), 1);
        let must_be = |what: String, relation: &str, other: String| {
            Err(ConfigError::Conflict(format!("{what} must be {relation} or equal to {other}")))
        };
        let own = || self.default_key.to_owned();
        if self.max < self.min {
            return must_be(name("max"), "greater than", name("min"));
        }
        if self.default < self.min {
            return must_be(own(), "greater than", name("min"));
        }
        if self.default > self.max {
            return must_be(own(), "less than", name("max"));
        }
        Ok(())
    }

    /// The group's own, or that of all brokers, within what brokers allow: limits may have changed since it was stored.
    fn of(&self, configs: &Configs, group: &ConfigResource) -> i32 {
        let stored = |resource: &ConfigResource, key| configs.get(resource, key)?.trim().parse().ok();
        let time: Option<i32> =
            stored(group, self.key).or_else(|| stored(&ConfigResource::default_broker(), self.default_key));
        time.unwrap_or(self.default).clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::super::BrokerConfig;
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ConsumerGroupConfig, String> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        BrokerConfig::new(pairs).map(|(config, _)| config.groups.consumer).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_those_of_the_group_then_of_the_cluster_then_of_the_file() {
        let config = read(&[("group.consumer.session.timeout.ms", "50000")]).unwrap();
        let times = config.times(&Configs::default(), &"g".into());
        let expected =
            ConsumerTimes { session_timeout_ms: 50_000, heartbeat_interval_ms: 5_000, assignment_interval_ms: 1_000 };
        assert_eq!(times, expected);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let heartbeat = "group.consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms";
        let session =
            "group.consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms";
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("group.consumer.heartbeat.interval.ms", "20000")], heartbeat),
            (&[("group.consumer.session.timeout.ms", "1000")], session),
            (
                &[
                    ("group.consumer.max.assignment.interval.ms", "0"),
                    ("group.consumer.min.assignment.interval.ms", "1"),
                ],
                "group.consumer.max.assignment.interval.ms must be greater than or equal to group.consumer.min.assignment.interval.ms",
            ),
            (&[("group.consumer.assignors", "")], "must not be empty"),
            (&[("group.consumer.assignors", "org.example.MyAssignor")], "String must be one of: uniform, range"),
        ];
        for (pairs, expected) in cases {
            let error = read(pairs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn policies_are_known_in_any_case() {
        let policy = |name| read(&[("group.consumer.migration.policy", name)]).unwrap().migration_policy;
        assert_eq!(policy("Upgrade"), MigrationPolicy::Upgrade);
        assert!(policy("UPGRADE").allows_upgrade() && !policy("upgrade").allows_downgrade());
        assert!(!policy("downgrade").allows_upgrade() && policy("downgrade").allows_downgrade());
        assert!(!policy("disabled").allows_upgrade() && !policy("disabled").allows_downgrade());
        assert!(policy("bidirectional").allows_upgrade() && policy("bidirectional").allows_downgrade());
    }
}
