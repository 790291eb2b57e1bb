//! What to do next with the remote part of a log: a pure function. Source: `RemoteLogManager.RLMCopyTask`,
//! `RLMExpirationTask`.

use std::fmt;
use std::sync::Arc;

use super::RemoteSegment;
use crate::log::RolledSegment;

/// What a topic wants of its remote part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierConfig {
    /// Rolled segments are copied (`remote.log.copy.disable` is not set).
    pub copies: bool,
    /// Of the whole log, both parts; `None` keeps everything.
    pub retention_ms: Option<i64>,
    /// Of the whole log, both parts; `None` keeps everything.
    pub retention_bytes: Option<u64>,
}

/// What is known when it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Closed local segments, by offset.
    pub local: &'a [RolledSegment],
    /// Bytes of all local segments, the active one too.
    pub local_bytes: u64,
    /// Where the local log ends (exclusive).
    pub log_end_offset: i64,
    /// What lies below is on disk, replicated, and in no open transaction (exclusive).
    pub stable_end_offset: i64,
    /// Remote segments by offset, those being deleted too.
    pub remote: &'a [Arc<RemoteSegment>],
    /// First readable offset (inclusive).
    pub log_start_offset: i64,
    pub config: TierConfig,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// Why the start of the log moves up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryReason {
    Time { retention_ms: i64 },
    Size { retention_bytes: u64 },
}

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Every closed segment is remote.
    UpToDate,
    /// The next segment has records that are not stable yet.
    NotStable { base_offset: i64, stable_end_offset: i64 },
    /// The topic does not want it.
    CopyDisabled,
    /// The remote part ends behind the local log: records are missing here, and offsets would be used twice.
    LocalIsBehind { remote_end_offset: i64, log_end_offset: i64 },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Delete the objects of so many of the oldest segments, all of them below the log start offset.
    Delete { count: usize },
    /// Move the start of the log up to this offset.
    Expire { log_start_offset: i64, reason: ExpiryReason },
    /// Copy the local segment that begins there.
    Copy { base_offset: i64 },
    /// Wait.
    Nothing(Idle),
}

impl fmt::Display for Idle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpToDate => formatter.write_str("every closed segment is remote"),
            Self::NotStable { base_offset, stable_end_offset } => write!(
                formatter,
                "the segment at {base_offset} has records behind {stable_end_offset}, where what is stable ends"
            ),
            Self::CopyDisabled => formatter.write_str("copying is switched off for the topic"),
            Self::LocalIsBehind { remote_end_offset, log_end_offset } => write!(
                formatter,
                "the remote part ends at {remote_end_offset} and the local log at {log_end_offset}: records are missing here"
            ),
        }
    }
}

/// What to do next. Objects go first, since they cost; then what is too old; then a segment is copied.
pub fn decide(situation: &Situation<'_>) -> Decision {
    let remote_end_offset = situation.remote.last().map(|segment| segment.end_offset);
    if let Some(remote_end_offset) = remote_end_offset
        && remote_end_offset > situation.log_end_offset
    {
        let log_end_offset = situation.log_end_offset;
        return Decision::Nothing(Idle::LocalIsBehind { remote_end_offset, log_end_offset });
    }
    let is_dead = |segment: &&Arc<RemoteSegment>| segment.end_offset <= situation.log_start_offset;
    let count = situation.remote.iter().take_while(is_dead).count();
    if count > 0 {
        return Decision::Delete { count };
    }
    if let Some((log_start_offset, reason)) = expiry(situation) {
        return Decision::Expire { log_start_offset, reason };
    }
    copy(situation, remote_end_offset)
}

/// How far the oldest remote segments are too old or too many.
fn expiry(situation: &Situation<'_>) -> Option<(i64, ExpiryReason)> {
    let mut excess = situation.config.retention_bytes.map(|most| total_bytes(situation).saturating_sub(most));
    let mut found = None;
    for segment in situation.remote {
        let age = situation.now_ms.saturating_sub(segment.max_timestamp);
        let by_size = excess.is_some_and(|excess| excess >= segment.size() && segment.size() > 0);
        let reason = match (situation.config.retention_ms, situation.config.retention_bytes) {
            (Some(retention_ms), _) if age > retention_ms => ExpiryReason::Time { retention_ms },
            (_, Some(retention_bytes)) if by_size => ExpiryReason::Size { retention_bytes },
            _ => break,
        };
        excess = excess.map(|excess| excess.saturating_sub(segment.size()));
        found = Some((segment.end_offset, reason));
    }
    found
}

/// Bytes of the log, what is in both parts counted once, and what lies before its start not at all.
fn total_bytes(situation: &Situation<'_>) -> u64 {
    let is_dead = |segment: &&RolledSegment| segment.end_offset <= situation.log_start_offset;
    let dead: u64 = situation.local.iter().take_while(is_dead).map(|segment| segment.size_bytes).sum();
    let first_local = situation.local.iter().find(|segment| !is_dead(segment)).map(|segment| segment.base_offset);
    let is_only_remote = |segment: &&Arc<RemoteSegment>| first_local.is_none_or(|first| segment.base_offset < first);
    let remote: u64 = situation.remote.iter().filter(is_only_remote).map(|segment| segment.size()).sum();
    remote.saturating_add(situation.local_bytes).saturating_sub(dead)
}

