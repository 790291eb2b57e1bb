//! How long the records of the active segment have been there and nowhere else. Kafka has no such limit: `segment.ms` closes a segment
//! with the next record only, and goes by what producers say the time is.

use std::sync::Arc;

use super::local_log::roll;
use super::{ActivePart, Mover, RemoteError, Step};
use crate::log::Log;

/// What was seen of the active segment, look by look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    last: Option<Look>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at_ms: i64,
    part: ActivePart,
}

impl Tail {
    /// What is known after a look at `now_ms` (ms since the epoch) that found the active segment at `base_offset` and the end of the log
    /// at `log_end_offset` (exclusive). Clocks that are set back make nothing older.
    pub(super) fn seen(&mut self, base_offset: i64, log_end_offset: i64, now_ms: i64) -> ActivePart {
        let since_ms = match self.last {
            _ if base_offset >= log_end_offset => now_ms,
            // Nobody knows when they came: it may have been long before this broker began to lead.
            None => i64::MIN,
            Some(last) if last.part.base_offset == base_offset => last.part.since_ms.min(now_ms),
            // The segment was begun after the last look.
            Some(last) => last.at_ms.min(now_ms),
        };
        let part = ActivePart { base_offset, since_ms };
        self.last = Some(Look { at_ms: now_ms, part });
        part
    }
}

impl Mover {
    /// Closes the active segment that begins at `base_offset`, so that the next step copies it.
    pub(super) async fn roll(&mut self, log: &Arc<Log>, base_offset: i64) -> Result<Step, RemoteError> {
        roll(log, base_offset).await?;
        Ok(Step::Rolled { base_offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_no_older_than_the_last_look_that_did_not_find_them() {
        let mut tail = Tail::default();
        // The base offset of the active segment, the end of the log, the time, and since when there are records.
        let looks = [
            (0, 5, 100, i64::MIN),
            (0, 9, 200, i64::MIN),
            (9, 9, 300, 300),
            (9, 9, 400, 400),
            (9, 12, 500, 400),
            (9, 15, 600, 400),
            // Rolled, and written to, since the last look.
            (20, 22, 700, 600),
            (20, 23, 800, 600),
            // The clock is set back.
            (20, 24, 50, 50),
            (30, 31, 40, 40),
        ];
        for (base_offset, log_end_offset, now_ms, since_ms) in looks {
            let found = tail.seen(base_offset, log_end_offset, now_ms);
            assert_eq!(found, ActivePart { base_offset, since_ms }, "at {now_ms}");
        }
    }
}
