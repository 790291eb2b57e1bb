//! What a scrape says of groups: Kafka's own counts as Strimzi's rules spell them, and members, offsets and lag as kafka_exporter
//! does. A broker tells of the groups that it coordinates, so that nothing is counted twice.

use std::collections::HashMap;
use std::sync::Arc;

use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use crate::group::{Census, CountedGroup};
use crate::replica::Partition;
use Kind::{Counter, Gauge};

const DEAD: (&str, usize) = ("Dead", 0);

/// How many logs, unused since the start, one scrape opens to know their ends. The next one opens more.
const OPENED: usize = 200;

/// What kafka_exporter says of a partition of a topic of which a group has committed others only.
const NOTHING: i64 = -1;

/// One partition of a topic of which a group has committed something.
struct Progress<'a> {
    group: &'a str,
    topic: &'a Arc<str>,
    partition: String,
    /// [`NOTHING`] where nothing is.
    committed: i64,
    /// `None`: another broker leads the partition, or its log was not opened yet.
    lag: Option<i64>,
}

impl Scrape<'_> {
    pub(super) fn groups(&self, out: &mut Exposition) {
        let census = self.services.groups.census(out.room());
        coordinator(out, &census);
        let groups = &census.groups;
        if !out.reserve(census.group_count()) {
            return;
        }
        let mut family = out.family("kafka_consumergroup_members", Gauge, "Members of the group.");
        groups.iter().for_each(|group| family.series(&[("consumergroup", &group.id)], group.member_count));
        let is_complete = groups.iter().map(|group| group.offsets.len()).sum::<usize>() == census.offset_count;
        let image = self.services.metadata.image();
        let partitions = |topic: &str| image.topics().by_name(topic).map_or(0, |topic| topic.partition_count());
        let topics = || groups.iter().flat_map(|group| by_topic(&group.offsets).map(move |offsets| (group, offsets)));
        let series = |(_, offsets): (&CountedGroup, &[Offset])| 1 + offsets.len().max(partitions(&offsets[0].0));
        let count = if is_complete { topics().map(series).sum() } else { census.offset_count };
        // Twice, offset and lag, for partitions and for topics.
        if !out.reserve(count * 2) || !is_complete {
            return;
        }
        let mut ends = Ends { scrape: self, known: HashMap::new(), may_open: self.opened_now() };
        let all: Vec<_> = topics()
            .flat_map(|(group, offsets)| progress(group, offsets, partitions(&offsets[0].0), &mut ends))
            .collect();
        show(out, &all);
    }

    /// Not while logs are being recovered: what opens one would wait for that.
    fn opened_now(&self) -> usize {
        let replicas = &self.services.replicas;
        let is_whole = replicas.log_dirs().all().iter().all(|log_dir| log_dir.was_clean());
        if is_whole || replicas.recovery().progress().is_over { OPENED } else { 0 }
    }
}

/// Topic, partition and committed offset.
type Offset = (Arc<str>, i32, i64);

/// The offsets of a group topic by topic, as they lie.
fn by_topic(offsets: &[Offset]) -> impl Iterator<Item = &[Offset]> {
    offsets.chunk_by(|a, b| a.0 == b.0)
}

/// One topic of a group: what is committed, then [`NOTHING`] for what else the topic has.
fn progress<'a>(
    group: &'a CountedGroup,
    offsets: &'a [Offset],
    partitions: usize,
    ends: &mut Ends<'_>,
) -> Vec<Progress<'a>> {
    let topic = &offsets[0].0;
    let of = |partition: i32, committed, lag| Progress {
        group: &group.id,
        topic,
        partition: partition.to_string(),
        committed,
        lag,
    };
    let mut all: Vec<_> = offsets
        .iter()
        .map(|(_, partition, committed)| {
            of(*partition, *committed, ends.of(topic, *partition).map(|end| (end - committed).max(0)))
        })
        .collect();
    let is_missing = |index: &i32| offsets.binary_search_by_key(index, |(_, partition, _)| *partition).is_err();
    let indexes = 0..i32::try_from(partitions).unwrap_or(i32::MAX);
    all.extend(indexes.filter(is_missing).map(|index| of(index, NOTHING, Some(NOTHING))));
    all
}

fn show(out: &mut Exposition, all: &[Progress<'_>]) {
    fn labels<'a>(progress: &'a Progress<'_>) -> [(&'static str, &'a str); 3] {
        [("consumergroup", progress.group), ("topic", progress.topic), ("partition", &progress.partition)]
    }
    let name = "kafka_consumergroup_current_offset";
    let mut family =
        out.family(name, Gauge, "Offset that the group has committed; -1 where it has committed others of the topic.");
    all.iter().for_each(|progress| family.series(&labels(progress), progress.committed));
    let name = "kafka_consumergroup_lag";
    let mut family =
        out.family(name, Gauge, "Records that the group has still to read; -1 where it has committed nothing.");
    for progress in all {
        if let Some(lag) = progress.lag {
            family.series(&labels(progress), lag);
        }
    }
    sums(out, all);
}

