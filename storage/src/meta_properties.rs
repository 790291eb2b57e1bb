//! `meta.properties`: whose data lies in a log directory. Java's properties format, as Kafka's `storage format` writes it.
//! Source: `MetaProperties`, `MetaPropertiesEnsemble`, KIP-631, KIP-858.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use protocol::ids::{self, Uuid};

use crate::file_system::FileSystem;
use crate::properties::{self, PropertiesError};

/// Name of the file in a log directory.
pub const META_PROPERTIES: &str = "meta.properties";

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// Cluster whose data this is; `None` only in files of version 0.
    pub cluster_id: Option<String>,
    /// Node that wrote it, `node.id` (version 1) or `broker.id` (version 0); `None` only in files of version 0.
    pub node_id: Option<i32>,
    /// The directory's own id (KIP-858); absent in files older than Kafka 3.7.
    pub directory_id: Option<Uuid>,
}

/// Why a directory's file is not usable, or not for this node. The texts are Kafka's.
#[derive(Debug, thiserror::Error)]
pub enum MetaPropertiesError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a properties file.
    #[error("meta.properties is not a properties file: {0}")]
    Malformed(#[from] PropertiesError),
    /// Neither version 0 nor 1.
    #[error("Unknown meta.properties version number {0}")]
    Version(String),
    /// A key that version 1 demands.
    #[error("Failed to find {0}")]
    Missing(&'static str),
    /// A value that is not what the key demands.
    #[error("Unable to read {key} from {value}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands behind it.
        value: String,
    },
    /// The directory belongs to another cluster.
    #[error("Invalid cluster.id in: {path}. Expected {expected}, but read {found}")]
    InconsistentClusterId {
        /// The file.
        path: String,
        /// As configured, or as in the other directories.
        expected: String,
        /// As in the file.
        found: String,
    },
    /// The directory belongs to another node.
    #[error(
        "Stored node id {found} doesn't match previous node id {expected} in {path}. If you moved your data, make \
         sure your configured node id matches. If you intend to create a new node, you should remove all data in \
         your data directories."
    )]
    InconsistentNodeId {
        /// The file.
        path: String,
        /// As configured, or as in the other directories.
        expected: i32,
        /// As in the file.
        found: i32,
    },
    /// An id that Kafka keeps for special meanings.
    #[error("Invalid reserved directory ID {id} found in {path}")]
    ReservedDirectoryId {
        /// The directory.
        path: String,
        /// Its id.
        id: String,
    },
    /// Two directories with one id: one is a copy of the other.
    #[error("Duplicate directory ID {id} found. It was the ID of {first}, but also of {second}")]
    DuplicateDirectoryId {
        /// The id.
        id: String,
        /// A directory.
        first: String,
        /// Another one.
        second: String,
    },
}

/// What the directories of a node must agree with; `None`: with each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// The cluster's id.
    pub cluster_id: Option<&'a str>,
    /// The node's id.
    pub node_id: Option<i32>,
}

