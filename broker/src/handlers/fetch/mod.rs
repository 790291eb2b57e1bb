//! Fetch (key 1), versions 4–18.
//!
//! Behaviour: whole batches from each partition in the order asked, up to the request's and the partition's limits, the
//! first batch even if it is larger (KIP-74); up to the high watermark, or the last stable offset for read_committed.
//! With fewer bytes than the minimum and nothing wrong the request waits for news of its partitions. Sessions (KIP-227)
//! send only what changed. At the end of a partition `records` is empty, not null.
//! Versions: v5 log start offset · v7 sessions · v9 leader epochs (KIP-320) · v11 rack (KIP-392) · v12 flexible, diverging
//! epoch (KIP-595) · v13 topic ids (KIP-516) · v15 replica state · v16 node endpoints (KIP-951) · v17 directory id ·
//! v18 high watermark of a follower.
//! Source: FetchRequest.json, `KafkaApis.handleFetchRequest`, `FetchSession`, `DelayedFetch`.

mod remote;
mod response;
mod session;
mod throttled;

use std::sync::Arc;
use std::time::Duration;

use protocol::error_code::ErrorCode;
use protocol::messages::FetchRequest;
use tokio::time::Instant;

use super::{Reply, RequestContext};
use crate::error_code;
use crate::replica::{FetchLimits, Partition, Watch};

use response::{FetchAnswer, PartitionAnswer};
pub use session::SessionCache;
use session::{FetchedPartition, Session};
use throttled::Fetched;

const READ_COMMITTED: i8 = 1;

pub(super) fn handle(context: RequestContext, request: FetchRequest) -> Reply<Fetched> {
    let services = &context.services;
    let session = match services.fetch_sessions.begin(&request, context.api_version, services.clock.now_ms()) {
        Ok(session) => session,
        Err(code) => return Reply::Now(Fetched::failed(code)),
    };
    let mut fetch = Fetch::new(context, &request, session);
    fetch.read_all();
    if fetch.is_remote() {
        return Reply::Later(Box::pin(fetch.read_remote()));
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    if fetch.is_satisfied() || wait.is_zero() {
        return Reply::Now(Fetched::read(fetch));
    }
    let deadline = Instant::now() + wait;
    Reply::Later(Box::pin(fetch.wait(deadline)))
}

/// One request: what it asks, and what was read so far.
struct Fetch {
    context: RequestContext,
    session: Session,
    /// What the session asks for, as found when it was read.
    partitions: Vec<Result<Arc<Partition>, ErrorCode>>,
    answers: Vec<PartitionAnswer>,
    /// Bytes of records in the answers.
    bytes: usize,
    /// One of the answers is an error, which is told at once.
    failed: bool,
    min_bytes: usize,
    max_bytes: usize,
    read_committed: bool,
}

impl Fetch {
    fn new(context: RequestContext, request: &FetchRequest, session: Session) -> Self {
        let positive = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let services = &context.services;
        let now_ms = services.clock.now_ms();
        // More could never be answered.
        let quota =
            services.quotas.fetch.most_at_once(context.client(), now_ms).map_or(usize::MAX, |most| most as usize);
        let max_bytes = positive(request.max_bytes).min(services.settings.fetch_max_bytes).min(quota);
        Self {
            min_bytes: positive(request.min_bytes).min(max_bytes),
            max_bytes,
            read_committed: request.isolation_level == READ_COMMITTED,
            partitions: Vec::new(),
            answers: Vec::new(),
            bytes: 0,
            failed: false,
            context,
            session,
        }
    }

    fn read_all(&mut self) {
        self.partitions = self.session.partitions().iter().map(|asked| self.find(asked)).collect();
        self.answers = Vec::with_capacity(self.partitions.len());
        for slot in 0..self.partitions.len() {
            let answer = self.read(slot, self.left(), self.bytes == 0);
            self.bytes += answer.size();
            self.failed |= answer.is_error();
            self.answers.push(answer);
        }
    }

    /// Reads one partition again, if it is still there.
    fn read_again(&mut self, slot: usize) {
        self.partitions[slot] = self.find(&self.session.partitions()[slot]);
        self.bytes -= self.answers[slot].size();
        let answer = self.read(slot, self.left(), self.bytes == 0);
        self.bytes += answer.size();
        self.failed |= answer.is_error();
        self.answers[slot] = answer;
    }

    /// Bytes that the answer may still get.
    fn left(&self) -> usize {
        self.max_bytes.saturating_sub(self.bytes)
    }

    fn read(&self, slot: usize, left: usize, at_least_one: bool) -> PartitionAnswer {
        let asked = &self.session.partitions()[slot];
        let partition = match &self.partitions[slot] {
            Ok(partition) => partition,
            Err(code) => return PartitionAnswer::unknown(*code),
        };
        let limits = FetchLimits {
            offset: asked.fetch_offset,
            max_bytes: asked.max_bytes.min(left),
            at_least_one,
            current_leader_epoch: asked.current_leader_epoch,
            read_committed: self.read_committed,
        };
        match partition.read(limits) {
            Ok(read) => PartitionAnswer::read(read, self.read_committed),
            Err(error) => {
                tracing::debug!(partition = %partition.name(), %error, "fetch refused");
                PartitionAnswer::failed(error_code::partition(&error))
            }
        }
    }

    fn find(&self, asked: &FetchedPartition) -> Result<Arc<Partition>, ErrorCode> {
        let table = self.context.services.replicas.table();
        let topic = match &asked.name {
            Some(name) => table.by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
            None => table.by_id(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)?,
        };
        topic.partition(asked.index).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    fn is_satisfied(&self) -> bool {
        self.bytes >= self.min_bytes || self.answers.is_empty() || self.failed
    }

    /// Waits for news until there are enough bytes, something goes wrong, or the time is over. Only partitions with news
    /// are read again.
    async fn wait(mut self, deadline: Instant) -> Fetched {
        let mut watch = Watch::default();
        for slot in 0..self.partitions.len() {
            self.watch(&mut watch, slot, true);
        }
        while !self.is_satisfied() && !self.is_remote() {
            let Ok(news) = tokio::time::timeout_at(deadline, watch.ready()).await else { break };
            for slot in news {
                self.read_again(slot as usize);
                self.watch(&mut watch, slot as usize, false);
            }
        }
        drop(watch);
        if self.is_remote() { self.read_remote().await } else { Fetched::read(self) }
    }

    /// Registers for news of a partition, for the first time or again. What came since it was read is not told, so it is
    /// read once more.
    fn watch(&mut self, watch: &mut Watch, slot: usize, is_first: bool) {
        let Ok(partition) = &self.partitions[slot] else { return };
        if is_first {
            watch.add(partition, self.next_news(slot), slot as u32);
        } else {
            watch.renew(partition, self.next_news(slot), slot as u32);
        }
        let is_over = partition.check_leader().is_err();
        if is_over || partition.known_high_watermark() >= Some(self.next_news(slot)) {
            self.read_again(slot);
        }
    }

    /// The high watermark at which there is more in a partition than was read.
    fn next_news(&self, slot: usize) -> i64 {
        self.answers[slot].high_watermark.saturating_add(1)
    }

    /// The answer, which the client's session remembers.
    fn into_answer(self) -> FetchAnswer {
        for (partition, answer) in self.partitions.iter().zip(&self.answers).filter(|(_, answer)| answer.size() > 0) {
            if let Ok(partition) = partition {
                partition.traffic().fetched(answer.size() as u64);
            }
        }
        let Self { context, session, answers, .. } = self;
        session.finish(&context.services.fetch_sessions, answers, context.services.clock.now_ms())
    }
}
