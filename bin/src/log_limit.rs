//! Keeps a place in the program that has something to say all the time from flooding the log: it may say so many lines at once and
//! so many a second, and then how many it did not. Who asked for DEBUG or TRACE gets everything.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one place at once.
const BURST: f64 = 50.0;
/// Lines of one place a second in the long run.
const RATE: f64 = 5.0;

/// A layer that lets events through or not.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    places: Mutex<HashMap<Identifier, Bucket>>,
}

/// What one place may still say.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    lines: f64,
    looked: Instant,
    suppressed: u64,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { lines: BURST, looked: now, suppressed: 0 }
    }

    /// Whether a line may be written now, and then how many were not before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.looked).as_secs_f64();
        self.lines = (self.lines + passed * RATE).min(BURST);
        self.looked = now;
        if self.lines < 1.0 {
            self.suppressed += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.suppressed))
    }
}

thread_local! {
    /// What is to be told behind the line that is being written.
    static SUPPRESSED: Cell<u64> = const { Cell::new(0) };
}

impl<S: Subscriber> Layer<S> for LogLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = places.entry(metadata.callsite()).or_insert_with(|| Bucket::new(now)).admit(now);
        SUPPRESSED.set(admitted.unwrap_or(0));
        admitted.is_some()
    }

    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        let suppressed = SUPPRESSED.replace(0);
        if suppressed > 0 {
            tracing::warn!(suppressed, "lines like the following were left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::time::Duration;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_burst_then_a_rate_then_how_many_were_left_out() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let admitted = (0..80).filter(|_| bucket.admit(start).is_some()).count();
        assert_eq!(admitted, 50);
        let later = start + Duration::from_secs(1);
        assert_eq!(bucket.admit(later), Some(30));
        let admitted = (0..80).filter(|_| bucket.admit(later).is_some()).count();
        assert_eq!(admitted, 4);
        assert_eq!(bucket.admit(later + Duration::from_secs(3600)), Some(76));
    }

    /// What was written, shared.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_the_loud_place_is_limited() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(LogLimit::default()).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..200 {
                tracing::info!(number, "loud");
                tracing::debug!(number, "detail");
            }
            tracing::info!("quiet");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let count = |word: &str| text.lines().filter(|line| line.contains(word)).count();
        assert!((50..60).contains(&count("loud")), "{}", count("loud"));
        assert_eq!((count("detail"), count("quiet")), (200, 1));
    }
}
