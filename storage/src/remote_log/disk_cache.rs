//! Pieces of objects in files, bounded by bytes and count: what came once from the store comes from the disk the next time, and
//! after a restart.
//!
//! One file is one piece: its bytes, then their CRC-32C, big-endian. Its name is that of the object, `@`, and where in the object
//! the piece begins. Nothing is synced: what the power cut spoils has a wrong checksum, and is downloaded again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use lru::LruCache;
use uuid::Uuid;

use super::{CacheLimits, RemoteError};
use crate::file_system::{FileSystem, OpenMode};

const CRC: usize = size_of::<u32>();
const UNFINISHED: &str = ".tmp";
/// Between an object's name and a position in it.
const AT: char = '@';

/// A folder of pieces. A disk that fails makes it useless, never wrong.
pub struct DiskCache {
    file_system: Arc<dyn FileSystem>,
    folder: PathBuf,
    state: Mutex<State>,
    /// Whether the last file could not be written.
    fails: AtomicBool,
}

struct State {
    limits: CacheLimits,
    /// Whether it is known what an earlier cache left. Until then nothing is kept.
    is_listed: bool,
    /// Sizes of whole files, by their last use.
    pieces: LruCache<String, u64>,
    /// Of whole files, and of those that will be.
    bytes: u64,
    /// Files that will be.
    reserved: usize,
}

/// Room for a file that is not there yet.
struct Reservation {
    cache: Arc<DiskCache>,
    size: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        state.bytes -= self.size;
        state.reserved -= 1;
    }
}

enum Found {
    Here(Bytes),
    /// With room for it, unless there cannot be.
    Missing(Option<Reservation>),
}

impl DiskCache {
    /// A cache in `folder` that keeps nothing and has nothing before [`DiskCache::list`].
    pub fn new(file_system: Arc<dyn FileSystem>, folder: PathBuf, limits: CacheLimits) -> Self {
        let state = State { limits, is_listed: false, pieces: LruCache::unbounded(), bytes: 0, reserved: 0 };
        Self { file_system, folder, state: Mutex::new(state), fails: AtomicBool::new(false) }
    }

    /// Takes over what an earlier cache left in the folder, which is made if there is none: the youngest first, as far as the limits
    /// allow. Files that are no pieces stay. With many files this takes a while, in which the cache may be asked already.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn list(&self) -> io::Result<()> {
        self.file_system.create_dir_all(&self.folder)?;
        let mut found = Vec::new();
        for entry in self.file_system.read_dir(&self.folder)? {
            let path = self.folder.join(&entry.name);
            if entry.is_dir || !entry.name.contains(AT) {
                continue;
            }
            if entry.name.ends_with(UNFINISHED) {
                remove(&*self.file_system, &path);
            } else if let Ok(metadata) = self.file_system.metadata(&path) {
                found.push((metadata.modified_ms, entry.name, metadata.size));
            }
        }
        found.sort_unstable();
        self.remove_all(&self.lock().take_over(found));
        Ok(())
    }

    /// Keeps no more than `bytes` from now on; what is too much goes with the next piece that comes.
    pub fn set_bytes(&self, bytes: u64) {
        self.lock().limits.bytes = bytes;
    }

    /// The piece of `object` that begins at `position` and has `size` bytes: from its file, or by `download`, which is asked only
    /// then, and once there is room for what it brings.
    ///
    /// # Errors
    /// The download's.
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub(super) async fn get(
        self: Arc<Self>,
        object: String,
        position: u64,
        size: u64,
        download: BoxFuture<'static, Result<Bytes, RemoteError>>,
    ) -> Result<Bytes, RemoteError> {
        let name = format!("{object}{AT}{position}");
        let (cache, wanted) = (Arc::clone(&self), name.clone());
        let reservation = match blocking(move || cache.find(&wanted, size)).await? {
            Found::Here(bytes) => return Ok(bytes),
            Found::Missing(reservation) => reservation,
        };
        let bytes = download.await?;
        if let Some(reservation) = reservation {
            let piece = bytes.clone();
            blocking(move || self.keep(name, &piece, reservation)).await?;
        }
        Ok(bytes)
    }

    fn find(self: Arc<Self>, name: &str, size: u64) -> Found {
        let is_known = self.lock().pieces.get(name).is_some();
        if is_known {
            if let Some(bytes) = self.read(name, size) {
                return Found::Here(bytes);
            }
            self.forget(name);
        }
        Found::Missing(self.reserve(size.saturating_add(CRC as u64)))
    }

    /// `None` if the file is gone, or is not the one that was written.
    fn read(&self, name: &str, size: u64) -> Option<Bytes> {
        let mut bytes = self.file_system.read(&self.folder.join(name)).ok()?;
        let crc = bytes.split_off(bytes.len().checked_sub(CRC)?);
        let is_whole = bytes.len() as u64 == size && crc == crc32c::crc32c(&bytes).to_be_bytes();
        is_whole.then(|| bytes.into())
    }

    fn reserve(self: Arc<Self>, size: u64) -> Option<Reservation> {
        let (outdated, reservation) = {
            let mut state = self.lock();
            let outdated = state.make_room(size);
            let fits = state.fits(size);
            if fits {
                state.bytes += size;
                state.reserved += 1;
            }
            (outdated, fits.then(|| Reservation { cache: Arc::clone(&self), size }))
        };
        self.remove_all(&outdated);
        reservation
    }

    fn remove_all(&self, names: &[String]) {
        names.iter().for_each(|name| remove(&*self.file_system, &self.folder.join(name)));
    }

    fn keep(&self, name: String, bytes: &Bytes, reservation: Reservation) {
        let result = self.write(&name, bytes);
        let failed = result.is_err();
        if let Err(error) = result
            && !self.fails.load(Ordering::Relaxed)
        {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "pieces of remote segments cannot be kept on disk; they are downloaded each time");
        }
        self.fails.store(failed, Ordering::Relaxed);
        if failed {
            return;
        }
        let mut state = self.lock();
        state.bytes += reservation.size;
        // Two who asked at the same time wrote the same file.
        if let Some((_, before)) = state.pieces.push(name, reservation.size) {
            state.bytes -= before;
        }
        drop(state);
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!("{name}.{}{UNFINISHED}", Uuid::new_v4()));
        let write = || {
            let file = self.file_system.open(&unfinished, OpenMode::CreateNew)?;
            file.write_all_at(bytes, 0)?;
            file.write_all_at(&crc32c::crc32c(bytes).to_be_bytes(), bytes.len() as u64)?;
            self.file_system.rename(&unfinished, &self.folder.join(name))
        };
        write().inspect_err(|_| remove(&*self.file_system, &unfinished))
    }

    fn forget(&self, name: &str) {
        let size = self.lock().pieces.pop(name);
        if let Some(size) = size {
            self.lock().bytes -= size;
            remove(&*self.file_system, &self.folder.join(name));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DiskCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DiskCache({})", self.folder.display())
    }
}

