//! Whether a log is worth cleaning, and which part of it may be cleaned. Source: `LogCleanerManager.cleanableOffsets`,
//! `calculateCleanableBytes`, `maxCompactionDelay`.

use crate::config::LogConfig;

/// What the policy is told of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogFacts<'a> {
    /// Base offset and bytes of every segment, the active one last.
    pub(crate) segments: &'a [(i64, u64)],
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    /// Exclusive; not above the high watermark.
    pub(crate) last_stable_offset: i64,
    /// How far the log was cleaned before (exclusive), as the checkpoint has it.
    pub(crate) checkpoint: Option<i64>,
}

/// The part of a log that can be cleaned now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanable {
    /// Where the dirty part begins (inclusive).
    pub first_dirty_offset: i64,
    /// Where the part ends that may be cleaned (exclusive): the base offset of a segment.
    pub first_uncleanable_offset: i64,
    /// Bytes of the segments before the dirty part.
    pub clean_bytes: u64,
    /// Bytes of the dirty segments that may be cleaned.
    pub cleanable_bytes: u64,
    /// By how much the oldest dirty record has stayed uncompacted longer than it may, in ms; 0: it has not.
    pub delay_ms: i64,
    /// The checkpoint did not fit the log.
    pub(crate) is_reset: bool,
}

impl Cleanable {
    /// The share of dirty bytes, from 0 to 1: the log with the largest is cleaned first.
    pub fn ratio(&self) -> f64 {
        self.cleanable_bytes as f64 / (self.clean_bytes + self.cleanable_bytes).max(1) as f64
    }

    /// Whether the log is dirty enough, or has to be cleaned because of its age.
    pub(crate) fn is_due(&self, config: &LogConfig) -> bool {
        let is_late = self.delay_ms > 0 && self.cleanable_bytes > 0;
        is_late || self.ratio() > config.min_cleanable_dirty_ratio
    }
}

/// Timestamps of a segment, asked for only where a lag is set; the argument is the segment's place.
pub(crate) trait Timestamps {
    type Error;
    /// Of its youngest record; ms since the epoch.
    fn largest(&self, segment: usize) -> Result<i64, Self::Error>;
    /// Of its first batch, the batch's maximum; ms since the epoch.
    fn first(&self, segment: usize) -> Result<i64, Self::Error>;
}

/// Finds the part of a compacted log that can be cleaned at `now_ms`. `None` for a log without segments.
///
/// # Errors
/// Those of `timestamps`.
pub(crate) fn assess<T: Timestamps>(
    facts: &LogFacts<'_>,
    config: &LogConfig,
    timestamps: &T,
    now_ms: i64,
) -> Result<Option<Cleanable>, T::Error> {
    let Some(((active, _), closed)) = facts.segments.split_last() else { return Ok(None) };
    let (first_dirty_offset, is_reset) = first_dirty(facts);
    let first_dirty_segment =
        if first_dirty_offset >= *active { closed.len() } else { floor(closed, first_dirty_offset) };
    let dirty = first_dirty_segment..closed.len();
    let mut limit = facts.last_stable_offset.min(*active);
    if config.min_compaction_lag_ms > 0 {
        for at in dirty.clone() {
            if timestamps.largest(at)? > now_ms.saturating_sub(config.min_compaction_lag_ms) {
                limit = limit.min(closed[at].0);
                break;
            }
        }
    }
    let limit = limit.max(first_dirty_offset);
    let first_uncleanable = if limit >= *active { closed.len() } else { floor(closed, limit) };
    let first_uncleanable_offset = closed.get(first_uncleanable).map_or(*active, |(base_offset, _)| *base_offset);
    let bytes = |segments: &[(i64, u64)]| segments.iter().map(|(_, size)| size).sum();
    let clean = closed.partition_point(|(base_offset, _)| *base_offset < first_dirty_offset);
    let is_clean = first_dirty_offset >= first_uncleanable_offset;
    let first_cleanable = if is_clean { first_uncleanable } else { dirty.start };
    Ok(Some(Cleanable {
        first_dirty_offset,
        first_uncleanable_offset,
        clean_bytes: bytes(&closed[..clean]),
        cleanable_bytes: bytes(&closed[first_cleanable..first_uncleanable]),
        delay_ms: delay(config, dirty, timestamps, now_ms)?,
        is_reset,
    }))
}

/// The checkpoint, or the log start offset where the log does not reach the checkpoint at either end.
fn first_dirty(facts: &LogFacts<'_>) -> (i64, bool) {
    match facts.checkpoint {
        Some(offset) if offset < facts.log_start_offset || offset > facts.log_end_offset => {
            (facts.log_start_offset, true)
        }
        Some(offset) => (offset, false),
        None => (facts.log_start_offset, false),
    }
}

fn delay<T: Timestamps>(
    config: &LogConfig,
    dirty: std::ops::Range<usize>,
    timestamps: &T,
    now_ms: i64,
) -> Result<i64, T::Error> {
    if config.max_compaction_lag_ms == i64::MAX {
        return Ok(0);
    }
    let mut earliest = i64::MAX;
    for at in dirty {
        earliest = earliest.min(Some(timestamps.first(at)?).filter(|timestamp| *timestamp > 0).unwrap_or(i64::MAX));
    }
    Ok(now_ms.saturating_sub(config.max_compaction_lag_ms).saturating_sub(earliest).max(0))
}

