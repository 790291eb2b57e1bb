//! Produce, Fetch, ListOffsets, DeleteRecords, OffsetForLeaderEpoch, InitProducerId.

use bytes::Bytes;
use integration::wire::text;
use protocol::ids::Uuid;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, TransactionalId,
};
use protocol::record_batch::{BatchBuilder, Codec};

use crate::topics::name;
use crate::world::{Differential, World};

/// A moment of long ago, so that both brokers store the same bytes.
const THEN: i64 = 1_700_000_000_000;
const FIRST_PRODUCE_BY_ID: i16 = 13;
const FIRST_FETCH_BY_ID: i16 = 13;

pub(crate) fn compare(both: &mut Differential) {
    both.both(|world| {
        world.create_topic("data", 2, &[("retention.ms", "-1")]);
        world.create_topic("keyed", 1, &[("retention.ms", "-1"), ("cleanup.policy", "compact")]);
        world.create_topic("dated", 1, &[("retention.ms", "-1"), ("message.timestamp.before.max.ms", "1000")]);
        world.create_topic("small", 1, &[("retention.ms", "-1"), ("max.message.bytes", "200")]);
    });
    init_producer_id(both);
    produce(both);
    list_offsets(both);
    fetch(both);
    epochs(both);
    delete_records(both);
}

fn init_producer_id(both: &mut Differential) {
    both.every("idempotent", |_, _| InitProducerIdRequest::default().with_transactional_id(None));
    both.every("no transactional id", |_, _| {
        InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId(text(""))))
    });
}

fn batch(codec: Codec, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(0, codec);
    for (number, value) in (0..).zip(values) {
        builder.append(THEN + number, Some(b"key"), Some(value.as_bytes()), &[(b"header", Some(b"x"))]);
    }
    builder.build()
}

fn damaged() -> Bytes {
    let mut bytes = batch(Codec::None, &["damaged"]).to_vec();
    *bytes.last_mut().expect("a batch has bytes") ^= 1;
    bytes.into()
}

fn without_key() -> Bytes {
    let mut builder = BatchBuilder::new(0, Codec::None);
    builder.append(THEN, None, Some(b"value"), &[]);
    builder.build()
}

fn producing(world: &World, version: i16, topic: &str, partition: i32, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = if version < FIRST_PRODUCE_BY_ID {
        TopicProduceData::default().with_name(name(topic))
    } else {
        let id = if topic == "no-such" { Uuid::from_u128(66) } else { world.topic_id(topic) };
        TopicProduceData::default().with_topic_id(id)
    };
    let topics = vec![topic.with_partition_data(vec![data])];
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(topics)
}

fn produce(both: &mut Differential) {
    for (case, codec) in [("plain", Codec::None), ("gzip", Codec::Gzip), ("snappy", Codec::Snappy), ("lz4", Codec::Lz4)]
    {
        let records = batch(codec, &["one", "two", "three"]);
        both.every(case, |world, version| producing(world, version, "data", 0, Some(records.clone())));
    }
    both.every("zstd", |world, version| {
        producing(world, version, "data", 0, Some(batch(Codec::Zstd, &["one", "two"])))
    });
    both.every("acks of the leader", |world, version| {
        producing(world, version, "data", 0, Some(batch(Codec::None, &["one"]))).with_acks(1)
    });
    both.every("unknown topic", |world, version| {
        producing(world, version, "no-such", 0, Some(batch(Codec::None, &["a"])))
    });
    both.every("unknown partition", |world, version| {
        producing(world, version, "data", 7, Some(batch(Codec::None, &["a"])))
    });
    both.every("damaged", |world, version| producing(world, version, "data", 0, Some(damaged())));
    both.every("no batch", |world, version| producing(world, version, "data", 0, Some(Bytes::new())));
    both.every("no key", |world, version| producing(world, version, "keyed", 0, Some(without_key())));
    both.every("too old", |world, version| producing(world, version, "dated", 0, Some(batch(Codec::None, &["a"]))));
    both.every("too large", |world, version| {
        producing(world, version, "small", 0, Some(batch(Codec::None, &["a".repeat(200).as_str()])))
    });
    both.every("bad acks", |world, version| {
        producing(world, version, "data", 0, Some(batch(Codec::None, &["a"]))).with_acks(5)
    });
    both.every("two batches", |world, version| {
        let two = [batch(Codec::None, &["a"]), batch(Codec::None, &["b"])].concat();
        producing(world, version, "data", 0, Some(two.into()))
    });
    let sequenced = |sequence, value| {
        let mut builder = BatchBuilder::new(0, Codec::None).producer(4711, 0, sequence);
        builder.append(THEN, Some(b"key"), Some(value), &[]);
        builder.build()
    };
    both.ask("first of a producer", 9..=9, |world, version| {
        producing(world, version, "data", 1, Some(sequenced(0, b"zero")))
    });
    both.every("repeated", |world, version| producing(world, version, "data", 1, Some(sequenced(0, b"zero"))));
    both.every("out of order", |world, version| producing(world, version, "data", 1, Some(sequenced(7, b"seven"))));
}

