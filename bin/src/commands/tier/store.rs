//! The store as the commands see it: named by a URL or by a broker's own file, and read without any broker.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use broker::config::{RemoteConfig, StoreLocation};
use broker::remote_storage;
use clap::Args;
use storage::remote_log::{Inventory, RemoteStore, StoreLimits, StoredTopic, clusters};
use tokio::runtime::Runtime;

use crate::commands::key_value;
use crate::server::configure;

/// Which store to look at.
#[derive(Args, Debug)]
pub(super) struct StoreArguments {
    /// Where the segments are, as ottla.remote.storage.url: file:///mnt/cold, s3://bucket/prefix, … Credentials come from the
    /// environment.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Instead of the URL: a broker's server.properties, which names the store.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    config: Option<PathBuf>,
    /// Sets one key over the file. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
    /// The cluster's id, where several have their segments in the store.
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
}

/// A store, and whose objects in it are looked at.
pub(super) struct Store {
    runtime: Runtime,
    pub(super) remote: Arc<RemoteStore>,
    pub(super) cluster_id: String,
}

impl StoreArguments {
    /// Whether the command line names a store.
    pub(super) fn is_given(&self) -> bool {
        self.store.is_some() || self.config.is_some() || !self.overrides.is_empty()
    }

    fn configured(&self) -> anyhow::Result<(RemoteConfig, Option<String>)> {
        if let Some(url) = &self.store {
            return Ok((RemoteConfig::of_url(url)?, None));
        }
        let (config, _) = configure(self.config.as_deref(), self.overrides.clone())?;
        let remote =
            config.remote.context("no store is named: give --store URL, or --config FILE of a broker that has one")?;
        Ok((remote, config.cluster_id))
    }

    /// Opens the store, and finds the cluster in it.
    ///
    /// # Errors
    /// None is named or reached; it holds no cluster, or several and none was chosen.
    pub(super) fn open(&self) -> anyhow::Result<Store> {
        let (config, configured_id) = self.configured()?;
        Store::open(&config, self.cluster_id.clone().or(configured_id))
    }
}

/// The cluster that was chosen, if the store has anything of it; without a choice the only one.
fn cluster(remote: &RemoteStore, chosen: Option<String>, found: Vec<String>) -> anyhow::Result<String> {
    match chosen {
        Some(chosen) if found.contains(&chosen) => Ok(chosen),
        Some(chosen) => bail!("{} has nothing of a cluster {chosen}", remote.name()),
        None => only_cluster(remote, found),
    }
}

fn only_cluster(remote: &RemoteStore, mut found: Vec<String>) -> anyhow::Result<String> {
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => bail!("{} is empty", remote.name()),
        (Some(last), false) => {
            found.push(last);
            bail!(
                "several clusters have segments in {}: choose one with --cluster-id: {}",
                remote.name(),
                found.join(", ")
            )
        }
    }
}

impl Store {
    /// Opens the store, and finds the cluster in it unless one is chosen.
    ///
    /// # Errors
    /// It is not reached; it holds no cluster, or several.
    pub(super) fn open(config: &RemoteConfig, chosen: Option<String>) -> anyhow::Result<Self> {
        let name = config.to_string();
        if let StoreLocation::Directory(folder) = &config.location
            && !folder.exists()
        {
            // Whoever only looks, perhaps for a name that was mistyped, must not make it.
            bail!("there is no directory {name}");
        }
        let opened = remote_storage::open(config).with_context(|| format!("cannot use the store at {name}"))?;
        let remote = Arc::new(RemoteStore::new(name, opened, StoreLimits::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let cluster_id = cluster(&remote, chosen, runtime.block_on(clusters(&remote))?)?;
        Ok(Self { runtime, remote, cluster_id })
    }

    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The objects of one topic of that name, or of all; a name may have been that of several topics.
    ///
    /// # Errors
    /// The store's; there is no such topic in it.
    pub(super) fn topics(&self, name: Option<&str>) -> anyhow::Result<Vec<StoredTopic>> {
        let mut topics = self.block_on(Inventory::of_cluster(&self.remote, &self.cluster_id))?.topics;
        if let Some(name) = name {
            topics.retain(|topic| topic.name == name);
            if topics.is_empty() {
                bail!("cluster {} has nothing of a topic {name} in {}", self.cluster_id, self.remote.name());
            }
        }
        Ok(topics)
    }
}
