//! Group commit: a few threads that sync partitions. A partition is in the queue at most once, and whatever is appended
//! while it is being synced rides on the next round.
//!
//! A sync costs the same for one batch as for fifty, so two things keep rounds from splitting. What one read of a
//! connection brings is asked for at once ([`FlushHold`]), not with its first batch. And where a round ends while others
//! wait, the next one begins a little later: the clients that were just answered come again within a round trip, and
//! would else be half a round behind for ever (PostgreSQL's `commit_delay`).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Partition;

/// The pause before a round that others wait for, as a part of what the last one took: so much of the rate is the most
/// that it can cost.
const GATHER_DIVISOR: u32 = 4;
const MAX_GATHER: Duration = Duration::from_micros(500);

/// Flushes to be asked for, and of whom.
type Held = Vec<(Arc<Flusher>, Arc<Partition>)>;

thread_local! {
    /// What this thread will ask for when its hold ends; `None` without a hold.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// While it lives, flushes that this thread asks for wait, each partition once; they are asked for when it is dropped.
/// For a run of appends without an await between them.
pub struct FlushHold {
    /// It belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

impl FlushHold {
    /// Begins to hold, until the drop. An inner hold of the same thread ends the outer one's early, no more.
    pub fn begin() -> Self {
        HELD.with_borrow_mut(|held| {
            held.get_or_insert_default();
        });
        Self { _not_send: PhantomData }
    }

    /// Takes a request if this thread holds them.
    fn take(flusher: &Arc<Flusher>, partition: &Arc<Partition>) -> bool {
        HELD.with_borrow_mut(|held| {
            let Some(held) = held else { return false };
            if !held.iter().any(|(_, other)| Arc::ptr_eq(other, partition)) {
                held.push((Arc::clone(flusher), Arc::clone(partition)));
            }
            true
        })
    }
}

impl Drop for FlushHold {
    fn drop(&mut self) {
        for (flusher, partition) in HELD.take().unwrap_or_default() {
            flusher.flush(&partition);
        }
    }
}

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

    /// Lets `partition` be flushed soon: at the end of the thread's [`FlushHold`], if there is one. Returns at once.
    pub fn flush(self: &Arc<Self>, partition: &Arc<Partition>) {
        if !FlushHold::take(self, partition) && partition.flush_state().want() {
            self.push(Arc::clone(partition));
        }
    }

    /// Lets `partition` be flushed with the next round. Returns at once; the caller sees to it that a partition is named
    /// once a round.
    pub(super) fn flush_later(&self, partition: &Arc<Partition>) {
        self.lock_dirty().push(Arc::clone(partition));
    }

    /// Begins the round: what was written since the last one is flushed soon. Returns how many partitions that are.
    pub fn begin_round(self: &Arc<Self>) -> usize {
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
            self.serve(partition);
        }
    }

    /// Flushes `partition`, round after round while more is appended meanwhile and no other partition waits.
    fn serve(&self, partition: Arc<Partition>) {
        loop {
            partition.flush_state().begin();
            let started = Instant::now();
            // A failure took the directory offline, said so, and told those who wait.
            let _ = partition.flush();
            if !partition.flush_state().end() {
                return;
            }
            if self.is_turn_over() {
                return self.push(partition);
            }
            std::thread::park_timeout((started.elapsed() / GATHER_DIVISOR).min(MAX_GATHER));
        }
    }

    fn is_turn_over(&self) -> bool {
        let queue = self.lock();
        !queue.partitions.is_empty() || queue.running > queue.wanted
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
    use storage::file_system::{FileSystem, LosingFileSystem};

    use super::*;
    use crate::replica::Durability;
    use crate::replica::testing::{self, NOW, batch};

    #[test]
    fn what_a_hold_keeps_is_flushed_when_it_ends() {
        let (file_system, flusher) = (Arc::new(LosingFileSystem::default()), Flusher::start(1));
        let folder = tempfile::tempdir().unwrap();
        let partition = testing::partition(
            Arc::clone(&file_system) as Arc<dyn FileSystem>,
            folder.path(),
            &flusher,
            Durability::Durable,
        );
        let append = || partition.append(batch(&[b"value"]), 9, NOW).unwrap();
        let is_idle = || partition.flush_state().0.load(Ordering::Acquire) == IDLE;
        // The first flush also writes down the leader's epoch.
        append();
        while !is_idle() {
            std::thread::yield_now();
        }
        let syncs = file_system.counts().syncs;
        let hold = FlushHold::begin();
        for _ in 0..3 {
            append();
        }
        assert!(is_idle());
        drop(hold);
        flusher.stop();
        assert_eq!(partition.known_high_watermark(), Some(4));
        assert_eq!(file_system.counts().syncs - syncs, 1, "one for all of them");
        assert!(HELD.with_borrow(Option::is_none));
    }

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
