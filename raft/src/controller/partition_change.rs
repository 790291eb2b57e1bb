//! How one partition's state changes when brokers come and go, leaders are elected or replicas reassigned: ISR, eligible leader
//! replicas (KIP-966), leader, replicas (`PartitionChangeBuilder`).

use super::reassignment::complete;
use crate::image::{LeaderRecoveryState, NO_LEADER, NO_LEADER_CHANGE, PartitionImage};
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
    /// The replicas to come, and which of them a reassignment brings and takes away.
    pub(super) target: Assignment,
    /// The log directory of a replica that the partition does not have yet.
    pub(super) new_directory: &'a dyn Fn(i32) -> Uuid,
    /// A replica that is in another log directory from now on.
    pub(super) moved: Option<(i32, Uuid)>,
    /// A broker that came back without its marker of a clean shutdown, so that its log may lack acknowledged records.
    pub(super) unclean_broker: Option<i32>,
    /// In-sync replicas that the topic's writes need.
    pub(super) min_in_sync_replicas: usize,
    /// Whether eligible leader replicas are kept.
    pub(super) elr_enabled: bool,
    pub(super) election: Election,
}

/// Replicas of a partition, preferred leader first, and the reassignment that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) replicas: Vec<i32>,
    pub(super) removing: Vec<i32>,
    pub(super) adding: Vec<i32>,
}

impl Assignment {
    /// The partition's present one.
    pub(super) fn of(partition: &PartitionImage) -> Self {
        Self {
            replicas: partition.replicas().to_vec(),
            removing: partition.removing_replicas().to_vec(),
            adding: partition.adding_replicas().to_vec(),
        }
    }

    /// Whether a reassignment is under way.
    pub(super) fn is_in_progress(&self) -> bool {
        !self.removing.is_empty() || !self.adding.is_empty()
    }
}

/// By which rule a leader is elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Election {
    /// The first replica if it may lead, else as `Online`.
    Preferred,
    /// The present leader if it may stay, else a replica that lost nothing.
    Online,
    /// As `Online`, and if there is none, any replica.
    Unclean,
}

/// Who leads, and whether the election may have lost data.
struct Elected {
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
        if let Some((replicas, isr)) = complete(&self.target, &self.target_isr) {
            self.target = Assignment { replicas, removing: Vec::new(), adding: Vec::new() };
            self.target_isr = isr;
        }
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
        // Who no longer is a replica must not go on as if nothing had happened.
        let keeps_all = partition.replicas().iter().all(|replica| self.target.replicas.contains(replica));
        if record.leader == NO_LEADER_CHANGE && !keeps_all {
            record.leader = partition.leader();
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
        self.assign(&mut record);
        (record != untouched).then_some(record)
    }

    /// Notes replicas, directories and reassignment where they change.
    fn assign(self, record: &mut PartitionChangeRecord) {
        let partition = self.partition;
        let directory = |replica: i32| match self.moved {
            Some((moved, directory)) if moved == replica => directory,
            _ => partition.directory(replica).unwrap_or_else(|| (self.new_directory)(replica)),
        };
        let directories: Vec<Uuid> = self.target.replicas.iter().map(|replica| directory(*replica)).collect();
        let changed = |new: Vec<i32>, old: &[i32]| (new != old).then_some(new);
        record.directories = (directories != *partition.directories()).then_some(directories);
        record.replicas = changed(self.target.replicas, partition.replicas());
        record.removing_replicas = changed(self.target.removing, partition.removing_replicas());
        record.adding_replicas = changed(self.target.adding, partition.adding_replicas());
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

    /// Picks a leader: the preferred one if that is wanted, the present one if it may stay, else the first replica of the ISR, or of the ELR while the ISR is empty; then the last
    /// known leader, then, if allowed, any.
    fn elect(&self, elr: &[i32]) -> Elected {
        let is_valid = |replica: i32| {
            let in_sync = self.target_isr.contains(&replica) || (self.target_isr.is_empty() && elr.contains(&replica));
            in_sync && (self.may_lead)(replica)
        };
        let partition = self.partition;
        let replicas = || self.target.replicas.iter().copied();
        let clean = |leader| Elected { leader, unclean: false };
        let preferred = replicas().next().filter(|_| self.election == Election::Preferred);
        let first = [preferred, Some(partition.leader())].into_iter().flatten().find(|replica| is_valid(*replica));
        if let Some(leader) = first.or_else(|| replicas().find(|replica| is_valid(*replica))) {
            return clean(leader);
        }
        if let [leader] = *partition.last_known_elr()
            && self.elr_enabled
            && elr.is_empty()
            && self.target_isr.is_empty()
            && (self.may_lead)(leader)
        {
            return Elected { leader, unclean: true };
        }
        let any = replicas().find(|replica| (self.may_lead)(*replica)).filter(|_| self.election == Election::Unclean);
        Elected { leader: any.unwrap_or(NO_LEADER), unclean: any.is_some() }
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
