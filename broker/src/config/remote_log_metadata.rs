//! How `__remote_log_metadata` is created. Source: `TopicBasedRemoteLogMetadataManagerConfig`; of its keys those about clients
//! mean nothing here, since the broker writes the topic itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ConfigError, Keys};

const CLASS: &str = "remote.log.metadata.manager.class.name";
const PREFIX: &str = "remote.log.metadata.manager.impl.prefix";
const TOPIC_BASED: &str = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager";

const PARTITIONS: &str = "remote.log.metadata.topic.num.partitions";
const REPLICATION_FACTOR: &str = "remote.log.metadata.topic.replication.factor";
const RETENTION_MS: &str = "remote.log.metadata.topic.retention.ms";
const MIN_ISR: &str = "remote.log.metadata.topic.min.isr";

/// The topic as the file wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteLogMetadataConfig {
    pub partitions: i32,
    /// At most; as many as there are brokers if those are fewer.
    pub replication_factor: i16,
    /// -1 for ever.
    pub retention_ms: i64,
    /// At most; no more than there are replicas.
    pub min_isr: i16,
}

impl RemoteLogMetadataConfig {
    /// The topic's own configuration (`TopicBasedRemoteLogMetadataManager.newRemoteLogMetadataTopic`).
    pub fn topic_configs(&self, replication_factor: i16) -> Vec<(Arc<str>, Option<Arc<str>>)> {
        let (retention_ms, min_isr) = (self.retention_ms.to_string(), self.min_isr.min(replication_factor).to_string());
        let configs = [
            ("cleanup.policy", "delete"),
            ("min.insync.replicas", min_isr.as_str()),
            ("remote.storage.enable", "false"),
            ("retention.ms", retention_ms.as_str()),
        ];
        configs.iter().map(|(key, value)| (Arc::from(*key), Some(Arc::from(*value)))).collect()
    }
}

impl Keys<'_> {
    /// The keys of the topic's class, which are taken out of `others`.
    pub(super) fn take_remote_log_metadata(
        &self,
        others: &mut BTreeMap<String, String>,
    ) -> Result<RemoteLogMetadataConfig, ConfigError> {
        let class = self.value(CLASS).text().to_owned();
        if self.value("remote.log.storage.system.enable").is_true() && class != TOPIC_BASED {
            let reason = format!("Java classes are not loaded; built in under its name is {TOPIC_BASED}");
            return Err(ConfigError::invalid(CLASS, class, reason));
        }
        let prefix = self.value(PREFIX).text().to_owned();
        let mut own = Own { prefix, others };
        let most = i64::from(i16::MAX);
        Ok(RemoteLogMetadataConfig {
            partitions: own.take(PARTITIONS, 50, 1, i32::MAX.into())?,
            replication_factor: own.take(REPLICATION_FACTOR, 3, 1, most)?,
            retention_ms: own.take(RETENTION_MS, -1, -1, i64::MAX)?,
            min_isr: own.take(MIN_ISR, 2, 1, most)?,
        })
    }
}

/// The keys behind a prefix.
struct Own<'a> {
    prefix: String,
    others: &'a mut BTreeMap<String, String>,
}

impl Own<'_> {
    /// The number of a key, or its default; both bounds are inclusive.
    fn take<N: TryFrom<i64>>(&mut self, name: &str, default: i64, min: i64, max: i64) -> Result<N, ConfigError> {
        let name = format!("{}{name}", self.prefix);
        let invalid = |text: &str, reason: String| ConfigError::invalid(&name, text, reason);
        let text = self.others.remove(&name).unwrap_or_else(|| default.to_string());
        let number: i64 = text.trim().parse().map_err(|_| invalid(&text, "Not a number".to_owned()))?;
        if number < min {
            return Err(invalid(&text, format!("Value must be at least {min}")));
        }
        N::try_from(number.min(max)).map_err(|_| invalid(&text, format!("Value must be at most {max}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerConfig, ConfigWarning};

    const ON: [(&str, &str); 2] =
        [("remote.log.storage.system.enable", "true"), ("ottla.remote.storage.url", "file:///cold")];

    fn config(keys: &[(&str, &str)]) -> Result<(BrokerConfig, Vec<ConfigWarning>), ConfigError> {
        let all = ON.iter().chain(keys);
        BrokerConfig::new(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_articles_keys_shape_the_topic() {
        let (settings, warnings) = config(&[
            (CLASS, TOPIC_BASED),
            (PREFIX, "rlmm.config."),
            ("remote.log.metadata.manager.listener.name", "PLAINTEXT"),
            ("rlmm.config.remote.log.metadata.topic.replication.factor", "1"),
            ("rlmm.config.remote.log.metadata.topic.num.partitions", "1"),
        ])
        .unwrap();
        let expected = RemoteLogMetadataConfig { partitions: 1, replication_factor: 1, retention_ms: -1, min_isr: 2 };
        assert_eq!(settings.remote_log_metadata, expected);
        let listener = "remote.log.metadata.manager.listener.name".to_owned();
        assert_eq!(warnings, [ConfigWarning::NoEffect(vec![listener])]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let cases = [
            ("rlmm.config.remote.log.metadata.topic.num.partitions", "0", "Value must be at least 1"),
            ("rlmm.config.remote.log.metadata.topic.retention.ms", "-2", "Value must be at least -1"),
            ("rlmm.config.remote.log.metadata.topic.min.isr", "two", "Not a number"),
            (CLASS, "com.example.Metadata", "Java classes are not loaded"),
        ];
        for (name, value, reason) in cases {
            let error = config(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(reason), "{error}");
        }
    }
}
