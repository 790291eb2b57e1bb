//! What goes wrong and when, and how often what was called.

use std::io;
use std::path::Path;

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening a file, new or old.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Cutting or growing a file.
    Truncate,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Creating, renaming or removing a name.
    Name,
    /// Listing a directory.
    List,
}

impl Operation {
    fn changes_disk(self) -> bool {
        !matches!(self, Operation::Open | Operation::Read | Operation::List)
    }
}

/// How often what was called, failures included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files opened.
    pub opens: u64,
    /// Reads.
    pub reads: u64,
    /// Writes, vectored ones counted once.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub dir_syncs: u64,
    /// Names created, renamed or removed.
    pub names: u64,
    /// Directories listed.
    pub lists: u64,
}

#[derive(Default)]
pub(super) struct Faults {
    counts: Counts,
    planned: Vec<Fault>,
    space: Option<u64>,
    changes_until_off: Option<u64>,
    off: bool,
}

struct Fault {
    operation: Operation,
    path_part: String,
    skip: u64,
    errno: i32,
}

impl Faults {
    pub(super) fn repair(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    pub(super) fn fail_power_after(&mut self, changes: u64) {
        self.changes_until_off = Some(changes);
    }

    pub(super) fn is_off(&self) -> bool {
        self.off
    }

    pub(super) fn fail(&mut self, operation: Operation, path_part: &str, skip: u64, errno: i32) {
        self.planned.push(Fault { operation, path_part: path_part.to_owned(), skip, errno });
    }

    pub(super) fn limit_space(&mut self, bytes: Option<u64>) {
        self.space = bytes;
    }

    pub(super) fn space(&self) -> Option<u64> {
        self.space
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// How many of `asked` bytes the device still takes.
    pub(super) fn take_space(&mut self, asked: usize) -> usize {
        let taken = match &mut self.space {
            None => asked,
            Some(space) => {
                let taken = asked.min(usize::try_from(*space).unwrap_or(usize::MAX));
                *space -= taken as u64;
                taken
            }
        };
        self.counts.written_bytes += taken as u64;
        taken
    }

    /// Counts the call and says how it fails, if it does.
    pub(super) fn before(&mut self, operation: Operation, path: &Path) -> io::Result<()> {
        self.check_power()?;
        self.count(operation);
        if operation.changes_disk()
            && let Some(left) = &mut self.changes_until_off
        {
            if *left == 0 {
                self.off = true;
                return self.check_power();
            }
            *left -= 1;
        }
        let path = path.to_string_lossy();
        let matches = |fault: &Fault| fault.operation == operation && path.contains(&fault.path_part);
        let Some(index) = self.planned.iter().position(matches) else { return Ok(()) };
        if self.planned[index].skip > 0 {
            self.planned[index].skip -= 1;
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(self.planned.remove(index).errno))
    }

    fn count(&mut self, operation: Operation) {
        let counts = &mut self.counts;
        match operation {
            Operation::Open => counts.opens += 1,
            Operation::Read => counts.reads += 1,
            Operation::Write => counts.writes += 1,
            Operation::Truncate => {}
            Operation::Sync => counts.syncs += 1,
            Operation::SyncDir => counts.dir_syncs += 1,
            Operation::Name => counts.names += 1,
            Operation::List => counts.lists += 1,
        }
    }
}
