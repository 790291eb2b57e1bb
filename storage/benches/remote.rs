//! How fast a consumer drains what is remote, against what the plain client of the same store reaches.
//!
//! ```text
//! cargo bench -p storage --bench remote
//! ```
//! Two stores: a directory, and one in memory that takes 20 ms for the first byte and 10 ns for each. Every consumer reads everything, a
//! mebibyte at a time, as Fetch does; the plain client gets one segment after the other, whole.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use protocol::ids::{TopicPartition, Uuid};
use protocol::record_batch::{BatchBuilder, Batches, Codec, ValidatedBatch};
use storage::file_system::OsFileSystem;
use storage::remote_log::object_store::local::LocalFileSystem;
use storage::remote_log::object_store::memory::InMemory;
use storage::remote_log::object_store::throttle::{ThrottleConfig, ThrottledStore};
use storage::remote_log::object_store::{ObjectStore, ObjectStoreExt};
use storage::remote_log::{
    CacheLimits, Mover, PartitionKeys, RemotePartition, RemoteReader, RemoteStore, RemoteView, Step, StepInput,
    StoreLimits, TierConfig,
};
use storage::{Log, LogConfig, LogDir, LogDirOptions, Piece, ReadLimits};

const BYTES: u64 = 256 << 20;
const SEGMENT: u32 = 32 << 20;
const CHUNK: u64 = 4 << 20;
const CACHE: CacheLimits = CacheLimits { bytes: 64 << 20, count: 1 << 16 };
const AHEAD: u64 = 8 << 20;
const FETCH: usize = 1 << 20;
const CONSUMERS: [usize; 2] = [1, 4];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = filled(&folder.path().join("local"));
    let files = folder.path().join("remote");
    std::fs::create_dir(&files).expect("a folder in it");
    let config = ThrottleConfig {
        wait_get_per_call: Duration::from_millis(20),
        wait_get_per_byte: Duration::from_nanos(10),
        ..ThrottleConfig::default()
    };
    let stores: [(&str, Arc<dyn ObjectStore>); 2] = [
        ("directory", Arc::new(LocalFileSystem::new_with_prefix(&files).expect("the folder is there"))),
        ("slow memory", Arc::new(ThrottledStore::new(InMemory::new(), config))),
    ];
    let keys = PartitionKeys::new("bench", Uuid::from_u128(1), &TopicPartition::new("bench", 0));
    for (name, plain) in stores {
        let store = Arc::new(RemoteStore::new(name.to_owned(), Arc::clone(&plain), StoreLimits::default()));
        let view = copied(&log, &store, &keys).await;
        for consumers in CONSUMERS {
            let theirs = rate(&view, consumers, |_| drain_plain(&plain, &keys, &view)).await;
            let reader = RemoteReader::new(Arc::clone(&store), CHUNK, CACHE, CACHE).reading_ahead(AHEAD);
            let ours = rate(&view, consumers, |consumer| drain(&reader, consumer, &keys, &view)).await;
            println!(
                "{name}, {consumers} consumers: {ours:.0} MB/s, {:.2} of the plain client's {theirs:.0}",
                ours / theirs
            );
        }
    }
}

fn filled(folder: &std::path::Path) -> Arc<Log> {
    std::fs::create_dir(folder).expect("a folder in it");
    let log_dir = LogDir::open(folder, &LogDirOptions::new(Arc::new(OsFileSystem))).expect("the folder is free");
    let config = LogConfig { segment_bytes: SEGMENT, ..LogConfig::default() };
    let log = Log::open(&log_dir, TopicPartition::new("bench", 0), Uuid::from_u128(1), config);
    let mut batch = BatchBuilder::new(0, Codec::None);
    (0..64).for_each(|_| batch.append(0, None, Some(&[7; 1000]), &[]));
    let batch = ValidatedBatch::trusted(batch.build()).expect("a batch just built is one");
    while log.size_bytes().expect("the log works") < BYTES {
        log.append(&batch, 0, 0).expect("the disk works");
    }
    log.flush().expect("the disk works");
    log
}

async fn copied(log: &Arc<Log>, store: &Arc<RemoteStore>, keys: &PartitionKeys) -> Arc<RemoteView> {
    let partition = Arc::new(RemotePartition::new(keys.clone()));
    let mut mover = Mover::new(Arc::clone(store), 1, Arc::clone(&partition));
    let config = TierConfig::KEEP;
    let input =
        StepInput { config, leader_epoch: 0, stable_end_offset: i64::MAX, orphan_grace_ms: i64::MAX, now_ms: 0 };
    while !matches!(mover.step(log, &input).await.expect("the store works"), Step::Nothing(_)) {}
    partition.view()
}

/// MB/s of all consumers together.
async fn rate<F: Future<Output = u64>>(view: &RemoteView, consumers: usize, drain: impl Fn(usize) -> F) -> f64 {
    let started = Instant::now();
    let read = join_all((0..consumers).map(drain)).await;
    assert!(read.iter().all(|bytes| *bytes == view.size_bytes()), "everything was read");
    read.iter().sum::<u64>() as f64 / 1e6 / started.elapsed().as_secs_f64()
}

async fn drain_plain(store: &Arc<dyn ObjectStore>, keys: &PartitionKeys, view: &RemoteView) -> u64 {
    let mut read = 0;
    for segment in view.live() {
        let found = store.get(&keys.log(segment)).await.expect("it is there");
        read += found.bytes().await.expect("all of it").len() as u64;
    }
    read
}

/// A reader of the store gets no regions of files. Where two pieces meet this copies, as a broker does not.
fn joined(pieces: Vec<Piece>) -> Bytes {
    let bytes = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        Piece::Region(_) => Bytes::new(),
    };
    let all: Vec<Bytes> = pieces.iter().map(bytes).collect();
    if let [only] = all.as_slice() { only.clone() } else { all.concat().into() }
}

async fn drain(reader: &RemoteReader, consumer: usize, keys: &PartitionKeys, view: &RemoteView) -> u64 {
    let consumer = SocketAddr::from(([127, 0, 0, 1], u16::try_from(consumer).expect("few consumers")));
    let limits = ReadLimits { end_offset: i64::MAX, max_bytes: FETCH, at_least_one: true };
    let (mut read, mut offset) = (0, view.start_offset().expect("something is remote"));
    while let Some(segment) = view.segment_of(offset) {
        let following = view.segment_of(segment.end_offset).map(|segment| &**segment);
        let pieces = reader.read(consumer, keys, (segment, following), offset, limits).await.expect("the store works");
        let bytes = joined(pieces);
        read += bytes.len() as u64;
        let last = Batches::new(&bytes).last().expect("a batch").expect("it is whole").0;
        offset = last.next_offset();
    }
    read
}
