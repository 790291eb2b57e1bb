//! Files and directories with two images each: what reads show, and what a power cut leaves.

use std::collections::BTreeMap;
use std::io;
use std::mem;

use super::Survival;
use super::random::Random;

pub(super) type NodeId = u64;

/// The largest file the simulation holds, in bytes: a wrong position must not fill the memory.
const MAX_FILE_SIZE: u64 = 1 << 30;
const SECTOR_SIZE: usize = 512;

pub(super) enum Node {
    File(FileNode),
    Directory(Directory),
}

impl Node {
    /// Forgets or keeps the unsynced changes and takes the rest as the new state of both images.
    pub(super) fn settle(&mut self, survival: Survival, random: Option<&mut Random>) {
        match self {
            Node::File(file) => file.settle(survival, random),
            Node::Directory(directory) => directory.settle(survival, random),
        }
    }
}

/// A file. `content` is `synced` with `unsynced` applied, unless a sync failed: what it covered is in neither.
#[derive(Default)]
pub(super) struct FileNode {
    pub(super) content: Vec<u8>,
    pub(super) synced: Vec<u8>,
    pub(super) unsynced: Vec<Change>,
    pub(super) modified_ms: i64,
}

#[derive(Clone)]
pub(super) enum Change {
    Write { position: u64, bytes: Vec<u8> },
    Truncate { size: u64 },
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) -> io::Result<()> {
        let too_large = || io::Error::from_raw_os_error(libc::EFBIG);
        match self {
            Change::Write { position, bytes } => {
                let end = position.checked_add(bytes.len() as u64).filter(|end| *end <= MAX_FILE_SIZE);
                let end = end.ok_or_else(too_large)? as usize;
                let start = end - bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[start..end].copy_from_slice(bytes);
            }
            Change::Truncate { size } => {
                if *size > MAX_FILE_SIZE {
                    return Err(too_large());
                }
                image.resize(*size as usize, 0);
            }
        }
        Ok(())
    }

    /// The part of the change that reached the disk.
    fn survivor(self, random: &mut Random) -> Vec<Change> {
        match (random.below(4), self) {
            (0 | 1, change) => vec![change],
            (2, Change::Write { position, bytes }) => torn(position, &bytes, random),
            (_, _) => Vec::new(),
        }
    }
}

/// A random choice of the sectors that a write covers.
fn torn(position: u64, bytes: &[u8], random: &mut Random) -> Vec<Change> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let in_sector = (position as usize + start) % SECTOR_SIZE;
        let end = bytes.len().min(start + SECTOR_SIZE - in_sector);
        if random.below(2) == 0 {
            pieces.push(Change::Write { position: position + start as u64, bytes: bytes[start..end].to_vec() });
        }
        start = end;
    }
    pieces
}

impl FileNode {
    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        change.apply(&mut self.content)?;
        self.unsynced.push(change);
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        for change in mem::take(&mut self.unsynced) {
            change.apply(&mut self.synced)?;
        }
        Ok(())
    }

    fn settle(&mut self, survival: Survival, random: Option<&mut Random>) {
        let unsynced = mem::take(&mut self.unsynced);
        match (survival, random) {
            (Survival::Everything, _) => self.synced.clone_from(&self.content),
            (Survival::Random { .. }, Some(random)) => {
                for change in unsynced.into_iter().flat_map(|change| change.survivor(random)) {
                    change.apply(&mut self.synced).expect("the change was applied to the other image");
                }
                self.content.clone_from(&self.synced);
            }
            (Survival::Nothing | Survival::Random { .. }, _) => self.content.clone_from(&self.synced),
        }
    }
}

/// A directory; its images relate as a file's do.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) names: BTreeMap<String, NodeId>,
    pub(super) synced: BTreeMap<String, NodeId>,
    pub(super) unsynced: Vec<NameChange>,
}

#[derive(Clone)]
pub(super) enum NameChange {
    Link(String, NodeId),
    Unlink(String),
    Rename(String, String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        match self {
            NameChange::Link(name, id) => {
                names.insert(name.clone(), *id);
            }
            NameChange::Unlink(name) => {
                names.remove(name);
            }
            NameChange::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
        }
    }
}

impl Directory {
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in mem::take(&mut self.unsynced) {
            change.apply(&mut self.synced);
        }
    }

    fn settle(&mut self, survival: Survival, random: Option<&mut Random>) {
        let unsynced = mem::take(&mut self.unsynced);
        let kept = match (survival, random) {
            (Survival::Everything, _) => unsynced.len(),
            (Survival::Random { .. }, Some(random)) => random.below(unsynced.len() as u64 + 1) as usize,
            (Survival::Nothing | Survival::Random { .. }, _) => 0,
        };
        for change in &unsynced[..kept] {
            change.apply(&mut self.synced);
        }
        if survival == Survival::Everything {
            self.synced.clone_from(&self.names);
        }
        self.names.clone_from(&self.synced);
    }
}
