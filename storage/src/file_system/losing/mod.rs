//! A file system in memory that forgets, at a power cut, what was not synced, and fails where it is told to.
//! For tests of this and other crates; deterministic for a seed.
//!
//! It is harsher than ext4: nothing but `sync_data` of the file and `sync_dir` of its directory makes anything
//! durable, unsynced writes survive in any combination and torn at sectors, and a failed sync loses what it covered
//! for good although reads still show it.

mod faults;
mod node;
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use faults::{Counts, Operation};

use self::faults::Faults;
use self::node::{Change, Directory, FileNode, NameChange, Node, NodeId};
use self::random::Random;
use super::{DirEntry, File, FileSystem, LockGuard, Metadata, OpenMode, Space};

/// What of the unsynced changes outlives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// None: exactly what was synced.
    Nothing,
    /// A random choice: any of the writes to a file, torn at 512-byte sectors, and the first few of the changes to a
    /// directory (a journal keeps their order).
    Random {
        /// The same seed gives the same choice.
        seed: u64,
    },
    /// All: only the process died.
    Everything,
}

/// The file system; clones share it.
#[derive(Clone)]
pub struct LosingFileSystem {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    nodes: HashMap<NodeId, Node>,
    next_node: NodeId,
    /// Handles of an earlier generation are dead: the power was cut since.
    generation: u64,
    locks: BTreeSet<PathBuf>,
    faults: Faults,
    now_ms: i64,
}

const ROOT: NodeId = 0;

impl Default for LosingFileSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LosingFileSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LosingFileSystem")
    }
}

impl LosingFileSystem {
    /// An empty one.
    pub fn new() -> Self {
        let mut state = State { next_node: ROOT + 1, ..State::default() };
        state.nodes.insert(ROOT, Node::Directory(Directory::default()));
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts the power and turns it on again: open handles and locks are dead, injected faults are gone, and of the
    /// unsynced changes there is what `survival` says.
    pub fn power_cut(&self, survival: Survival) {
        let mut state = self.lock_state();
        state.generation += 1;
        state.locks.clear();
        state.faults.repair();
        let mut random = match survival {
            Survival::Random { seed } => Some(Random::new(seed)),
            Survival::Nothing | Survival::Everything => None,
        };
        let mut ids: Vec<NodeId> = state.nodes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(node) = state.nodes.get_mut(&id) {
                node.settle(survival, random.as_mut());
            }
        }
        state.drop_unreachable();
    }

    /// Lets the power fail during the change of the file system that comes after `changes` more of them: that one
    /// and everything later fails until [`LosingFileSystem::power_cut`].
    pub fn fail_power_after(&self, changes: u64) {
        self.lock_state().faults.fail_power_after(changes);
    }

    /// Whether the power has failed.
    pub fn is_off(&self) -> bool {
        self.lock_state().faults.is_off()
    }

    /// Lets one call fail with the error number `errno` of Linux: after `skip` more of the operation on a path that
    /// contains `path_part`. A failed sync loses what it covered.
    pub fn fail(&self, operation: Operation, path_part: &str, skip: u64, errno: i32) {
        self.lock_state().faults.fail(operation, path_part, skip, errno);
    }

    /// Lets writes fail with `ENOSPC` once `bytes` more were written, the last one in its middle; `None`: never.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.lock_state().faults.limit_space(bytes);
    }

    /// How often what was called since the start.
    pub fn counts(&self) -> Counts {
        self.lock_state().faults.counts()
    }

    /// The time that later changes put on files, in ms since the epoch; 0 at first.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.lock_state().now_ms = now_ms;
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, node: Node) -> NodeId {
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, node);
        id
    }

    fn directory(&mut self, id: NodeId) -> io::Result<&mut Directory> {
        match self.nodes.get_mut(&id) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file(&mut self, id: NodeId) -> io::Result<&mut FileNode> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn find(&mut self, path: &Path) -> io::Result<NodeId> {
        let mut id = ROOT;
        for name in parts(path)? {
            id = self.directory(id)?.names.get(&name).copied().ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(id)
    }

    /// The directory that holds `path`, and the last part of it.
    fn find_parent(&mut self, path: &Path) -> io::Result<(NodeId, String)> {
        let mut names = parts(path)?;
        let last = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut id = ROOT;
        for name in names {
            id = self.directory(id)?.names.get(&name).copied().ok_or(io::ErrorKind::NotFound)?;
        }
        self.directory(id)?;
        Ok((id, last))
    }

    fn drop_unreachable(&mut self) {
        let mut reachable = BTreeSet::new();
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            if reachable.insert(id)
                && let Some(Node::Directory(directory)) = self.nodes.get(&id)
            {
                open.extend(directory.names.values());
            }
        }
        self.nodes.retain(|id, _| reachable.contains(id));
    }
}

