//! Scenarios: a cluster whose records are applied as soon as they are decided.

mod admin;
mod brokers;
mod configs;
mod placement;
mod quotas;
mod task;
mod topics;

use super::plan::{Plan, Situation};
use super::registration::register_broker;
use super::sessions::Sessions;
use super::*;
use crate::image::{Endpoint, Image, ImageBuilder, PartitionImage, Provenance};
use protocol::ids::Uuid;
use protocol::metadata_record::MetadataRecord;

/// The log directory of a broker.
fn directory(broker: i32) -> Uuid {
    Uuid::from_u128(0xd100 + broker as u128)
}

/// A cluster under test.
struct Cluster {
    image: Image,
    config: ControllerConfig,
    sessions: Sessions,
    random: Seeded,
    now_ms: i64,
    incarnations: u128,
}

impl Cluster {
    /// An empty cluster with the features of a new one.
    fn new() -> Self {
        let mut cluster = Self {
            image: Image::default(),
            config: ControllerConfig::new("cluster"),
            sessions: Sessions::default(),
            random: Seeded::new(42),
            now_ms: 1_000_000,
            incarnations: 0,
        };
        cluster.apply(&bootstrap_records(1));
        cluster
    }

    /// A cluster of unfenced brokers with ids from 1 on.
    fn of(brokers: i32) -> Self {
        let mut cluster = Self::new();
        for id in 1..=brokers {
            cluster.start(id);
        }
        cluster
    }

    fn apply(&mut self, records: &[MetadataRecord]) {
        let mut builder = ImageBuilder::new(&self.image);
        for record in records {
            builder.apply(record.clone()).expect("the record fits");
        }
        let offset = self.image.offset() + records.len() as i64;
        let provenance = Provenance { offset, epoch: 1, timestamp_ms: self.now_ms };
        self.image = builder.finish(provenance).expect("no transaction is open");
    }

    /// Decides and applies an operation; answers its records too.
    fn run<T>(
        &mut self,
        decide: impl FnOnce(&mut Situation<'_>) -> Result<Plan<T>, ControllerError>,
    ) -> Result<(Vec<MetadataRecord>, T), ControllerError> {
        let image = self.image.clone();
        let mut situation = Situation {
            image: &image,
            next_offset: image.offset() + 1,
            config: &self.config,
            sessions: &mut self.sessions,
            random: &mut self.random,
        };
        let plan = decide(&mut situation)?;
        self.apply(&plan.records);
        Ok((plan.records, plan.answer))
    }

    fn registration(&mut self, id: i32) -> RegisterBroker {
        self.incarnations += 1;
        RegisterBroker {
            broker_id: id,
            cluster_id: "cluster".into(),
            incarnation_id: Uuid::from_u128(self.incarnations),
            endpoints: vec![Endpoint {
                name: "PLAINTEXT".into(),
                host: "localhost".into(),
                port: 9092,
                security_protocol: 0,
            }],
            features: supported_features(),
            rack: None,
            log_dirs: vec![directory(id)],
            cordoned_log_dirs: vec![],
            previous_broker_epoch: -1,
            holds_directory_locks: false,
        }
    }

    fn register(&mut self, request: &RegisterBroker) -> Result<(Vec<MetadataRecord>, i64), ControllerError> {
        let now_ms = self.now_ms;
        self.run(|situation| register_broker(situation, request, now_ms))
    }

    fn heartbeat(
        &mut self,
        request: &BrokerHeartbeat,
    ) -> Result<(Vec<MetadataRecord>, HeartbeatReply), ControllerError> {
        let now_ms = self.now_ms;
        self.run(|situation| heartbeat::heartbeat(situation, request, now_ms))
    }

    /// A heartbeat of a broker that wants to serve and has applied everything.
    fn lives(&self, id: i32) -> BrokerHeartbeat {
        BrokerHeartbeat {
            broker_id: id,
            broker_epoch: self.image.broker(id).expect("the broker is registered").epoch,
            current_metadata_offset: self.image.offset(),
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: vec![],
        }
    }

    /// Registers and unfences a broker; answers its broker epoch.
    fn start(&mut self, id: i32) -> i64 {
        let request = self.registration(id);
        let (_, epoch) = self.register(&request).expect("it may register");
        let (_, reply) = self.heartbeat(&self.lives(id)).expect("it is registered");
        assert!(!reply.is_fenced && reply.is_caught_up);
        epoch
    }

    fn create(&mut self, topic: NewTopic) -> Result<CreatedTopic, crate::error::TopicError> {
        let (_, mut results) = self
            .run(|situation| create_topics::create_topics(situation, &[topic], false, &Unlimited))
            .expect("the request is not too large");
        results.pop().expect("one topic has one result").1
    }

    fn partition(&self, topic: &str, index: i32) -> &PartitionImage {
        let topic = self.image.topics().by_name(topic).expect("the topic exists");
        topic.partition(index).expect("the partition exists")
    }
}

/// A topic of `partitions` × `replicas`.
fn topic(name: &str, partitions: i32, replicas: i16) -> NewTopic {
    NewTopic { partitions, replication_factor: replicas, ..NewTopic::new(name) }
}
