//! Pieces of objects in memory, or what else comes of objects, bounded by bytes and count. Who asks for a piece that is on its way waits for that one
//! download, and a download that nobody waits for any more goes on where it was when the next one asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use lru::LruCache;
use object_store::path::Path;

use super::RemoteError;

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    pub bytes: u64,
    pub count: usize,
}

/// A piece: an object and the number of the piece in it.
pub(super) type PieceKey = (Path, u64);

/// What brings a piece.
pub(super) type Download<V> = BoxFuture<'static, Result<V, RemoteError>>;

pub(super) struct PieceCache<V = Bytes> {
    limits: CacheLimits,
    /// Bytes on their way that nobody has asked for yet.
    ahead: AtomicU64,
    state: Mutex<State<V>>,
}

/// By their last use.
struct State<V> {
    pieces: LruCache<PieceKey, Piece<V>>,
    bytes: u64,
}

struct Piece<V> {
    download: Shared<Download<V>>,
    /// Counted from the moment that the download begins.
    size: u64,
}

impl<V: Clone + Send + Sync + 'static> PieceCache<V> {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { limits, ahead: AtomicU64::new(0), state: Mutex::new(State { pieces: LruCache::unbounded(), bytes: 0 }) }
    }

    /// The piece `key` of `size` bytes: from memory, or by the download that `begin` makes.
    ///
    /// # Errors
    /// The download's, for everybody who waited for it; the next one who asks begins another.
    ///
    /// # Cancel safety
    /// What has come so far is not lost.
    pub(super) async fn get(
        &self,
        key: PieceKey,
        size: u64,
        begin: impl FnOnce() -> Download<V>,
    ) -> Result<V, RemoteError> {
        let download = self.find_or_begin(&key, size, begin);
        let result = download.await;
        if result.is_err() {
            self.lock().remove(&key);
        }
        result
    }

    /// Begins a download that nobody asks for yet, unless the piece is there or half of the cache is on its way like that. One
    /// that fails is forgotten: who asks tries anew.
    pub(super) fn begin_ahead(self: &Arc<Self>, key: PieceKey, size: u64, begin: impl FnOnce() -> Download<V>) {
        let is_too_much = self.ahead.load(Ordering::Relaxed).saturating_add(size) > self.limits.bytes / 2;
        if is_too_much || self.limits.count == 0 || self.has(&key) {
            return;
        }
        self.ahead.fetch_add(size, Ordering::Relaxed);
        let (download, cache) = (self.find_or_begin(&key, size, begin), Arc::clone(self));
        tokio::spawn(async move {
            let failed = download.await.is_err();
            cache.ahead.fetch_sub(size, Ordering::Relaxed);
            if failed {
                cache.lock().remove(&key);
            }
        });
    }

    fn find_or_begin(&self, key: &PieceKey, size: u64, begin: impl FnOnce() -> Download<V>) -> Shared<Download<V>> {
        let mut state = self.lock();
        if let Some(piece) = state.pieces.get(key) {
            return piece.download.clone();
        }
        let download = begin().shared();
        // One that is larger than the whole cache is not kept at all.
        if size <= self.limits.bytes && self.limits.count > 0 {
            state.make_room(size, self.limits);
            state.bytes += size;
            state.pieces.push(key.clone(), Piece { download: download.clone(), size });
        }
        download
    }

    /// Whether the piece is here, or on its way.
    pub(super) fn has(&self, key: &PieceKey) -> bool {
        self.lock().pieces.contains(key)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        *self.lock() = State { pieces: LruCache::unbounded(), bytes: 0 };
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (u64, usize) {
        let state = self.lock();
        assert_eq!(state.bytes, state.pieces.iter().map(|(_, piece)| piece.size).sum::<u64>());
        (state.bytes, state.pieces.len())
    }
}

impl<V> State<V> {
    fn make_room(&mut self, size: u64, limits: CacheLimits) {
        while self.bytes.saturating_add(size) > limits.bytes || self.pieces.len() >= limits.count {
            let Some((_, oldest)) = self.pieces.pop_lru() else { return };
            self.bytes -= oldest.size;
        }
    }

    fn remove(&mut self, key: &PieceKey) {
        if let Some(piece) = self.pieces.pop(key) {
            self.bytes -= piece.size;
        }
    }
}