fn copy(situation: &Situation<'_>, remote_end_offset: Option<i64>) -> Decision {
    if !situation.config.copies {
        return Decision::Nothing(Idle::CopyDisabled);
    }
    let copied_to = remote_end_offset.unwrap_or(0).max(situation.log_start_offset);
    let Some(next) = situation.local.iter().find(|segment| segment.end_offset > copied_to) else {
        return Decision::Nothing(Idle::UpToDate);
    };
    let (base_offset, stable_end_offset) = (next.base_offset, situation.stable_end_offset);
    if next.end_offset > stable_end_offset {
        return Decision::Nothing(Idle::NotStable { base_offset, stable_end_offset });
    }
    Decision::Copy { base_offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: TierConfig = TierConfig { copies: true, retention_ms: None, retention_bytes: None };

    fn local(bases: &[i64]) -> Vec<RolledSegment> {
        let segment = |base: &i64| RolledSegment {
            base_offset: *base,
            end_offset: base + 10,
            size_bytes: 100,
            max_timestamp: base * 100,
        };
        bases.iter().map(segment).collect()
    }

    fn remote(bases: &[i64]) -> Vec<Arc<RemoteSegment>> {
        let segment = |base: &i64| {
            Arc::new(RemoteSegment {
                base_offset: *base,
                end_offset: base + 10,
                size_bytes: 100,
                max_timestamp: base * 100,
                ..RemoteSegment::default()
            })
        };
        bases.iter().map(segment).collect()
    }

    /// Closed segments of ten records, an active one behind them, everything stable.
    fn situation<'a>(local: &'a [RolledSegment], remote: &'a [Arc<RemoteSegment>]) -> Situation<'a> {
        Situation {
            local,
            local_bytes: 100 * local.len() as u64,
            log_end_offset: 1000,
            stable_end_offset: 1000,
            remote,
            log_start_offset: 0,
            config: KEEP,
            now_ms: 0,
        }
    }

    #[test]
    fn the_oldest_segment_that_is_not_remote_is_copied() {
        let local = local(&[0, 10, 20]);
        let cases: [(&[i64], Decision); 3] = [
            (&[], Decision::Copy { base_offset: 0 }),
            (&[0, 10], Decision::Copy { base_offset: 20 }),
            (&[0, 10, 20], Decision::Nothing(Idle::UpToDate)),
        ];
        for (copied, expected) in cases {
            assert_eq!(decide(&situation(&local, &remote(copied))), expected, "{copied:?}");
        }
    }

    #[test]
    fn what_is_not_stable_or_not_wanted_stays() {
        let local = local(&[0, 10]);
        let unstable = Situation { stable_end_offset: 9, ..situation(&local, &[]) };
        let reason = Idle::NotStable { base_offset: 0, stable_end_offset: 9 };
        assert_eq!(decide(&unstable), Decision::Nothing(reason));
        let unwanted = Situation { config: TierConfig { copies: false, ..KEEP }, ..situation(&local, &[]) };
        assert_eq!(decide(&unwanted), Decision::Nothing(Idle::CopyDisabled));
    }

    #[test]
    fn what_lies_before_the_log_start_is_not_copied_and_goes() {
        let local = local(&[0, 10, 20]);
        let moved = Situation { log_start_offset: 15, ..situation(&local, &[]) };
        assert_eq!(decide(&moved), Decision::Copy { base_offset: 10 });
        let copied = remote(&[0, 10, 20]);
        for (log_start_offset, count) in [(10, 1), (19, 1), (30, 3)] {
            let moved = Situation { log_start_offset, ..situation(&local, &copied) };
            assert_eq!(decide(&moved), Decision::Delete { count });
        }
    }

    #[test]
    fn retention_counts_both_parts() {
        // 0 and 10 are remote only, 20 is in both parts, 30 is local only: 400 bytes.
        let (local, copied) = (local(&[20, 30]), remote(&[0, 10, 20]));
        for (bytes, expected) in [(400, None), (301, None), (300, Some(10)), (200, Some(20)), (0, Some(30))] {
            let config = TierConfig { retention_bytes: Some(bytes), copies: false, ..KEEP };
            let decision = decide(&Situation { config, ..situation(&local, &copied) });
            let found = match decision {
                Decision::Expire { log_start_offset, .. } => Some(log_start_offset),
                _ => None,
            };
            assert_eq!(found, expected, "{bytes}");
        }
        let config = TierConfig { retention_ms: Some(500), ..KEEP };
        let aged = Situation { config, now_ms: 1600, ..situation(&local, &copied) };
        let reason = ExpiryReason::Time { retention_ms: 500 };
        assert_eq!(decide(&aged), Decision::Expire { log_start_offset: 20, reason });
    }

    #[test]
    fn nothing_is_touched_while_the_local_log_misses_records() {
        let copied = remote(&[0, 10]);
        let lost = Situation { log_end_offset: 5, log_start_offset: 15, ..situation(&[], &copied) };
        let reason = Idle::LocalIsBehind { remote_end_offset: 20, log_end_offset: 5 };
        assert_eq!(decide(&lost), Decision::Nothing(reason));
    }
}
