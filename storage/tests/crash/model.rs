//! What a partition's log should hold, and what it may.

use bytes::Bytes;
use protocol::record_batch::{BatchBuilder, BatchHeader, Codec, ValidatedBatch};

/// Behind base offset, length and leader epoch: what the log must not change.
const UNCHANGED: usize = 16;

/// A batch as its producer made it, and where the log put it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) timestamp: i64,
    pub(crate) bytes: Bytes,
}

impl Batch {
    pub(crate) fn is_same(&self, header: &BatchHeader, bytes: &[u8]) -> bool {
        self.base_offset == header.base_offset
            && self.leader_epoch == header.partition_leader_epoch
            && self.bytes[UNCHANGED..] == bytes[UNCHANGED..]
    }
}

/// A batch that a producer sends, maybe more than once.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) batch: ValidatedBatch,
    /// Where the log said it is; unknown while no answer came.
    pub(crate) base_offset: Option<i64>,
}

/// An idempotent producer of one partition.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) next_sequence: i32,
    /// Sent and not known to be durable: what it would send again after a crash, in order.
    pub(crate) unacknowledged: Vec<Sent>,
}

/// Makes a batch of `count` records of `size` bytes, of a producer (id, epoch, sequence) or of none.
pub(crate) fn make_batch(producer: Option<(i64, i16, i32)>, count: i64, size: usize, timestamp: i64) -> ValidatedBatch {
    let mut builder = BatchBuilder::new(0, Codec::None);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    for number in 0..count {
        let value = vec![(timestamp + number) as u8; size];
        builder.append(timestamp, None, Some(&value), &[]);
    }
    ValidatedBatch::trusted(builder.build()).expect("a batch just built is one")
}

/// One partition: the truth while the process lives, and its bounds for when it does not.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// All batches in the log, in order.
    pub(crate) batches: Vec<Batch>,
    /// A batch whose append was interrupted: it may be there or not.
    pub(crate) uncertain: Vec<Batch>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    /// Every record below must survive.
    pub(crate) durable_end: i64,
    /// The log may not end below this, records or not: it was made to begin here.
    pub(crate) durable_floor: i64,
    /// The log start offset may not fall below this.
    pub(crate) durable_start: i64,
    /// The log start offset may not lie above this.
    pub(crate) start_limit: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) timestamp: i64,
    pub(crate) producers: Vec<Producer>,
}

impl Model {
    pub(crate) fn new(partition: i64) -> Self {
        let producer =
            |number| Producer { id: partition * 10 + number, epoch: 0, next_sequence: 0, unacknowledged: Vec::new() };
        Self { producers: (1..4).map(producer).collect(), ..Self::default() }
    }

    /// A batch went to the end of the log.
    pub(crate) fn appended(&mut self, batch: Batch) {
        assert_eq!(batch.base_offset, self.log_end_offset, "offsets without a gap");
        self.log_end_offset = batch.last_offset + 1;
        self.batches.push(batch);
    }

    /// A flush returned `end`.
    pub(crate) fn flushed(&mut self, end: i64) {
        assert!(end <= self.log_end_offset, "flushed what is not there");
        self.durable_end = self.durable_end.max(end);
        for producer in &mut self.producers {
            let is_open = |sent: &Sent| sent.base_offset.is_none_or(|base| base >= end);
            producer.unacknowledged.retain(is_open);
        }
    }

    /// Where the log ends when it is truncated to `to`: batches go whole.
    pub(crate) fn end_after_truncation(&self, to: i64) -> i64 {
        if to == self.log_end_offset {
            return to;
        }
        let kept = self.batches.iter().rfind(|batch| batch.last_offset < to).map(|batch| batch.last_offset + 1);
        kept.unwrap_or(0).max(self.log_start_offset)
    }

    /// The log was cut to `to` and ends at `end`.
    pub(crate) fn truncated(&mut self, to: i64, end: i64) {
        if end == self.log_end_offset {
            return;
        }
        let durable_start = self.durable_start;
        self.truncation_was_interrupted(to, end);
        self.batches.retain(|batch| batch.last_offset < end);
        self.log_end_offset = end;
        if to <= self.log_start_offset {
            self.durable_floor = to;
        }
        self.durable_start = durable_start;
    }

    /// The log was being cut so that it ends at `end`: what lies behind is there or not. Producers begin new epochs, as
    /// they do under a new leader. A log that was to begin anew may have lost the old beginning and not have a new one.
    pub(crate) fn truncation_was_interrupted(&mut self, to: i64, end: i64) {
        self.durable_end = self.durable_end.min(end);
        self.durable_floor = self.durable_floor.min(end);
        if to <= self.log_start_offset {
            self.durable_floor = 0;
            self.durable_start = 0;
        }
        self.leader_epoch += 1;
        for producer in &mut self.producers {
            producer.epoch += 1;
            producer.next_sequence = 0;
            producer.unacknowledged.clear();
        }
    }

    /// Where the log must at least end after a crash. Records that were deleted may come back but need not.
    pub(crate) fn required_end(&self) -> i64 {
        let kept = self.log_start_offset..self.durable_end;
        let durable = self.batches.iter().rfind(|batch| kept.contains(&batch.last_offset));
        durable.map_or(0, |batch| batch.last_offset + 1).max(self.durable_floor)
    }

    /// The batch that must be at `header`'s place, or may be.
    pub(crate) fn find(&self, header: &BatchHeader, bytes: &[u8]) -> Option<Batch> {
        let all = self.batches.iter().chain(&self.uncertain);
        all.into_iter().find(|batch| batch.is_same(header, bytes)).cloned()
    }
}
