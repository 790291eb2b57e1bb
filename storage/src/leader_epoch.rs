//! Which leader epoch began at which offset: what followers and consumers ask to find where logs diverge.
//! The file `leader-epoch-checkpoint` holds it, one line `epoch start_offset` an entry. Source: `LeaderEpochFileCache`.

use std::io;
use std::path::Path;

use crate::checkpoint::{CheckpointError, decode_lines, encode_lines, read_rebuildable};
use crate::file_system::FileSystem;

/// Name of the file in a partition's folder.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";

/// The first offset (inclusive) that was written under a leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// Leader epoch, not negative.
    pub epoch: i32,
    /// Offset of the first record of the epoch, or where it would be.
    pub start_offset: i64,
}

/// The history of one log: epochs and start offsets both rise.
///
/// Changes are in memory until [`LeaderEpochs::store`]. A new epoch must be stored before records of it are
/// acknowledged; a truncation may be stored late, since loading a log truncates again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Reads the file in the partition's folder. `None`: absent or damaged, so to be built from the log's batches.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Option<Self>> {
        read_rebuildable(file_system, &folder.join(LEADER_EPOCH_CHECKPOINT), Self::decode)
    }

    /// Replaces the file in the partition's folder, atomically and durably.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn store(&self, file_system: &dyn FileSystem, folder: &Path) -> io::Result<()> {
        file_system.write_atomic(&folder.join(LEADER_EPOCH_CHECKPOINT), self.encode().as_bytes())
    }

    /// The file's text.
    pub fn encode(&self) -> String {
        encode_lines(self.entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
    }

    /// The history in a text. Entries that do not rise are resolved as Kafka does: the later line wins.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything that Kafka would not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let entries = decode_lines(bytes, |line| {
            let mut parts = line.split_ascii_whitespace();
            let epoch = parts.next()?.parse().ok().filter(|epoch| *epoch >= 0)?;
            let start_offset = parts.next()?.parse().ok().filter(|offset| *offset >= 0)?;
            parts.next().is_none().then_some(EpochEntry { epoch, start_offset })
        })?;
        let mut epochs = Self::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        Ok(epochs)
    }

    /// Notes that `epoch` begins at `start_offset` (inclusive) and says whether that was news. Entries of this or a
    /// later epoch, or that begin at or behind the offset, give way.
    ///
    /// # Panics
    /// When one of the two is negative.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        assert!(epoch >= 0 && start_offset >= 0, "invalid leader epoch entry {epoch} {start_offset}");
        if let Some(latest) = self.latest()
            && latest.epoch == epoch
            && latest.start_offset <= start_offset
        {
            return false;
        }
        let stays = |entry: &EpochEntry| entry.epoch < epoch && entry.start_offset < start_offset;
        let kept = self.entries.iter().rposition(stays).map_or(0, |last| last + 1);
        if self.entries[kept..].iter().any(|entry| entry.start_offset != start_offset) {
            tracing::warn!(epoch, start_offset, replaced = ?&self.entries[kept..], "leader epoch replaces later ones");
        }
        self.entries.truncate(kept);
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// Forgets epochs that begin at or behind `end_offset` (the new log end offset) and says whether there were any.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let kept = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Forgets epochs that ended before `start_offset` (the new log start offset, inclusive) and lets the one that
    /// holds it begin there. Says whether anything changed.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let begun = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(current) = begun.checked_sub(1) else { return false };
        let changed = current > 0 || self.entries[current].start_offset != start_offset;
        self.entries.drain(..current);
        self.entries[0].start_offset = start_offset;
        changed
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The newest entry.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The newest epoch.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.latest().map(|entry| entry.epoch)
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The epoch under which the record at `offset` was written.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        let begun = self.entries.partition_point(|entry| entry.start_offset <= offset);
        begun.checked_sub(1).map(|last| self.entries[last].epoch)
    }

    /// The largest known epoch up to the requested one, and where it ended (exclusive): the start of the epoch after it,
    /// or `log_end_offset` for the newest. For an epoch older than all known ones, itself and the start of the first
    /// known. `None` (Kafka: −1, −1) for an epoch newer than all known ones, or a negative one.
    pub fn end_offset_for(&self, requested_epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        if requested_epoch < 0 {
            return None;
        }
        if self.latest_epoch() == Some(requested_epoch) {
            return Some((requested_epoch, log_end_offset));
        }
        let next = self.entries.partition_point(|entry| entry.epoch <= requested_epoch);
        let end_offset = self.entries.get(next)?.start_offset;
        let epoch = next.checked_sub(1).map_or(requested_epoch, |floor| self.entries[floor].epoch);
        Some((epoch, end_offset))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_system::LosingFileSystem;

    /// Epochs with their start offsets.
    type Pairs<'a> = &'a [(i32, i64)];

    fn epochs(entries: Pairs<'_>) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start_offset) in entries {
            epochs.assign(*epoch, *start_offset);
        }
        epochs
    }

    fn pairs(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
        epochs.entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    #[test]
    fn assigning_keeps_both_rising() {
        let cases: [(Pairs, Pairs); 9] = [
            (&[(2, 6)], &[(2, 6)]),
            (&[(2, 6), (2, 7)], &[(2, 6)]),
            (&[(2, 6), (2, 5)], &[(2, 5)]),
            (&[(2, 6), (3, 6)], &[(3, 6)]),
            (&[(2, 6), (3, 8), (4, 10)], &[(2, 6), (3, 8), (4, 10)]),
            (&[(2, 6), (3, 8), (4, 7)], &[(2, 6), (4, 7)]),
            (&[(2, 6), (3, 8), (4, 2)], &[(4, 2)]),
            (&[(2, 6), (4, 8), (3, 9)], &[(2, 6), (3, 9)]),
            (&[(0, 0), (0, 0)], &[(0, 0)]),
        ];
        for (assigned, expected) in cases {
            assert_eq!(pairs(&epochs(assigned)), expected, "{assigned:?}");
        }
    }

    #[test]
    fn only_news_is_reported() {
        let mut epochs = LeaderEpochs::default();
        assert!(epochs.assign(1, 0));
        assert!(!epochs.assign(1, 5));
        assert!(epochs.assign(2, 5));
        assert!(!epochs.truncate_from_end(6));
        assert!(epochs.truncate_from_end(5));
        assert!(!epochs.truncate_from_start(0));
        assert!(epochs.truncate_from_start(3));
    }

    #[test]
    fn end_offsets_as_in_leader_epoch_file_cache() {
        let history = epochs(&[(2, 6), (3, 8), (5, 12)]);
        let cases = [
            (-1, None),
            (0, Some((0, 6))),
            (1, Some((1, 6))),
            (2, Some((2, 8))),
            (3, Some((3, 12))),
            (4, Some((3, 12))),
            (5, Some((5, 20))),
            (6, None),
        ];
        for (requested, expected) in cases {
            assert_eq!(history.end_offset_for(requested, 20), expected, "{requested}");
        }
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 20), None);
    }

    #[test]
    fn truncation_from_the_end_drops_epochs_that_begin_at_or_behind() {
        let history = epochs(&[(2, 6), (3, 8), (4, 11)]);
        for (end, expected) in [(12, 3), (11, 2), (9, 2), (8, 1), (6, 0), (0, 0)] {
            let mut history = history.clone();
            history.truncate_from_end(end);
            assert_eq!(history.entries().len(), expected, "{end}");
        }
    }

    #[test]
    fn truncation_from_the_start_moves_the_first_epoch() {
        let cases: [(i64, Pairs); 6] = [
            (5, &[(2, 6), (3, 8), (4, 11)]),
            (6, &[(2, 6), (3, 8), (4, 11)]),
            (7, &[(2, 7), (3, 8), (4, 11)]),
            (8, &[(3, 8), (4, 11)]),
            (10, &[(3, 10), (4, 11)]),
            (20, &[(4, 20)]),
        ];
        for (start, expected) in cases {
            let mut history = epochs(&[(2, 6), (3, 8), (4, 11)]);
            history.truncate_from_start(start);
            assert_eq!(pairs(&history), expected, "{start}");
        }
    }

    #[test]
    fn epoch_of_an_offset() {
        let history = epochs(&[(2, 6), (3, 8)]);
        let found: Vec<_> = [5, 6, 7, 8, 100].map(|offset| history.epoch_for_offset(offset)).into();
        assert_eq!(found, [None, Some(2), Some(2), Some(3), Some(3)]);
    }

    #[test]
    fn stored_and_loaded() {
        let file_system = LosingFileSystem::new();
        let folder = Path::new("/");
        assert_eq!(LeaderEpochs::load(&file_system, folder).unwrap(), None);
        let history = epochs(&[(0, 0), (7, 9)]);
        history.store(&file_system, folder).unwrap();
        assert_eq!(history.encode(), "0\n2\n0 0\n7 9\n");
        assert_eq!(LeaderEpochs::load(&file_system, folder).unwrap(), Some(history));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = LeaderEpochs::decode(&bytes);
        }

        #[test]
        fn entries_always_rise(text in "(0|1)\n[0-4]\n([0-9-]{1,3} [0-9-]{1,3}\n){0,4}", start in 0i64..999, end in 0i64..999) {
            if let Ok(mut history) = LeaderEpochs::decode(text.as_bytes()) {
                history.truncate_from_start(start);
                history.truncate_from_end(end);
                let rises = |pair: &[EpochEntry]| pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset;
                prop_assert!(history.entries().windows(2).all(rises));
                prop_assert_eq!(LeaderEpochs::decode(history.encode().as_bytes()), Ok(history));
            }
        }
    }
}
