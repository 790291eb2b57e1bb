//! What leaves on a socket: bytes and regions of log files, in the order of the answers. The one place that chooses
//! between copying, `sendfile` and the cold pool.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rustix::net::SendFlags;
use storage::file_system::{File, read_exact};
use storage::{Piece, Region};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// From here on a piece is sent from where it is; a smaller one is copied behind the bytes before it.
const LARGE: usize = 16 << 10;
/// What one connection sends before others get the worker, and what a cold read brings at a time.
const TURN: usize = 1 << 20;
/// An empty buffer of more than this is given back.
const KEPT: usize = 256 << 10;
/// Threads that may read from the disk, at once and in all, for consumers far behind the tail.
const COLD_READERS: usize = 4;

static COLD_READS: Semaphore = Semaphore::const_new(COLD_READERS);

/// Answers on their way to one socket.
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Piece>,
    /// What comes behind `pieces`.
    tail: BytesMut,
    /// Error codes of the answers, until somebody has counted them.
    errors: Vec<i16>,
    /// For how long the connection is not to be read, in ms.
    muted_ms: i32,
}

impl Output {
    /// The end of the output, to append to.
    pub fn bytes(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// An answer has that error code.
    pub fn put_error(&mut self, error_code: i16) {
        self.errors.push(error_code);
    }

    /// Error codes of the answers that were put since the last call.
    pub fn take_errors(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.errors)
    }

    /// Appends a piece; the bytes of a large one are not copied before they are sent.
    pub fn put(&mut self, piece: Piece) {
        match piece {
            Piece::Bytes(bytes) if bytes.len() < LARGE => self.tail.extend_from_slice(&bytes),
            Piece::Bytes(bytes) => {
                self.seal();
                self.pieces.push_back(Piece::Bytes(bytes));
            }
            Piece::Region(region) => self.put_region(region),
        }
    }

    fn put_region(&mut self, region: Region) {
        let Some(file) = region.file() else { return };
        let is_copied = match file.as_fd() {
            // No descriptor, so no kernel that could send it: the simulation.
            None => {
                copy(&mut self.tail, region.size, |out| read_exact(&**file, out, region.position).map(|()| region.size))
            }
            Some(_) if region.size < LARGE => {
                copy(&mut self.tail, region.size, |out| file.read_resident_at(out, region.position))
            }
            Some(_) => false,
        };
        if !is_copied {
            self.seal();
            self.pieces.push_back(Piece::Region(region));
        }
    }

    /// The connection is not to be read for so long: its client has used too much.
    pub fn mute(&mut self, ms: i32) {
        self.muted_ms = self.muted_ms.max(ms);
    }

