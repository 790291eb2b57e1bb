//! The operating system's limits and names that a broker depends on.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one: every partition in use holds a few.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(from = ?limit.current, to = ?limit.maximum, "raised the limit of open files"),
        Err(error) => tracing::warn!(current = ?limit.current, %error, "cannot raise the limit of open files"),
    }
}

/// Asks the kernel for ordinary pages: with huge ones every thread's first allocation makes 2 MiB resident.
pub fn use_ordinary_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "cannot do without huge pages");
    }
}

/// Warns where the kernel never overcommits memory: there, a request with a forged count can make an allocation fail.
pub fn warn_of_strict_overcommit() {
    let mode = fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if mode.trim() == "2" {
        tracing::warn!(
            "vm.overcommit_memory is 2: a hostile request may end this process; 0 or 1 is safe, since memory is then \
             reserved without being used"
        );
    }
}

/// The machine's name, as it says itself.
pub fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
