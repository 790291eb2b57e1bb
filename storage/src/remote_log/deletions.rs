//! Topics that were deleted and whose objects are still in the store: a file, so that a start after a crash goes on.
//!
//! ```text
//! 0                                 version
//! 1                                 count of the lines that follow
//! AAAAAAAAAAAAAAAAAAAAAQ orders     id and name of a topic
//! ```

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ids::{Uuid, format_uuid, parse_uuid};

use crate::checkpoint::{CheckpointError, decode_lines, encode_lines, read_rebuildable};
use crate::log_dir::LogDir;

const FILE: &str = "remote-log-deletions";

/// A topic that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    pub id: Uuid,
    pub name: Arc<str>,
}

impl DeletedTopic {
    /// The file's text.
    pub fn encode_all(topics: &[Self]) -> String {
        encode_lines(topics.iter().map(|topic| format!("{} {}", format_uuid(topic.id), topic.name)))
    }

    /// The topics in a file's bytes.
    ///
    /// # Errors
    /// They are not what [`DeletedTopic::encode_all`] makes.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, CheckpointError> {
        decode_lines(bytes, Self::parse)
    }

    /// A name has Kafka's characters (`Topic.containsValidPattern`): with others the folder would not be the topic's.
    fn parse(line: &str) -> Option<Self> {
        let (id, name) = line.split_once(' ')?;
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let name = Some(name).filter(|name| !name.is_empty() && name.bytes().all(is_legal))?;
        Some(Self { id: parse_uuid(id)?, name: name.into() })
    }
}

/// The deleted topics whose objects are still there.
pub struct Deletions {
    log_dir: Arc<LogDir>,
    topics: Mutex<Vec<DeletedTopic>>,
}

impl Deletions {
    /// Those that an earlier run has noted in `log_dir`. What a damaged file said is not known: `ottla tier gc` finds it.
    ///
    /// # Errors
    /// A failing disk.
    pub fn open(log_dir: Arc<LogDir>) -> io::Result<Self> {
        let path = log_dir.path().join(FILE);
        let found = read_rebuildable(log_dir.file_system(), &path, DeletedTopic::decode_all)?;
        Ok(Self { log_dir, topics: Mutex::new(found.unwrap_or_default()) })
    }

    /// Those that are noted.
    pub fn all(&self) -> Vec<DeletedTopic> {
        self.lock().clone()
    }

    /// Notes one more, durably.
    ///
    /// # Errors
    /// A failing disk: it is known until the process ends.
    pub fn add(&self, topic: DeletedTopic) -> io::Result<()> {
        let mut topics = self.lock();
        topics.push(topic);
        self.write(&topics)
    }

    /// Forgets those that are not `wanted`.
    ///
    /// # Errors
    /// A failing disk: the next run may know them again, and finds nothing to delete.
    pub fn retain(&self, wanted: impl Fn(&DeletedTopic) -> bool) -> io::Result<()> {
        let mut topics = self.lock();
        let before = topics.len();
        topics.retain(wanted);
        if topics.len() == before { Ok(()) } else { self.write(&topics) }
    }

    fn write(&self, topics: &[DeletedTopic]) -> io::Result<()> {
        let path = self.log_dir.path().join(FILE);
        self.log_dir.file_system().write_atomic(&path, DeletedTopic::encode_all(topics).as_bytes())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<DeletedTopic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::file_system::{FileSystem, LosingFileSystem};
    use crate::log_dir::LogDirOptions;

    fn topic(number: u128) -> DeletedTopic {
        DeletedTopic { id: Uuid::from_u128(number), name: format!("t{number}").into() }
    }

    #[test]
    fn the_text_is_as_it_was() {
        let topics = [topic(1), DeletedTopic { id: Uuid::from_u128(u128::MAX), name: "a.B_c-9".into() }];
        let text = "0\n2\nAAAAAAAAAAAAAAAAAAAAAQ t1\n_____________________w a.B_c-9\n";
        assert_eq!(DeletedTopic::encode_all(&topics), text);
        assert_eq!(DeletedTopic::decode_all(text.as_bytes()).unwrap(), topics);
        for damaged in ["../..", "a/b", "", "a b", "a\u{e4}"] {
            let text = format!("0\n1\nAAAAAAAAAAAAAAAAAAAAAQ {damaged}\n");
            assert!(DeletedTopic::decode_all(text.as_bytes()).is_err(), "{damaged}");
        }
        assert!(DeletedTopic::decode_all(b"1\n0\n").is_err(), "another version");
    }

    #[test]
    fn what_is_noted_is_known_to_the_next_run() {
        let file_system = LosingFileSystem::default();
        let open = || {
            let shared: Arc<dyn FileSystem> = Arc::new(file_system.clone());
            Deletions::open(LogDir::open(Path::new("/data"), &LogDirOptions::new(shared)).unwrap()).unwrap()
        };
        let first = open();
        assert_eq!(first.all(), []);
        first.add(topic(1)).unwrap();
        first.add(topic(2)).unwrap();
        drop(first);
        let second = open();
        assert_eq!(second.all(), [topic(1), topic(2)]);
        second.retain(|other| *other != topic(1)).unwrap();
        drop(second);
        assert_eq!(open().all(), [topic(2)]);
        file_system.write_atomic(Path::new("/data/remote-log-deletions"), b"0\n1\nnonsense\n").unwrap();
        assert_eq!(open().all(), []);
    }
}
