//! The loop: order, groups, failures, batches.

use super::*;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// A quorum of one without a disk: commits at once, when it may.
struct Memory {
    state: Mutex<State>,
    /// One permit for each batch that may be committed.
    commits: Semaphore,
    /// Told of each batch that waits to be committed.
    proposed: Notify,
}

struct State {
    image: Arc<Image>,
    epoch: i32,
    leads: bool,
    fail_next: Option<ProposeError>,
    batches: Vec<usize>,
}

impl Memory {
    fn new(commits: usize) -> Arc<Self> {
        let state =
            State { image: Arc::new(Cluster::of(1).image), epoch: 1, leads: true, fail_next: None, batches: vec![] };
        Arc::new(Self { state: Mutex::new(state), commits: Semaphore::new(commits), proposed: Notify::new() })
    }

    /// Waits until a batch waits.
    async fn until_proposed(&self) {
        tokio::time::timeout(Duration::from_secs(10), self.proposed.notified()).await.expect("a batch is proposed");
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }
}

impl Propose for Memory {
    async fn leadership(&self) -> Result<Leadership, ProposeError> {
        let state = self.state();
        if !state.leads {
            return Err(ProposeError::NotLeader { leader_id: Some(7) });
        }
        Ok(Leadership { epoch: state.epoch, log_end_offset: state.image.offset() + 1 })
    }

    fn image(&self) -> Arc<Image> {
        self.state().image.clone()
    }

    async fn propose(&self, epoch: i32, records: Vec<MetadataRecord>) -> Result<Proposed, ProposeError> {
        self.proposed.notify_one();
        self.commits.acquire().await.expect("never closed").forget();
        let mut state = self.state();
        if let Some(error) = state.fail_next.take() {
            return Err(error);
        }
        assert_eq!(epoch, state.epoch, "the caller's image is of another epoch");
        let base_offset = state.image.offset() + 1;
        let last_offset = state.image.offset() + records.len() as i64;
        let mut builder = ImageBuilder::new(&state.image);
        state.batches.push(records.len());
        for record in records {
            builder.apply(record).expect("the record fits");
        }
        let provenance = Provenance { offset: last_offset, epoch, timestamp_ms: 0 };
        state.image = Arc::new(builder.finish(provenance).expect("no transaction"));
        Ok(Proposed { base_offset, last_offset, epoch })
    }
}

/// A controller over `quorum` whose loop runs until the handle is dropped.
fn controller(quorum: &Arc<Memory>) -> (Controller, tokio::task::JoinHandle<()>) {
    let random = Box::new(Seeded::new(1));
    let (controller, task) = Controller::new(quorum.clone(), ControllerConfig::new("cluster"), random);
    (controller, tokio::spawn(task.run()))
}

/// Calls `operations` at once, in order, and answers what came of each.
async fn together<T>(operations: Vec<impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(operations).await
}

#[tokio::test]
async fn what_was_answered_can_be_read() {
    let quorum = Memory::new(Semaphore::MAX_PERMITS);
    let (controller, task) = controller(&quorum);
    let results = controller.create_topics(vec![topic("t", 3, 1)], false, Arc::new(Unlimited)).await.expect("it leads");
    let id = results[0].1.as_ref().expect("created").id;
    assert_eq!(quorum.image().topics().by_id(id).map(|topic| topic.partition_count()), Some(3));
    drop(controller);
    task.await.expect("the loop ends with the last handle");
}

#[tokio::test]
async fn operations_that_wait_together_are_one_batch_in_their_order() {
    let quorum = Memory::new(0);
    let (controller, _task) = controller(&quorum);
    let create = |index: i32| {
        let name = format!("t{index}");
        let controller = controller.clone();
        async move { controller.create_topics(vec![topic(&name, 1, 1)], false, Arc::new(Unlimited)).await }
    };
    // The twin of t7 is decided on an image that contains t7, although nothing is committed yet.
    let waiting = tokio::spawn(together((0..64).chain([7]).map(create).collect()));
    quorum.until_proposed().await;
    quorum.commits.add_permits(100);
    let results = waiting.await.expect("no panic");
    let refused: Vec<String> = results
        .into_iter()
        .flat_map(|result| result.expect("it leads"))
        .filter_map(|(_, result)| result.err().map(|error| error.to_string()))
        .collect();
    assert_eq!(refused, ["Topic 't7' already exists."]);
    let batches = quorum.state().batches.clone();
    assert_eq!(batches.iter().sum::<usize>(), 128);
    assert!(batches.len() <= 3, "{batches:?}");
}

