//! What a log is told about its size, age and indexes. Typed, with units; the keys behind it are the broker's business.

/// Settings of one log. Defaults are Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// Largest segment in bytes.
    pub segment_bytes: u32,
    /// A segment is rolled when its first batch is this old.
    pub segment_ms: i64,
    /// Taken off `segment_ms` by a share that differs from segment to segment, so that logs do not roll together.
    pub segment_jitter_ms: i64,
    /// Largest index file in bytes.
    pub max_index_bytes: u32,
    /// Bytes of batches between two index entries.
    pub index_interval_bytes: u32,
    /// Segments whose newest record is older may go; `None` keeps them.
    pub retention_ms: Option<i64>,
    /// The oldest segments go while the log is larger; `None` keeps them.
    pub retention_bytes: Option<u64>,
    /// How long a deleted segment's files stay on disk under another name.
    pub file_delete_delay_ms: i64,
    /// A producer that was silent for so long is forgotten.
    pub producer_id_expiration_ms: i64,
    /// Of each key only the last record stays.
    pub compact: bool,
    /// The share of dirty bytes, from 0 to 1, above which a log is cleaned.
    pub min_cleanable_dirty_ratio: f64,
    /// A record is not compacted away before it is so old.
    pub min_compaction_lag_ms: i64,
    /// A log with a dirty record that is older is cleaned, however few are dirty; [`i64::MAX`] for never.
    pub max_compaction_lag_ms: i64,
    /// How long a tombstone stays after the first cleaning that has met it.
    pub delete_retention_ms: i64,
}

impl LogConfig {
    /// At what age a segment is rolled: what may have to be compacted must not be in the active one any more
    /// (`LogConfig.maxSegmentMs`).
    pub fn max_segment_ms(&self) -> i64 {
        let is_bounded = self.compact && self.max_compaction_lag_ms > 0;
        if is_bounded { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            max_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * 24 * 3_600_000),
            retention_bytes: None,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: 86_400_000,
            compact: false,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 86_400_000,
        }
    }
}
