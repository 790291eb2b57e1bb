//! Brokers that live, stop, or fall silent: fencing and unfencing (`BrokerHeartbeatManager`, `ReplicationControlManager`).

use super::leadership::{BrokerEvent, leads_any, partition_changes};
use super::plan::{Plan, Situation};
use super::registration::check_broker_epoch;
use crate::error::ControllerError;
use crate::image::BrokerRegistration;
use protocol::ids::Uuid;
use protocol::metadata_record::{BrokerRegistrationChangeRecord, MetadataRecord};

/// A sign of life of a broker.
#[derive(Clone, Debug)]
pub struct BrokerHeartbeat {
    /// The broker's id.
    pub broker_id: i32,
    /// Its broker epoch.
    pub broker_epoch: i64,
    /// The last offset of the metadata log that it has applied, inclusive.
    pub current_metadata_offset: i64,
    /// It does not want to serve.
    pub want_fence: bool,
    /// It wants to stop.
    pub want_shut_down: bool,
    /// Directories that went offline.
    pub offline_log_dirs: Vec<Uuid>,
}

/// What the controller tells the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatReply {
    /// Whether the broker has seen its own registration.
    pub is_caught_up: bool,
    /// Whether it may not serve.
    pub is_fenced: bool,
    /// Whether it may stop now.
    pub should_shut_down: bool,
}

/// Where a broker stands (`BrokerControlState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

/// Takes a heartbeat, and with it lets the broker serve, leave, or stop.
pub(super) fn heartbeat(
    situation: &mut Situation<'_>,
    request: &BrokerHeartbeat,
    now_ms: i64,
) -> Result<Plan<HeartbeatReply>, ControllerError> {
    let broker = check_broker_epoch(situation.image, request.broker_id, request.broker_epoch)?.clone();
    situation.sessions.touch(broker.id, broker.epoch, request.current_metadata_offset, now_ms);
    let is_caught_up = request.current_metadata_offset >= broker.epoch;
    let current = state_of(&broker);
    // Both would change the same partitions, each from the state before. Lost directories go first; the broker asks again.
    let lost = directories_offline(situation, &broker, &request.offline_log_dirs);
    let (next, records) = if lost.is_empty() {
        let next = next_state(situation, &broker, request, current);
        (next, if next == current { Vec::new() } else { transition(situation, &broker, next) })
    } else {
        (current, lost)
    };
    if next == State::ControlledShutdown {
        let last = situation.next_offset + records.len() as i64 - 1;
        situation.sessions.begin_controlled_shutdown(broker.id, last);
    }
    if next == State::ShutdownNow {
        // Whoever comes next with this id need not wait.
        situation.sessions.remove(broker.id);
    }
    let reply = HeartbeatReply {
        is_caught_up,
        is_fenced: matches!(next, State::Fenced | State::ShutdownNow),
        should_shut_down: next == State::ShutdownNow,
    };
    Ok(Plan::splittable(records, reply))
}

/// Fences one broker whose session has ended, so that the next is decided with this one gone. Answers its id.
pub(super) fn fence_expired(situation: &mut Situation<'_>, now_ms: i64) -> Result<Plan<Option<i32>>, ControllerError> {
    let timeout_ms = situation.config.broker_session_timeout_ms;
    let expired = situation.sessions.expired(situation.image, now_ms, timeout_ms);
    let broker = expired.first().and_then(|id| situation.image.broker(*id)).cloned();
    let records = broker.as_deref().map(|broker| fence(situation, broker)).unwrap_or_default();
    Ok(Plan::splittable(records, broker.map(|broker| broker.id)))
}

fn state_of(broker: &BrokerRegistration) -> State {
    match (broker.in_controlled_shutdown, broker.fenced) {
        (true, false) => State::ControlledShutdown,
        (_, true) => State::Fenced,
        (false, false) => State::Unfenced,
    }
}

fn next_state(situation: &Situation<'_>, broker: &BrokerRegistration, request: &BrokerHeartbeat, now: State) -> State {
    let has_leaderships = || leads_any(situation.image, broker.id);
    match now {
        State::Fenced if request.want_shut_down => State::ShutdownNow,
        State::Fenced if !request.want_fence && request.current_metadata_offset >= broker.epoch => State::Unfenced,
        State::Unfenced if request.want_fence && request.want_shut_down => State::ShutdownNow,
        State::Unfenced if request.want_fence => State::Fenced,
        State::Unfenced if request.want_shut_down && has_leaderships() => State::ControlledShutdown,
        State::Unfenced if request.want_shut_down => State::ShutdownNow,
        State::ControlledShutdown
            if !has_leaderships() && situation.sessions.controlled_shutdown_is_seen(broker.id, situation.image) =>
        {
            State::ShutdownNow
        }
        state => state,
    }
}

fn transition(situation: &Situation<'_>, broker: &BrokerRegistration, next: State) -> Vec<MetadataRecord> {
    match next {
        State::Fenced | State::ShutdownNow if broker.fenced => Vec::new(),
        State::Fenced | State::ShutdownNow => fence(situation, broker),
        State::Unfenced => {
            let unfenced = BrokerRegistrationChangeRecord { fenced: -1, ..change(broker) };
            let mut records = vec![unfenced.into()];
            records.extend(partition_changes(situation, BrokerEvent::Joins(broker.id)));
            records
        }
        State::ControlledShutdown => {
            let stopping = BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change(broker) };
            let mut records = vec![stopping.into()];
            records.extend(partition_changes(situation, BrokerEvent::Leaves(broker.id)));
            records
        }
    }
}

/// What becomes of the broker's replicas in directories that went offline since it last said so.
fn directories_offline(
    situation: &Situation<'_>,
    broker: &BrokerRegistration,
    offline: &[Uuid],
) -> Vec<MetadataRecord> {
    let (lost, log_dirs): (Vec<Uuid>, Vec<Uuid>) =
        broker.directories.iter().partition(|directory| offline.contains(directory));
    if lost.is_empty() {
        return Vec::new();
    }
    let of_directory =
        |directory| partition_changes(situation, BrokerEvent::LosesDirectory { broker: broker.id, directory });
    let mut records: Vec<MetadataRecord> = lost.into_iter().flat_map(of_directory).collect();
    records.push(BrokerRegistrationChangeRecord { log_dirs, ..change(broker) }.into());
    records
}

fn fence(situation: &Situation<'_>, broker: &BrokerRegistration) -> Vec<MetadataRecord> {
    let mut records = partition_changes(situation, BrokerEvent::Leaves(broker.id));
    records.push(BrokerRegistrationChangeRecord { fenced: 1, ..change(broker) }.into());
    records
}

fn change(broker: &BrokerRegistration) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord { broker_id: broker.id, broker_epoch: broker.epoch, ..Default::default() }
}
