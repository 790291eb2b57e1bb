//! The plain client of the same store: what a program reaches that wants the objects and nothing else.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

/// Bytes of one request for a part of an object.
const RANGE: u64 = 8 << 20;
/// Such requests of one reader that are on their way.
const AT_ONCE: usize = 4;

/// How objects are asked for.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// One after the other, each in one request.
    Whole,
    /// In parts, four at once.
    Ranges,
}

pub(super) struct Plain {
    runtime: Runtime,
    client: Arc<dyn ObjectStore>,
    segments: Vec<ObjectMeta>,
}

impl Plain {
    /// A client that reads the segments that are there now.
    pub(super) fn new(client: Arc<dyn ObjectStore>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listed: Result<Vec<ObjectMeta>, _> = runtime.block_on(client.list(None).try_collect());
        let mut segments = listed?;
        segments.retain(|object| object.location.extension() == Some("log"));
        segments.sort_by(|a, b| a.location.cmp(&b.location));
        ensure!(!segments.is_empty(), "nothing is remote");
        Ok(Self { runtime, client, segments })
    }

    /// Of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// MB/s of so many readers together, each of every segment.
    pub(super) fn read(&self, readers: usize, way: Way) -> Result<f64> {
        let started = Instant::now();
        let reader = || {
            let (client, segments) = (Arc::clone(&self.client), self.segments.clone());
            self.runtime.spawn(async move {
                match way {
                    Way::Whole => whole(client, segments).await,
                    Way::Ranges => ranges(client, segments).await,
                }
            })
        };
        let read = self.runtime.block_on(try_join_all((0..readers).map(|_| reader())))?;
        let read: u64 = read.into_iter().sum::<object_store::Result<u64>>()?;
        ensure!(read == self.bytes() * readers as u64, "{read} bytes were read");
        Ok(read as f64 / 1e6 / started.elapsed().as_secs_f64())
    }
}

async fn whole(client: Arc<dyn ObjectStore>, segments: Vec<ObjectMeta>) -> object_store::Result<u64> {
    let mut read = 0;
    for segment in segments {
        read += client.get(&segment.location).await?.bytes().await?.len() as u64;
    }
    Ok(read)
}

async fn ranges(client: Arc<dyn ObjectStore>, segments: Vec<ObjectMeta>) -> object_store::Result<u64> {
    let parts = segments.into_iter().flat_map(|segment| {
        let starts = (0..segment.size).step_by(RANGE as usize);
        starts.map(move |start| (segment.location.clone(), start..(start + RANGE).min(segment.size)))
    });
    let get = |(key, range)| {
        let client = Arc::clone(&client);
        async move { client.get_range(&key, range).await }
    };
    futures_util::stream::iter(parts.map(get))
        .buffered(AT_ONCE)
        .try_fold(0, |read, bytes| std::future::ready(Ok(read + bytes.len() as u64)))
        .await
}
