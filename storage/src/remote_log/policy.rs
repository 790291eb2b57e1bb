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
    /// So long may records be in the active segment only, in milliseconds; `None`: until it is full. Not of a compacted log, where
    /// what was not cleaned is not copied.
    pub max_unsaved_ms: Option<i64>,
    /// How long a closed segment is not copied yet; `None`: not at all. Not of a compacted log.
    pub delay: Option<CopyDelay>,
}

impl TierConfig {
    /// Everything is copied once its segment is full, and kept.
    pub const KEEP: Self =
        Self { copies: true, retention_ms: None, retention_bytes: None, max_unsaved_ms: None, delay: None };
}

/// A closed segment waits until one of them holds, for ever if neither is there: what is read from the local log does not have to be
/// in the store too (KIP-1241, `RemoteLogManager.RLMCopyTask`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyDelay {
    /// Its youngest record is so old, in milliseconds.
    pub age_ms: Option<i64>,
    /// So many bytes of the log lie behind it.
    pub bytes: Option<u64>,
}

impl CopyDelay {
    /// Whether a segment with a youngest record of that timestamp (ms since the epoch) has waited long enough at `now_ms`. One from the
    /// future does not wait for it.
    fn is_over(self, max_timestamp: i64, bytes_behind: u64, now_ms: i64) -> bool {
        let is_old = |age_ms| max_timestamp > now_ms || now_ms.saturating_sub(max_timestamp) >= age_ms;
        self.age_ms.is_some_and(is_old) || self.bytes.is_some_and(|bytes| bytes_behind >= bytes)
    }
}

/// The segment that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivePart {
    /// First offset (inclusive).
    pub base_offset: i64,
    /// When it had no records for the last time, as far as is known; ms since the epoch, `i64::MIN` if it is not.
    pub since_ms: i64,
}

/// The part of a log that the cleaner has been over: it is remote in the version that the last cleaning made. Of a compacted log
/// nothing else is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanPart {
    /// Where it ends (exclusive), as the cleaner noted.
    pub end_offset: i64,
    /// Up to there (exclusive) what is remote is known to be of the last cleaning.
    pub mirrored_to: i64,
    /// Whether the log is compacted now.
    pub is_compacted: bool,
}

/// What is known when it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Closed local segments, by offset.
    pub local: &'a [RolledSegment],
    /// Bytes of all local segments, the active one too.
    pub local_bytes: u64,
    pub active: ActivePart,
    /// Where the local log ends (exclusive).
    pub log_end_offset: i64,
    /// What lies below is on disk, replicated, and in no open transaction (exclusive).
    pub stable_end_offset: i64,
    /// Remote segments by offset, those being deleted too.
    pub remote: &'a [Arc<RemoteSegment>],
    /// First readable offset (inclusive).
    pub log_start_offset: i64,
    pub clean: CleanPart,
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
    /// Every closed segment is remote, and the active one is closed in time; `due_ms` (a time span) is when to look again.
    Collecting { max_unsaved_ms: i64, due_ms: i64 },
    /// The next segment has records that are not stable yet.
    NotStable { base_offset: i64, stable_end_offset: i64 },
    /// The cleaner has not been over the next segment of a compacted log.
    NotClean { base_offset: i64 },
    /// The topic wants the next segment to wait.
    Delayed { base_offset: i64 },
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
    /// Close the active segment, which begins there: its records have waited long enough.
    Roll { base_offset: i64 },
    /// Let the clean local segment that begins there take the place of what is remote of the same offsets, unless it is the same.
    Mirror { base_offset: i64 },
    /// Wait.
    Nothing(Idle),
}

impl fmt::Display for Idle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpToDate => formatter.write_str("every closed segment is remote"),
            Self::Collecting { max_unsaved_ms, .. } => write!(
                formatter,
                "every closed segment is remote; the records of the active one follow within {max_unsaved_ms} ms"
            ),
            Self::NotStable { base_offset, stable_end_offset } => write!(
                formatter,
                "the segment at {base_offset} has records behind {stable_end_offset}, where what is stable ends"
            ),
            Self::NotClean { base_offset } => {
                write!(formatter, "the segment at {base_offset} of the compacted log is not clean yet")
            }
            Self::Delayed { base_offset } => {
                write!(
                    formatter,
                    "the segment at {base_offset} waits as remote.copy.lag.ms and remote.copy.lag.bytes say"
                )
            }
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
    let mirror = mirror(situation, remote_end_offset.unwrap_or(0));
    if situation.clean.is_compacted || matches!(mirror, Decision::Mirror { .. }) {
        return mirror;
    }
    let copied_to = remote_end_offset.unwrap_or(0).max(situation.log_start_offset);
    let copied = situation.local.partition_point(|segment| segment.end_offset <= copied_to);
    let Some(next) = situation.local.get(copied) else { return collect(situation) };
    let (base_offset, stable_end_offset) = (next.base_offset, situation.stable_end_offset);
    if next.end_offset > stable_end_offset {
        return Decision::Nothing(Idle::NotStable { base_offset, stable_end_offset });
    }
    let to_its_end: u64 = situation.local.iter().take(copied + 1).map(|segment| segment.size_bytes).sum();
    let bytes_behind = situation.local_bytes.saturating_sub(to_its_end);
    let delay = situation.config.delay;
    if delay.is_some_and(|delay| !delay.is_over(next.max_timestamp, bytes_behind, situation.now_ms)) {
        return Decision::Nothing(Idle::Delayed { base_offset });
    }
    Decision::Copy { base_offset }
}

