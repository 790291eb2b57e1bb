//! Memory for what comes from the store. It is used again: a fresh page costs more than what is copied into it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Smaller ones are left to the allocator.
const SMALLEST: usize = 256 << 10;
/// Bytes of buffers that wait to be used again.
const MOST_FREE: usize = 16 << 20;

/// Buffers that nobody uses at the moment.
#[derive(Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

/// A buffer on loan. Whoever lets go of the last of its bytes gives it back.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    owner: Arc<Buffers>,
}

impl Buffers {
    /// An empty buffer for `size` bytes.
    pub(super) fn take(self: &Arc<Self>, size: usize) -> Buffer {
        // A cache counts what is in a buffer, so it must not be much larger.
        let fits = |buffer: &Vec<u8>| (size..=size.saturating_mul(2)).contains(&buffer.capacity());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.iter().position(fits).map(|at| free.swap_remove(at));
        drop(free);
        Buffer { bytes: found.unwrap_or_else(|| Vec::with_capacity(size)), owner: Arc::clone(self) }
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        let size = buffer.capacity();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if size >= SMALLEST && free.iter().map(Vec::capacity).sum::<usize>() + size <= MOST_FREE {
            buffer.clear();
            free.push(buffer);
        }
    }
}

impl Buffer {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What is in it; nobody writes to it any more.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.owner.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1 << 20;

    fn filled(buffers: &Arc<Buffers>, size: usize, with: u8) -> Bytes {
        let mut buffer = buffers.take(size);
        assert_eq!(buffer.len(), 0);
        buffer.extend(&vec![with; size]);
        buffer.freeze()
    }

    fn free(buffers: &Buffers) -> usize {
        buffers.free.lock().unwrap().iter().map(Vec::capacity).sum()
    }

    #[test]
    fn no_buffer_is_used_again_while_anybody_has_a_part_of_it() {
        let buffers = Arc::new(Buffers::default());
        let first = filled(&buffers, SIZE, 1);
        let part = first.slice(5..10);
        drop(first);
        let second = filled(&buffers, SIZE, 2);
        assert_eq!((&part[..], free(&buffers)), (&[1; 5][..], 0));
        drop(part);
        assert_eq!(free(&buffers), SIZE);
        let third = filled(&buffers, SIZE - 1, 3);
        assert_eq!(free(&buffers), 0, "it is used again, for a little less too");
        assert!(second.iter().all(|byte| *byte == 2) && third.len() == SIZE - 1);
    }

    #[test]
    fn what_is_kept_is_bounded_and_of_use() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<Bytes> = (0..40).map(|n| filled(&buffers, SIZE, n)).collect();
        drop(many);
        assert_eq!(free(&buffers), MOST_FREE);
        drop(filled(&buffers, SMALLEST - 1, 0));
        drop(filled(&buffers, SIZE / 4, 0));
        assert_eq!(free(&buffers), MOST_FREE, "one that is much too large is not taken for little");
        drop(buffers.take(0));
    }
}