impl MetaProperties {
    /// Reads the file of a log directory; `None` when there is none, as in a new one.
    ///
    /// # Errors
    /// All of [`MetaPropertiesError`] that concern one file.
    pub fn load(file_system: &dyn FileSystem, log_dir: &Path) -> Result<Option<Self>, MetaPropertiesError> {
        match file_system.read(&log_dir.join(META_PROPERTIES)) {
            Ok(bytes) => Self::decode(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the file of a log directory, atomically and durably.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn store(&self, file_system: &dyn FileSystem, log_dir: &Path) -> io::Result<()> {
        file_system.write_atomic(&log_dir.join(META_PROPERTIES), self.encode().as_bytes())
    }

    /// The file's text, of version 1 when cluster and node are known. Java adds a line with the time, a comment like
    /// the first line, which nobody reads.
    pub fn encode(&self) -> String {
        let is_version_1 = self.cluster_id.is_some() && self.node_id.is_some();
        let mut text = String::from("#\n");
        let mut put = |key: &str, value: &str| {
            let written = writeln!(text, "{key}={}", properties::escape_value(value));
            debug_assert!(written.is_ok(), "writing to a string does not fail");
        };
        if let Some(node_id) = self.node_id {
            put(if is_version_1 { "node.id" } else { "broker.id" }, &node_id.to_string());
        }
        if let Some(directory_id) = self.directory_id {
            put("directory.id", &ids::format_uuid(directory_id));
        }
        put("version", if is_version_1 { "1" } else { "0" });
        if let Some(cluster_id) = &self.cluster_id {
            put("cluster.id", cluster_id);
        }
        text
    }

    /// The properties in a text.
    ///
    /// # Errors
    /// All of [`MetaPropertiesError`] that concern one file, but `Io`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaPropertiesError> {
        let mut properties: HashMap<String, String> = properties::parse_bytes(bytes)?.into_iter().collect();
        let version = properties.remove("version").unwrap_or_else(|| "0".to_owned());
        let (node_key, is_version_1) = match version.as_str() {
            "0" => ("broker.id", false),
            "1" => ("node.id", true),
            _ => return Err(MetaPropertiesError::Version(version)),
        };
        let cluster_id = properties.remove("cluster.id");
        let node_id = properties
            .remove(node_key)
            .map(|value| value.parse().map_err(|_| MetaPropertiesError::Value { key: node_key, value }))
            .transpose()?;
        let directory_id = properties
            .remove("directory.id")
            .map(|value| ids::parse_uuid(&value).ok_or(MetaPropertiesError::Value { key: "directory.id", value }))
            .transpose()?;
        if is_version_1 && node_id.is_none() {
            return Err(MetaPropertiesError::Missing("node.id"));
        }
        if is_version_1 && cluster_id.is_none() {
            return Err(MetaPropertiesError::Missing("cluster.id"));
        }
        Ok(Self { cluster_id, node_id, directory_id })
    }
}

/// Checks that directories belong together and to this node (`MetaPropertiesEnsemble.verify`).
///
/// # Errors
/// The first disagreement, as one of the last four of [`MetaPropertiesError`].
pub fn verify<'a>(
    directories: impl IntoIterator<Item = (&'a Path, &'a MetaProperties)>,
    expected: Expected<'_>,
) -> Result<(), MetaPropertiesError> {
    let mut cluster_id = expected.cluster_id.map(str::to_owned);
    let mut node_id = expected.node_id;
    let mut seen = HashMap::new();
    for (directory, properties) in directories {
        let path = || directory.join(META_PROPERTIES).display().to_string();
        match (&properties.cluster_id, &cluster_id) {
            (Some(found), Some(expected)) if found != expected => {
                let (expected, found) = (expected.clone(), found.clone());
                return Err(MetaPropertiesError::InconsistentClusterId { path: path(), expected, found });
            }
            (found, known) => cluster_id = known.clone().or_else(|| found.clone()),
        }
        match (properties.node_id, node_id) {
            (Some(found), Some(expected)) if found != expected => {
                return Err(MetaPropertiesError::InconsistentNodeId { path: path(), expected, found });
            }
            (found, known) => node_id = known.or(found),
        }
        let Some(id) = properties.directory_id else { continue };
        if is_reserved(id) {
            let path = directory.display().to_string();
            return Err(MetaPropertiesError::ReservedDirectoryId { path, id: ids::format_uuid(id) });
        }
        if let Some(first) = seen.insert(id, directory) {
            return Err(MetaPropertiesError::DuplicateDirectoryId {
                id: ids::format_uuid(id),
                first: first.display().to_string(),
                second: directory.display().to_string(),
            });
        }
    }
    Ok(())
}

/// The first hundred ids have special meanings (`DirectoryId.reserved`).
pub fn is_reserved(directory_id: Uuid) -> bool {
    directory_id.as_u128() < 100
}

/// Whether a random id may become a directory's: not reserved, and not looking like an option of a command line
/// (`MetaPropertiesEnsemble.Copier.generateValidDirectoryId`).
pub fn is_valid_directory_id(directory_id: Uuid) -> bool {
    !is_reserved(directory_id) && !ids::format_uuid(directory_id).starts_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_system::LosingFileSystem;

    fn properties(cluster_id: &str, node_id: i32, directory_id: u128) -> MetaProperties {
        MetaProperties {
            cluster_id: Some(cluster_id.to_owned()),
            node_id: Some(node_id),
            directory_id: Some(Uuid::from_u128(directory_id)),
        }
    }

    fn check(directories: &[(&str, &MetaProperties)], expected: Expected<'_>) -> Result<(), String> {
        let directories = directories.iter().map(|(path, properties)| (Path::new(*path), *properties));
        verify(directories, expected).map_err(|error| error.to_string())
    }

    #[test]
    fn version_1_is_read_with_comments() {
        let text = "#\n#Mon Nov 24 15:00:00 UTC 2026\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAyA\nversion=1\ncluster.id=kafka-kit-cluster-000g\n";
        let read = MetaProperties::decode(text.as_bytes()).unwrap();
        assert_eq!(read, properties("kafka-kit-cluster-000g", 1, 200));
        let written =
            "#\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAyA\nversion=1\ncluster.id=kafka-kit-cluster-000g\n";
        assert_eq!(read.encode(), written);
        assert_eq!(MetaProperties::decode(written.as_bytes()).unwrap(), read);
    }

    #[test]
    fn version_0_may_lack_everything() {
        let read = MetaProperties::decode(b"broker.id=3\n").unwrap();
        assert_eq!(read, MetaProperties { cluster_id: None, node_id: Some(3), directory_id: None });
        assert_eq!(read.encode(), "#\nbroker.id=3\nversion=0\n");
        let empty = MetaProperties { cluster_id: None, node_id: None, directory_id: None };
        assert_eq!(MetaProperties::decode(b"").unwrap(), empty);
    }

    #[test]
    fn what_version_1_lacks_is_named() {
        let cases = [
            ("version=1\ncluster.id=a", "Failed to find node.id"),
            ("version=1\nnode.id=1", "Failed to find cluster.id"),
            ("version=1\nnode.id=x\ncluster.id=a", "Unable to read node.id from x"),
            ("version=1\nnode.id=1\ncluster.id=a\ndirectory.id=short", "Unable to read directory.id from short"),
            ("version=2", "Unknown meta.properties version number 2"),
        ];
        for (text, message) in cases {
            assert_eq!(MetaProperties::decode(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn java_syntax_is_understood() {
        let text = "! comment\r\n  version : 1\r\nnode.id 7\r\ncluster.id\\ =no\r\ncluster.id = a\\:b\\u0041\\=c d\r\n";
        let read = MetaProperties::decode(text.as_bytes()).unwrap();
        assert_eq!((read.cluster_id.as_deref(), read.node_id), (Some("a:bA=c d"), Some(7)));
    }

    #[test]
    fn another_cluster_or_node_is_refused() {
        let (a, b) = (properties("one", 1, 200), properties("two", 1, 201));
        let both = [("/a", &a), ("/b", &b)];
        let text = "Invalid cluster.id in: /b/meta.properties. Expected one, but read two";
        assert_eq!(check(&both, Expected::default()), Err(text.to_owned()));
        let expected = Expected { cluster_id: Some("two"), node_id: None };
        let text = "Invalid cluster.id in: /a/meta.properties. Expected two, but read one";
        assert_eq!(check(&both, expected), Err(text.to_owned()));
        let refused = check(&[("/a", &a)], Expected { cluster_id: None, node_id: Some(2) }).unwrap_err();
        assert!(refused.starts_with("Stored node id 1 doesn't match previous node id 2 in /a/meta.properties."));
        assert_eq!(check(&[("/a", &a)], Expected { cluster_id: Some("one"), node_id: Some(1) }), Ok(()));
    }

    #[test]
    fn a_copied_or_reserved_directory_id_is_refused() {
        let (a, reserved) = (properties("one", 1, 200), properties("one", 1, 99));
        let copied = check(&[("/a", &a), ("/b", &a)], Expected::default());
        let text = "Duplicate directory ID AAAAAAAAAAAAAAAAAAAAyA found. It was the ID of /a, but also of /b";
        assert_eq!(copied, Err(text.to_owned()));
        assert!(check(&[("/a", &reserved)], Expected::default()).is_err());
        assert!(is_valid_directory_id(Uuid::from_u128(100)));
        assert!(!is_valid_directory_id(Uuid::from_u128(0xf8 << 120)), "begins with a dash");
    }

    #[test]
    fn stored_and_loaded() {
        let file_system = LosingFileSystem::new();
        let path = Path::new("/");
        assert_eq!(MetaProperties::load(&file_system, path).unwrap(), None);
        let stored = properties("one", 1, 200);
        stored.store(&file_system, path).unwrap();
        assert_eq!(MetaProperties::load(&file_system, path).unwrap(), Some(stored));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = MetaProperties::decode(&bytes);
        }

        #[test]
        fn nearly_right_texts_never_panic(text in "((version|node.id|cluster.id)[=: \\\\u]{1,3}[01a\\\\]{0,3}\n){0,4}") {
            let _ = MetaProperties::decode(text.as_bytes());
        }

        #[test]
        fn round_trip(cluster_id in "[ -~\t\x0b\x0c\n\r\u{85}ä]{1,30}", node_id in any::<i32>(), directory_id in 100u128..) {
            let written = properties(&cluster_id, node_id, directory_id);
            prop_assert_eq!(MetaProperties::decode(written.encode().as_bytes()).unwrap(), written);
        }
    }
}
