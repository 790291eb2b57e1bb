//! The families of a scrape, by the names that existing dashboards ask for: those of Kafka's beans as Strimzi's rules for the JMX
//! exporter spell them, those of kafka_exporter, and a few of our own beginning with `ottla_`.
//!
//! What a broker says of the whole cluster comes from the broker with the leading controller only, so that nothing is counted
//! twice. Series of topics come before those of partitions; where all of them would be more than the limit, whole families of
//! detail are left out, and `ottla_metrics_omitted_series` says how many series that are. A log that nobody has used since the
//! start is not opened for a scrape: its offsets and size are not told.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft::image::{Image, NO_LEADER, PartitionImage, TopicImage};
use raft::quorum::QuorumDescription;

use super::exposition::{Exposition, Kind};
use super::{Totals, process};
use crate::config::topic::TopicValues;
use crate::handlers::APIS;
use crate::replica::Partition;
use crate::services::Services;
use Kind::{Counter, Gauge};

type OfTotals = fn(&Totals) -> u64;

/// Traffic by topic: what Strimzi's rules make of the bean's name, help, number.
const TRAFFIC: &[(&str, &str, OfTotals)] = &[
    ("messagesin", "Records appended.", |totals| totals.messages_in),
    ("bytesin", "Bytes of batches appended.", |totals| totals.bytes_in),
    ("bytesout", "Bytes of batches sent to consumers.", |totals| totals.bytes_out),
    ("totalproducerequests", "Batches that came in Produce requests.", |totals| totals.produce_requests),
    ("totalfetchrequests", "Reads for Fetch requests.", |totals| totals.fetch_requests),
    ("failedproducerequests", "Batches refused for other than expected causes.", |totals| {
        totals.failed_produce_requests
    }),
    ("failedfetchrequests", "Reads failed for other than expected causes.", |totals| totals.failed_fetch_requests),
];

/// Everything there is to say now, as text in Prometheus' format. Takes milliseconds for thousands of partitions, and opens no log.
pub fn scrape(services: &Services, runtime: &tokio::runtime::RuntimeMetrics) -> String {
    let image = services.metadata.image();
    let table = services.replicas.table();
    let mut partitions: Vec<&Arc<Partition>> = table.partitions().collect();
    partitions.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    let quorum = services.quorum.describe();
    let scrape = Scrape {
        services,
        image: &image,
        partitions,
        is_controller: quorum.leader_id == services.settings.node_id,
        labels: numbers(&image),
    };
    let mut out = Exposition::new(services.settings.metrics_max_series);
    scrape.broker(&mut out, runtime);
    scrape.raft(&mut out, &quorum);
    scrape.log_dirs(&mut out);
    process::put(&mut out);
    scrape.cluster(&mut out);
    scrape.traffic(&mut out);
    scrape.groups(&mut out);
    scrape.replicas(&mut out);
    scrape.topics(&mut out);
    let omitted = out.omitted();
    out.single("ottla_metrics_omitted_series", Gauge, "Series beyond ottla.metrics.max.series.", omitted);
    out.finish()
}

/// What is looked at.
pub(super) struct Scrape<'a> {
    pub(super) services: &'a Services,
    image: &'a Image,
    /// This broker's replicas, by name.
    partitions: Vec<&'a Arc<Partition>>,
    is_controller: bool,
    /// Numbers of partitions as text: labels of most series.
    labels: Vec<String>,
}

fn numbers(image: &Image) -> Vec<String> {
    let most = image.topics().iter().map(|topic| topic.partition_count()).max().unwrap_or(0);
    (0..most).map(|index| index.to_string()).collect()
}

/// What one partition is missing.
#[derive(Clone, Copy, Default)]
struct Health {
    under_replicated: bool,
    under_min_isr: bool,
    at_min_isr: bool,
}

