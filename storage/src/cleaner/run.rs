//! One cleaning of one log: keys of the dirty part, then group by group. Source: `Cleaner.doClean`, `buildOffsetMap`,
//! `cleanSegments`.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use protocol::record_batch::{BatchHeader, RecordViews, expansion_limit, plain_records};

use super::filter::{Filter, FilterError, FilterStats};
use super::grouping::{GroupLimits, group};
use super::offset_map::OffsetMap;
use super::reader::{ReadError, Visitor, read_batches};
use super::transactions::CleanedTransactions;
use super::{CleanError, Cleanable, CleanedSegment, CleanerOptions, Pace};
use crate::index::txn_index::AbortedTxn;
use crate::log::{Compaction, Log};
use crate::segment::Segment;

/// What a cleaning did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanStats {
    /// Where the dirty part began (inclusive).
    pub first_dirty_offset: i64,
    /// Where it begins now.
    pub next_dirty_offset: i64,
    /// Read for the map of keys.
    pub map_bytes_read: u64,
    /// Read to be rewritten.
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_retained: u64,
    /// Dropped because they have no key.
    pub records_without_key: u64,
    /// How full the map was, from 0 to 1.
    pub map_utilization: f64,
}

/// Cleans `log` from its start to where the map of keys reaches, at most the part that `cleanable` names, and notes how far that
/// was. Blocks for as long as reading and writing take; not for a thread that serves clients.
///
/// # Errors
/// [`CleanError`]. Groups that were swapped in before stay.
pub fn clean(
    log: &Log,
    cleanable: &Cleanable,
    options: &CleanerOptions,
    now_ms: i64,
    pace: &dyn Pace,
) -> Result<CleanStats, CleanError> {
    let is_copied = options.remote_start_offset.is_some();
    let compaction = log.begin_compaction(cleanable.first_uncleanable_offset, is_copied)?;
    let buffer_bytes = (options.io_buffer_bytes / 2).max(1);
    let tombstones_stay_from = tombstones_stay_from(cleanable, options, compaction.log_start_offset);
    let (buffer, stats) = (vec![0; buffer_bytes], CleanStats::default());
    let mut run = Run { log, compaction, pace, tombstones_stay_from, now_ms, buffer, stats };
    run.stats.first_dirty_offset = cleanable.first_dirty_offset;
    let map = run.build_map(cleanable, options)?;
    let end_offset = map.latest_offset() + 1;
    run.stats.map_utilization = map.utilization();
    let count = run.compaction.segments.partition_point(|segment| segment.base_offset() < end_offset);
    let mut filter = run.filter(&map, count, cleanable.first_uncleanable_offset)?;
    let limits = run.limits(cleanable.first_uncleanable_offset);
    for range in group(&log.group_candidates(&run.compaction, ..count)?, limits) {
        run.clean_group(range, &mut filter)?;
    }
    log.finish_compaction(&run.compaction, end_offset)?;
    let FilterStats { records_read, records_retained, records_without_key } = filter.stats;
    let read = CleanStats { records_read, records_retained, records_without_key, ..run.stats };
    Ok(CleanStats { next_dirty_offset: end_offset, ..read })
}

/// From where on (inclusive) tombstones and markers stay, whatever their age. Copies that are read before the log may have what they
/// are about. Others are no older than the last cleaning that came to its end, and are read together with no newer part of the log: what
/// that cleaning has been over has gone from them before. One that was given up may have begun the time of tombstones behind that.
fn tombstones_stay_from(cleanable: &Cleanable, options: &CleanerOptions, log_start_offset: i64) -> i64 {
    match options.remote_start_offset {
        None => i64::MAX,
        Some(remote_start_offset) if remote_start_offset < log_start_offset => i64::MIN,
        Some(_) => cleanable.first_dirty_offset,
    }
}

struct Run<'a> {
    log: &'a Log,
    compaction: Compaction,
    pace: &'a dyn Pace,
    tombstones_stay_from: i64,
    now_ms: i64,
    buffer: Vec<u8>,
    stats: CleanStats,
}

