//! The log of a database whose old part is in an object store: replays begin there, prunes reach into it, and a lost broker changes
//! nothing of that.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use integration::broker::Setup;
use integration::tiering::{EARLIEST_LOCAL, LIMIT, TIERED, await_tiering, files, list};
use integration::wait;
use rskafka::client::partition::OffsetAt;

use crate::database::{DELETE_TIMEOUT_MS, client, partition, prepare_topic, replay, topic_name};
use crate::wal_simulator::{prune, replay_everything, write};

/// Of 12 batches each, about four megabytes.
const TIERED_TOPICS: usize = 4;

#[test]
fn a_log_whose_old_part_is_remote_is_replayed_and_pruned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let remote = folder.path().join("remote");
    let mut broker = Setup::new()
        .set("auto.create.topics.enable", false)
        .set("remote.log.storage.system.enable", "true")
        .set("ottla.remote.storage.url", format!("file://{}", remote.display()))
        .set("remote.log.manager.task.interval.ms", 200)
        .set("remote.fetch.max.wait.ms", 60_000)
        .set("log.retention.check.interval.ms", 200)
        .start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let runtime = runtime.expect("a runtime");
    let mut connection = broker.connect();
    let topics: Vec<String> = (0..TIERED_TOPICS).map(topic_name).collect();
    topics.iter().for_each(|topic| connection.create_topic(topic, 1, &TIERED));

    let written = runtime.block_on(async {
        let database = client(&broker.bootstrap()).await;
        let mut written = Vec::new();
        for topic in 0..TIERED_TOPICS {
            prepare_topic(&database, topic).await;
            written.push(write(Arc::clone(&database), topic, Arc::new(AtomicUsize::new(0))).await);
        }
        written
    });
    for topic in &topics {
        await_tiering(&broker, &mut connection, topic);
    }
    broker.kill9();
    broker.restart();
    let database = runtime.block_on(client(&broker.bootstrap()));
    runtime.block_on(replay_everything(&database, written));
    runtime.block_on(async {
        for topic in 0..TIERED_TOPICS {
            prune(&database, topic).await;
        }
    });
    let count = |topic: &str| {
        let mut objects = Vec::new();
        files(&remote, &mut objects);
        // Of the partition; beside it lies what the topic is.
        let is_of_partition = |path: &str| path.contains(&format!("/{topic}-")) && path.contains("/0/");
        objects.iter().filter(|path| is_of_partition(&path.display().to_string())).count()
    };
    // A flush of everything: the database needs none of what is remote any more.
    let topic = topics[0].as_str();
    connection = broker.connect();
    let local = list(&mut connection, topic, EARLIEST_LOCAL).offset;
    runtime.block_on(async {
        let partition = partition(&database, 0).await;
        partition.delete_records(local, DELETE_TIMEOUT_MS).await.expect("records can be deleted");
        let end = partition.get_offset(OffsetAt::Latest).await.expect("an offset");
        replay(&partition, local..end).await;
    });
    wait::until_true("only the manifest is left", LIMIT, || count(topic) == 1);
}