impl FileSystem for LosingFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.lock_state();
        state.faults.before(Operation::Open, path)?;
        let (parent, name) = state.find_parent(path)?;
        let existing = state.directory(parent)?.names.get(&name).copied();
        let id = match (existing, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) => id,
            (None, OpenMode::Read | OpenMode::ReadWrite) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                state.faults.before(Operation::Name, path)?;
                let modified_ms = state.now_ms;
                let id = state.add(Node::File(FileNode { modified_ms, ..FileNode::default() }));
                state.directory(parent)?.change(NameChange::Link(name, id));
                id
            }
        };
        state.file(id)?;
        Ok(Arc::new(LosingFile {
            system: self.clone(),
            id,
            generation: state.generation,
            path: path.to_owned(),
            writable: mode != OpenMode::Read,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let mut id = ROOT;
        for name in parts(path)? {
            id = match state.directory(id)?.names.get(&name).copied() {
                Some(next) => next,
                None => {
                    state.faults.before(Operation::Name, path)?;
                    let new = state.add(Node::Directory(Directory::default()));
                    state.directory(id)?.change(NameChange::Link(name, new));
                    new
                }
            };
        }
        state.directory(id).map(drop)
    }

    /// Backwards, so that nobody relies on an order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.lock_state();
        state.faults.before(Operation::List, path)?;
        let id = state.find(path)?;
        let names = state.directory(id)?.names.clone();
        let is_dir = |id: &NodeId| matches!(state.nodes.get(id), Some(Node::Directory(_)));
        Ok(names.iter().rev().map(|(name, id)| DirEntry { name: name.clone(), is_dir: is_dir(id) }).collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let id = state.find(path)?;
        match state.nodes.get(&id) {
            Some(Node::File(file)) => {
                Ok(Metadata { size: file.content.len() as u64, is_dir: false, modified_ms: file.modified_ms })
            }
            Some(Node::Directory(_)) => Ok(Metadata { size: 0, is_dir: true, modified_ms: 0 }),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Within one directory only: across two, no file system promises what we would have to simulate.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let (parent, old_name) = state.find_parent(from)?;
        let (new_parent, new_name) = state.find_parent(to)?;
        if parent != new_parent {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if !state.directory(parent)?.names.contains_key(&old_name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.faults.before(Operation::Name, from)?;
        state.directory(parent)?.change(NameChange::Rename(old_name, new_name));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let (parent, name) = state.find_parent(path)?;
        let id = state.find(path)?;
        state.file(id)?;
        state.faults.before(Operation::Name, path)?;
        state.directory(parent)?.change(NameChange::Unlink(name));
        Ok(())
    }

    /// What is below goes with the name at once: either the whole tree is there after a power cut or none of it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let (parent, name) = state.find_parent(path)?;
        let id = state.find(path)?;
        state.directory(id)?;
        state.faults.before(Operation::Name, path)?;
        state.directory(parent)?.change(NameChange::Unlink(name));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.check_power()?;
        let id = state.find(path)?;
        let outcome = state.faults.before(Operation::SyncDir, path);
        let is_off = state.faults.is_off();
        let directory = state.directory(id)?;
        match outcome {
            Ok(()) => directory.sync(),
            Err(_) if !is_off => directory.unsynced.clear(),
            Err(_) => {}
        }
        outcome
    }

    fn lock(&self, path: &Path) -> io::Result<LockGuard> {
        self.open(path, OpenMode::Create)?;
        let mut state = self.lock_state();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(LockGuard::new(LosingLock { system: self.clone(), path: path.to_owned(), generation: state.generation }))
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let state = self.lock_state();
        state.faults.check_power()?;
        Ok(Space { total_bytes: 1 << 40, usable_bytes: state.faults.space().unwrap_or(1 << 40) })
    }
}

struct LosingLock {
    system: LosingFileSystem,
    path: PathBuf,
    generation: u64,
}

impl Drop for LosingLock {
    fn drop(&mut self) {
        let mut state = self.system.lock_state();
        if state.generation == self.generation {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct LosingFile {
    system: LosingFileSystem,
    id: NodeId,
    generation: u64,
    path: PathBuf,
    writable: bool,
}

impl LosingFile {
    fn lock_state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.system.lock_state();
        if state.generation != self.generation {
            return Err(io::Error::other("the power was cut since this file was opened"));
        }
        state.faults.check_power()?;
        Ok(state)
    }

    fn lock_for_writing(&self) -> io::Result<MutexGuard<'_, State>> {
        if self.writable { self.lock_state() } else { Err(io::Error::from_raw_os_error(libc::EBADF)) }
    }
}

impl File for LosingFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.lock_state()?;
        state.faults.before(Operation::Read, &self.path)?;
        let content = &state.file(self.id)?.content;
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(content.len());
        let size = buffer.len().min(content.len() - start);
        buffer[..size].copy_from_slice(&content[start..start + size]);
        Ok(size)
    }

    fn write_all_vectored_at(&self, buffers: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut state = self.lock_for_writing()?;
        let mut bytes: Vec<u8> = buffers.iter().flat_map(|slice| slice.iter().copied()).collect();
        let asked = bytes.len();
        let outcome = state.faults.before(Operation::Write, &self.path);
        if outcome.is_ok() || state.faults.is_off() {
            bytes.truncate(state.faults.take_space(asked));
            let now_ms = state.now_ms;
            let written = bytes.len();
            let file = state.file(self.id)?;
            file.modified_ms = now_ms;
            file.change(Change::Write { position, bytes })?;
            outcome?;
            if written < asked {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
            return Ok(());
        }
        outcome
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.lock_state()?.file(self.id)?.content.len() as u64)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.lock_for_writing()?;
        state.faults.before(Operation::Truncate, &self.path)?;
        let now_ms = state.now_ms;
        let file = state.file(self.id)?;
        file.modified_ms = now_ms;
        file.change(Change::Truncate { size })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.lock_state()?;
        let outcome = state.faults.before(Operation::Sync, &self.path);
        let is_off = state.faults.is_off();
        let file = state.file(self.id)?;
        match outcome {
            Ok(()) => file.sync()?,
            Err(_) if !is_off => file.unsynced.clear(),
            Err(_) => {}
        }
        outcome
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn parts(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned());
            }
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}
