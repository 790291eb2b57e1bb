//! GreptimeDB as the broker sees it: the client it uses (rskafka), its settings, its deadlines, its calls.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use integration::wait;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use tokio::task::JoinSet;

/// GreptimeDB's defaults: `num_topics`, `create_topic_timeout`, `timeout`, `max_batch_bytes`, `consumer_wait_timeout`.
pub(crate) const TOPICS: usize = 64;
pub(crate) const CREATE_TIMEOUT_MS: i32 = 30_000;
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);
pub(crate) const MAX_BATCH_BYTES: usize = 1 << 20;
pub(crate) const CONSUMER_WAIT_MS: i32 = 100;
pub(crate) const DELETE_TIMEOUT_MS: i32 = 5_000;

pub(crate) fn topic_name(number: usize) -> String {
    format!("greptimedb_wal_topic_{number}")
}

pub(crate) async fn client(bootstrap: &str) -> Arc<Client> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 3.0,
        deadline: Some(DEADLINE),
    };
    let builder = ClientBuilder::new(vec![bootstrap.to_owned()]).backoff_config(backoff);
    Arc::new(builder.build().await.expect("the broker answers"))
}

pub(crate) async fn partition(client: &Client, number: usize) -> PartitionClient {
    let partition = client.partition_client(topic_name(number), 0, UnknownTopicHandling::Retry).await;
    partition.expect("the leader names itself")
}

pub(crate) fn record(value: Option<Vec<u8>>) -> Record {
    let timestamp = DateTime::from_timestamp_millis(wait::now_ms()).expect("now is a time");
    Record { key: value.as_ref().map(|_| b"meta".to_vec()), value, headers: [].into(), timestamp }
}

/// All topics at once over one controller connection; then one look at all of them. How many were new.
pub(crate) async fn create_topics(client: &Arc<Client>) -> usize {
    let controller = Arc::new(client.controller_client().expect("a controller"));
    let mut calls = JoinSet::new();
    for number in 0..TOPICS {
        let controller = Arc::clone(&controller);
        calls.spawn(async move {
            match controller.create_topic(topic_name(number), 1, 1, CREATE_TIMEOUT_MS).await {
                Ok(()) => 1,
                Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => 0,
                Err(error) => panic!("{}: {error}", topic_name(number)),
            }
        });
    }
    let created = calls.join_all().await.into_iter().sum();
    let listed = client.list_topics().await.expect("all topics");
    assert_eq!(listed.iter().filter(|topic| topic.name.starts_with("greptimedb_wal_topic_")).count(), TOPICS);
    created
}

/// Offset 0 means "no data" to GreptimeDB, so it is spent on a record with neither key nor value.
pub(crate) async fn prepare_topics(client: &Arc<Client>) {
    let mut calls = JoinSet::new();
    for number in 0..TOPICS {
        let client = Arc::clone(client);
        calls.spawn(async move { prepare_topic(&client, number).await });
    }
    calls.join_all().await;
}

/// See [`prepare_topics`].
pub(crate) async fn prepare_topic(client: &Client, number: usize) {
    let partition = partition(client, number).await;
    if partition.get_offset(OffsetAt::Latest).await.expect("an offset") == 0 {
        let offsets = partition.produce(vec![record(None)], Compression::Lz4).await.expect("the no-op record");
        assert_eq!(offsets, [0]);
    }
}

/// Reads `offsets` and needs every one of them, in order.
pub(crate) async fn replay(partition: &PartitionClient, offsets: Range<i64>) -> Vec<RecordAndOffset> {
    let mut found = Vec::new();
    let mut next = offsets.start;
    let limit = i32::try_from(MAX_BATCH_BYTES).unwrap_or(i32::MAX);
    while next < offsets.end {
        let fetched = partition.fetch_records(next, 1..limit, CONSUMER_WAIT_MS).await;
        let (records, high_watermark) = fetched.expect("records");
        assert!(high_watermark >= offsets.end, "the end offset never goes back");
        assert!(!records.is_empty(), "{}: nothing at {next} of {high_watermark}", partition.topic());
        for record in records {
            assert_eq!(record.offset, next, "{}: GreptimeDB waits for ever for a missing offset", partition.topic());
            next += 1;
            found.push(record);
        }
    }
    found
}
