//! Group commit: a few threads that sync partitions. A partition is in the queue at most once, and whatever is appended
//! while it is being synced rides on the next round.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Partition;

/// Whether a partition waits for a flush.
#[derive(Debug, Default)]
pub(super) struct FlushState(AtomicU8);

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const RUNNING_AND_WANTED: u8 = 3;

impl FlushState {
    /// Asks for a flush; true if the partition has to be put into the queue.
    fn want(&self) -> bool {
        let wanted = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(RUNNING_AND_WANTED),
            _ => None,
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, wanted) == Ok(IDLE)
    }

    fn begin(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// Ends a flush; true if another was asked for meanwhile, and the partition has to be put into the queue again.
    fn end(&self) -> bool {
        let ended = |state| Some(if state == RUNNING_AND_WANTED { QUEUED } else { IDLE });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, ended) == Ok(RUNNING_AND_WANTED)
    }
}

/// The queue and its threads.
pub struct Flusher {
    queue: Mutex<Queue>,
    /// Partitions with bytes that nobody waits for; the next round takes them all.
    dirty: Mutex<Vec<Arc<Partition>>>,
    not_empty: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    partitions: VecDeque<Arc<Partition>>,
    stopped: bool,
    /// Threads that there should be.
    wanted: usize,
    /// Threads that there are.
    running: usize,
}

impl Flusher {
    /// Starts `threads` threads.
    pub fn start(threads: usize) -> Arc<Self> {
        let flusher = Arc::new(Self {
            queue: Mutex::default(),
            dirty: Mutex::default(),
            not_empty: Condvar::new(),
            threads: Mutex::default(),
        });
        flusher.resize(threads);
        flusher
    }

    /// Has `threads` threads from now on, at least one. Those too many end when they have finished what they do.
    pub fn resize(self: &Arc<Self>, threads: usize) {
        let mut queue = self.lock();
        queue.wanted = threads.max(1);
        if queue.stopped || queue.wanted == queue.running {
            return;
        }
        let mut handles = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|thread| !thread.is_finished());
        while queue.running < queue.wanted {
            let worker = Arc::clone(self);
            let spawned = std::thread::Builder::new().name("flusher".to_owned()).spawn(move || worker.work());
            let Ok(thread) = spawned else { break };
            handles.push(thread);
            queue.running += 1;
        }
        self.not_empty.notify_all();
    }

    /// Lets `partition` be flushed soon. Returns at once.
    pub fn flush(&self, partition: &Arc<Partition>) {
        if partition.flush_state().want() {
            self.push(Arc::clone(partition));
        }
    }

    /// Lets `partition` be flushed with the next round. Returns at once; the caller sees to it that a partition is named
    /// once a round.
    pub(super) fn flush_later(&self, partition: &Arc<Partition>) {
        self.lock_dirty().push(Arc::clone(partition));
    }

    /// Begins the round: what was written since the last one is flushed soon. Returns how many partitions that are.
    pub fn begin_round(&self) -> usize {
        let dirty = std::mem::take(&mut *self.lock_dirty());
        for partition in &dirty {
            partition.set_clean();
            self.flush(partition);
        }
        dirty.len()
    }

    fn lock_dirty(&self) -> MutexGuard<'_, Vec<Arc<Partition>>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the threads when the queue is empty, and waits for them.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.not_empty.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic was reported by its own hook; what it did not flush, the clean stop flushes.
            let _ = thread.join();
        }
    }

    fn push(&self, partition: Arc<Partition>) {
        self.lock().partitions.push_back(partition);
        self.not_empty.notify_one();
    }

    fn work(&self) {
        while let Some(partition) = self.next() {
            partition.flush_state().begin();
            // A failure took the directory offline, said so, and told those who wait.
            let _ = partition.flush();
            if partition.flush_state().end() {
                self.push(partition);
            }
        }
    }

    fn next(&self) -> Option<Arc<Partition>> {
        let mut queue = self.lock();
        loop {
            if queue.running > queue.wanted && !queue.stopped {
                queue.running -= 1;
                return None;
            }
            if let Some(partition) = queue.partitions.pop_front() {
                return Some(partition);
            }
            if queue.stopped {
                return None;
            }
            queue = self.not_empty.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_come_and_go() {
        let flusher = Flusher::start(2);
        flusher.resize(5);
        assert_eq!(flusher.lock().running, 5);
        flusher.resize(0);
        // Those too many see it when they look for work; waiting for their end is waiting for that.
        let handles = std::mem::take(&mut *flusher.threads.lock().unwrap());
        while handles.iter().filter(|thread| !thread.is_finished()).count() > 1 {
            std::thread::yield_now();
        }
        assert_eq!(flusher.lock().running, 1, "at least one stays");
        flusher.resize(3);
        assert_eq!(flusher.lock().running, 3);
        flusher.stop();
        handles.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
