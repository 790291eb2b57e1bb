//! What is known of one producer: its epoch, its last batches, its open transaction.
//! Source: `ProducerStateEntry`, `BatchMetadata`.

/// How many batches are remembered: so many requests a client may have in flight.
pub const BATCHES_TO_RETAIN: usize = 5;
/// Stands for no epoch, no sequence, no timestamp.
const NONE: i8 = -1;
/// Sequences go from 0 to `i32::MAX` and round.
const SEQUENCES: i64 = 1 << 31;

/// One batch of a producer that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    /// Sequence of the last record.
    pub last_sequence: i32,
    /// Offset of the last record (inclusive).
    pub last_offset: i64,
    /// Last offset minus first.
    pub offset_delta: i32,
    /// The batch's max timestamp, in ms since the epoch.
    pub timestamp: i64,
}

impl BatchMetadata {
    /// Sequence of the first record.
    pub fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        first.rem_euclid(SEQUENCES) as i32
    }

    /// Offset of the first record.
    pub fn first_offset(&self) -> i64 {
        self.last_offset.wrapping_sub(i64::from(self.offset_delta))
    }
}

/// The state of one producer in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerStateEntry {
    /// Epoch of the last batch or marker; −1: none yet.
    pub producer_epoch: i16,
    /// Epoch of the coordinator that wrote the last marker; −1: none yet.
    pub coordinator_epoch: i32,
    /// Timestamp of the last batch or marker, in ms since the epoch; −1: none yet.
    pub last_timestamp: i64,
    /// First offset of the open transaction.
    pub current_txn_first_offset: Option<i64>,
    batches: [BatchMetadata; BATCHES_TO_RETAIN],
    batch_count: u8,
}

impl Default for ProducerStateEntry {
    /// A producer of which nothing is known.
    fn default() -> Self {
        Self {
            producer_epoch: NONE.into(),
            coordinator_epoch: NONE.into(),
            last_timestamp: NONE.into(),
            current_txn_first_offset: None,
            batches: Default::default(),
            batch_count: 0,
        }
    }
}

impl ProducerStateEntry {
    /// The remembered batches of the current epoch, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches[..usize::from(self.batch_count)]
    }

    /// Sequence of the last record; −1 when no batch is remembered.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NONE.into(), |batch| batch.last_sequence)
    }

    /// Offset of the last record; −1 when no batch is remembered.
    pub fn last_data_offset(&self) -> i64 {
        self.batches().last().map_or(NONE.into(), |batch| batch.last_offset)
    }

    /// Last offset minus first of the last batch; 0 when no batch is remembered.
    pub fn last_offset_delta(&self) -> i32 {
        self.batches().last().map_or(0, |batch| batch.offset_delta)
    }

    /// Whether an epoch is known.
    pub fn has_epoch(&self) -> bool {
        self.producer_epoch != i16::from(NONE)
    }

    /// The remembered batch with exactly these sequences and epoch: a second one like it is a repetition.
    pub fn find_batch(&self, producer_epoch: i16, first_sequence: i32, last_sequence: i32) -> Option<BatchMetadata> {
        if producer_epoch != self.producer_epoch {
            return None;
        }
        let same =
            |batch: &&BatchMetadata| batch.first_sequence() == first_sequence && batch.last_sequence == last_sequence;
        self.batches().iter().find(same).copied()
    }

    /// Remembers a batch and forgets the oldest of six; a new epoch forgets all.
    pub(super) fn add_batch(&mut self, producer_epoch: i16, batch: BatchMetadata) {
        self.set_epoch(producer_epoch);
        let mut count = usize::from(self.batch_count);
        if count == BATCHES_TO_RETAIN {
            self.batches.rotate_left(1);
            count -= 1;
        }
        self.batches[count] = batch;
        self.batch_count = count as u8 + 1;
        self.last_timestamp = batch.timestamp;
    }

    /// Takes over a new epoch, whose sequences begin anew.
    pub(super) fn set_epoch(&mut self, producer_epoch: i16) {
        if self.producer_epoch != producer_epoch {
            self.producer_epoch = producer_epoch;
            self.batch_count = 0;
        }
    }
}
