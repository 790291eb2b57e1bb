//! Objects of a store that is a directory, as open files: few, and not for long, since a file that is open keeps its room on the disk when
//! it is deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use object_store::path::Path;

use super::cache::PieceCache;
use super::{CacheLimits, RemoteStore};
use crate::file_system::File;

const MOST: usize = 32;
const KEPT: Duration = Duration::from_secs(10);

pub(super) struct OpenFiles {
    /// None for what turned out not to be a file.
    files: PieceCache<Option<Arc<dyn File>>>,
    /// Whether they will be closed.
    will_close: AtomicBool,
}

impl OpenFiles {
    pub(super) fn new() -> Arc<Self> {
        let files = PieceCache::new(CacheLimits { bytes: 0, count: MOST });
        Arc::new(Self { files, will_close: AtomicBool::new(false) })
    }

    /// The object, if it is a file of `size` bytes and can be opened.
    ///
    /// # Cancel safety
    /// What has come so far is not lost.
    pub(super) async fn get(
        self: &Arc<Self>,
        store: &Arc<RemoteStore>,
        key: &Path,
        size: u64,
    ) -> Option<Arc<dyn File>> {
        self.close_soon();
        let open = || {
            let (store, key) = (Arc::clone(store), key.clone());
            async move { store.open(&key, size).await }.boxed()
        };
        self.files.get((key.clone(), 0), 0, open).await.ok().flatten()
    }

    fn close_soon(self: &Arc<Self>) {
        if !self.will_close.swap(true, Ordering::Relaxed) {
            let files = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(KEPT).await;
                files.will_close.store(false, Ordering::Relaxed);
                files.files.clear();
            });
        }
    }
}
