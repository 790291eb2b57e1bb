//! All entries of `log.dirs`: which of them work, whether they belong together, where a new log goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::ids::Uuid;

use super::{LogDir, LogDirError, LogDirOptions};
use crate::meta_properties::{Expected, MetaProperties, is_valid_directory_id, verify};

/// The directories of one node. Those that could not be opened are missing.
#[derive(Debug)]
pub struct LogDirs {
    directories: Vec<Arc<LogDir>>,
    failed: Vec<(PathBuf, LogDirError)>,
}

impl LogDirs {
    /// Opens the directories and checks that they belong to this node (`MetaPropertiesEnsemble`). A disk that fails
    /// leaves its directory out as long as another one works.
    ///
    /// # Errors
    /// [`LogDirError`]: a directory that is locked, named twice or somebody else's, or none that works.
    pub fn open(paths: &[PathBuf], expected: Expected<'_>, options: &LogDirOptions) -> Result<Self, LogDirError> {
        let mut opened = Self { directories: Vec::new(), failed: Vec::new() };
        for (index, path) in paths.iter().enumerate() {
            if paths[..index].contains(path) {
                return Err(LogDirError::Duplicate { path: path.clone() });
            }
            match LogDir::open(path, options) {
                Ok(directory) => opened.directories.push(directory),
                Err(error @ LogDirError::Io { .. }) => {
                    tracing::error!(path = %path.display(), %error, "log directory left out");
                    opened.failed.push((path.clone(), error));
                }
                Err(error) => return Err(error),
            }
        }
        if opened.directories.is_empty() {
            return Err(LogDirError::NoneLeft);
        }
        let found = opened.meta_properties();
        verify(found.iter().map(|(path, properties)| (*path, properties)), expected)?;
        Ok(opened)
    }

    /// Gives `meta.properties` to the directories that have none, and an id from `new_id` to those that lack one.
    ///
    /// # Errors
    /// [`LogDirError::NoneLeft`] when no directory can be written to.
    pub fn format(&self, cluster_id: &str, node_id: i32, mut new_id: impl FnMut() -> Uuid) -> Result<(), LogDirError> {
        let mut used: Vec<Uuid> = self.directories.iter().filter_map(|directory| directory.directory_id()).collect();
        for directory in &self.directories {
            let directory_id = loop {
                let id = new_id();
                if is_valid_directory_id(id) && !used.contains(&id) {
                    break id;
                }
            };
            used.push(directory_id);
            let properties = MetaProperties {
                cluster_id: Some(cluster_id.to_owned()),
                node_id: Some(node_id),
                directory_id: Some(directory_id),
            };
            // A failure took the directory offline, which is all there is to do.
            let _ = directory.format(properties);
        }
        if self.online().next().is_some() { Ok(()) } else { Err(LogDirError::NoneLeft) }
    }

    /// All directories that could be opened, in the order of the configuration.
    pub fn all(&self) -> &[Arc<LogDir>] {
        &self.directories
    }

    /// The directories that could not be opened.
    pub fn failed(&self) -> impl Iterator<Item = (&Path, &LogDirError)> {
        self.failed.iter().map(|(path, error)| (path.as_path(), error))
    }

    /// The directories that work.
    pub fn online(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.directories.iter().filter(|directory| !directory.is_offline())
    }

    /// The working directory with the fewest logs, the first of several: there a new log goes
    /// (`LogManager.nextLogDirs`).
    pub fn for_new_log(&self) -> Option<&Arc<LogDir>> {
        self.online().min_by_key(|directory| directory.log_count())
    }

    /// The directory of that id.
    pub fn by_id(&self, directory_id: Uuid) -> Option<&Arc<LogDir>> {
        self.directories.iter().find(|directory| directory.directory_id() == Some(directory_id))
    }

    /// The cluster id in the directories.
    pub fn cluster_id(&self) -> Option<String> {
        self.meta_properties().into_iter().find_map(|(_, properties)| properties.cluster_id)
    }

    /// The node id in the directories.
    pub fn node_id(&self) -> Option<i32> {
        self.meta_properties().into_iter().find_map(|(_, properties)| properties.node_id)
    }

    /// The broker epoch of the last run, if it ended cleanly in every directory and they agree on it
    /// (`LogManager.readBrokerEpochFromCleanShutdownFiles`).
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        let mut epochs = self.directories.iter().map(|directory| directory.last_shutdown().broker_epoch);
        let first = epochs.next()??;
        (self.failed.is_empty() && epochs.all(|epoch| epoch == Some(first))).then_some(first)
    }

    fn meta_properties(&self) -> Vec<(&Path, MetaProperties)> {
        let found = self.directories.iter().map(|directory| (directory.path(), directory.meta_properties()));
        found.filter_map(|(path, properties)| Some((path, properties?))).collect()
    }
}