/// The segment in which `offset` lies, or the first one.
fn floor(segments: &[(i64, u64)], offset: i64) -> usize {
    segments.partition_point(|(base_offset, _)| *base_offset <= offset).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Segments at 0, 10, 20, … whose first record is from second n and whose last from half a second later.
    struct Seconds;

    impl Timestamps for Seconds {
        type Error = Infallible;

        fn largest(&self, segment: usize) -> Result<i64, Infallible> {
            Ok(segment as i64 * 1000 + 500)
        }

        fn first(&self, segment: usize) -> Result<i64, Infallible> {
            Ok(segment as i64 * 1000)
        }
    }

    const SEGMENTS: &[(i64, u64)] = &[(0, 100), (10, 100), (20, 100), (30, 100), (40, 100)];

    fn facts() -> LogFacts<'static> {
        LogFacts {
            segments: SEGMENTS,
            log_start_offset: 0,
            log_end_offset: 50,
            last_stable_offset: 50,
            checkpoint: None,
        }
    }

    fn at(facts: LogFacts<'_>, config: &LogConfig, now_ms: i64) -> Cleanable {
        let Ok(cleanable) = assess(&facts, config, &Seconds, now_ms);
        cleanable.expect("there are segments")
    }

    fn range(cleanable: Cleanable) -> (i64, i64, u64, u64) {
        let Cleanable { first_dirty_offset, first_uncleanable_offset, clean_bytes, cleanable_bytes, .. } = cleanable;
        (first_dirty_offset, first_uncleanable_offset, clean_bytes, cleanable_bytes)
    }

    fn config() -> LogConfig {
        LogConfig::default()
    }

    #[test]
    fn all_but_the_active_segment_is_cleanable() {
        assert_eq!(range(at(facts(), &config(), 0)), (0, 40, 0, 400));
        let cleaned = LogFacts { checkpoint: Some(20), ..facts() };
        assert_eq!(range(at(cleaned, &config(), 0)), (20, 40, 200, 200));
        let inside = LogFacts { checkpoint: Some(25), ..facts() };
        assert_eq!(range(at(inside, &config(), 0)), (25, 40, 300, 200), "a segment may count on both sides");
        for checkpoint in [40, 45] {
            let all = LogFacts { checkpoint: Some(checkpoint), ..facts() };
            assert_eq!(range(at(all, &config(), 0)), (checkpoint, 40, 400, 0));
        }
        let unstable = LogFacts { checkpoint: Some(25), last_stable_offset: 27, ..facts() };
        assert_eq!(range(at(unstable, &config(), 0)), (25, 20, 300, 0));
        let Ok(none) = assess(&LogFacts { segments: &[], ..facts() }, &config(), &Seconds, 0);
        assert_eq!(none, None);
    }

    #[test]
    fn nothing_behind_the_last_stable_offset() {
        let open = LogFacts { last_stable_offset: 27, ..facts() };
        assert_eq!(range(at(open, &config(), 0)), (0, 20, 0, 200));
        let early = LogFacts { last_stable_offset: 5, ..facts() };
        assert_eq!(range(at(early, &config(), 0)), (0, 0, 0, 0));
    }

    #[test]
    fn a_checkpoint_outside_the_log_is_void() {
        for checkpoint in [9, 51] {
            let facts = LogFacts { checkpoint: Some(checkpoint), log_start_offset: 12, ..facts() };
            let cleanable = at(facts, &config(), 0);
            assert!(cleanable.is_reset);
            assert_eq!(cleanable.first_dirty_offset, 12);
        }
    }

    #[test]
    fn young_segments_wait_for_the_minimum_lag() {
        let config = LogConfig { min_compaction_lag_ms: 1000, ..config() };
        assert_eq!(range(at(facts(), &config, 3_200)), (0, 20, 0, 200));
        assert_eq!(range(at(facts(), &config, 3_500)), (0, 30, 0, 300));
        assert_eq!(range(at(facts(), &config, 100)), (0, 0, 0, 0));
    }

    #[test]
    fn a_log_is_due_by_its_share_of_dirty_bytes_or_by_age() {
        let half = LogFacts { checkpoint: Some(20), ..facts() };
        assert!(!at(half, &config(), 0).is_due(&config()), "not more than half");
        let low = LogConfig { min_cleanable_dirty_ratio: 0.49, ..config() };
        assert!(at(half, &low, 0).is_due(&low));
        let aged = LogConfig { max_compaction_lag_ms: 5000, ..config() };
        assert_eq!(at(half, &aged, 7_100).delay_ms, 100, "counted from the first dirty segment");
        assert!(at(half, &aged, 7_100).is_due(&aged));
        assert!(!at(half, &aged, 7_000).is_due(&aged));
        let unstable = LogFacts { last_stable_offset: 20, ..half };
        assert!(!at(unstable, &aged, 9_000).is_due(&aged), "late, but nothing can be done");
    }
}
