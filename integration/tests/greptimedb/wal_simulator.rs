//! A database writes its log, loses the broker and replays: many topics at once, a no-op record in each, serial LZ4 batches, a
//! replay that needs every offset, prunes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use integration::broker::Setup;
use integration::{records, wait};
use rskafka::client::Client;
use rskafka::client::error::{Error, ProtocolError, ServerErrorResponse};
use rskafka::client::partition::{Compression, OffsetAt};
use tokio::task::JoinSet;

use crate::database::{
    CONSUMER_WAIT_MS, DEADLINE, DELETE_TIMEOUT_MS, MAX_BATCH_BYTES, TOPICS, client, create_topics, partition,
    prepare_topics, record, replay,
};

const BATCHES: usize = 12;
/// The broker is killed when so many batches of all topics together are acknowledged.
const KILL_AFTER: usize = TOPICS * BATCHES / 3;

/// An acknowledged batch: the offset of each of its values.
pub(crate) type Acknowledged = Vec<(i64, Vec<u8>)>;

/// Values of one batch: sizes differ from batch to batch up to the limit; half of the bytes do not compress.
fn batch_values(topic: usize, attempt: usize) -> Vec<Vec<u8>> {
    let seed = u64::try_from(topic * 1000 + attempt).unwrap_or(0);
    let size = [300, 20_000, 150_000, MAX_BATCH_BYTES - 2000][attempt % 4];
    let parts = [1, 8, 3, 2][attempt % 4];
    let value = |part: usize| {
        let mut value = format!("{topic}/{attempt}/{part}/").into_bytes();
        value.extend(records::noise(seed + 7 * u64::try_from(part).unwrap_or(0), size / parts / 2));
        value.resize(size / parts, b'w');
        value
    };
    (0..parts).map(value).collect()
}

/// One topic's writer: one batch in flight, a new one after each answer or after the deadline.
pub(crate) async fn write(client: Arc<Client>, topic: usize, acknowledged: Arc<AtomicUsize>) -> Vec<Acknowledged> {
    let partition = partition(&client, topic).await;
    let mut batches = Vec::new();
    for attempt in 0.. {
        let values = batch_values(topic, attempt);
        let records = values.iter().map(|value| record(Some(value.clone()))).collect();
        match tokio::time::timeout(DEADLINE, partition.produce(records, Compression::Lz4)).await {
            Ok(Ok(offsets)) => {
                assert_eq!(offsets.len(), values.len());
                batches.push(offsets.into_iter().zip(values).collect());
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            // An error to the database's writer; whether the batch is in the log is unknown.
            Ok(Err(Error::ServerError { protocol_error, .. })) => panic!("fatal to GreptimeDB: {protocol_error}"),
            Ok(Err(_)) | Err(_) => {}
        }
        if batches.len() == BATCHES {
            break;
        }
    }
    batches
}

pub(crate) async fn replay_everything(client: &Arc<Client>, written: Vec<Vec<Acknowledged>>) {
    let mut calls = JoinSet::new();
    for (topic, batches) in written.into_iter().enumerate() {
        let client = Arc::clone(client);
        calls.spawn(async move {
            let partition = partition(&client, topic).await;
            let end = partition.get_offset(OffsetAt::Latest).await.expect("an offset");
            let found = replay(&partition, 0..end).await;
            assert_eq!((&found[0].record.key, &found[0].record.value), (&None, &None), "the no-op record is first");
            for (offset, value) in batches.into_iter().flatten() {
                let place = usize::try_from(offset).expect("offsets are positive");
                assert!(found[place].record.value.as_ref() == Some(&value), "{}: {offset}", partition.topic());
            }
        });
    }
    calls.join_all().await;
}

/// The metasrv prunes; a replay from below the new start must be refused.
pub(crate) async fn prune(client: &Arc<Client>, topic: usize) {
    let partition = partition(client, topic).await;
    let end = partition.get_offset(OffsetAt::Latest).await.expect("an offset");
    let start = end / 2;
    partition.delete_records(start, DELETE_TIMEOUT_MS).await.expect("records can be deleted");
    assert_eq!(partition.get_offset(OffsetAt::Earliest).await.expect("an offset"), start);
    let refused = partition.fetch_records(start - 1, 1..1000, CONSUMER_WAIT_MS).await.expect_err("below the start");
    let Error::ServerError { protocol_error, response, .. } = refused else { panic!("{refused}") };
    assert_eq!(protocol_error, ProtocolError::OffsetOutOfRange);
    assert!(matches!(response, Some(ServerErrorResponse::PartitionFetchState { .. })), "{response:?}");
    assert_eq!(replay(&partition, start..end).await.len(), usize::try_from(end - start).unwrap_or(0));
}

#[test]
fn a_database_writes_its_log_loses_the_broker_and_replays() {
    let mut broker = Setup::new().set("auto.create.topics.enable", false).start();
    let bootstrap = broker.bootstrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let runtime = runtime.expect("a runtime");

    let database = runtime.block_on(client(&bootstrap));
    assert_eq!(runtime.block_on(create_topics(&database)), TOPICS);
    runtime.block_on(prepare_topics(&database));

    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..TOPICS)
        .map(|topic| runtime.spawn(write(Arc::clone(&database), topic, Arc::clone(&acknowledged))))
        .collect();
    let count = || acknowledged.load(Ordering::Relaxed);
    wait::until_true("a third of the batches", Duration::from_secs(120), || count() >= KILL_AFTER);
    broker.kill9();
    let before = count();
    broker.restart();
    assert!(before < TOPICS * BATCHES, "the broker dies in the middle of the load");
    let written = runtime.block_on(async {
        let mut written = Vec::new();
        for writer in writers {
            written.push(writer.await.expect("no writer fails for good"));
        }
        written
    });

    // The database starts again, too: its topics exist, and it reads everything back.
    let database = runtime.block_on(client(&bootstrap));
    assert_eq!(runtime.block_on(create_topics(&database)), 0, "all topics are still there");
    runtime.block_on(replay_everything(&database, written));
    for topic in [0, 31, 63] {
        runtime.block_on(prune(&database, topic));
    }
    // Kafka writes the start offset down once a minute, so only a clean stop is sure to keep it.
    broker.stop();
    broker.restart();
    let start = runtime.block_on(async { partition(&database, 63).await.get_offset(OffsetAt::Earliest).await });
    assert!(start.expect("an offset") > 0, "what was pruned does not come back");
}