impl Run<'_> {
    /// The keys of the dirty part, as many as there is room for.
    fn build_map(&mut self, cleanable: &Cleanable, options: &CleanerOptions) -> Result<OffsetMap, CleanError> {
        let Cleanable { first_dirty_offset: start, first_uncleanable_offset: end, .. } = *cleanable;
        let map = OffsetMap::new(options.dedupe_buffer_bytes, options.load_factor, end.saturating_sub(start));
        let aborted = self.log.aborted_transactions(&self.compaction, start..end)?;
        let transactions = CleanedTransactions::new(aborted);
        let mut builder = MapBuilder { map, start, transactions, plain: Vec::new(), bytes: 0 };
        let segments = self.compaction.segments.clone();
        let first = segments.partition_point(|segment| segment.base_offset() <= start).saturating_sub(1);
        for (at, segment) in segments.iter().enumerate().skip(first) {
            let from = self.log.position_of(&self.compaction, segment, start)?;
            match self.read(segment, from..segment.size(), &mut builder) {
                Ok(()) => {}
                Err(Step::Full) => break,
                Err(Step::Failed(error)) => return Err(error),
            }
            // There may be a gap up to the next segment.
            let next = segments.get(at + 1).map_or(end, |next| next.base_offset());
            builder.map.set_latest_offset(next - 1);
        }
        self.stats.map_bytes_read = builder.bytes;
        Ok(builder.map)
    }

    fn filter<'m>(&self, map: &'m OffsetMap, count: usize, end_offset: i64) -> Result<Filter<'m>, CleanError> {
        let start = self.compaction.segments.first().map_or(0, |segment| segment.base_offset());
        let segments_end = self.compaction.segments.get(count).map_or(end_offset, |segment| segment.base_offset());
        let aborted = self.log.aborted_transactions(&self.compaction, start..segments_end)?;
        Ok(Filter {
            map,
            transactions: CleanedTransactions::new(aborted),
            // Taken once: what a producer writes meanwhile lies behind, and one batch too many is kept at most.
            last_records: self.log.last_records()?,
            now_ms: self.now_ms,
            delete_retention_ms: self.log.config().delete_retention_ms,
            tombstones_stay_from: self.tombstones_stay_from,
            end_offset,
            stats: FilterStats::default(),
            plain: Vec::new(),
        })
    }

    fn limits(&self, end_offset: i64) -> GroupLimits {
        let config = self.log.config();
        let (segment_bytes, index_bytes) = (u64::from(config.segment_bytes), u64::from(config.max_index_bytes));
        GroupLimits { segment_bytes, index_bytes, end_offset }
    }

    /// Makes one segment of a group, or one of each where that one would be too large: deltas to a delete horizon take more
    /// bytes than those to the first record's time.
    fn clean_group(&mut self, range: Range<usize>, filter: &mut Filter<'_>) -> Result<(), CleanError> {
        let before = filter.transactions.clone();
        let stats = filter.stats;
        match self.clean_into_one(range.clone(), filter) {
            Err(CleanError::TooLarge { .. }) if range.len() > 1 => {
                (filter.transactions, filter.stats) = (before, stats);
                range.into_iter().try_for_each(|at| self.clean_into_one(at..at + 1, filter))
            }
            result => result,
        }
    }

    fn clean_into_one(&mut self, range: Range<usize>, filter: &mut Filter<'_>) -> Result<(), CleanError> {
        let sources = self.compaction.segments[range.clone()].to_vec();
        let Some(first) = sources.first() else { return Ok(()) };
        let base_offset = first.base_offset();
        let cleaned = self.write_cleaned(base_offset, &sources, filter);
        let swapped =
            cleaned.and_then(|cleaned| self.log.replace_segments(&self.compaction, range, cleaned, self.now_ms));
        if swapped.is_err() {
            self.log.remove_cleaned(base_offset);
        }
        swapped
    }

    fn write_cleaned(
        &mut self,
        base_offset: i64,
        sources: &[Arc<Segment>],
        filter: &mut Filter<'_>,
    ) -> Result<Segment, CleanError> {
        let interval = u64::from(self.log.config().index_interval_bytes);
        let place = self.log.compaction_place()?;
        let failed = |error| self.log.compaction_failed(&self.compaction, "writing a cleaned segment", error);
        let cleaned = CleanedSegment::create(place, base_offset, interval).map_err(failed)?;
        let capacity = self.buffer.len();
        let mut writer = Writer {
            cleaned,
            filter,
            pace: self.pace,
            out: Vec::with_capacity(capacity),
            capacity,
            headers: Vec::new(),
            bytes_read: 0,
        };
        for source in sources {
            match self.read(source, 0..source.size(), &mut writer) {
                Ok(()) => {}
                Err(Step::Full) => return Err(CleanError::TooLarge { base_offset }),
                Err(Step::Failed(error)) => return Err(error),
            }
        }
        let Writer { mut cleaned, filter, bytes_read, .. } = writer;
        self.stats.bytes_read += bytes_read;
        self.stats.bytes_written += cleaned.size();
        cleaned.note_aborted(filter.transactions.take_retained());
        let finished = cleaned.finish(place);
        finished.map_err(|error| self.log.compaction_failed(&self.compaction, "writing a cleaned segment", error))
    }

    fn read<V: Visitor<Error = VisitError>>(
        &mut self,
        segment: &Segment,
        range: Range<u64>,
        visitor: &mut V,
    ) -> Result<(), Step> {
        let failed = |action, error| Step::Failed(self.log.compaction_failed(&self.compaction, action, error));
        let place = self.log.compaction_place().map_err(Step::Failed)?;
        let file = segment.log_file(place).map_err(|error| failed("opening a segment", error))?;
        let pace = CheckedPace { pace: self.pace, log: self.log, compaction: &self.compaction };
        let base_offset = segment.base_offset();
        read_batches(&*file, range, &mut self.buffer, &pace, visitor).map_err(|error| match error {
            VisitError::Read(ReadError::Io(error)) => failed("reading a segment", error),
            VisitError::Read(ReadError::Stopped) => Step::Failed(CleanError::Aborted),
            VisitError::Read(ReadError::Corrupt { position, source }) => {
                Step::Failed(self.log.compaction_corrupt(&self.compaction, base_offset, position, source))
            }
            VisitError::Rewrite(source) => Step::Failed(CleanError::Rewrite { base_offset, source }),
            VisitError::Write(error) => failed("writing a cleaned segment", error),
            VisitError::Full => Step::Full,
        })
    }
}