    /// For how long the connection is not to be read from now on; asked once.
    pub fn take_mute(&mut self) -> Option<Duration> {
        let ms = std::mem::take(&mut self.muted_ms);
        u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    /// Appends another output.
    pub fn append(&mut self, mut other: Self) {
        self.mute(other.muted_ms);
        other.muted_ms = self.muted_ms;
        if self.is_empty() {
            *self = other;
        } else if other.pieces.is_empty() {
            self.tail.extend_from_slice(&other.tail);
        } else {
            self.seal();
            self.pieces.append(&mut other.pieces);
            self.tail = other.tail;
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(Piece::Bytes(self.tail.split().freeze()));
        }
    }

    /// Bytes that were not sent yet.
    pub fn size(&self) -> usize {
        self.pieces.iter().map(Piece::size).sum::<usize>() + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// Gives back the memory of an output that is empty.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Sends everything, with a pause for others after each `TURN`.
    ///
    /// # Cancel safety
    /// What was sent is taken off; a later call goes on there.
    ///
    /// # Errors
    /// The connection is of no use any more: the peer is gone, or a file ended before its region.
    pub async fn write_to(&mut self, stream: &TcpStream) -> io::Result<()> {
        let mut sent = 0;
        while !self.is_empty() {
            sent += self.write_some(stream).await?;
            if sent >= TURN {
                sent = 0;
                tokio::task::yield_now().await;
            }
        }
        if self.tail.capacity() > KEPT {
            self.tail = BytesMut::new();
        }
        Ok(())
    }

    async fn write_some(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let is_last = self.tail.is_empty() && self.pieces.len() == 1;
        let sent = match self.pieces.front() {
            None => {
                let sent = send_bytes(stream, &self.tail, false).await?;
                self.tail.advance(sent);
                return Ok(sent);
            }
            Some(Piece::Bytes(bytes)) => send_bytes(stream, &bytes[..bytes.len().min(TURN)], !is_last).await?,
            Some(Piece::Region(region)) => {
                let Some(file) = region.file() else { return Ok(self.take(0)) };
                let turn = region.slice(0..TURN as u64);
                if !turn.is_resident()? {
                    let bytes = read_cold(file, turn.position, turn.size).await?;
                    self.take(turn.size);
                    self.pieces.push_front(Piece::Bytes(bytes));
                    return Ok(0);
                }
                send_file(stream, &**file, turn.position, turn.size).await?
            }
        };
        Ok(self.take(sent))
    }

    /// Takes `size` sent bytes off the front, and the piece if nothing is left of it.
    fn take(&mut self, size: usize) -> usize {
        let left = self.pieces.front_mut().map_or(0, |piece| {
            match piece {
                Piece::Bytes(bytes) => bytes.advance(size),
                Piece::Region(region) => {
                    region.position += size as u64;
                    region.size -= size;
                }
            }
            piece.size()
        });
        if left == 0 {
            self.pieces.pop_front();
        }
        size
    }
}

/// Appends `size` bytes that `read` fills in. False, and nothing is appended, if it could not fill them all at once.
fn copy(out: &mut BytesMut, size: usize, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> bool {
    let start = out.len();
    out.resize(start + size, 0);
    // An error shows again, and is handled, when the region is sent.
    let is_whole = read(&mut out[start..]).is_ok_and(|read| read == size);
    if !is_whole {
        out.truncate(start);
    }
    is_whole
}

/// `more`: further bytes follow at once, so that the kernel fills its packets.
async fn send_bytes(stream: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | if more { SendFlags::MORE } else { SendFlags::empty() };
    let sent = stream.async_io(Interest::WRITABLE, || Ok(rustix::net::send(stream, bytes, flags)?)).await?;
    if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(sent) }
}

async fn send_file(stream: &TcpStream, file: &dyn File, position: u64, size: usize) -> io::Result<usize> {
    let send = || {
        let file = file.as_fd().ok_or(io::ErrorKind::Unsupported)?;
        let mut offset = position;
        Ok(rustix::fs::sendfile(stream, file, Some(&mut offset), size)?)
    };
    let sent = stream.async_io(Interest::WRITABLE, send).await?;
    if sent == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(sent) }
}

/// Reads on a thread that may block, and leaves no page behind where the file system can do that: catching up must not
/// push the tail out of memory.
async fn read_cold(file: &Arc<dyn File>, position: u64, size: usize) -> io::Result<Bytes> {
    let _permit = COLD_READS.acquire().await.map_err(io::Error::other)?;
    let file = Arc::clone(file);
    let read = move || {
        let mut buffer = vec![0; size];
        let mut filled = 0;
        while filled < size {
            match file.read_uncached_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Bytes::from(buffer))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use storage::file_system::{FileSystem, LosingFileSystem, OsFileSystem};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::replica::testing::{self, NOW, batch};
    use crate::replica::{Durability, FetchLimits, Flusher};

    /// Regions of one batch each, with values of these sizes, and their bytes.
    fn regions(file_system: Arc<dyn FileSystem>, sizes: &[usize]) -> Vec<(Region, Bytes)> {
        let folder = tempfile::tempdir().unwrap();
        let flusher = Flusher::start(1);
        let partition = testing::partition(file_system, folder.path(), &flusher, Durability::Replicated);
        let mut regions = Vec::new();
        for (offset, size) in sizes.iter().enumerate() {
            partition.append(batch(&[&vec![offset as u8; *size]]), 9, NOW).unwrap();
            let limits = FetchLimits {
                offset: offset as i64,
                max_bytes: 1,
                at_least_one: true,
                current_leader_epoch: -1,
                read_committed: false,
            };
            let region = partition.read(limits).unwrap().region;
            let bytes = region.read().unwrap();
            assert!(bytes.len() > *size);
            regions.push((region, bytes));
        }
        flusher.stop();
        regions
    }

    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    async fn sends_in_order(file_system: Arc<dyn FileSystem>) {
        let mut expected = BytesMut::new();
        let mut output = Output::default();
        for (region, bytes) in regions(file_system, &[10, 100_000, 3 << 20, 20, 16 << 10, 5]) {
            output.bytes().extend_from_slice(b"head");
            expected.extend_from_slice(b"head");
            output.put(Piece::Region(region));
            expected.extend_from_slice(&bytes);
            output.put(Piece::Bytes(bytes.clone()));
            expected.extend_from_slice(&bytes);
            let mut later = Output::default();
            later.bytes().extend_from_slice(b"tail");
            expected.extend_from_slice(b"tail");
            output.append(later);
        }
        assert_eq!(output.size(), expected.len());
        let (server, mut client) = connection().await;
        let mut received = vec![0; expected.len()];
        let (sent, read) = tokio::join!(output.write_to(&server), client.read_exact(&mut received));
        sent.unwrap();
        read.unwrap();
        assert!(received == expected, "the bytes arrive in order");
        assert!(output.is_empty());
    }

    #[tokio::test]
    async fn bytes_and_regions_arrive_in_order() {
        sends_in_order(Arc::new(OsFileSystem)).await;
    }

    /// What is in memory is sent from there: the same bytes, held no longer than until they are sent.
    #[tokio::test]
    async fn large_bytes_are_not_copied() {
        let mut output = Output::default();
        let (small, large) = (Bytes::from(vec![1; LARGE - 1]), Bytes::from(vec![2; LARGE]));
        output.put(Piece::Bytes(small.clone()));
        output.put(Piece::Bytes(large.clone()));
        assert_eq!((small.is_unique(), large.is_unique()), (true, false));
        let (server, mut client) = connection().await;
        let mut received = vec![0; small.len() + large.len()];
        let (sent, read) = tokio::join!(output.write_to(&server), client.read_exact(&mut received));
        sent.unwrap();
        read.unwrap();
        assert!(large.is_unique());
        assert!(received == [&small[..], &large[..]].concat());
    }

    #[tokio::test]
    async fn files_without_descriptor_are_copied() {
        sends_in_order(Arc::new(LosingFileSystem::default())).await;
    }

    #[tokio::test]
    async fn cold_reads_bring_the_same_bytes() {
        let (region, bytes) = regions(Arc::new(OsFileSystem), &[200_000]).remove(0);
        let read = read_cold(region.file().unwrap(), region.position, region.size).await.unwrap();
        assert_eq!(read, bytes);
        let past = read_cold(region.file().unwrap(), region.position + 10, region.size).await;
        assert_eq!(past.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_slow_receiver_holds_up_only_its_own_output() {
        let (region, _) = regions(Arc::new(OsFileSystem), &[7 << 20]).remove(0);
        let (server, mut client) = connection().await;
        let mut output = Output::default();
        for _ in 0..4 {
            output.put(Piece::Region(region.clone()));
        }
        let whole = output.size();
        let wait = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(wait, output.write_to(&server)).await.is_err(), "nobody reads");
        let (sent, read) = tokio::join!(output.write_to(&server), async {
            let mut received = vec![0; whole];
            client.read_exact(&mut received).await.map(|_| ())
        });
        sent.unwrap();
        read.unwrap();
    }

    #[test]
    fn an_idle_output_holds_nothing() {
        let mut output = Output::default();
        output.bytes().extend_from_slice(&[0; 100]);
        output.shrink();
        assert_eq!(output.size(), 100, "what is to be sent stays");
        output.tail.clear();
        output.shrink();
        assert_eq!(output.tail.capacity(), 0);
    }
}