impl Scrape<'_> {
    fn broker(&self, out: &mut Exposition, runtime: &tokio::runtime::RuntimeMetrics) {
        let metrics = &self.services.metrics;
        let mut family = out.family("ottla_build_info", Gauge, "The version that runs.");
        family.series(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        let name = "kafka_network_requestmetrics_requests_total";
        let mut family = out.family(name, Counter, "Requests by API.");
        for api in APIS {
            family.series(&[("request", &format!("{:?}", api.key))], metrics.requests(api.key as i16));
        }
        let name = "kafka_server_socket_server_metrics_connection_count";
        let mut family = out.family(name, Gauge, "Open connections.");
        for (listener, count) in metrics.connections() {
            family.series(&[("listener", &listener), ("networkProcessor", "0")], count);
        }
        let idle = metrics.idle_ratio(runtime);
        for name in [
            "kafka_network_socketserver_networkprocessoravgidle_percent",
            "kafka_network_socketserver_networkprocessoravgidlepercent",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent",
        ] {
            out.single(name, Gauge, "Share of idle time of the workers since the last scrape, 0 to 1.", idle);
        }
        let recovery = self.services.replicas.recovery().progress();
        out.single("ottla_recovery_logs", Gauge, "Logs that recovery looks at after a crash.", recovery.total);
        out.single("ottla_recovery_logs_done", Gauge, "Logs that recovery has looked at.", recovery.done);
    }

    fn raft(&self, out: &mut Exposition, quorum: &QuorumDescription) {
        let node_id = self.services.settings.node_id;
        let state = if self.is_controller { "leader" } else { "follower" };
        let name = "kafka_server_raftmetrics_current_state";
        out.family(name, Gauge, "This node's part in the quorum.").series(&[("current_state", state)], 1);
        let gauges = [
            ("current_leader", "Node that leads the quorum, -1 if none does.", i64::from(quorum.leader_id)),
            ("current_epoch", "Leader epoch of the quorum.", i64::from(quorum.leader_epoch)),
            ("high_watermark", "Offset up to which the metadata log is committed, exclusive.", quorum.high_watermark),
        ];
        for (name, help, value) in gauges {
            out.single(&format!("kafka_server_raftmetrics_{name}"), Gauge, help, value);
        }
        if let Some(member) = quorum.voters.iter().find(|member| member.node_id == node_id) {
            let name = "kafka_server_raftmetrics_log_end_offset";
            out.single(name, Gauge, "End of this node's metadata log, exclusive.", member.log_end_offset);
        }
    }

    fn log_dirs(&self, out: &mut Exposition) {
        let log_dirs = self.services.replicas.log_dirs();
        let mut family = out.family("ottla_log_dir_offline", Gauge, "Whether the log directory has failed.");
        for log_dir in log_dirs.all() {
            family.series(&[("dir", &log_dir.path().to_string_lossy())], u8::from(log_dir.is_offline()));
        }
        let spaces =
            log_dirs.online().filter_map(|log_dir| Some((log_dir.path().to_string_lossy(), log_dir.space().ok()?)));
        let spaces: Vec<_> = spaces.collect();
        let mut family = out.family("ottla_log_dir_size_bytes", Gauge, "Size of the device under the log directory.");
        spaces.iter().for_each(|(dir, space)| family.series(&[("dir", dir)], space.total_bytes));
        let mut family = out.family("ottla_log_dir_usable_bytes", Gauge, "What may still be written there.");
        spaces.iter().for_each(|(dir, space)| family.series(&[("dir", dir)], space.usable_bytes));
    }

    /// The controller's gauges; a broker that does not have the leading one says only that.
    fn cluster(&self, out: &mut Exposition) {
        let controller = |name: &str| format!("kafka_controller_kafkacontroller_{name}");
        let active = u8::from(self.is_controller);
        out.single(&controller("activecontrollercount"), Gauge, "Whether this node leads the quorum.", active);
        if !self.is_controller {
            return;
        }
        let fenced = self.image.brokers().values().filter(|broker| broker.fenced).count();
        let brokers = self.image.brokers().len() - fenced;
        let all = || self.image.topics().iter().flat_map(|topic| topic.partitions());
        let offline = all().filter(|(_, state)| state.leader() == NO_LEADER).count();
        let imbalance = all().filter(|(_, state)| !is_preferred(state)).count();
        let gauges = [
            ("activebrokercount", "Brokers that serve.", brokers),
            ("fencedbrokercount", "Brokers that are registered and do not serve.", fenced),
            ("globaltopiccount", "Topics of the cluster.", self.image.topics().len()),
            ("globalpartitioncount", "Partitions of the cluster.", all().count()),
            ("offlinepartitionscount", "Partitions without a leader.", offline),
            ("preferredreplicaimbalancecount", "Partitions not led by their first replica.", imbalance),
        ];
        for (name, help, value) in gauges {
            out.single(&controller(name), Gauge, help, value);
        }
        out.single("kafka_brokers", Gauge, "Brokers that serve.", brokers);
        let mut family = out.family("kafka_broker_info", Gauge, "Where brokers are.");
        for broker in self.image.brokers().values().filter(|broker| !broker.fenced) {
            if let Some(endpoint) = broker.endpoints.first() {
                let address = format!("{}:{}", endpoint.host, endpoint.port);
                family.series(&[("id", &broker.id.to_string()), ("address", &address)], 1);
            }
        }
    }

    fn traffic(&self, out: &mut Exposition) {
        let mut by_topic: BTreeMap<&str, Totals> = BTreeMap::new();
        for partition in &self.partitions {
            *by_topic.entry(&partition.name().topic).or_default() += partition.traffic().totals();
        }
        let mut all = self.services.replicas.deleted_traffic();
        by_topic.values().for_each(|totals| all += *totals);
        for (name, help, number) in TRAFFIC {
            let family = format!("kafka_server_brokertopicmetrics_{name}_total");
            let detailed = out.reserve(by_topic.len());
            let mut family = out.family(&family, Counter, help);
            family.series(&[], number(&all));
            for (topic, totals) in by_topic.iter().filter(|_| detailed) {
                family.series(&[("topic", topic)], number(totals));
            }
            // Strimzi's newer reporter keeps the bean's whole name.
            let alias = format!("kafka_server_brokertopicmetrics_{name}persec_total");
            out.single(&alias, Counter, help, number(&all));
        }
    }

    /// What this broker holds.
    fn replicas(&self, out: &mut Exposition) {
        let states: Vec<_> = self.partitions.iter().map(|partition| (*partition, self.health(partition))).collect();
        let is_leader = |partition: &Partition| partition.check_leader().is_ok();
        let leaders = states.iter().filter(|(partition, _)| is_leader(partition)).count();
        let count = |holds: fn(&Health) -> bool| states.iter().filter(|(_, health)| holds(health)).count();
        let offline = states.iter().filter(|(partition, _)| partition.log().log_dir().is_offline()).count();
        let gauges = [
            ("partitioncount", "Partitions of which this broker holds a replica.", states.len()),
            ("leadercount", "Partitions that this broker leads.", leaders),
            (
                "underreplicatedpartitions",
                "Led partitions without all replicas in sync.",
                count(|h| h.under_replicated),
            ),
            ("underminisrpartitioncount", "Led partitions below min.insync.replicas.", count(|h| h.under_min_isr)),
            ("atminisrpartitioncount", "Led partitions at min.insync.replicas.", count(|h| h.at_min_isr)),
            ("offlinereplicacount", "Replicas in failed log directories.", offline),
        ];
        for (name, help, value) in gauges {
            out.single(&format!("kafka_server_replicamanager_{name}"), Gauge, help, value);
        }
        type OfHealth = fn(&Health) -> bool;
        let of_partitions: [(&str, &str, OfHealth); 3] = [
            ("underminisr", "Whether the partition is below min.insync.replicas.", |health| health.under_min_isr),
            ("atminisr", "Whether the partition is at min.insync.replicas.", |health| health.at_min_isr),
            ("underreplicated", "Whether a replica is not in sync.", |health| health.under_replicated),
        ];
        for (name, help, holds) in of_partitions {
            if out.reserve(states.len()) {
                let name = format!("kafka_cluster_partition_{name}");
                let mut family = out.family(&name, Gauge, help);
                for (partition, health) in &states {
                    family.series(&self.labels_of(partition), u8::from(holds(health)));
                }
            }
        }
        let used = self.partitions.iter().filter(|partition| partition.is_loaded());
        let sizes: Vec<_> =
            used.filter_map(|partition| Some((partition, partition.log().size_bytes().ok()?))).collect();
        if out.reserve(sizes.len()) {
            let mut family = out.family("kafka_log_log_size", Gauge, "Bytes of the log's segments.");
            sizes.iter().for_each(|(partition, size)| family.series(&self.labels_of(partition), size));
        }
    }

    fn labels_of<'b>(&'b self, partition: &'b Partition) -> [(&'b str, &'b str); 2] {
        let name = partition.name();
        [("topic", &name.topic), ("partition", self.label(name.partition))]
    }

    fn label(&self, index: i32) -> &str {
        // A replica whose topic the image does not have is about to go.
        usize::try_from(index).ok().and_then(|index| self.labels.get(index)).map_or("", String::as_str)
    }

    /// Leaders know who is in sync (`Partition.isUnderMinIsr`); others say nothing.
    fn health(&self, partition: &Partition) -> Health {
        let topic = self.image.topics().by_id(partition.log().topic_id());
        let state = topic.and_then(|topic| Some((topic, topic.partition(partition.name().partition)?)));
        let Some((topic, state)) = state.filter(|_| partition.check_leader().is_ok()) else { return Health::default() };
        let needed = self.min_in_sync_replicas(topic, state);
        Health {
            under_replicated: state.isr().len() < state.replicas().len(),
            under_min_isr: state.isr().len() < needed,
            at_min_isr: state.isr().len() == needed,
        }
    }

    /// More than there are replicas are not asked for (`Partition.effectiveMinIsr`).
    fn min_in_sync_replicas(&self, topic: &TopicImage, state: &PartitionImage) -> usize {
        let values = TopicValues::new(&self.services.settings, self.image, Arc::clone(topic.name()));
        values.min_in_sync_replicas().min(state.replicas().len())
    }

    /// What kafka_exporter tells of every topic.
    fn topics(&self, out: &mut Exposition) {
        if !self.is_controller {
            return;
        }
        let topics = self.image.topics();
        if out.reserve(topics.len()) {
            let mut family = out.family("kafka_topic_partitions", Gauge, "Partitions of the topic.");
            topics.iter().for_each(|topic| family.series(&[("topic", topic.name())], topic.partition_count()));
        }
        self.offsets(out);
        type OfState = fn(&PartitionImage) -> i64;
        let of_partitions: [(&str, &str, OfState); 5] = [
            ("leader", "Broker that leads the partition, -1 if none does.", |state| i64::from(state.leader())),
            ("leader_is_preferred", "Whether the first replica leads.", |state| i64::from(is_preferred(state))),
            ("replicas", "Replicas of the partition.", |state| state.replicas().len() as i64),
            ("in_sync_replica", "Replicas that are in sync.", |state| state.isr().len() as i64),
            ("under_replicated_partition", "Whether a replica is not in sync.", |state| {
                i64::from(state.isr().len() < state.replicas().len())
            }),
        ];
        let count = topics.iter().map(|topic| topic.partition_count()).sum();
        for (name, help, value) in of_partitions {
            if !out.reserve(count) {
                continue;
            }
            let name = format!("kafka_topic_partition_{name}");
            let mut family = out.family(&name, Gauge, help);
            for topic in topics.iter() {
                for (index, state) in topic.partitions() {
                    family.series(&[("topic", topic.name()), ("partition", self.label(index))], value(state));
                }
            }
        }
    }

    fn offsets(&self, out: &mut Exposition) {
        let used = self.partitions.iter().filter(|partition| partition.is_loaded());
        let offsets: Vec<_> = used.filter_map(|partition| Some((partition, partition.offsets().ok()?))).collect();
        if out.reserve(offsets.len()) {
            let name = "kafka_topic_partition_current_offset";
            let mut family = out.family(name, Gauge, "Offset of the partition's next record for consumers.");
            for (partition, _) in &offsets {
                family.series(&self.labels_of(partition), partition.known_high_watermark().unwrap_or(0));
            }
        }
        if out.reserve(offsets.len()) {
            let name = "kafka_topic_partition_oldest_offset";
            let mut family = out.family(name, Gauge, "First offset of the partition.");
            for (partition, offsets) in &offsets {
                let log_start_offset = partition.tiered().log_start_offset(offsets.log_start_offset);
                family.series(&self.labels_of(partition), log_start_offset);
            }
        }
    }
}

fn is_preferred(state: &PartitionImage) -> bool {
    state.replicas().first() == Some(&state.leader())
}
