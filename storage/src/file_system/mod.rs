//! The door to the disk: what the logs need of a file system, as a trait, so that a simulation can lose what was not synced.
//! [`OsFileSystem`] is the real one, [`LosingFileSystem`] the one for crash tests.

mod losing;
mod os;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use losing::{Counts, LosingFileSystem, Operation, Survival};
pub use os::OsFileSystem;

/// How a file is opened. Every mode but [`OpenMode::Read`] gives a handle that may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reading only.
    Read,
    /// Existing file, reading and writing.
    ReadWrite,
    /// Reading and writing; created empty when absent.
    Create,
    /// Reading and writing; fails with [`io::ErrorKind::AlreadyExists`] when present.
    CreateNew,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Size in bytes; 0 for a directory.
    pub size: u64,
    /// Whether the name is a directory.
    pub is_dir: bool,
    /// Time of the last change, in ms since the epoch.
    pub modified_ms: i64,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The last part of the path. Names that are not UTF-8 are left out of listings: Kafka writes none.
    pub name: String,
    /// Whether the name is a directory.
    pub is_dir: bool,
}

/// Bytes of the device under a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Size of the device.
    pub total_bytes: u64,
    /// What an ordinary process may still write.
    pub usable_bytes: u64,
}

/// Holds a lock on a file until dropped; see [`FileSystem::lock`].
pub struct LockGuard {
    _held: Box<dyn Any + Send + Sync>,
}

impl LockGuard {
    fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LockGuard")
    }
}

/// Names and directories.
///
/// The contract, for every implementation:
/// - what a successful [`File::sync_data`] covered, and names covered by a successful [`FileSystem::sync_dir`] of
///   their directory, survive a power cut; nothing else is promised;
/// - a rename inside one directory is atomic: after a power cut the new name stands for the old or the new file, whole;
/// - an open [`File`] stays usable after its name was renamed or removed.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent and not to be created; whatever the system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Creates a directory and the missing ones above it. The new names are not synced.
    ///
    /// # Errors
    /// Whatever the system says; an existing directory is no error.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Lists a directory, in no order.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent; whatever the system says.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Looks at a name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent; whatever the system says.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Renames a file or a directory within one parent, replacing a file of the new name. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when `from` is absent; whatever the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent; whatever the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all below it. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent; whatever the system says.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: created, renamed and removed ones.
    ///
    /// # Errors
    /// Whatever the system says; never to be retried, as for [`File::sync_data`].
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on the file `path`, created when absent, against every other process and against
    /// other callers in this one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody holds it; whatever the system says.
    fn lock(&self, path: &Path) -> io::Result<LockGuard>;

    /// Asks for the size of the device under `path`.
    ///
    /// # Errors
    /// Whatever the system says.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Says whether the name exists.
    ///
    /// # Errors
    /// Whatever the system says but [`io::ErrorKind::NotFound`].
    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a whole file. For the small ones: checkpoints, snapshots, properties.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when absent; whatever the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let size = usize::try_from(file.size()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        let read = read_full(&*file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Replaces a file so that a power cut leaves the old bytes or the new ones: temporary file, sync, rename, sync of
    /// the directory (Kafka's `CheckpointFile.write` and `Utils.atomicMoveWithFallback`).
    ///
    /// # Errors
    /// Whatever the system says; the old bytes are then still there, unless only the last sync failed.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = with_suffix(path, ".tmp");
        let file = self.open(&temporary, OpenMode::Create)?;
        file.truncate(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        drop(file);
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(parent) => self.sync_dir(parent),
            None => Ok(()),
        }
    }
}

/// One open file. Positions are bytes from its start; calls from several threads may overlap.
pub trait File: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes; fewer at the end of the file, 0 behind it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Reads like [`File::read_at`] but only what needs no disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the first byte is not in memory; whatever the system says.
    fn read_resident_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_at(buffer, position)
    }

    /// Reads like [`File::read_at`] and leaves no page behind that was not there before, where the file system can
    /// (`RWF_DONTCACHE`); an ordinary read elsewhere. For readers far behind the tail.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_uncached_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_at(buffer, position)
    }

    /// Writes all of the buffers one after the other, in as few calls as the system allows. The slices are used up.
    ///
    /// # Errors
    /// Whatever the system says; part of the bytes may then be in the file.
    fn write_all_vectored_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Whatever the system says; part of the bytes may then be in the file.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.write_all_vectored_at(&mut [IoSlice::new(bytes)], position)
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file, or grows it with zeros, to `size` bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes the content durable (`fdatasync`).
    ///
    /// # Errors
    /// Whatever the system says. After a failure the kernel may have dropped the dirty pages: a second call would
    /// lie, so the caller must give up on the file.
    fn sync_data(&self) -> io::Result<()>;

    /// The descriptor, for `sendfile` and maps; none in the simulation.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
}

/// Fills the buffer as far as the file reaches and returns how far that was.
///
/// # Errors
/// Whatever [`File::read_at`] says, but interrupted calls are repeated.
pub fn read_full(file: &dyn File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let at = position.checked_add(filled as u64).ok_or(io::ErrorKind::InvalidInput)?;
        match file.read_at(&mut buffer[filled..], at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Fills the whole buffer.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the file ends before; whatever [`File::read_at`] says.
pub fn read_exact(file: &dyn File, buffer: &mut [u8], position: u64) -> io::Result<()> {
    if read_full(file, buffer, position)? == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The path with `suffix` behind its last part.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