impl State {
    /// Returns the names of the files that there is no room for.
    fn take_over(&mut self, oldest_first: Vec<(i64, String, u64)>) -> Vec<String> {
        for (_, name, size) in oldest_first {
            self.bytes += size;
            self.pieces.push(name, size);
        }
        self.is_listed = true;
        self.make_room(0)
    }

    fn fits(&self, size: u64) -> bool {
        self.is_listed
            && self.bytes.saturating_add(size) <= self.limits.bytes
            && self.pieces.len() + self.reserved < self.limits.count
    }

    /// Forgets what was not used for longest until `size` more bytes fit. Returns the names of the files that are to go. What cannot
    /// fit at all makes nobody go.
    fn make_room(&mut self, size: u64) -> Vec<String> {
        let mut outdated = Vec::new();
        while !self.fits(size) && (size <= self.limits.bytes) {
            let Some((name, freed)) = self.pieces.pop_lru() else { break };
            self.bytes -= freed;
            outdated.push(name);
        }
        outdated
    }
}

/// Whether it can be removed or not: it is not counted any more, and the next start finds it.
fn remove(file_system: &dyn FileSystem, path: &Path) {
    if let Err(error) = file_system.remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "a piece of a remote segment stays on disk");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RemoteError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| RemoteError::LocalFile(Arc::new(io::Error::other(error))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::FutureExt;

    use super::*;
    use crate::file_system::OsFileSystem;

    const LIMITS: CacheLimits = CacheLimits { bytes: 1000, count: 10 };

    /// A cache over a folder, and how often it had to ask for a piece.
    struct Fixture {
        folder: tempfile::TempDir,
        downloads: Arc<AtomicUsize>,
    }

    impl Fixture {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), downloads: Arc::default() }
        }

        fn open(&self, limits: CacheLimits) -> Arc<DiskCache> {
            let cache = DiskCache::new(Arc::new(OsFileSystem), self.folder.path().join("pieces"), limits);
            cache.list().unwrap();
            Arc::new(cache)
        }

        /// Piece `number`: a hundred bytes of that value.
        async fn get(&self, cache: &Arc<DiskCache>, number: u8) -> Bytes {
            let downloads = Arc::clone(&self.downloads);
            let download = async move {
                downloads.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from(vec![number; 100]))
            };
            let found = Arc::clone(cache).get("object".to_owned(), u64::from(number), 100, download.boxed()).await;
            assert_eq!(found.as_ref().unwrap(), &vec![number; 100]);
            found.unwrap()
        }

        fn downloads(&self) -> usize {
            self.downloads.swap(0, Ordering::SeqCst)
        }

        /// Names and sizes.
        fn files(&self) -> Vec<(String, u64)> {
            let listed = std::fs::read_dir(self.folder.path().join("pieces")).unwrap().map(Result::unwrap);
            let mut files: Vec<_> = listed
                .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
                .collect();
            files.sort_unstable();
            files
        }
    }

    #[tokio::test]
    async fn what_came_once_comes_from_the_disk_also_after_a_restart() {
        let fixture = Fixture::new();
        let cache = fixture.open(LIMITS);
        for _ in 0..2 {
            fixture.get(&cache, 7).await;
        }
        assert_eq!(fixture.downloads(), 1);
        assert_eq!(fixture.files(), [("object@7".to_owned(), 104)]);
        fixture.get(&fixture.open(LIMITS), 7).await;
        assert_eq!(fixture.downloads(), 0);
    }

    #[tokio::test]
    async fn nothing_is_kept_before_it_is_known_what_is_there() {
        let fixture = Fixture::new();
        fixture.get(&fixture.open(LIMITS), 1).await;
        let cache = DiskCache::new(Arc::new(OsFileSystem), fixture.folder.path().join("pieces"), LIMITS);
        let cache = Arc::new(cache);
        fixture.get(&cache, 1).await;
        fixture.get(&cache, 2).await;
        assert_eq!((fixture.downloads(), fixture.files().len()), (3, 1));
        cache.list().unwrap();
        fixture.get(&cache, 1).await;
        fixture.get(&cache, 2).await;
        assert_eq!((fixture.downloads(), fixture.files().len()), (1, 2));
    }

    #[tokio::test]
    async fn bytes_and_count_stay_within_the_limits() {
        let fixture = Fixture::new();
        for limits in [CacheLimits { bytes: 320, count: 10 }, CacheLimits { bytes: 1000, count: 3 }] {
            let cache = fixture.open(limits);
            for number in [1, 2, 3, 1, 4, 5] {
                fixture.get(&cache, number).await;
                assert!(fixture.files().len() <= 3);
            }
            assert_eq!(fixture.files().len(), 3);
            fixture.downloads();
            for number in [1, 4, 5] {
                fixture.get(&cache, number).await;
            }
            assert_eq!(fixture.downloads(), 0, "the last ones are there");
        }
        fixture.open(CacheLimits { bytes: 250, count: 10 });
        assert_eq!(fixture.files().len(), 2, "a start with less room");
    }

    #[tokio::test]
    async fn what_cannot_fit_makes_nobody_go() {
        let fixture = Fixture::new();
        let cache = fixture.open(LIMITS);
        fixture.get(&cache, 1).await;
        let large = async { Ok(Bytes::from(vec![0; 2000])) }.boxed();
        Arc::clone(&cache).get("large".to_owned(), 0, 2000, large).await.unwrap();
        assert_eq!(fixture.files().len(), 1);
        cache.set_bytes(0);
        fixture.get(&cache, 2).await;
        assert_eq!(fixture.downloads(), 2);
    }

    #[tokio::test]
    async fn a_failed_download_takes_no_room() {
        let fixture = Fixture::new();
        let cache = fixture.open(CacheLimits { bytes: 104, count: 1 });
        let failed = async { Err(RemoteError::LocalFile(Arc::new(io::ErrorKind::Other.into()))) }.boxed();
        assert!(Arc::clone(&cache).get("object".to_owned(), 1, 100, failed).await.is_err());
        fixture.get(&cache, 2).await;
        assert_eq!(fixture.files(), [("object@2".to_owned(), 104)]);
    }

    #[tokio::test]
    async fn spoilt_and_vanished_files_are_downloaded_again() {
        let fixture = Fixture::new();
        let cache = fixture.open(LIMITS);
        let path = fixture.folder.path().join("pieces/object@1");
        let spoil: [&dyn Fn(); 4] = [
            &|| std::fs::write(&path, [1; 104]).unwrap(),
            &|| std::fs::write(&path, [1; 3]).unwrap(),
            &|| std::fs::write(&path, []).unwrap(),
            &|| std::fs::remove_file(&path).unwrap(),
        ];
        fixture.get(&cache, 1).await;
        for spoil in spoil {
            spoil();
            fixture.get(&cache, 1).await;
            fixture.get(&cache, 1).await;
        }
        assert_eq!(fixture.downloads(), 1 + 4);
    }

    #[tokio::test]
    async fn a_start_removes_what_was_not_finished_and_leaves_what_is_not_its_own() {
        let fixture = Fixture::new();
        drop(fixture.open(LIMITS));
        let folder = fixture.folder.path().join("pieces");
        std::fs::write(folder.join("object@1.abc.tmp"), [1; 10]).unwrap();
        std::fs::write(folder.join("README"), [1; 5000]).unwrap();
        fixture.open(LIMITS);
        assert_eq!(fixture.files(), [("README".to_owned(), 5000)]);
    }

    #[tokio::test]
    async fn a_disk_that_fails_keeps_nobody_from_reading() {
        let fixture = Fixture::new();
        let cache = fixture.open(LIMITS);
        std::fs::remove_dir_all(fixture.folder.path().join("pieces")).unwrap();
        for _ in 0..2 {
            fixture.get(&cache, 1).await;
        }
        assert_eq!(fixture.downloads(), 2);
    }
}
