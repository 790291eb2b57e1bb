//! Two nodes that both believe they lead a partition, over one store, request by request in every order that chance finds.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use proptest::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::mover::newest;
use super::tests::{KEEP, check_everything, input, keys, log_of};
use super::*;
use crate::Log;

/// Of the leader that was deposed, and of its successor.
const EPOCHS: [i32; 2] = [3, 4];
const BATCHES: i64 = 24;
/// More than both ask at once.
const EVENTS: usize = 64;

/// What a node has to say to who decides whose turn it is.
enum Event {
    /// It wants to ask the store something.
    Asks(usize, oneshot::Sender<()>),
    /// It has done what it had to do.
    Ends,
}

/// The store as one node reaches it: a request waits for its turn.
#[derive(Debug)]
struct Gate {
    node: usize,
    inner: Arc<InMemory>,
    events: mpsc::Sender<Event>,
}

impl Gate {
    fn turn(&self) -> impl Future<Output = ()> + Send + 'static {
        let (go, turn) = oneshot::channel();
        // Nobody decides any more once the rivalry is over.
        let _ = self.events.try_send(Event::Asks(self.node, go));
        async move {
            let _ = turn.await;
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Gate({})", self.node)
    }
}

#[async_trait]
impl ObjectStore for Gate {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.turn().await;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.turn().await;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.turn().await;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.turn().await;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (turn, inner) = (self.turn(), Arc::clone(&self.inner));
        let deleted = async move {
            turn.await;
            inner.delete_stream(locations)
        };
        futures_util::stream::once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (turn, inner, prefix) = (self.turn(), Arc::clone(&self.inner), prefix.cloned());
        let listed = async move {
            turn.await;
            inner.list(prefix.as_ref())
        };
        futures_util::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.turn().await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.turn().await;
        self.inner.copy_opts(from, to, options).await
    }
}

/// What a node does next, believing that it leads.
#[derive(Clone, Copy, Debug)]
enum Act {
    Step,
    /// DeleteRecords, so many offsets further.
    Prune(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(prop_oneof![3 => Just(Act::Step), 1 => (1i64..60).prop_map(Act::Prune)], 4..14)
}

fn remote_store(inner: Arc<dyn ObjectStore>, layout: SegmentLayout) -> Arc<RemoteStore> {
    Arc::new(RemoteStore::new("test".to_owned(), inner, StoreLimits::default()).with_layout(layout))
}

/// One of the two.
struct Node {
    partition: Arc<RemotePartition>,
    log: Arc<Log>,
    input: StepInput,
}

impl Node {
    fn new(number: usize) -> Self {
        // Replicas roll where they like.
        let log = log_of(BATCHES, [1000, 1400][number]);
        let input = StepInput { leader_epoch: EPOCHS[number], ..input(KEEP) };
        Self { partition: Arc::new(RemotePartition::new(keys())), log, input }
    }

