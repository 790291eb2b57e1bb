//! Pieces of objects in memory, or what else comes of objects, bounded by bytes and count. Who asks for a piece that is on its way waits for that one
//! download, and a download that nobody waits for any more goes on where it was when the next one asks.
//!
//! The one that was not used for longest makes room, unless a consumer comes to it soon. Nothing of that kind makes room for what is
//! fetched ahead: of consumers that read the same, the first one then waits for each piece, and those behind it catch up, so that all
//! of them live on one download.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use lru::LruCache;
use object_store::path::Path;

use super::RemoteError;
use super::positions::Positions;

/// So many pieces are looked at for one that may go.
const LOOKED_AT: usize = 64;

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
    consumers: Positions,
}

impl<V> Default for State<V> {
    fn default() -> Self {
        Self { pieces: LruCache::unbounded(), bytes: 0, consumers: Positions::default() }
    }
}

struct Piece<V> {
    download: Shared<Download<V>>,
    /// Counted from the moment that the download begins.
    size: u64,
}

impl<V: Clone + Send + Sync + 'static> PieceCache<V> {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { limits, ahead: AtomicU64::new(0), state: Mutex::default() }
    }

    /// A consumer of one partition, told from others by its address, reads the piece `key` and comes to the object `following` after
    /// so many more.
    pub(super) fn note(&self, consumer: SocketAddr, key: &PieceKey, following: Option<(&Path, u64)>, now: Instant) {
        self.lock().consumers.note(consumer, key, following, now);
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
        let download = self.find_or_begin(&key, size, begin, Instant::now());
        let result = download.await;
        if result.is_err() {
            self.lock().remove(&key);
        }
        result
    }

    /// Begins a download that nobody asks for yet, unless the piece is there, or half of the cache is on its way like that, or all of
    /// it is used soon. One that fails is forgotten: who asks tries anew.
    pub(super) fn begin_ahead(self: &Arc<Self>, key: PieceKey, size: u64, begin: impl FnOnce() -> Download<V>) {
        let is_too_much = self.ahead.load(Ordering::Relaxed).saturating_add(size) > self.limits.bytes / 2;
        let begun = if is_too_much { None } else { self.begin_where_room(&key, size, begin, Instant::now()) };
        let Some(download) = begun else { return };
        self.ahead.fetch_add(size, Ordering::Relaxed);
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            let failed = download.await.is_err();
            cache.ahead.fetch_sub(size, Ordering::Relaxed);
            if failed {
                cache.lock().remove(&key);
            }
        });
    }

    fn begin_where_room(
        &self,
        key: &PieceKey,
        size: u64,
        begin: impl FnOnce() -> Download<V>,
        now: Instant,
    ) -> Option<Shared<Download<V>>> {
        let mut state = self.lock();
        if state.pieces.contains(key) || !state.make_room(size, self.limits, Victims::Unwanted, now) {
            return None;
        }
        let download = begin().shared();
        state.keep(key, size, &download);
        Some(download)
    }

    fn find_or_begin(
        &self,
        key: &PieceKey,
        size: u64,
        begin: impl FnOnce() -> Download<V>,
        now: Instant,
    ) -> Shared<Download<V>> {
        let mut state = self.lock();
        if let Some(piece) = state.pieces.get(key) {
            return piece.download.clone();
        }
        let download = begin().shared();
        if state.make_room(size, self.limits, Victims::Any, now) {
            state.keep(key, size, &download);
        }
        download
    }

    /// Whether the piece is here, or on its way.
    pub(super) fn has(&self, key: &PieceKey) -> bool {
        self.lock().pieces.contains(key)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        *self.lock() = State::default();
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

/// What may go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victims {
    /// What nobody comes to soon.
    Unwanted,
    /// That first, and then what is used later than the rest.
    Any,
}

impl<V> State<V> {
    /// Makes room for `size` bytes more. Returns whether there is; there never is for more than the whole cache.
    fn make_room(&mut self, size: u64, limits: CacheLimits, victims: Victims, now: Instant) -> bool {
        if size > limits.bytes || limits.count == 0 {
            return false;
        }
        while self.bytes.saturating_add(size) > limits.bytes || self.pieces.len() >= limits.count {
            let Some(victim) = self.victim(victims, now) else { return false };
            self.remove(&victim);
        }
        true
    }

    fn victim(&self, victims: Victims, now: Instant) -> Option<PieceKey> {
        let mut last = None;
        for (key, _) in self.pieces.iter().rev().take(LOOKED_AT) {
            match self.consumers.next_use(key, now) {
                None => return Some(key.clone()),
                next_use => last = last.max(Some((next_use, key))),
            }
        }
        last.filter(|_| victims == Victims::Any).map(|(_, key)| key.clone())
    }