/// The active segment waits until it is full or its records have waited long enough. It comes last: while closed segments wait, for
/// whatever reason, another one would only be one more.
fn collect(situation: &Situation<'_>) -> Decision {
    let Some(max_unsaved_ms) = situation.config.max_unsaved_ms else { return Decision::Nothing(Idle::UpToDate) };
    let ActivePart { base_offset, since_ms } = situation.active;
    let (age, stable_end_offset) = (situation.now_ms.saturating_sub(since_ms), situation.stable_end_offset);
    let first = base_offset.max(situation.log_start_offset);
    if first >= situation.log_end_offset {
        return Decision::Nothing(Idle::Collecting { max_unsaved_ms, due_ms: max_unsaved_ms });
    }
    if age < max_unsaved_ms {
        return Decision::Nothing(Idle::Collecting { max_unsaved_ms, due_ms: max_unsaved_ms - age });
    }
    if first >= stable_end_offset {
        return Decision::Nothing(Idle::NotStable { base_offset, stable_end_offset });
    }
    Decision::Roll { base_offset }
}

/// From the start on, so that what is remote ends where the clean part does only when all of it is of the same cleaning: as long as
/// it does, nothing was cleaned since. (A cleaning moves the end of the clean part, and may change everything before it.)
fn mirror(situation: &Situation<'_>, remote_end_offset: i64) -> Decision {
    let clean = situation.clean;
    let count = situation.local.partition_point(|segment| segment.end_offset <= clean.end_offset);
    let (cleaned, dirty) = situation.local.split_at(count);
    let from = clean.mirrored_to.max(situation.log_start_offset);
    let is_behind = cleaned.last().is_some_and(|last| last.end_offset > remote_end_offset);
    match cleaned.iter().find(|segment| segment.end_offset > from).filter(|_| is_behind) {
        Some(next) => Decision::Mirror { base_offset: next.base_offset },
        None => Decision::Nothing(match dirty.first() {
            Some(first) => Idle::NotClean { base_offset: first.base_offset },
            None => Idle::UpToDate,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: TierConfig = TierConfig::KEEP;

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
            active: ActivePart { base_offset: local.last().map_or(0, |last| last.end_offset), since_ms: 0 },
            log_end_offset: 1000,
            stable_end_offset: 1000,
            remote,
            log_start_offset: 0,
            clean: CleanPart::default(),
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

    /// The segments are of 100 bytes, with records up to 0, 1000 and 2000, and 50 bytes are in the active one.
    #[test]
    fn a_closed_segment_waits_for_its_age_or_for_what_comes_behind_it() {
        let local = local(&[0, 10, 20]);
        let (copy, wait) = (Decision::Copy { base_offset: 10 }, Decision::Nothing(Idle::Delayed { base_offset: 10 }));
        let cases = [
            (Some(500), None, 1499, &wait),
            (Some(500), None, 1500, &copy),
            (Some(500), None, 999, &copy),
            (None, Some(151), i64::MAX, &wait),
            (None, Some(150), 1000, &copy),
            (Some(500), Some(151), 1499, &wait),
            (Some(500), Some(150), 1499, &copy),
            (Some(500), Some(151), 1500, &copy),
            (None, None, i64::MAX, &wait),
        ];
        for (age_ms, bytes, now_ms, expected) in cases {
            let config = TierConfig { delay: Some(CopyDelay { age_ms, bytes }), ..KEEP };
            let remote = remote(&[0]);
            let situation = Situation { local_bytes: 350, config, now_ms, ..situation(&local, &remote) };
            assert_eq!(&decide(&situation), expected, "{age_ms:?} {bytes:?} {now_ms}");
        }
    }

    #[test]
    fn the_active_segment_is_closed_once_its_records_have_waited() {
        let (local, copied) = (local(&[0, 10]), remote(&[0, 10]));
        let config = TierConfig { max_unsaved_ms: Some(60), ..KEEP };
        let at = |now_ms| Situation { config, now_ms, ..situation(&local, &copied) };
        let due = |due_ms| Decision::Nothing(Idle::Collecting { max_unsaved_ms: 60, due_ms });
        let (roll, never) = (Decision::Roll { base_offset: 20 }, ActivePart { base_offset: 20, since_ms: i64::MIN });
        assert_eq!(decide(&at(0)), due(60));
        assert_eq!(decide(&at(59)), due(1));
        assert_eq!(decide(&at(60)), roll);
        assert_eq!(decide(&Situation { active: never, ..at(0) }), roll, "after a start");
        assert_eq!(decide(&Situation { log_end_offset: 20, ..at(999) }), due(60), "it has no records");
        assert_eq!(decide(&Situation { log_start_offset: 1000, remote: &[], ..at(999) }), due(60), "they are deleted");
        assert_eq!(decide(&Situation { config: KEEP, ..at(999) }), Decision::Nothing(Idle::UpToDate), "no limit");
        let unwanted = TierConfig { copies: false, ..config };
        assert_eq!(decide(&Situation { config: unwanted, ..at(999) }), Decision::Nothing(Idle::CopyDisabled));
    }

    #[test]
    fn the_active_segment_is_not_closed_for_nothing() {
        let (local, copied) = (local(&[0, 10]), remote(&[0, 10]));
        let config = TierConfig { max_unsaved_ms: Some(60), ..KEEP };
        let late = Situation { config, now_ms: 999, ..situation(&local, &copied) };
        let unstable = Decision::Nothing(Idle::NotStable { base_offset: 20, stable_end_offset: 20 });
        assert_eq!(decide(&Situation { stable_end_offset: 20, ..late }), unstable, "a transaction began there");
        assert_eq!(decide(&Situation { stable_end_offset: 21, ..late }), Decision::Roll { base_offset: 20 });
        let behind = Situation { remote: &copied[..1], ..late };
        assert_eq!(decide(&behind), Decision::Copy { base_offset: 10 }, "what is closed comes first");
        let clean = CleanPart { end_offset: 20, mirrored_to: 20, is_compacted: true };
        assert_eq!(decide(&Situation { clean, ..late }), Decision::Nothing(Idle::UpToDate), "the cleaner comes first");
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

    #[test]
    fn a_compacted_log_is_copied_as_far_as_it_is_clean() {
        let local = local(&[0, 10, 20, 30]);
        let at = |end_offset, mirrored_to, remote: &[Arc<RemoteSegment>]| {
            let clean = CleanPart { end_offset, mirrored_to, is_compacted: true };
            decide(&Situation { clean, ..situation(&local, remote) })
        };
        let dirty = |base_offset| Decision::Nothing(Idle::NotClean { base_offset });
        assert_eq!(at(0, 0, &[]), dirty(0));
        assert_eq!(at(9, 0, &[]), dirty(0), "cleaned in part");
        assert_eq!(at(20, 0, &[]), Decision::Mirror { base_offset: 0 });
        assert_eq!(at(20, 10, &remote(&[0])), Decision::Mirror { base_offset: 10 });
        assert_eq!(at(20, 20, &remote(&[0, 10])), dirty(20));
        assert_eq!(at(20, 0, &remote(&[0, 10])), dirty(20), "a start: nothing was cleaned since");
        assert_eq!(at(40, 0, &remote(&[0, 10])), Decision::Mirror { base_offset: 0 }, "all of it may have changed");
        assert_eq!(at(40, 0, &remote(&[0, 10, 20, 30])), Decision::Nothing(Idle::UpToDate));
        let clean = CleanPart { end_offset: 40, mirrored_to: 0, is_compacted: true };
        let moved = Situation { log_start_offset: 15, clean, ..situation(&local, &[]) };
        assert_eq!(decide(&moved), Decision::Mirror { base_offset: 10 });
    }

    /// What is remote must not be of an older cleaning than what follows it.
    #[test]
    fn a_log_that_was_compacted_is_copied_once_its_last_cleaning_is() {
        let local = local(&[0, 10, 20, 30]);
        let at = |mirrored_to, remote: &[Arc<RemoteSegment>]| {
            let clean = CleanPart { end_offset: 20, mirrored_to, is_compacted: false };
            decide(&Situation { clean, ..situation(&local, remote) })
        };
        assert_eq!(at(0, &remote(&[0])), Decision::Mirror { base_offset: 0 });
        assert_eq!(at(10, &remote(&[0])), Decision::Mirror { base_offset: 10 });
        assert_eq!(at(20, &remote(&[0, 10])), Decision::Copy { base_offset: 20 });
        assert_eq!(at(0, &remote(&[0, 10, 20])), Decision::Copy { base_offset: 30 }, "a start");
    }
}