    async fn act(
        partition: Arc<RemotePartition>,
        log: Arc<Log>,
        input: StepInput,
        mut mover: Mover,
        acts: Vec<Act>,
    ) -> Mover {
        for act in acts {
            match act {
                Act::Step => drop(mover.step(&log, &input).await),
                Act::Prune(further) => {
                    let start = partition.view().start_offset().unwrap_or(0);
                    partition.raise_log_start((start + further).min(log.offsets().unwrap().log_end_offset));
                }
            }
        }
        mover
    }
}

/// Lets both act: of two that wait the one that `order` says (true: the successor), and looks at the store between all requests.
/// Returns the store, and the successor with its mover.
async fn rival(plans: [Vec<Act>; 2], order: &[bool], layout: SegmentLayout) -> (Arc<InMemory>, Node, Mover) {
    let inner = Arc::new(InMemory::new());
    let (events, mut inbox) = mpsc::channel(EVENTS);
    let (nodes, mut movers) = ([Node::new(0), Node::new(1)], Vec::new());
    for (number, (node, acts)) in nodes.iter().zip(plans).enumerate() {
        let gate = Gate { node: number, inner: Arc::clone(&inner), events: events.clone() };
        let mover = Mover::new(remote_store(Arc::new(gate), layout), 1, Arc::clone(&node.partition));
        let acting = Node::act(Arc::clone(&node.partition), Arc::clone(&node.log), node.input, mover, acts);
        let events = events.clone();
        movers.push(tokio::spawn(async move {
            let mover = acting.await;
            let _ = events.send(Event::Ends).await;
            mover
        }));
    }
    let (mut running, mut waiting, mut order) = (2, [const { Vec::new() }; 2], order.iter().cycle());
    loop {
        while waiting.iter().filter(|turns| !turns.is_empty()).count() < running {
            match inbox.recv().await {
                Some(Event::Asks(node, turn)) => waiting[node].push(turn),
                Some(Event::Ends) | None => running -= 1,
            }
        }
        if running == 0 {
            break;
        }
        check(&inner, &nodes).await;
        let first = usize::from(*order.next().unwrap());
        let node = if waiting[first].is_empty() { 1 - first } else { first };
        for turn in waiting[node].drain(..) {
            let _ = turn.send(());
        }
    }
    let ([_, successor], mover) = (nodes, movers.pop().unwrap().await.unwrap());
    (inner, successor, mover)
}

/// Everything that the newest manifest has as readable is there, and whoever may still publish has deleted nothing locally that is not.
async fn check(inner: &Arc<InMemory>, nodes: &[Node; 2]) {
    let store = remote_store(Arc::clone(inner) as Arc<dyn ObjectStore>, SegmentLayout::Joined);
    let found = newest(&store, &keys()).await.unwrap();
    let view = RemoteView { log_start_offset: found.manifest.log_start_offset, segments: found.segments };
    for key in view.live().iter().flat_map(|segment| keys().objects(segment)) {
        inner.head(&key).await.unwrap_or_else(|error| panic!("deleted and referenced: {error}"));
    }
    // Where replicas roll at other places, segments overlap.
    let is_whole = view.live().windows(2).all(|pair| pair[0].end_offset >= pair[1].base_offset);
    assert!(is_whole, "{:?}", view.live());
    for node in nodes.iter().filter(|node| node.input.leader_epoch >= found.manifest.leader_epoch) {
        assert!(node.partition.view().end_offset() <= view.end_offset().max(Some(view.log_start_offset)));
    }
}

/// Steps until there is nothing to do. Once it may turn out that the other wrote after it was looked for the last time.
async fn settle(mover: &mut Mover, node: &Node, input: StepInput) {
    let mut surprises = 0;
    loop {
        match mover.step(&node.log, &input).await {
            Ok(Step::Nothing(_)) => return,
            Ok(_) => {}
            Err(error) => {
                surprises += 1;
                assert!(matches!(error, RemoteError::Fenced { .. }) && surprises == 1, "{error}");
            }
        }
    }
}

/// The successor goes on alone: as it is, or started again where there is no mover.
async fn succeed(inner: Arc<InMemory>, node: &Node, mover: Option<Mover>, layout: SegmentLayout) {
    let store = remote_store(Arc::clone(&inner) as Arc<dyn ObjectStore>, layout);
    let (mut mover, again) = mover.map(|mover| (mover, Arc::clone(&node.partition))).unwrap_or_else(|| {
        let again = Arc::new(RemotePartition::load(keys(), &node.log).unwrap());
        (Mover::new(Arc::clone(&store), 1, Arc::clone(&again)), again)
    });
    settle(&mut mover, node, node.input).await;
    let late = StepInput { now_ms: i64::MAX / 2, orphan_grace_ms: 1000, ..node.input };
    settle(&mut mover, node, late).await;
    settle(&mut mover, node, StepInput { now_ms: i64::MAX / 2 + 2000, ..late }).await;
    let view = again.view();
    let closed = node.log.rolled_segments().unwrap().last().unwrap().end_offset;
    assert!(view.end_offset().max(Some(view.log_start_offset)) >= Some(closed), "{view:?}");
    if !view.live().is_empty() {
        check_everything(&node.log, &store, &view).await;
    }
    let mut left = BTreeSet::new();
    for folder in keys().folders() {
        left.extend(store.list(&folder).await.unwrap().into_iter().map(|object| object.location));
    }
    for key in view.segments.iter().flat_map(|segment| keys().objects(segment)) {
        assert!(left.remove(&key), "{key} is named and not there");
    }
    assert_eq!(left.len(), 1, "only the manifest is left: {left:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn two_that_believe_they_lead_lose_nothing(
        plans in [acts(), acts()],
        // Whoever is on turn may do several things at once.
        runs in proptest::collection::vec(1usize..9, 1..64),
        (is_separate, restarts) in any::<(bool, bool)>(),
    ) {
        let order: Vec<bool> = (0..).zip(runs).flat_map(|(at, run)| vec![at % 2 == 1; run]).collect();
        let layout = if is_separate { SegmentLayout::Separate } else { SegmentLayout::Joined };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (inner, successor, mover) = rival(plans, &order, layout).await;
            succeed(inner, &successor, Some(mover).filter(|_| !restarts), layout).await;
        });
    }
}