    fn keep(&mut self, key: &PieceKey, size: u64, download: &Shared<Download<V>>) {
        self.bytes += size;
        self.pieces.push(key.clone(), Piece { download: download.clone(), size });
    }

    fn remove(&mut self, key: &PieceKey) {
        if let Some(piece) = self.pieces.pop(key) {
            self.bytes -= piece.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    const PIECES: u64 = 16;
    const SIZE: u64 = 100;

    /// A cache for a few pieces, and consumers of one object.
    struct Fixture {
        cache: PieceCache<u64>,
        downloads: Arc<AtomicU64>,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            let limits = CacheLimits { bytes: PIECES * SIZE, count: 1000 };
            Self { cache: PieceCache::new(limits), downloads: Arc::default(), now: Instant::now() }
        }

        fn begin(&self, number: u64) -> impl FnOnce() -> Download<u64> {
            let downloads = Arc::clone(&self.downloads);
            move || {
                downloads.fetch_add(1, Ordering::Relaxed);
                async move { Ok(number) }.boxed()
            }
        }

        /// A consumer reads the next piece, in a millisecond. Returns how many downloads that took.
        fn read(&mut self, consumer: u16, number: u64) -> u64 {
            self.now += Duration::from_millis(1);
            let key = key("read", number);
            self.cache.note(SocketAddr::from(([127, 0, 0, 1], consumer)), &key, None, self.now);
            self.find_or_begin(&key, number)
        }

        fn find_or_begin(&self, key: &PieceKey, number: u64) -> u64 {
            let download = self.cache.find_or_begin(key, SIZE, self.begin(number), self.now);
            assert_eq!(download.now_or_never().unwrap().unwrap(), number);
            self.cache.held();
            self.downloads.swap(0, Ordering::Relaxed)
        }

        /// Fetches a piece ahead. Returns how many downloads that took.
        fn ahead(&self, number: u64) -> u64 {
            self.cache.begin_where_room(&key("read", number), SIZE, self.begin(number), self.now);
            self.downloads.swap(0, Ordering::Relaxed)
        }

        /// Somebody reads a piece of another object.
        fn read_another(&self, number: u64) {
            self.find_or_begin(&key("another", number), number);
        }
    }

    fn key(object: &str, number: u64) -> PieceKey {
        (Path::from(object), number)
    }

    #[test]
    fn what_the_first_consumer_has_used_stays_for_the_second() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.read(2, 0), 1);
        for number in 0..PIECES - 2 {
            assert_eq!(fixture.read(1, number), u64::from(number > 0));
        }
        for number in 0..100 {
            fixture.read_another(number);
        }
        for number in 1..PIECES - 2 {
            assert_eq!(fixture.read(2, number), 0, "{number}");
        }
    }

    #[test]
    fn nothing_is_fetched_ahead_at_the_expense_of_a_consumer_behind() {
        let mut fixture = Fixture::new();
        fixture.read(2, 0);
        for number in 0..PIECES {
            fixture.read(1, number);
        }
        assert_eq!(fixture.ahead(PIECES), 0, "there is no room");
        assert_eq!((fixture.read(2, 1), fixture.read(2, 2)), (0, 0));
        assert_eq!((fixture.ahead(PIECES), fixture.ahead(PIECES + 1), fixture.ahead(PIECES + 2)), (1, 1, 0));
    }

    /// The first one goes on by itself, and what is far from the second one goes.
    #[test]
    fn a_consumer_too_far_behind_keeps_a_part() {
        let mut fixture = Fixture::new();
        fixture.read(2, 0);
        for number in 1..2 * PIECES {
            assert_eq!(fixture.read(1, number), 1);
        }
        let mut downloads = 0;
        for number in 1..2 * PIECES {
            downloads += fixture.read(2, number);
        }
        assert!((PIECES - 1..=PIECES + 2).contains(&downloads), "{downloads}");
    }

    #[test]
    fn nothing_is_kept_for_the_slow_and_for_those_who_have_left() {
        let mut fixture = Fixture::new();
        for number in 0..PIECES {
            fixture.read(2, number);
        }
        for _ in 0..2 {
            fixture.read(2, 0);
            fixture.now += Duration::from_secs(5);
        }
        assert_eq!(fixture.ahead(PIECES), 1, "it has left");
        fixture.read(2, 1);
        assert_eq!(fixture.ahead(PIECES + 1), 1, "it takes seconds for a piece");
    }
}
