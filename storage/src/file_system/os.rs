//! The file system of the operating system, by positioned calls and without a cursor.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use rustix::fs::FlockOperation;
use rustix::io::ReadWriteFlags;

use super::{DirEntry, File, FileSystem, LockGuard, Metadata, OpenMode, Space};

/// `RWF_DONTCACHE` of Linux 6.14, which rustix does not name.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
/// `IOV_MAX` of Linux.
const MAX_SLICES: usize = 1024;

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFileSystem;

impl OsFileSystem {
    /// A file that is open already and may lie behind a network. Where the system cannot tell what of it is in memory, nothing is:
    /// [`File::read_resident_at`] never waits.
    pub fn adopt(file: fs::File) -> Arc<dyn File> {
        Arc::new(OsFile { file, dont_cache_refused: AtomicBool::new(false), may_wait: false })
    }
}

impl FileSystem for OsFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read);
        match mode {
            OpenMode::Read | OpenMode::ReadWrite => {}
            OpenMode::Create => {
                options.create(true);
            }
            OpenMode::CreateNew => {
                options.create_new(true);
            }
        }
        let file = options.open(path)?;
        Ok(Arc::new(OsFile { file, dont_cache_refused: AtomicBool::new(false), may_wait: true }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let mut file_type = entry.file_type()?;
            if file_type.is_symlink() {
                match fs::metadata(entry.path()) {
                    Ok(target) => file_type = target.file_type(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry { name, is_dir: file_type.is_dir() });
            }
        }
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let size = if metadata.is_dir() { 0 } else { metadata.len() };
        let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
        Ok(Metadata { size, is_dir: metadata.is_dir(), modified_ms })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    /// Locks twice: `flock` keeps out other callers in this process as well, the record lock keeps out a Kafka on
    /// the same directory, since Java's `FileChannel.tryLock` is one. Neither knows of the other on Linux.
    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(LockGuard::new(file)),
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let space = rustix::fs::statvfs(path)?;
        Ok(Space {
            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
            usable_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }
}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
    dont_cache_refused: AtomicBool,
    /// Whether it is read all the same where the system cannot tell what is in memory.
    may_wait: bool,
}

impl OsFile {
    fn read_with(&self, buffer: &mut [u8], position: u64, flags: ReadWriteFlags) -> io::Result<usize> {
        Ok(rustix::io::preadv2(&self.file, &mut [IoSliceMut::new(buffer)], position, flags)?)
    }
}

impl File for OsFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn read_resident_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self.read_with(buffer, position, ReadWriteFlags::NOWAIT) {
            Err(error) if is_unsupported(&error) && self.may_wait => self.read_at(buffer, position),
            Err(error) if is_unsupported(&error) => Err(io::ErrorKind::WouldBlock.into()),
            result => result,
        }
    }

    fn read_uncached_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if self.dont_cache_refused.load(Ordering::Relaxed) {
            return self.read_at(buffer, position);
        }
        match self.read_with(buffer, position, DONT_CACHE) {
            Err(error) if is_unsupported(&error) => {
                self.dont_cache_refused.store(true, Ordering::Relaxed);
                self.read_at(buffer, position)
            }
            result => result,
        }
    }

    fn write_all_vectored_at(&self, mut buffers: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            let slices = &buffers[..buffers.len().min(MAX_SLICES)];
            match rustix::io::pwritev(&self.file, slices, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// The kernel or the file system below does not know the flag or the call.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL))
}
