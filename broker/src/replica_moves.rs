//! The task that moves replicas between log directories, and tells the controller where they are.

use std::sync::Arc;
use std::time::Duration;

use raft::controller::ReplicaDirectory;
use raft::error::ControllerError;
use storage::{Log, LogDir};
use tokio::sync::watch;

use crate::quota::Rate;
use crate::replica::{MoveStep, Partition};
use crate::services::Services;
use crate::tasks::stopped;

/// How often it is looked whether the last reader of a replaced log is gone.
const LAST_READER: Duration = Duration::from_millis(20);
/// When the controller is told again that did not listen.
const RETRY: Duration = Duration::from_secs(1);

/// How soon a limit counts that was changed.
const LOOK_AT_LIMIT: Duration = Duration::from_secs(1);

/// Works until the stop.
pub(crate) async fn run(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let mut untold = false;
    let mut pace = Pace::new(&services);
    loop {
        let moves = services.replicas.moves();
        tokio::select! {
            () = moves.news() => {}
            () = tokio::time::sleep(RETRY), if untold => {}
            () = stopped(&mut stop) => return,
        }
        untold = !tell_directories(&services).await;
        while let Some(partition) = moves.next() {
            tokio::select! {
                () = move_replica(&services, &partition, &mut pace) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }
}

/// Tells the controller of every replica of which it does not know the directory; false if it did not listen.
async fn tell_directories(services: &Services) -> bool {
    let moves = services.replicas.moves();
    let directories = moves.take_directories();
    if directories.is_empty() {
        return true;
    }
    match assign(services, directories.clone()).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the controller does not take the directories of replicas");
            moves.put_directories(directories);
            false
        }
    }
}

async fn assign(services: &Services, directories: Vec<ReplicaDirectory>) -> Result<(), ControllerError> {
    let (broker_id, broker_epoch) = (services.settings.node_id, services.broker_epoch());
    // A replica that is refused is gone since, or another broker's.
    services.controller.assign_directories(broker_id, broker_epoch, directories).await.map(|_| ())
}

async fn move_replica(services: &Arc<Services>, partition: &Arc<Partition>, pace: &mut Pace<'_>) {
    let Some(future) = partition.future_log() else { return };
    let (from, to) = (Arc::clone(partition.log().log_dir()), Arc::clone(future.log_dir()));
    tracing::info!(partition = %partition.name(), from = %from.path().display(), to = %to.path().display(), "moving a replica");
    if !catch_up(services, partition, pace).await {
        return;
    }
    // Before the copy takes the log's place: after a crash in between, the controller's word decides.
    if let Err(error) = assign(services, replica_in(partition, &to)).await {
        return give_up(services, partition, &error);
    }
    match blocking(services, partition, |services, partition, now_ms| services.replicas.finish_move(partition, now_ms))
        .await
    {
        Some(Ok(Some(replaced))) => {
            tracing::info!(partition = %partition.name(), to = %to.path().display(), "moved a replica");
            retire(services, replaced).await;
        }
        Some(Ok(None)) => take_back(services, partition).await,
        Some(Err(error)) => {
            give_up(services, partition, &error);
            take_back(services, partition).await;
        }
        None => {}
    }
}

/// Copies until there is nothing left to copy; false if the move is over before.
async fn catch_up(services: &Arc<Services>, partition: &Arc<Partition>, pace: &mut Pace<'_>) -> bool {
    loop {
        let step =
            blocking(services, partition, |services, partition, now_ms| services.replicas.copy_step(partition, now_ms));
        match step.await {
            Some(Ok(MoveStep::Behind(bytes))) => pace.wait_after(bytes, partition).await,
            Some(Ok(MoveStep::CaughtUp)) => return true,
            Some(Ok(MoveStep::Over)) | None => return false,
            Some(Err(error)) => {
                give_up(services, partition, &error);
                return false;
            }
        }
    }
}

/// Keeps `replica.alter.log.dirs.io.max.bytes.per.second`, whatever it is at the moment, over all moves
/// (`ReplicationQuotaManager`).
struct Pace<'a> {
    services: &'a Services,
    rate: Rate,
}

impl<'a> Pace<'a> {
    fn new(services: &'a Services) -> Self {
        Self { services, rate: Rate::default() }
    }

    /// Waits until more may be copied, or nobody wants the move any more. Cancel safe.
    async fn wait_after(&mut self, bytes: usize, partition: &Partition) {
        let (settings, clock) = (&self.services.settings, self.services.clock);
        let windows = settings.move_quota_windows;
        self.rate.record(windows, bytes as f64, clock.now_ms());
        while partition.future_log().is_some() {
            let limit = settings.dynamic(&self.services.metadata.image()).move_bytes_per_second;
            let left_ms = self.rate.throttle_ms(windows, limit as f64, clock.now_ms());
            if left_ms <= 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left_ms.cast_unsigned()).min(LOOK_AT_LIMIT)).await;
        }
    }
}

fn give_up(services: &Services, partition: &Partition, error: &dyn std::fmt::Display) {
    tracing::error!(partition = %partition.name(), %error, "cannot move the replica");
    services.replicas.give_up_move(partition, services.clock.now_ms());
}

/// Tells the controller that the replica stays where it is.
async fn take_back(services: &Services, partition: &Partition) {
    let stays = replica_in(partition, partition.log().log_dir());
    if let Err(error) = assign(services, stays.clone()).await {
        tracing::warn!(partition = %partition.name(), %error, "the controller does not take a directory back");
        services.replicas.moves().put_directories(stays);
    }
}

fn replica_in(partition: &Partition, log_dir: &LogDir) -> Vec<ReplicaDirectory> {
    let replica = log_dir.directory_id().map(|directory| ReplicaDirectory {
        topic_id: partition.log().topic_id(),
        partition: partition.name().partition,
        directory,
    });
    replica.into_iter().collect()
}

/// Deletes a log that nobody reads any more.
async fn retire(services: &Arc<Services>, log: Arc<Log>) {
    while Arc::strong_count(&log) > 1 {
        tokio::time::sleep(LAST_READER).await;
    }
    let now_ms = services.clock.now_ms();
    let deleted = tokio::task::spawn_blocking(move || log.delete(now_ms)).await;
    if let Ok(Err(error)) = deleted {
        tracing::error!(%error, "cannot delete a log that was moved");
    }
}

/// Runs a step off the runtime's workers; `None` if it panicked, which was reported.
async fn blocking<T: Send + 'static>(
    services: &Arc<Services>,
    partition: &Arc<Partition>,
    step: impl FnOnce(&Services, &Partition, i64) -> T + Send + 'static,
) -> Option<T> {
    let (services, partition) = (Arc::clone(services), Arc::clone(partition));
    let now_ms = services.clock.now_ms();
    tokio::task::spawn_blocking(move || step(&services, &partition, now_ms)).await.ok()
}
