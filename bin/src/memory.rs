//! When memory that is free goes back to the system. The allocator waits for a second by default and then for its next chance to
//! look, which an idle broker does not give it: what a start over many partitions leaves behind would stay resident.
#![allow(unsafe_code, reason = "the allocator has no safe interface for its options")]

use libmimalloc_sys::mi_option_t;

/// `mi_option_purge_delay` of mimalloc 3, which the bindings do not name: ms.
const PURGE_DELAY: mi_option_t = 15;
/// What mimalloc 2 waited for.
const SOON_MS: i64 = 10;

/// Lets free memory go back soon. To be called before there are other threads.
pub(crate) fn give_back_soon() {
    // SAFETY: no pointer is passed, and nobody else reads or writes the options yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, SOON_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another number would be another option, with another default.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: no pointer is passed, and no test changes options.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, 1000);
    }
}
