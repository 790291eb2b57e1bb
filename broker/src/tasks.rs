//! Everything that runs beside connections: named, told to stop together, and waited for.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use protocol::ids::Uuid;
use raft::controller::BrokerHeartbeat;
use raft::image::Update;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::config::CleanerSettings;
use crate::remote_description::TopicDescriptions;
use crate::remote_log_metadata::RemoteLogEvents;
use crate::replica::LogCleaner;
use crate::services::Services;
use crate::{remote_description, remote_log_manager, remote_log_metadata};

/// How often the controller looks for brokers that fell silent.
const SESSION_CHECK: Duration = Duration::from_secs(1);
/// How often it is looked whether a snapshot of the metadata is due.
const SNAPSHOT_CHECK: Duration = Duration::from_secs(1);
/// How often what nobody waits for is synced.
const FLUSH: Duration = Duration::from_secs(1);
/// How often deleted files are looked at whose delay is over.
const DELETION: Duration = Duration::from_secs(1);

/// The tasks of one broker.
pub struct Tasks {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { stop: watch::channel(false).0, running: JoinSet::new(), names: HashMap::new() }
    }
}

impl Tasks {
    /// Becomes true when the tasks are to end.
    pub fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Runs `task` until it ends by itself or sees the stop signal.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Calls `work` after every `period`, off the runtime's workers, until the stop.
    pub fn spawn_periodic(&mut self, name: &'static str, period: Duration, work: impl Fn() + Send + Sync + 'static) {
        let mut stop = self.stop_signal();
        let work = Arc::new(work);
        self.spawn(name, async move {
            while goes_on(&mut stop, period).await {
                let work = Arc::clone(&work);
                if let Err(error) = tokio::task::spawn_blocking(move || work()).await {
                    tracing::error!(task = name, %error, "a round of a task failed");
                }
            }
        });
    }

    /// Ends the tasks and waits for them.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.running.join_next_with_id().await {
            if let Err(error) = ended {
                self.report(&error);
            }
        }
    }

    fn report(&self, error: &JoinError) {
        let task = self.names.get(&error.id()).copied().unwrap_or_default();
        tracing::error!(task, %error, "a task failed");
    }
}

/// Waits for `period`; false if it is time to stop.
async fn goes_on(stop: &mut watch::Receiver<bool>, period: Duration) -> bool {
    tokio::time::timeout(period, stop.wait_for(|stop| *stop)).await.is_err()
}

/// Waits until it is time to stop. Cancel safe.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone says the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Takes over every change of the cluster's metadata: first the replicas that it places here, then what requests see.
pub fn metadata_publisher(
    tasks: &mut Tasks,
    services: &Arc<Services>,
    mut updates: mpsc::Receiver<Update>,
    log_failure: watch::Sender<Option<String>>,
) {
    let services = Arc::clone(services);
    let mut stop = tasks.stop_signal();
    tasks.spawn("metadata-publisher", async move {
        loop {
            tokio::select! {
                update = updates.recv() => match update {
                    Some(update) => publish(&services, update).await,
                    None => {
                        log_failure.send_replace(Some("the metadata quorum has stopped".to_owned()));
                        return;
                    }
                },
                () = stopped(&mut stop) => return,
            }
        }
    });
}

async fn publish(services: &Arc<Services>, update: Update) {
    let image = Arc::clone(&update.image);
    let (replicas, now_ms) = (Arc::clone(&services.replicas), services.clock.now_ms());
    let groups = Arc::clone(&services.groups);
    // Creating and deleting logs touches the disk.
    let applied = tokio::task::spawn_blocking(move || {
        replicas.apply(&update, now_ms);
        groups.metadata_changed(&update.image, &replicas.table(), &update.delta);
    });
    let applied = applied.await;
    if let Err(error) = applied {
        tracing::error!(%error, offset = image.offset(), "cannot take over the metadata");
    }
    services.reconfigure(&image).await;
    services.metadata.publish(image);
}

/// Tells the controller that this broker lives, and what directories it has lost.
pub fn heartbeats(tasks: &mut Tasks, services: &Arc<Services>) {
    let services = Arc::clone(services);
    let mut stop = tasks.stop_signal();
    tasks.spawn("broker-heartbeat", async move {
        while goes_on(&mut stop, services.settings.heartbeat_interval).await {
            let (request, now_ms) = (heartbeat(&services), services.clock.now_ms());
            if let Err(error) = services.controller.heartbeat(request, now_ms).await {
                tracing::warn!(%error, "the controller did not take the heartbeat");
            }
        }
    });
}

/// This broker's sign of life.
pub fn heartbeat(services: &Services) -> BrokerHeartbeat {
    let directories = services.replicas.log_dirs().all().iter();
    let offline_log_dirs: Vec<Uuid> =
        directories.filter(|log_dir| log_dir.is_offline()).filter_map(|log_dir| log_dir.directory_id()).collect();
    BrokerHeartbeat {
        broker_id: services.settings.node_id,
        broker_epoch: services.broker_epoch(),
        current_metadata_offset: services.metadata.image().offset(),
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs,
    }
}

