//! How one partition's state changes when brokers come and go: ISR, eligible leader replicas (KIP-966), leader
//! (`PartitionChangeBuilder`).

use crate::image::{LeaderRecoveryState, NO_LEADER, PartitionImage};
use protocol::ids::Uuid;
use protocol::metadata_record::PartitionChangeRecord;

/// What is to become of a partition, and by which rules.
pub(super) struct PartitionChange<'a> {
    pub(super) partition: &'a PartitionImage,
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    /// Whether a replica may lead: its broker is active and the replica's directory online.
    pub(super) may_lead: &'a dyn Fn(i32) -> bool,
    /// The ISR to come.
    pub(super) target_isr: Vec<i32>,
    /// A broker that came back without its marker of a clean shutdown, so that its log may lack acknowledged records.
    pub(super) unclean_broker: Option<i32>,
    /// In-sync replicas that the topic's writes need.
    pub(super) min_in_sync_replicas: usize,
    /// Whether eligible leader replicas are kept.
    pub(super) elr_enabled: bool,
    /// Whether a replica outside ISR and ELR may lead when no other can.
    pub(super) unclean_election: bool,
}

/// Who leads, and whether the election may have lost data.
struct Election {
    leader: i32,
    unclean: bool,
}

impl PartitionChange<'_> {
    /// The record of the change, or `None` if nothing changes.
    pub(super) fn record(mut self) -> Option<PartitionChangeRecord> {
        let partition = self.partition;
        let mut record = PartitionChangeRecord {
            partition_id: self.index,
            topic_id: self.topic_id,
            ..PartitionChangeRecord::default()
        };
        let untouched = record.clone();
        let mut elr = self.target_elr();
        let election = self.elect(&elr);
        if election.leader != partition.leader() {
            record.leader = election.leader;
            if elr.contains(&election.leader) {
                self.target_isr = vec![election.leader];
                elr.retain(|replica| *replica != election.leader);
            }
            if election.unclean {
                record.isr = Some(vec![election.leader]);
                elr.clear();
                if partition.leader_recovery_state() != LeaderRecoveryState::Recovering {
                    record.leader_recovery_state = 1;
                }
            }
        }
        if elr != partition.elr() {
            record.eligible_leader_replicas = Some(elr);
        }
        // Without eligible leader replicas the last member of the ISR stays in it, so that it alone can lead again.
        let may_set_isr = !self.target_isr.is_empty() || self.elr_enabled;
        if record.isr.is_none() && may_set_isr && self.target_isr != partition.isr() {
            record.isr = Some(std::mem::take(&mut self.target_isr));
        }
        record.last_known_elr = self.last_known_leader(record.leader);
        (record != untouched).then_some(record)
    }

    /// The eligible leader replicas to come: those that were in sync and left while the ISR was at its minimum.
    fn target_elr(&self) -> Vec<i32> {
        if !self.elr_enabled || self.target_isr.len() >= self.min_in_sync_replicas {
            return Vec::new();
        }
        let mut elr: Vec<i32> = [self.partition.elr(), self.partition.isr()].concat();
        elr.sort_unstable();
        elr.dedup();
        elr.retain(|replica| !self.target_isr.contains(replica) && self.unclean_broker != Some(*replica));
        elr
    }

    /// Picks a leader: the present one if it may stay, else the first replica of the ISR, or of the ELR while the ISR is empty; then the last
    /// known leader, then, if allowed, any.
    fn elect(&self, elr: &[i32]) -> Election {
        let is_valid = |replica: i32| {
            let in_sync = self.target_isr.contains(&replica) || (self.target_isr.is_empty() && elr.contains(&replica));
            in_sync && (self.may_lead)(replica)
        };
        let partition = self.partition;
        let first = |accept: &dyn Fn(i32) -> bool| partition.replicas().iter().copied().find(|id| accept(*id));
        if is_valid(partition.leader()) {
            return Election { leader: partition.leader(), unclean: false };
        }
        if let Some(leader) = first(&is_valid) {
            return Election { leader, unclean: false };
        }
        if let [leader] = *partition.last_known_elr()
            && self.elr_enabled
            && elr.is_empty()
            && self.target_isr.is_empty()
            && (self.may_lead)(leader)
        {
            return Election { leader, unclean: true };
        }
        let any = if self.unclean_election { first(self.may_lead) } else { None };
        Election { leader: any.unwrap_or(NO_LEADER), unclean: any.is_some() }
    }

    /// The last known leader is noted when a partition loses its leader, and forgotten when it has one again.
    fn last_known_leader(&self, new_leader: i32) -> Option<Vec<i32>> {
        if !self.elr_enabled {
            return None;
        }
        let noted = !self.partition.last_known_elr().is_empty();
        match new_leader {
            NO_LEADER if !noted => Some(vec![self.partition.leader()]),
            leader if leader >= 0 && noted => Some(Vec::new()),
            _ => None,
        }
    }
}
