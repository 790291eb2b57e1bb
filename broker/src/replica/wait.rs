//! Waiting for news of partitions: a list of who is interested at the partition, a set of what is ready at the one who
//! waits. Cost follows news: a request that waits on a thousand partitions is told of the one that changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::Partition;

/// One waiting request. Partitions put slots into it; the request takes them out.
#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: Vec<u32>,
    waker: Option<Waker>,
}

impl Signal {
    /// Says that the partition in `slot` has news.
    fn notify(&self, slot: u32) {
        let waker = {
            let mut state = self.lock();
            state.ready.push(slot);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The slots with news since the last call; waits until there is one. Cancel safe: news stays until taken.
    async fn ready(&self) -> Vec<u32> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            if state.ready.is_empty() {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(std::mem::take(&mut state.ready))
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's interest in its partitions, by slot. What it asked for is forgotten when it is dropped, as happens when
/// the connection ends.
#[derive(Debug, Default)]
pub struct Watch {
    signal: Arc<Signal>,
    watched: Vec<Arc<Partition>>,
}

impl Watch {
    /// Asks to be told `slot`, once, when the high watermark of `partition` is at least `offset`. The caller must look at
    /// the high watermark after this call: what came before is not told.
    pub fn add(&mut self, partition: &Arc<Partition>, offset: i64, slot: u32) {
        partition.interest().add(offset, slot, &self.signal);
        self.watched.push(Arc::clone(partition));
    }

    /// Asks again after having been told.
    pub fn renew(&self, partition: &Partition, offset: i64, slot: u32) {
        partition.interest().add(offset, slot, &self.signal);
    }

    /// As `Signal::ready`.
    pub async fn ready(&self) -> Vec<u32> {
        self.signal.ready().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for partition in &self.watched {
            partition.interest().remove(&self.signal);
        }
    }
}

/// Who is told when a partition's high watermark reaches an offset.
#[derive(Debug, Default)]
pub struct Interest {
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    /// Told when the high watermark is at least this.
    offset: i64,
    slot: u32,
    signal: Arc<Signal>,
}

impl Interest {
    fn add(&self, offset: i64, slot: u32, signal: &Arc<Signal>) {
        self.lock().push(Waiting { offset, slot, signal: Arc::clone(signal) });
    }

    fn remove(&self, signal: &Arc<Signal>) {
        self.lock().retain(|waiting| !Arc::ptr_eq(&waiting.signal, signal));
    }

    /// Tells everybody whose offset is reached.
    pub fn reached(&self, high_watermark: i64) {
        self.tell(|waiting| waiting.offset <= high_watermark);
    }

    /// Tells everybody: leadership or the directory is gone.
    pub fn changed(&self) {
        self.tell(|_| true);
    }

    fn tell(&self, concerns: impl Fn(&Waiting) -> bool) {
        let told: Vec<Waiting> = {
            let mut waiting = self.lock();
            if waiting.is_empty() {
                return;
            }
            let (told, rest) = waiting.drain(..).partition(|waiting| concerns(waiting));
            *waiting = rest;
            told
        };
        for waiting in told {
            waiting.signal.notify(waiting.slot);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
