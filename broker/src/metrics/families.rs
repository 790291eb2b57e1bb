//! The families of a scrape, by the names that existing dashboards ask for: those of Kafka's beans as Strimzi's rules for the JMX
//! exporter spell them, those of kafka_exporter, and a few of our own beginning with `ottla_`.
//!
//! What a broker says of the whole cluster comes from the broker with the leading controller only, so that nothing is counted
//! twice. Series of topics come before those of partitions; where all of them would be more than the limit, whole families of
//! detail are left out, and `ottla_metrics_omitted_series` says how many series that are. A log that nobody has used since the
//! start is not opened for a scrape: its offsets and size are not told.

use std::sync::Arc;

use raft::image::{Image, NO_LEADER, PartitionImage};

use super::exposition::{Exposition, Kind};
use super::partition_health::Health;
use super::process;
use crate::replica::Partition;
use crate::services::Services;
use Kind::{Counter, Gauge};

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
    scrape.requests(&mut out);
    scrape.quorum(&mut out, &quorum);
    scrape.log_dirs(&mut out);
    scrape.cleaner(&mut out);
    process::put(&mut out);
    scrape.cluster(&mut out);
    let traffic = scrape.traffic();
    traffic.put(&mut out);
    scrape.remote(&mut out);
    scrape.groups(&mut out);
    scrape.replicas(&mut out);
    scrape.topics(&mut out);
    traffic.put_aliases(&mut out);
    let omitted = out.omitted();
    out.single("ottla_metrics_omitted_series", Gauge, "Series beyond ottla.metrics.max.series.", omitted);
    out.finish()
}

/// What is looked at.
pub(super) struct Scrape<'a> {
    pub(super) services: &'a Services,
    image: &'a Image,
    /// This broker's replicas, by name.
    pub(super) partitions: Vec<&'a Arc<Partition>>,
    pub(super) is_controller: bool,
    /// Numbers of partitions as text: labels of most series.
    labels: Vec<String>,
}

fn numbers(image: &Image) -> Vec<String> {
    let most = image.topics().iter().map(|topic| topic.partition_count()).max().unwrap_or(0);
    (0..most).map(|index| index.to_string()).collect()
}

impl Scrape<'_> {
    fn broker(&self, out: &mut Exposition, runtime: &tokio::runtime::RuntimeMetrics) {
        let metrics = &self.services.metrics;
        let mut family = out.family("ottla_build_info", Gauge, "The version that runs.");
        family.series(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        let name = "kafka_server_socket_server_metrics_connection_count";
        let mut family = out.family(name, Gauge, "Open connections.");
        for (listener, count) in metrics.connections() {
            family.series(&[("listener", &listener), ("networkProcessor", "0")], count);
        }
        self.quotas(out);
        let (idle, idle_ns) = metrics.idle(runtime);
        for name in [
            "kafka_network_socketserver_networkprocessoravgidle_percent",
            "kafka_network_socketserver_networkprocessoravgidlepercent",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
            "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent",
        ] {
            out.single(name, Gauge, "Share of idle time of the workers since the last scrape, 0 to 1.", idle);
        }
        let name = "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_total";
        out.single(name, Counter, "Nanoseconds that a worker was idle, on the average of all.", idle_ns);
        let recovery = self.services.replicas.recovery().progress();
        out.single("ottla_recovery_logs", Gauge, "Logs that recovery looks at after a crash.", recovery.total);
        out.single("ottla_recovery_logs_done", Gauge, "Logs that recovery has looked at.", recovery.done);
    }

    fn quotas(&self, out: &mut Exposition) {
        let (connections, addresses) = self.services.connection_quotas.throttled();
        let kinds = self.services.quotas.throttled();
        let all = || kinds.into_iter().chain([("connection", connections), ("ip", addresses)]);
        let mut family = out.family("ottla_quota_throttled_total", Counter, "How often a quota made a client wait.");
        for (quota, throttled) in all() {
            family.series(&[("quota", quota)], throttled.times);
        }
        let name = "ottla_quota_throttle_seconds_total";
        let mut family = out.family(name, Counter, "For how long quotas made clients wait.");
        for (quota, throttled) in all() {
            family.series(&[("quota", quota)], throttled.milliseconds as f64 / 1000.0);
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
        for name in ["uncleanleaderelections", "uncleanleaderelectionspersec"] {
            let name = format!("kafka_controller_controllerstats_{name}_total");
            let help = "Leaders that were not in sync: a broker that is the only one never has such a choice.";
            out.single(&name, Counter, help, 0);
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

    /// What this broker holds.
    fn replicas(&self, out: &mut Exposition) {
        let health = |partition: &Partition| Health::of(self.services, self.image, partition);
        let states: Vec<_> = self.partitions.iter().map(|partition| (*partition, health(partition))).collect();
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
        type OfHealth = fn(&Health) -> usize;
        let of_partitions: [(&str, &str, OfHealth); 4] = [
            ("underminisr", "Whether the partition is below min.insync.replicas.", |h| h.under_min_isr.into()),
            ("atminisr", "Whether the partition is at min.insync.replicas.", |h| h.at_min_isr.into()),
            ("underreplicated", "Whether a replica is not in sync.", |h| h.under_replicated.into()),
            ("replicascount", "Replicas that the partition has, as its leader knows.", |h| h.replicas),
        ];
        for (name, help, value) in of_partitions {
            if out.reserve(states.len()) {
                let name = format!("kafka_cluster_partition_{name}");
                let mut family = out.family(&name, Gauge, help);
                for (partition, health) in &states {
                    family.series(&self.labels_of(partition), value(health));
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
