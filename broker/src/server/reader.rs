//! The receiving side of a connection: a buffer that exists while there is something to read, and grows as bytes arrive.

use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::frame::{FrameError, FrameLimits, declared_size, split};
use tokio::net::TcpStream;

use super::connection::Closed;
use super::request_memory::{FREE_BYTES, Share};
use super::{Output, ServerSettings};

pub(super) const SIZE_FIELD: usize = 4;
/// Room for a client's first words.
const FIRST_READ: usize = 512;
/// With less room than this the buffer is renewed: a read of a few bytes costs as much as one of many.
const LEAST_ROOM: usize = 4 * 1024;
/// Requests after which a connection keeps its buffers between them. Many only say hello, and buffers that are given back
/// later than taken leave holes behind that the allocator does not give back.
const BUSY_AFTER: u32 = 4;
/// Buffers are given back when the connection was silent for so long.
const SHRINK_AFTER: Duration = Duration::from_secs(5);
/// A buffer of more is given back as soon as it is empty.
const KEPT: usize = 2 << 20;

/// What a client has sent and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    input: BytesMut,
    share: Share,
    /// The largest frame that this client has sent whole: it is believed that far when it announces another.
    largest_frame: usize,
    /// Frames taken, counted up to [`BUSY_AFTER`].
    frames: u32,
}

impl Reader {
    /// What waits to be taken.
    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Takes the next whole frame.
    ///
    /// # Errors
    /// A size that no frame may have.
    pub(super) fn take_frame(&mut self, limits: &FrameLimits) -> Result<Option<Bytes>, FrameError> {
        let frame = split(&mut self.input, limits)?;
        if let Some(frame) = &frame {
            self.largest_frame = self.largest_frame.max(frame.len() + SIZE_FIELD);
            self.frames = BUSY_AFTER.min(self.frames + 1);
        }
        Ok(frame)
    }

    /// Whether buffers are worth keeping for the next request.
    pub(super) fn is_busy(&self) -> bool {
        self.frames >= BUSY_AFTER
    }

    /// Gives back what an empty buffer does not need: memory, and its share of the pool.
    pub(super) fn release(&mut self) {
        if !self.input.is_empty() {
            return;
        }
        if self.largest_frame > KEPT || !self.is_busy() {
            self.input = BytesMut::new();
        }
        if !self.share.is_empty() {
            self.share = Share::default();
        }
    }

    /// Reads what is there; 0 at the end. Cancel safe.
    pub(super) async fn read(
        &mut self,
        stream: &TcpStream,
        settings: &ServerSettings,
        output: &mut Output,
    ) -> Result<usize, Closed> {
        loop {
            self.readable(stream, settings.idle, output).await?;
            let room = self.make_room(settings).await?;
            match stream.try_read_buf(&mut (&mut self.input).limit(room)) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for bytes; a silent connection holds no buffers meanwhile.
    async fn readable(
        &mut self,
        stream: &TcpStream,
        idle: Option<Duration>,
        output: &mut Output,
    ) -> Result<(), Closed> {
        if self.input.is_empty() {
            match tokio::time::timeout(SHRINK_AFTER, stream.readable()).await {
                Ok(readable) => return Ok(readable?),
                Err(_) => {
                    self.input = BytesMut::new();
                    output.shrink();
                }
            }
        }
        match idle {
            Some(idle) => Ok(tokio::time::timeout(idle, stream.readable()).await.map_err(|_| Closed::Idle)??),
            None => Ok(stream.readable().await?),
        }
    }

    /// Grows the buffer and returns how many bytes may be read into it. A large frame gets its room as it arrives,
    /// doubling, so that a claim costs nothing; a client that has sent such a frame before gets it at once.
    async fn make_room(&mut self, settings: &ServerSettings) -> Result<usize, Closed> {
        let frame = declared_size(&self.input, &settings.frames)?.map_or(0, |size| size + SIZE_FIELD);
        let len = self.input.len();
        if frame <= FREE_BYTES {
            let is_small = !self.is_busy() && len == 0;
            let (least, room) = if is_small { (FIRST_READ, FIRST_READ) } else { (LEAST_ROOM, FREE_BYTES) };
            if self.input.capacity() - len < least {
                self.input.reserve(room);
            }
            return Ok(self.input.capacity() - len);
        }
        let proven = self.largest_frame.max(FREE_BYTES).max(len * 2);
        let capacity = frame.min(proven);
        settings.memory.grow(&mut self.share, capacity).await;
        if self.input.capacity() < capacity {
            self.input.reserve(capacity - len);
        }
        // No further than this frame's end: the next one begins at the front of the buffer.
        Ok((frame - len).min(self.input.capacity() - len))
    }
}
