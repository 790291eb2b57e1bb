//! What the cleaner's keys mean. Source: `CleanerConfig`, `LogCleaner.cleanerConfig`.

use std::time::Duration;

use raft::image::Configs;
use storage::cleaner::CleanerOptions;

use super::{BrokerConfig, ConfigError, Keys};

/// Bytes of the keys' buffer that every thread needs at least, exclusive.
const MIN_DEDUPE_BUFFER: i64 = 1 << 20;

/// The cleaner's settings at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerSettings {
    pub is_enabled: bool,
    pub threads: usize,
    /// For one thread: its share of the buffers.
    pub options: CleanerOptions,
    /// Of all threads together, read and written.
    pub bytes_per_second: f64,
    /// Pause when there was nothing to clean.
    pub backoff: Duration,
}

impl BrokerConfig {
    /// The cleaner's settings over those that the cluster has stored.
    pub fn cleaner(&self, configs: &Configs) -> CleanerSettings {
        Keys { layers: self.layers(configs) }.cleaner()
    }
}

impl Keys<'_> {
    fn cleaner(&self) -> CleanerSettings {
        let threads: usize = self.int("log.cleaner.threads");
        let share = threads.max(1);
        CleanerSettings {
            is_enabled: self.value("log.cleaner.enable").is_true(),
            threads,
            options: CleanerOptions {
                dedupe_buffer_bytes: self.number("log.cleaner.dedupe.buffer.size").cast_unsigned() / share as u64,
                load_factor: self.value("log.cleaner.io.buffer.load.factor").double(),
                io_buffer_bytes: self.int::<usize>("log.cleaner.io.buffer.size") / share,
                remote_start_offset: None,
            },
            bytes_per_second: self.value("log.cleaner.io.max.bytes.per.second").double(),
            backoff: self.duration("log.cleaner.backoff.ms").unwrap_or_default(),
        }
    }

    /// With less memory no key would find room (`KafkaConfig.validateValues`).
    pub(super) fn check_cleaner(&self) -> Result<(), ConfigError> {
        let threads = self.number("log.cleaner.threads").max(1);
        if self.number("log.cleaner.dedupe.buffer.size") / threads > MIN_DEDUPE_BUFFER {
            return Ok(());
        }
        let reason = "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.";
        Err(ConfigError::Conflict(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use raft::image::Image;

    use super::*;

    fn config(properties: &[(&str, &str)]) -> Result<BrokerConfig, ConfigError> {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        BrokerConfig::new(properties).map(|(config, _)| config)
    }

    fn settings(properties: &[(&str, &str)]) -> CleanerSettings {
        config(properties).unwrap().cleaner(Image::default().configs())
    }

    #[test]
    fn nothing_set_is_kafkas_defaults() {
        let expected = CleanerSettings {
            is_enabled: true,
            threads: 1,
            options: CleanerOptions::default(),
            bytes_per_second: f64::MAX,
            backoff: Duration::from_secs(15),
        };
        assert_eq!(settings(&[]), expected);
    }

    #[test]
    fn threads_share_the_buffers() {
        let settings = settings(&[("log.cleaner.threads", "4"), ("log.cleaner.io.max.bytes.per.second", "1e6")]);
        assert_eq!((settings.options.dedupe_buffer_bytes, settings.options.io_buffer_bytes), (32 << 20, 128 << 10));
        assert_eq!(settings.bytes_per_second, 1e6);
    }

    #[test]
    fn too_little_memory_is_refused_in_kafkas_words() {
        let refused = config(&[("log.cleaner.dedupe.buffer.size", "1048576")]).unwrap_err();
        assert_eq!(refused.to_string(), "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
    }
}
