//! When a snapshot of the metadata is due. Source: `SnapshotGenerator`.

use std::time::Duration;

/// How much of the metadata log may lie behind the last snapshot, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPolicy {
    /// Bytes of the log after which a snapshot is made.
    pub max_bytes: u64,
    /// Time after which a snapshot is made of whatever is new; `None`: never by time.
    pub max_age: Option<Duration>,
}

impl SnapshotPolicy {
    /// Whether a snapshot is due: `new_bytes` of the log are behind the last one, which was made `age_ms` ago.
    pub(super) fn is_due(&self, new_bytes: u64, age_ms: i64) -> bool {
        let is_old = |max_age: Duration| u128::try_from(age_ms).is_ok_and(|age_ms| age_ms >= max_age.as_millis());
        new_bytes >= self.max_bytes || (new_bytes > 0 && self.max_age.is_some_and(is_old))
    }
}

/// Kafka's defaults.
impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_age: Some(Duration::from_secs(3600)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_by_bytes_or_by_age_with_news() {
        let policy = SnapshotPolicy { max_bytes: 100, max_age: Some(Duration::from_millis(50)) };
        let cases = [(99, 49, false), (100, 0, true), (1, 50, true), (0, 5000, false), (1, -5, false)];
        for (new_bytes, age_ms, expected) in cases {
            assert_eq!(policy.is_due(new_bytes, age_ms), expected, "{new_bytes} bytes, {age_ms} ms");
        }
        assert!(!SnapshotPolicy { max_age: None, ..policy }.is_due(99, i64::MAX));
    }
}