#[tokio::test]
async fn what_was_not_committed_is_forgotten() {
    let quorum = Memory::new(Semaphore::MAX_PERMITS);
    let (controller, _task) = controller(&quorum);
    quorum.state().fail_next = Some(ProposeError::Unknown);
    let failed = controller.create_topics(vec![topic("t", 1, 1)], false, Arc::new(Unlimited)).await;
    assert_eq!(failed, Err(ControllerError::Quorum(ProposeError::Unknown)));
    // Leadership moves on; the next decision is made on what is committed.
    quorum.state().epoch = 2;
    let results =
        controller.create_topics(vec![topic("t", 1, 1)], false, Arc::new(Unlimited)).await.expect("it leads again");
    assert!(results[0].1.is_ok());
}

#[tokio::test]
async fn away_from_the_leader_everything_is_refused() {
    let quorum = Memory::new(Semaphore::MAX_PERMITS);
    quorum.state().leads = false;
    let (controller, _task) = controller(&quorum);
    let refused = controller.allocate_producer_ids(1, 0).await;
    assert_eq!(refused, Err(ControllerError::Quorum(ProposeError::NotLeader { leader_id: Some(7) })));
}

#[tokio::test]
async fn groups_stay_within_a_batch() {
    let quorum = Memory::new(0);
    let (controller, _task) = controller(&quorum);
    let create = |index: i32| {
        let name = format!("t{index}");
        let controller = controller.clone();
        async move { controller.create_topics(vec![topic(&name, 4_000, 1)], false, Arc::new(Unlimited)).await }
    };
    let waiting = tokio::spawn(together((0..5).map(create).collect()));
    quorum.until_proposed().await;
    quorum.commits.add_permits(100);
    let results = waiting.await.expect("no panic");
    assert!(results.into_iter().flat_map(|result| result.expect("it leads")).all(|(_, result)| result.is_ok()));
    let batches = quorum.state().batches.clone();
    assert!(batches.iter().all(|records| *records <= MAX_RECORDS_PER_BATCH), "{batches:?}");
    assert_eq!(batches.iter().sum::<usize>(), 5 * 4_001);
    assert_eq!(quorum.image().topics().len(), 5);
}

#[tokio::test]
async fn a_node_of_many_partitions_comes_back_in_several_batches() {
    let quorum = Memory::new(Semaphore::MAX_PERMITS);
    let (controller, _task) = controller(&quorum);
    for name in ["a", "b", "c"] {
        controller.create_topics(vec![topic(name, 8_000, 1)], false, Arc::new(Unlimited)).await.expect("it leads");
    }
    quorum.state().batches.clear();
    let mut cluster = Cluster::new();
    cluster.incarnations = 77;
    let request = RegisterBroker { holds_directory_locks: true, ..cluster.registration(1) };
    let epoch = controller.register_broker(request, 0).await.expect("the process before is dead");
    assert_eq!(quorum.state().batches, [10_000, 10_000, 4_001]);
    assert_eq!(quorum.image().offset(), epoch, "the registration is the last record");
    let heartbeat = BrokerHeartbeat {
        broker_id: 1,
        broker_epoch: epoch,
        current_metadata_offset: epoch,
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs: vec![],
    };
    let reply = controller.heartbeat(heartbeat, 1).await.expect("registered");
    assert!(!reply.is_fenced);
    let image = quorum.image();
    assert!(image.topics().iter().flat_map(|topic| topic.partitions()).all(|(_, partition)| partition.leader() == 1));
}
