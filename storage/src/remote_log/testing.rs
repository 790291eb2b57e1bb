//! A store that misbehaves as told, over one in memory.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::log::Piece;

/// Who reads.
pub(super) const CONSUMER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// The bytes of all of them.
pub(super) fn joined(pieces: Vec<Piece>) -> Bytes {
    let mut joined = BytesMut::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => joined.extend_from_slice(&bytes),
            Piece::Region(region) => joined.extend_from_slice(&region.read().unwrap()),
        }
    }
    joined.freeze()
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is refused: 503.
    Unavailable,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// A put keeps half of the bytes; a get brings half of them.
    Torn,
    /// No answer ever comes.
    Silence,
}

type Plan = Box<dyn Fn(usize) -> Option<Fault> + Send + Sync>;

/// A store in memory whose requests, counted from 0, fail by plan.
pub(super) struct FaultyStore {
    inner: InMemory,
    plan: Mutex<Arc<Plan>>,
    requests: AtomicUsize,
    /// Overwrites what is to be created, as Garage does.
    pub(super) overwrites: AtomicBool,
}

impl FaultyStore {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            plan: Mutex::new(Arc::new(Box::new(|_| None))),
            requests: AtomicUsize::new(0),
            overwrites: AtomicBool::new(false),
        })
    }

    /// From now on requests, counted anew, fail by `plan`.
    pub(super) fn fail(&self, plan: impl Fn(usize) -> Option<Fault> + Send + Sync + 'static) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Box::new(plan));
        self.requests.store(0, Ordering::SeqCst);
    }

    pub(super) fn heal(&self) {
        self.fail(|_| None);
    }

    /// Requests since the plan was last changed.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(super) async fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = self.inner.list(None).collect().await;
        listed.into_iter().map(|object| object.unwrap().location.to_string()).collect()
    }

    /// The fault of this request, unless it keeps the answer for ever.
    async fn next(&self) -> Option<Fault> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let plan = Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        match plan(number) {
            Some(Fault::Silence) => std::future::pending().await,
            fault => fault,
        }
    }
}

fn unavailable<T>() -> Result<T> {
    Err(object_store::Error::Generic { store: "faulty", source: "503 Slow Down".into() })
}

fn after<T>(fault: Option<Fault>, result: Result<T>) -> Result<T> {
    if fault == Some(Fault::LostAnswer) { unavailable() } else { result }
}

fn half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultyStore")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultyStore")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let fault = self.next().await;
        if fault == Some(Fault::Unavailable) {
            return unavailable();
        }
        let payload = if fault == Some(Fault::Torn) { half(&Bytes::from(payload)).into() } else { payload };
        if self.overwrites.load(Ordering::SeqCst) {
            options.mode = PutMode::Overwrite;
        }
        after(fault, self.inner.put_opts(location, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.next().await;
        if fault == Some(Fault::Unavailable) {
            return unavailable();
        }
        after(fault, self.inner.put_multipart_opts(location, options).await)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.next().await;
        if matches!(fault, Some(Fault::Unavailable | Fault::LostAnswer)) {
            return unavailable();
        }
        let mut result = self.inner.get_opts(location, options).await?;
        if fault == Some(Fault::Torn) {
            let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
            let bytes = half(&result.bytes().await?);
            let payload = GetResultPayload::Stream(futures_util::stream::iter([Ok(bytes)]).boxed());
            result = GetResult { payload, meta, range, attributes, extensions: Default::default() };
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let plan = Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        match plan(number) {
            Some(Fault::Unavailable) => futures_util::stream::iter([unavailable()]).boxed(),
            Some(Fault::Silence) => futures_util::stream::pending().boxed(),
            Some(Fault::LostAnswer | Fault::Torn) => {
                self.inner.delete_stream(locations).map(|done| done.and_then(|_| unavailable())).boxed()
            }
            None => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let plan = Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        let listed = self.inner.list(prefix);
        match plan(number) {
            None => listed,
            Some(Fault::Silence) => futures_util::stream::pending().boxed(),
            // An error in the middle.
            Some(_) => listed.take(1).chain(futures_util::stream::iter([unavailable()])).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.next().await {
            None => self.inner.list_with_delimiter(prefix).await,
            Some(_) => unavailable(),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