fn list_offsets(both: &mut Differential) {
    let request = |topic: &str, partition, timestamp| {
        let partition =
            ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: text(topic), partitions: vec![partition] }];
        ListOffsetsRequest { replica_id: -1, topics, timeout_ms: 1000, ..ListOffsetsRequest::default() }
    };
    for (case, timestamp) in [("latest", -1), ("earliest", -2), ("by time", THEN + 1), ("in the future", THEN * 2)] {
        both.every(case, |_, _| request("data", 0, timestamp));
        both.every(case, |_, _| request("keyed", 0, timestamp));
    }
    for (case, timestamp) in
        [("largest timestamp", -3), ("local", -4), ("tiered", -5), ("pending upload", -6), ("unknown sentinel", -9)]
    {
        both.every(case, |_, _| request("data", 0, timestamp));
    }
    both.every("unknown topic", |_, _| request("no-such", 0, -1));
    both.every("unknown partition", |_, _| request("data", 9, -1));
    both.ask("committed", 2..=99, |_, _| ListOffsetsRequest { isolation_level: 1, ..request("data", 0, -1) });
    both.ask("old epoch", 4..=99, |_, _| with_epoch(request("data", 0, -1), 5));
    both.ask("right epoch", 4..=99, |_, _| with_epoch(request("data", 0, -1), 0));
}

fn with_epoch(mut request: ListOffsetsRequest, epoch: i32) -> ListOffsetsRequest {
    for topic in &mut request.topics {
        topic.partitions.iter_mut().for_each(|partition| partition.current_leader_epoch = epoch);
    }
    request
}

fn fetching(world: &World, version: i16, topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let asked =
        FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = if version < FIRST_FETCH_BY_ID {
        FetchTopic::default().with_topic(name(topic))
    } else {
        let id = if topic == "no-such" { Uuid::from_u128(66) } else { world.topic_id(topic) };
        FetchTopic::default().with_topic_id(id)
    };
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic.with_partitions(vec![asked])])
}

fn fetch(both: &mut Differential) {
    both.every("from the start", |world, version| fetching(world, version, "data", 0, 0));
    both.every("inside a batch", |world, version| fetching(world, version, "data", 0, 1));
    both.every("at the end", |world, version| fetching(world, version, "keyed", 0, 0));
    both.every("behind the end", |world, version| fetching(world, version, "data", 0, 100_000));
    both.every("before the start", |world, version| fetching(world, version, "data", 0, -5));
    both.every("unknown topic", |world, version| fetching(world, version, "no-such", 0, 0));
    both.every("unknown partition", |world, version| fetching(world, version, "data", 8, 0));
    both.every("few bytes", |world, version| fetching(world, version, "data", 0, 0).with_max_bytes(1));
    both.every("committed", |world, version| fetching(world, version, "data", 0, 2).with_isolation_level(1));
    both.ask("old epoch", 9..=99, |world, version| {
        let mut request = fetching(world, version, "data", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = 9;
        request
    });
    both.ask("epoch of the last record", 12..=99, |world, version| {
        let mut request = fetching(world, version, "data", 0, 2);
        request.topics[0].partitions[0].last_fetched_epoch = 0;
        request
    });
    both.ask("unknown session", 7..=99, |world, version| {
        fetching(world, version, "data", 0, 0).with_session_id(12_345).with_session_epoch(1)
    });
    both.ask("bad session epoch", 7..=99, |world, version| {
        fetching(world, version, "data", 0, 0).with_session_id(0).with_session_epoch(5)
    });
    both.ask("new session", 7..=99, |world, version| fetching(world, version, "data", 0, 0).with_session_epoch(0));
    both.ask("forgotten topic", 7..=12, |world, version| {
        let forgotten = ForgottenTopic::default().with_topic(name("keyed")).with_partitions(vec![0]);
        fetching(world, version, "data", 0, 0).with_forgotten_topics_data(vec![forgotten])
    });
}

fn epochs(both: &mut Differential) {
    let request = |topic: &str, partition, current, asked| {
        let partition = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(current)
            .with_leader_epoch(asked);
        let topic = OffsetForLeaderTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
    };
    both.every("present", |_, _| request("data", 0, 0, 0));
    both.every("later", |_, _| request("data", 0, -1, 5));
    both.every("of an empty log", |_, _| request("keyed", 0, -1, 0));
    both.every("wrong current epoch", |_, _| request("data", 0, 8, 0));
    both.every("unknown partition", |_, _| request("data", 9, -1, 0));
    both.every("unknown topic", |_, _| request("no-such", 0, -1, 0));
}

fn delete_records(both: &mut Differential) {
    let request = |topic: &str, partition, offset| {
        let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000)
    };
    both.every("some", |_, version| request("data", 0, 2 + i64::from(version)));
    both.every("behind the end", |_, _| request("data", 0, 100_000));
    both.every("negative", |_, _| request("data", 0, -2));
    both.every("compacted", |_, _| request("keyed", 0, 0));
    both.every("unknown topic", |_, _| request("no-such", 0, 0));
    both.every("unknown partition", |_, _| request("data", 9, 0));
    both.every("all", |_, _| request("data", 1, -1));
    both.ask("from the new start", 4..=4, |world, version| fetching(world, version, "data", 0, 0));
    both.ask("to the new start", 7..=7, |_, _| {
        let partition = ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: text("data"), partitions: vec![partition] }];
        ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() }
    });
}