/// The caller's pace, and the end when the log is not what it was.
struct CheckedPace<'a> {
    pace: &'a dyn Pace,
    log: &'a Log,
    compaction: &'a Compaction,
}

impl Pace for CheckedPace<'_> {
    fn go_on(&self, bytes: usize) -> bool {
        self.log.is_unchanged(self.compaction) && self.pace.go_on(bytes)
    }
}

/// Why reading a segment did not come to its end.
enum Step {
    /// No room is left, in the map or in the segment.
    Full,
    Failed(CleanError),
}

enum VisitError {
    Read(ReadError),
    Rewrite(io::Error),
    Write(io::Error),
    Full,
}

impl From<ReadError> for VisitError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl VisitError {
    fn filter(error: FilterError, position: u64) -> Self {
        match error {
            FilterError::Corrupt(source) => ReadError::Corrupt { position, source }.into(),
            FilterError::Rewrite(error) => Self::Rewrite(error),
        }
    }
}

/// Puts the keys of batches into the map.
struct MapBuilder {
    map: OffsetMap,
    start: i64,
    transactions: CleanedTransactions,
    plain: Vec<u8>,
    bytes: u64,
}

impl MapBuilder {
    /// False when the map is full.
    fn put(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, FilterError> {
        let limit = expansion_limit(batch.len());
        if header.attributes.is_control() {
            let records = plain_records(header, batch, &mut self.plain, limit)?;
            self.transactions.on_control_batch(header, records);
        } else if !self.transactions.on_batch(header) {
            for record in RecordViews::new(header, plain_records(header, batch, &mut self.plain, limit)?) {
                let record = record?;
                let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
                if let Some(key) = record.key
                    && offset >= self.start
                    && !self.map.put(key, offset)
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Visitor for MapBuilder {
    type Error = VisitError;

    fn visit(&mut self, header: &BatchHeader, batch: &[u8], position: u64) -> Result<(), VisitError> {
        self.bytes += batch.len() as u64;
        if !self.put(header, batch).map_err(|error| VisitError::filter(error, position))? {
            return Err(VisitError::Full);
        }
        if header.last_offset() >= self.start {
            self.map.set_latest_offset(header.last_offset());
        }
        Ok(())
    }
}

/// Filters batches and writes what stays.
struct Writer<'a, 'm> {
    cleaned: CleanedSegment,
    filter: &'a mut Filter<'m>,
    pace: &'a dyn Pace,
    out: Vec<u8>,
    /// Room in `out` that is kept.
    capacity: usize,
    headers: Vec<BatchHeader>,
    bytes_read: u64,
}

impl Visitor for Writer<'_, '_> {
    type Error = VisitError;

    fn visit(&mut self, header: &BatchHeader, batch: &[u8], position: u64) -> Result<(), VisitError> {
        self.bytes_read += batch.len() as u64;
        let filtered = self.filter.filter(header, batch, &mut self.out);
        let retained = filtered.map_err(|error| VisitError::filter(error, position))?;
        self.headers.extend(retained);
        Ok(())
    }

    fn end_of_buffer(&mut self) -> Result<(), VisitError> {
        let written = self.out.len();
        if !self.cleaned.append(&self.out, &self.headers).map_err(VisitError::Write)? {
            return Err(VisitError::Full);
        }
        self.out.clear();
        self.out.shrink_to(self.capacity);
        self.headers.clear();
        if written > 0 && !self.pace.go_on(written) {
            return Err(ReadError::Stopped.into());
        }
        Ok(())
    }
}

/// Transactions that touch `range`, of all that were aborted.
pub(crate) fn touching(transactions: Vec<AbortedTxn>, range: &Range<i64>) -> Vec<AbortedTxn> {
    let touches =
        |transaction: &AbortedTxn| transaction.last_offset >= range.start && transaction.first_offset < range.end;
    transactions.into_iter().filter(touches).collect()
}
