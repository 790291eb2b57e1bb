//! The memory that requests may hold, all connections together (`queued.max.request.bytes`).
//!
//! Small frames are free, so that heartbeats and metadata are never starved by data; every byte above that is taken from
//! one pool before the buffer grows. While the pool is empty the socket is not read, and TCP pushes back.
//!
//! Buffers grow as bytes arrive, so several half-read frames may hold the whole pool and all wait for more. One of them at
//! a time may therefore exceed it, until its frame is whole: the bound is the pool and one largest frame.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a connection's buffer that cost nothing.
pub(super) const FREE_BYTES: usize = 64 * 1024;
/// The pool is counted in pieces of this many bytes.
const PIECE: usize = 1024;

/// The pool.
#[derive(Clone, Debug)]
pub struct RequestMemory {
    pieces: Arc<Semaphore>,
    /// Whose turn it is to exceed the pool.
    excess: Arc<Semaphore>,
    total: u32,
}

/// A share of the pool, given back when dropped.
#[derive(Debug, Default)]
pub struct Share {
    permit: Option<OwnedSemaphorePermit>,
    excess: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.permit.is_none() && self.excess.is_none()
    }
}

impl RequestMemory {
    /// A pool of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX).clamp(1, (Semaphore::MAX_PERMITS >> 4) as u32);
        Self { pieces: Arc::new(Semaphore::new(total as usize)), excess: Arc::new(Semaphore::new(1)), total }
    }

    /// Grows `share` so that it covers a buffer of `bytes`; waits while the pool is empty. Cancel safe: `share` stays as
    /// it was.
    pub async fn grow(&self, share: &mut Share, bytes: usize) {
        let wanted =
            u32::try_from(bytes.saturating_sub(FREE_BYTES).div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.total);
        let held = share.permit.as_ref().map_or(0, |permit| permit.num_permits() as u32);
        if wanted <= held || share.excess.is_some() {
            return;
        }
        let more = Arc::clone(&self.pieces).acquire_many_owned(wanted - held);
        let excess = Arc::clone(&self.excess).acquire_owned();
        // The semaphores are never closed. Who holds nothing can wait without stopping anybody.
        tokio::select! {
            biased;
            Ok(more) = more => match &mut share.permit {
                Some(permit) => permit.merge(more),
                None => share.permit = Some(more),
            },
            Ok(excess) = excess, if held > 0 => share.excess = Some(excess),
            else => {}
        }
    }

    /// Bytes that nobody holds.
    pub fn available(&self) -> usize {
        self.pieces.available_permits() * PIECE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_come_back() {
        let memory = RequestMemory::new(1 << 20);
        let mut share = Share::default();
        memory.grow(&mut share, FREE_BYTES).await;
        assert_eq!(memory.available(), 1 << 20, "small frames are free");
        memory.grow(&mut share, FREE_BYTES + 10_000).await;
        memory.grow(&mut share, FREE_BYTES + 20_000).await;
        assert_eq!(memory.available(), (1 << 20) - 20 * PIECE);
        drop(share);
        assert_eq!(memory.available(), 1 << 20);
    }

    #[tokio::test]
    async fn half_read_frames_do_not_wait_for_each_other_for_ever() {
        let memory = RequestMemory::new(1 << 20);
        let (mut first, mut second) = (Share::default(), Share::default());
        memory.grow(&mut first, FREE_BYTES + (600 << 10)).await;
        memory.grow(&mut second, FREE_BYTES + (400 << 10)).await;
        memory.grow(&mut first, FREE_BYTES + (900 << 10)).await;
        let blocked = memory.grow(&mut second, FREE_BYTES + (900 << 10));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), blocked).await.is_err(), "one at a time");
        drop(first);
        memory.grow(&mut second, FREE_BYTES + (900 << 10)).await;
        drop(second);
        assert_eq!(memory.available(), 1 << 20);
    }

    #[tokio::test]
    async fn a_request_larger_than_the_pool_gets_all_of_it() {
        let memory = RequestMemory::new(1 << 20);
        let mut share = Share::default();
        memory.grow(&mut share, 1 << 30).await;
        assert_eq!(memory.available(), 0);
        let mut other = Share::default();
        let waiting = memory.grow(&mut other, FREE_BYTES + 1);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), waiting).await.is_err());
    }
}