/// Fences brokers that fell silent.
pub fn session_check(tasks: &mut Tasks, services: &Arc<Services>) {
    let services = Arc::clone(services);
    let mut stop = tasks.stop_signal();
    tasks.spawn("broker-sessions", async move {
        while goes_on(&mut stop, SESSION_CHECK).await {
            while let Ok(Some(fenced)) = services.controller.fence_expired(services.clock.now_ms()).await {
                tracing::info!(broker = fenced, "broker fenced: its session has ended");
            }
        }
    });
}

/// Makes snapshots of the metadata, so that its log does not grow for ever.
pub fn metadata_snapshots(tasks: &mut Tasks, services: &Arc<Services>) {
    let quorum = services.quorum.clone();
    let mut stop = tasks.stop_signal();
    tasks.spawn("metadata-snapshots", async move {
        while goes_on(&mut stop, SNAPSHOT_CHECK).await {
            if let Err(error) = quorum.snapshot_if_due().await {
                tracing::warn!(%error, "no snapshot of the metadata");
            }
        }
    });
}

/// Serves the group coordinator beside connections: loads, timers, expiry.
pub fn group_work(tasks: &mut Tasks, services: &Arc<Services>) {
    let stop = tasks.stop_signal();
    tasks.spawn("group-coordinator", Arc::clone(&services.groups).work(stop));
}

/// Moves replicas between log directories.
pub fn replica_moves(tasks: &mut Tasks, services: &Arc<Services>) {
    let stop = tasks.stop_signal();
    tasks.spawn("replica-moves", crate::replica_moves::run(Arc::clone(services), stop));
}

/// Moves segments between the local logs and the cold tier, if there is one, and tells of it.
pub fn remote_log(tasks: &mut Tasks, services: &Arc<Services>) {
    let Some(tier) = services.replicas.tier() else { return };
    let events = Arc::<RemoteLogEvents>::default();
    let (mover_stop, writer_stop) = (tasks.stop_signal(), tasks.stop_signal());
    let topics = Arc::new(TopicDescriptions::new(Arc::clone(services), Arc::clone(tier)));
    let (shared, tier_too) = (Arc::clone(services), Arc::clone(tier));
    let describe = remote_description::run(shared, tier_too, Arc::clone(&topics), tasks.stop_signal());
    tasks.spawn("remote-description", describe);
    let (shared, tier_too) = (Arc::clone(services), Arc::clone(tier));
    tasks.spawn("remote-log", remote_log_manager::run(shared, tier_too, topics, Arc::clone(&events), mover_stop));
    tasks.spawn("remote-log-metadata", remote_log_metadata::run(Arc::clone(services), events, writer_stop));
}

/// Keeps the logs in order: syncs, checkpoints, retention, files to remove.
pub fn log_upkeep(tasks: &mut Tasks, services: &Arc<Services>) {
    let settings = &services.settings;
    let replicas = || Arc::clone(&services.replicas);
    let flushed = replicas();
    tasks.spawn_periodic("log-flush", FLUSH, move || flushed.flush_round());
    let checkpointed = replicas();
    let interval = settings.recovery_point_interval.min(settings.high_watermark_interval).max(FLUSH);
    tasks.spawn_periodic("log-checkpoint", interval, move || checkpointed.write_checkpoints());
    let (retained, clock) = (replicas(), services.clock);
    tasks.spawn_periodic("log-retention", settings.retention_check_interval, move || {
        retained.clean_up(clock.now_ms());
    });
    let deleted = replicas();
    tasks.spawn_periodic("log-deletion", DELETION, move || {
        for log_dir in deleted.log_dirs().online() {
            // A failure took the directory offline and said so.
            let _ = log_dir.delete_step(clock.now_ms());
        }
    });
}

/// Compacts logs, as many at a time as there are threads; the settings may change while it does.
pub fn log_cleaner(tasks: &mut Tasks, services: &Arc<Services>) {
    let of = Arc::clone(services);
    let settings_now = move || of.settings.cleaner(of.metadata.image().configs());
    if !settings_now().is_enabled {
        return;
    }
    let cleaner = Arc::new(LogCleaner::new(
        Arc::clone(&services.replicas),
        services.clock,
        Arc::clone(&services.metrics.cleaner),
    ));
    let mut stop = tasks.stop_signal();
    tasks.spawn("log-cleaner", async move {
        let mut running = JoinSet::new();
        let mut is_running = true;
        while is_running {
            let settings = settings_now();
            while running.len() < settings.threads {
                let (cleaner, stop) = (Arc::clone(&cleaner), stop.clone());
                running.spawn_blocking(move || clean_dirtiest(&cleaner, &settings, &stop));
            }
            is_running = match running.join_next().await {
                Some(Ok(true)) => !*stop.borrow(),
                // There was nothing to clean, or no thread to clean with.
                _ => goes_on(&mut stop, settings.backoff).await,
            };
        }
        while running.join_next().await.is_some() {}
    });
}

/// One round of one thread, which waits where it is throttled.
fn clean_dirtiest(cleaner: &LogCleaner, settings: &CleanerSettings, stop: &watch::Receiver<bool>) -> bool {
    let runtime = tokio::runtime::Handle::current();
    cleaner.clean_dirtiest(settings, &|delay| {
        let is_stopped = *stop.borrow();
        !is_stopped && (delay.is_zero() || runtime.block_on(goes_on(&mut stop.clone(), delay)))
    })
}
