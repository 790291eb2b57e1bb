//! The one ordered writer: everything that must reach the disk before raft goes on is done by one thread, in order, and
//! appends that wait for it share a sync. After the first failure nothing succeeds any more.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use storage::Log;
use tokio::sync::oneshot;

use super::type_config::IOFlushed;

/// Something for the thread to do.
enum Work {
    /// Everything appended so far has to be synced.
    Sync(IOFlushed),
    /// Another durable step.
    Step(Box<dyn FnOnce() -> io::Result<()> + Send>, oneshot::Sender<io::Result<()>>),
}

/// The thread and its queue.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    log: Arc<Log>,
    queue: Mutex<Queue>,
    not_empty: Condvar,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    stopped: bool,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start(log: Arc<Log>) -> io::Result<Self> {
        let shared = Arc::new(Shared { log, queue: Mutex::default(), not_empty: Condvar::new() });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("metadata-writer".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Calls back when everything that is in the log now is on disk.
    pub(super) fn sync(&self, callback: IOFlushed) {
        self.shared.push(Work::Sync(callback));
    }

    /// Runs `step` after everything asked for before, and waits for it. Not undone when dropped.
    ///
    /// # Errors
    /// Those of the step; stopped.
    pub(super) async fn step(&self, step: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let (done, result) = oneshot::channel();
        self.shared.push(Work::Step(Box::new(step), done));
        result.await.unwrap_or_else(|_| Err(io::Error::other("the metadata writer has stopped")))
    }

    /// Does what is in the queue and ends the thread.
    pub(super) fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.not_empty.notify_all();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic was reported by its own hook, and callbacks that were dropped stop raft.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn push(&self, work: Work) {
        self.lock().work.push_back(work);
        self.not_empty.notify_one();
    }

    fn run(&self) {
        let mut failed = None;
        while let Some(group) = self.next_group() {
            for work in merge(group) {
                self.perform(work, &mut failed);
            }
        }
    }

    fn perform(&self, work: Merged, failed: &mut Option<String>) {
        let poisoned = |message: &String| io::Error::other(format!("the metadata log has failed before: {message}"));
        match work {
            Merged::Sync(callbacks) => {
                let result = match &*failed {
                    Some(message) => Err(poisoned(message)),
                    None => self.log.flush().map(drop).map_err(io::Error::other),
                };
                if let Err(error) = &result {
                    failed.get_or_insert_with(|| error.to_string());
                }
                for callback in callbacks {
                    callback
                        .io_completed(result.as_ref().copied().map_err(|error| io::Error::other(error.to_string())));
                }
            }
            Merged::Step(step, done) => {
                let result = match &*failed {
                    Some(message) => Err(poisoned(message)),
                    None => step(),
                };
                if let Err(error) = &result {
                    failed.get_or_insert_with(|| error.to_string());
                }
                // Whoever asked may have gone; the step is done all the same.
                let _ = done.send(result);
            }
        }
    }

    /// Everything that waits now; `None` when stopped and empty.
    fn next_group(&self) -> Option<VecDeque<Work>> {
        let mut queue = self.lock();
        while queue.work.is_empty() {
            if queue.stopped {
                return None;
            }
            queue = self.not_empty.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut queue.work))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work with neighbouring syncs made one.
enum Merged {
    Sync(Vec<IOFlushed>),
    Step(Box<dyn FnOnce() -> io::Result<()> + Send>, oneshot::Sender<io::Result<()>>),
}

fn merge(group: VecDeque<Work>) -> Vec<Merged> {
    let mut merged: Vec<Merged> = Vec::new();
    for work in group {
        match (work, merged.last_mut()) {
            (Work::Sync(callback), Some(Merged::Sync(callbacks))) => callbacks.push(callback),
            (Work::Sync(callback), _) => merged.push(Merged::Sync(vec![callback])),
            (Work::Step(step, done), _) => merged.push(Merged::Step(step, done)),
        }
    }
    merged
}
