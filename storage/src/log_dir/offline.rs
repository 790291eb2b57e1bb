//! A directory whose disk failed once is not used again. Source: `LogDirFailureChannel`.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::LogDir;

/// A directory that failed: once, and until the process ends.
#[derive(Clone, Debug, thiserror::Error)]
#[error("log directory {} is offline: {reason}", path.display())]
pub struct Offline {
    /// The directory.
    pub path: PathBuf,
    /// What was being done.
    pub reason: String,
    /// What the file system said.
    #[source]
    pub source: Arc<io::Error>,
}

type OfflineHook = Box<dyn Fn(&Offline) + Send + Sync>;

/// Whether a directory failed, and who wants to know.
#[derive(Default)]
pub(super) struct Failure {
    first: OnceLock<Offline>,
    hooks: Mutex<Vec<OfflineHook>>,
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.get().fmt(formatter)
    }
}

impl LogDir {
    /// Whether the directory failed.
    pub fn is_offline(&self) -> bool {
        self.failure.first.get().is_some()
    }

    /// How the directory failed.
    pub fn offline(&self) -> Option<&Offline> {
        self.failure.first.get()
    }

    /// Goes on only while the directory works.
    ///
    /// # Errors
    /// [`Offline`].
    pub fn check_online(&self) -> Result<(), Offline> {
        self.failure.first.get().map_or(Ok(()), |offline| Err(offline.clone()))
    }

    /// Takes the directory offline for good: nothing in it is written or acknowledged any more. The first failure is
    /// the one that is remembered and told to the hooks.
    pub fn fail(&self, reason: &str, source: io::Error) -> Offline {
        let failure = Offline { path: self.path.clone(), reason: reason.to_owned(), source: Arc::new(source) };
        if self.failure.first.set(failure.clone()).is_ok() {
            tracing::error!(path = %self.path.display(), reason, error = %failure.source, "log directory failed");
            for hook in self.failure.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                hook(&failure);
            }
        }
        failure
    }

    /// Passes a result of the file system on; a failure takes the directory offline.
    ///
    /// # Errors
    /// [`Offline`] for every error.
    pub fn check<T>(&self, action: &str, result: io::Result<T>) -> Result<T, Offline> {
        result.map_err(|error| self.fail(action, error))
    }

    /// Lets `hook` know when the directory fails; at once when it has. The hook runs in the thread that saw the failure,
    /// maybe with a log's lock held: it must only pass the news on.
    pub fn on_offline(&self, hook: impl Fn(&Offline) + Send + Sync + 'static) {
        let mut hooks = self.failure.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(offline) = self.failure.first.get() {
            hook(offline);
        }
        hooks.push(Box::new(hook));
    }
}