/// By group and topic, of what is committed; `all` is in that order.
fn sums(out: &mut Exposition, all: &[Progress<'_>]) {
    let by_topic = || all.chunk_by(|a, b| a.group == b.group && Arc::ptr_eq(a.topic, b.topic));
    let name = "kafka_consumergroup_current_offset_sum";
    let mut family = out.family(name, Gauge, "Sum of the offsets that the group has committed of the topic.");
    for part in by_topic() {
        let labels = [("consumergroup", part[0].group), ("topic", &**part[0].topic)];
        family.series(&labels, part.iter().map(|progress| progress.committed.max(0)).sum::<i64>());
    }
    let name = "kafka_consumergroup_lag_sum";
    let mut family = out.family(name, Gauge, "Records of the topic that the group has still to read.");
    for part in by_topic() {
        let labels = [("consumergroup", part[0].group), ("topic", &**part[0].topic)];
        family.series(&labels, part.iter().filter_map(|progress| progress.lag).map(|lag| lag.max(0)).sum::<i64>());
    }
}

/// Ends of partitions, each looked up once.
struct Ends<'a> {
    scrape: &'a Scrape<'a>,
    known: HashMap<(Arc<str>, i32), Option<i64>>,
    may_open: usize,
}

impl Ends<'_> {
    fn of(&mut self, topic: &Arc<str>, index: i32) -> Option<i64> {
        if let Some(known) = self.known.get(&(Arc::clone(topic), index)) {
            return *known;
        }
        let table = self.scrape.services.replicas.table();
        let partition = table.by_name(topic).and_then(|topic| topic.partition(index));
        let end = partition.filter(|partition| partition.check_leader().is_ok()).and_then(|found| self.end(found));
        self.known.insert((Arc::clone(topic), index), end);
        end
    }

    fn end(&mut self, partition: &Arc<Partition>) -> Option<i64> {
        partition.known_high_watermark().or_else(|| {
            self.may_open = self.may_open.checked_sub(1)?;
            partition.load().ok()
        })
    }
}

/// Kafka's beans `kafka.coordinator.group:type=GroupMetadataManager` and `kafka.server:type=group-coordinator-metrics`.
fn coordinator(out: &mut Exposition, census: &Census) {
    let manager = |name: &str| format!("kafka_coordinator_group_groupmetadatamanager_{name}");
    // As in Kafka (`NUM_CLASSIC_GROUPS`) these are groups of the classic protocol, and the offsets those of all.
    let classic = census.by_state.iter().map(|(_, count)| count).sum::<usize>();
    out.single(&manager("numgroups"), Gauge, "Groups of the classic protocol that this broker coordinates.", classic);
    out.single(&manager("numoffsets"), Gauge, "Offsets that groups have committed.", census.offset_count);
    // A group that is dead is gone: dashboards ask for how many there are all the same.
    for (state, count) in census.by_state.iter().chain([&DEAD]) {
        let name = manager(&format!("numgroups{}", state.to_ascii_lowercase()));
        out.single(&name, Gauge, "Groups in that state.", count);
    }
    let metrics = |name: &str| format!("kafka_server_group_coordinator_metrics_{name}");
    let name = metrics("group_count");
    let mut family = out.family(&name, Gauge, "Groups by protocol.");
    census.by_kind.iter().for_each(|(kind, count)| family.series(&[("protocol", kind)], count));
    let name = metrics("consumer_group_count");
    let mut family = out.family(&name, Gauge, "Groups of the consumer protocol by state.");
    let states = census.by_consumer_state.iter().chain([&DEAD]);
    states.for_each(|(state, count)| family.series(&[("state", state)], count));
    let name = metrics("num_partitions");
    let mut family = out.family(&name, Gauge, "Partitions of __consumer_offsets that this broker leads.");
    for (state, count) in [("loading", census.loading), ("active", census.active), ("failed", census.failed)] {
        family.series(&[("state", state)], count);
    }
    let totals = &census.totals;
    let counters = [
        ("offset_commit_count", "Offsets committed.", totals.offset_commits),
        ("offset_deletion_count", "Offsets deleted on request.", totals.offset_deletions),
        ("offset_expiration_count", "Offsets that outlived their retention.", totals.offset_expirations),
        ("group_completed_rebalance_count", "Rebalances of classic groups completed.", totals.completed_rebalances),
        (
            "consumer_group_rebalance_count",
            "Rebalances of groups of the consumer protocol.",
            totals.consumer_rebalances,
        ),
    ];
    for (name, help, value) in counters {
        out.single(&metrics(name), Counter, help, value);
    }
}
