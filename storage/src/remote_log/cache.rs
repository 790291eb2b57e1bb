//! Pieces of objects in memory, bounded by bytes and count. Who asks for a piece that is on its way waits for that one
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

type Download = Shared<BoxFuture<'static, Result<Bytes, RemoteError>>>;

pub(super) struct PieceCache {
    limits: CacheLimits,
    /// Bytes on their way that nobody has asked for yet.
    ahead: AtomicU64,
    state: Mutex<State>,
}

/// By their last use.
struct State {
    pieces: LruCache<PieceKey, Piece>,
    bytes: u64,
}

struct Piece {
    download: Download,
    /// Counted from the moment that the download begins.
    size: u64,
}

impl PieceCache {
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
        begin: impl FnOnce() -> BoxFuture<'static, Result<Bytes, RemoteError>>,
    ) -> Result<Bytes, RemoteError> {
        let download = self.find_or_begin(&key, size, begin);
        let result = download.await;
        if result.is_err() {
            self.lock().remove(&key);
        }
        result
    }

    /// Begins a download that nobody asks for yet, unless the piece is there or half of the cache is on its way like that. One
    /// that fails is forgotten: who asks tries anew.
    pub(super) fn begin_ahead(
        self: &Arc<Self>,
        key: PieceKey,
        size: u64,
        begin: impl FnOnce() -> BoxFuture<'static, Result<Bytes, RemoteError>>,
    ) {
        let is_too_much = self.ahead.load(Ordering::Relaxed).saturating_add(size) > self.limits.bytes / 2;
        if is_too_much || self.limits.count == 0 || self.lock().pieces.contains(&key) {
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

    fn find_or_begin(
        &self,
        key: &PieceKey,
        size: u64,
        begin: impl FnOnce() -> BoxFuture<'static, Result<Bytes, RemoteError>>,
    ) -> Download {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (u64, usize) {
        let state = self.lock();
        assert_eq!(state.bytes, state.pieces.iter().map(|(_, piece)| piece.size).sum::<u64>());
        (state.bytes, state.pieces.len())
    }
}

impl State {
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
