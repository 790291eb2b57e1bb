//! Which brokers are alive, as the leading controller knows from their heartbeats (`BrokerHeartbeatManager`). Soft state: it is not in the
//! log, and a new leader starts with none.

use crate::image::Image;
use std::collections::BTreeMap;

/// One broker's liveness.
#[derive(Clone, Copy, Debug)]
struct Session {
    broker_epoch: i64,
    /// `None` until time is known: the broker was there before this controller led.
    last_contact_ms: Option<i64>,
    metadata_offset: i64,
    /// The offset that others must have seen before the broker may stop.
    controlled_shutdown_offset: Option<i64>,
}

/// The liveness of brokers, in one leader epoch.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    leader_epoch: Option<i32>,
    brokers: BTreeMap<i32, Session>,
}

impl Sessions {
    /// Forgets everything if the leader epoch is a new one: every unfenced broker gets a fresh session, which starts when the
    /// controller next learns the time.
    pub(super) fn start_epoch(&mut self, leader_epoch: i32, image: &Image) {
        if self.leader_epoch == Some(leader_epoch) {
            return;
        }
        self.leader_epoch = Some(leader_epoch);
        self.brokers.clear();
        for broker in image.brokers().values().filter(|broker| !broker.fenced) {
            self.brokers.insert(broker.id, Session::new(broker.epoch, None));
        }
    }

    /// Whether that registration of the broker is alive.
    pub(super) fn is_alive(&self, broker: i32, broker_epoch: i64, now_ms: i64, timeout_ms: i64) -> bool {
        self.brokers
            .get(&broker)
            .is_some_and(|session| session.broker_epoch == broker_epoch && !session.is_expired(now_ms, timeout_ms))
    }

    /// Notes a sign of life.
    pub(super) fn touch(&mut self, broker: i32, broker_epoch: i64, metadata_offset: i64, now_ms: i64) {
        let fresh = Session::new(broker_epoch, Some(now_ms));
        let session = self.brokers.entry(broker).or_insert(fresh);
        if session.broker_epoch != broker_epoch {
            *session = fresh;
        }
        session.last_contact_ms = Some(now_ms);
        session.metadata_offset = session.metadata_offset.max(metadata_offset);
    }

    /// Ends a broker's session.
    pub(super) fn remove(&mut self, broker: i32) {
        self.brokers.remove(&broker);
    }

    /// Notes that `offset` is the last one that moved leaders away from a broker in controlled shutdown, if none is noted.
    pub(super) fn begin_controlled_shutdown(&mut self, broker: i32, offset: i64) {
        if let Some(session) = self.brokers.get_mut(&broker) {
            session.controlled_shutdown_offset.get_or_insert(offset);
        }
    }

    /// Whether every active broker has seen that leaders moved away from this one.
    pub(super) fn controlled_shutdown_is_seen(&self, broker: i32, image: &Image) -> bool {
        let Some(offset) = self.brokers.get(&broker).and_then(|session| session.controlled_shutdown_offset) else {
            return false;
        };
        let active = image.brokers().values().filter(|broker| broker.is_active());
        active.filter_map(|broker| self.brokers.get(&broker.id)).all(|other| other.metadata_offset >= offset)
    }

    /// Brokers that are unfenced in `image` and were silent for longer than `timeout_ms`. Silence is counted from the
    /// first call at the earliest.
    pub(super) fn expired(&mut self, image: &Image, now_ms: i64, timeout_ms: i64) -> Vec<i32> {
        let mut expired = Vec::new();
        for broker in image.brokers().values().filter(|broker| !broker.fenced) {
            let fresh = Session::new(broker.epoch, None);
            let session = self.brokers.entry(broker.id).or_insert(fresh);
            if session.broker_epoch != broker.epoch {
                *session = fresh;
            }
            session.last_contact_ms.get_or_insert(now_ms);
            if session.is_expired(now_ms, timeout_ms) {
                expired.push(broker.id);
            }
        }
        expired
    }
}

impl Session {
    fn new(broker_epoch: i64, last_contact_ms: Option<i64>) -> Self {
        Self { broker_epoch, last_contact_ms, metadata_offset: -1, controlled_shutdown_offset: None }
    }

    fn is_expired(&self, now_ms: i64, timeout_ms: i64) -> bool {
        self.last_contact_ms.is_some_and(|contact| now_ms.saturating_sub(contact) > timeout_ms)
    }
}
