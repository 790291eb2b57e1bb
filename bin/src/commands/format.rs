//! `ottla format`: gives the data directories of a node their ids, before its first start.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use broker::config::BrokerConfig;
use clap::Args;
use protocol::ids::{Uuid, format_uuid};
use storage::file_system::{FileSystem, OsFileSystem};
use storage::meta_properties::{Expected, MetaProperties, is_valid_directory_id, verify};

use super::key_value;
use crate::output::Output;
use crate::server::configure;

/// Formats the data directories of a node. A broker does so by itself at its first start: this is for who wants to choose the
/// cluster id, or to see that the directories can be used, before.
///
/// Examples:
///   ottla format server.properties --cluster-id 5L6g3nShT-eMCtK--X86sw
///   ottla format --override log.dirs=/data --override node.id=1
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Apache Kafka's own configuration file.
    file: Option<PathBuf>,
    /// The cluster's id; without it the one of the configuration, or a random one.
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
    /// Sets one configuration key, over the file and the defaults. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (config, _) = configure(self.file.as_deref(), self.overrides)?;
        let plan = FormatPlan::make(&config, self.cluster_id.as_deref())?;
        let mut output = Output::new();
        for path in &plan.formatted {
            output.line(format!("{} is formatted already", path.display()))?;
        }
        for path in plan.unformatted.clone() {
            plan.format(&path)?;
            output.line(format!("formatted {}", path.display()))?;
        }
        output.line(format!("cluster id {}, node id {}", plan.cluster_id, plan.node_id))?;
        Ok(output.flush()?)
    }
}

/// Which directories are to be formatted, and how.
#[derive(Clone, Debug)]
pub(crate) struct FormatPlan {
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    pub(crate) formatted: Vec<PathBuf>,
    pub(crate) unformatted: Vec<PathBuf>,
}

impl FormatPlan {
    /// Looks at the directories of `config`, and touches none of them.
    ///
    /// # Errors
    /// One belongs to another cluster or node, or cannot be read.
    pub(crate) fn make(config: &BrokerConfig, cluster_id: Option<&str>) -> anyhow::Result<Self> {
        let cluster_id = cluster_id.or(config.cluster_id.as_deref());
        let mut found = Vec::new();
        let mut unformatted = Vec::new();
        for path in node_directories(config) {
            let loaded = MetaProperties::load(&OsFileSystem, &path);
            match loaded.with_context(|| format!("cannot use {}", path.display()))? {
                Some(properties) => found.push((path, properties)),
                None => unformatted.push(path),
            }
        }
        let known = found.iter().map(|(path, properties)| (path.as_path(), properties));
        verify(known, Expected { cluster_id, node_id: Some(config.node_id) })?;
        let stored = found.iter().find_map(|(_, properties)| properties.cluster_id.clone());
        let cluster_id = stored.or_else(|| cluster_id.map(str::to_owned)).unwrap_or_else(|| format_uuid(new_uuid()));
        ensure!(!cluster_id.trim().is_empty(), "the cluster id is empty");
        let formatted = found.into_iter().map(|(path, _)| path).collect();
        Ok(Self { cluster_id, node_id: config.node_id, formatted, unformatted })
    }

    /// Formats one of the directories; creates it when it is absent.
    ///
    /// # Errors
    /// A broker uses it, or it cannot be written to.
    pub(crate) fn format(&self, path: &Path) -> anyhow::Result<()> {
        let write = || -> io::Result<()> {
            OsFileSystem.create_dir_all(path)?;
            let _lock = OsFileSystem.lock(&path.join(".lock"))?;
            let properties = MetaProperties {
                cluster_id: Some(self.cluster_id.clone()),
                node_id: Some(self.node_id),
                directory_id: Some(new_uuid()),
            };
            properties.store(&OsFileSystem, path)
        };
        write().with_context(|| match path.is_dir() {
            true => format!("cannot format {}", path.display()),
            false => format!("cannot create {}", path.display()),
        })
    }
}

/// The directories of a node, sorted: those for logs, and the one for metadata.
pub(crate) fn node_directories(config: &BrokerConfig) -> Vec<PathBuf> {
    let mut directories = config.log_dirs.clone();
    directories.push(config.metadata_log_dir.clone());
    directories.sort();
    directories.dedup();
    directories
}

/// A random id that may name a directory and never looks like an option (`Uuid.randomUuid`).
pub(crate) fn new_uuid() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if is_valid_directory_id(id) {
            return id;
        }
    }
}
