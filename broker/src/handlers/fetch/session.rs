//! Fetch sessions (KIP-227): the broker remembers which partitions a client fetches and what it was told of each, so that
//! requests name only changes and answers only news. Source: `FetchSession.scala`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::error_code::ErrorCode;
use protocol::ids::Uuid;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};

use super::response::{FetchAnswer, PartitionAnswer};

const NO_SESSION: i32 = 0;
const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;
const FIRST_VERSION_WITH_SESSIONS: i16 = 7;
const FIRST_VERSION_WITH_IDS: i16 = 13;
/// `min.incremental.fetch.session.eviction.ms`: a session that was used since is not evicted.
const EVICTION_MS: i64 = 120_000;

/// One partition that a request or a session asks for.
#[derive(Clone, Debug)]
pub(super) struct FetchedPartition {
    /// `None` where the client asks by topic id.
    pub(super) name: Option<Arc<str>>,
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    pub(super) fetch_offset: i64,
    pub(super) max_bytes: usize,
    pub(super) current_leader_epoch: i32,
    /// What the client was told last; `None`: nothing.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    high_watermark: i64,
    log_start_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PartitionKey {
    name: Option<Arc<str>>,
    topic_id: Uuid,
    index: i32,
}

impl FetchedPartition {
    fn new(topic: &FetchTopic, partition: &FetchPartition, by_id: bool) -> Self {
        Self {
            // Copied: a name that is kept must not hold on to the request's frame.
            name: (!by_id).then(|| Arc::from(topic.topic.0.as_str())),
            topic_id: topic.topic_id,
            index: partition.partition,
            fetch_offset: partition.fetch_offset,
            max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
            current_leader_epoch: partition.current_leader_epoch,
            told: None,
        }
    }

    fn key(&self) -> PartitionKey {
        PartitionKey { name: self.name.clone(), topic_id: self.topic_id, index: self.index }
    }
}

/// All sessions, at most as many as `max.incremental.fetch.session.cache.slots`.
#[derive(Debug)]
pub struct SessionCache {
    slots: usize,
    sessions: Mutex<HashMap<i32, Cached>>,
}

#[derive(Debug)]
struct Cached {
    epoch: i32,
    by_id: bool,
    last_used_ms: i64,
    partitions: Vec<FetchedPartition>,
}

/// The session of one request.
#[derive(Debug)]
pub(super) struct Session {
    kind: Kind,
    partitions: Vec<FetchedPartition>,
    by_id: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sessionless,
    /// Asks for a session.
    Full,
    /// `epoch` is the one that the next request has to name.
    Incremental {
        id: i32,
        epoch: i32,
    },
}

impl SessionCache {
    pub fn new(slots: usize) -> Self {
        Self { slots, sessions: Mutex::default() }
    }

    /// Turns a request into the partitions it is about.
    ///
    /// # Errors
    /// The session is not known, or not in the state that the client thinks it is in.
    pub(super) fn begin(&self, request: &FetchRequest, version: i16, now_ms: i64) -> Result<Session, ErrorCode> {
        let by_id = version >= FIRST_VERSION_WITH_IDS;
        let asked = partitions_of(request, by_id);
        let without = Session { kind: Kind::Sessionless, partitions: Vec::new(), by_id };
        if version < FIRST_VERSION_WITH_SESSIONS {
            return Ok(Session { partitions: asked, ..without });
        }
        match request.session_epoch {
            INITIAL_EPOCH | FINAL_EPOCH => {
                if request.session_id != NO_SESSION {
                    self.lock().remove(&request.session_id);
                }
                let kind = if request.session_epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full };
                Ok(Session { kind, partitions: asked, by_id })
            }
            epoch => self.go_on(request, epoch, asked, by_id, now_ms),
        }
    }

    fn go_on(
        &self,
        request: &FetchRequest,
        epoch: i32,
        asked: Vec<FetchedPartition>,
        by_id: bool,
        now_ms: i64,
    ) -> Result<Session, ErrorCode> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&request.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.update(asked, request, by_id);
        session.last_used_ms = now_ms;
        session.epoch = next_epoch(epoch);
        let (partitions, epoch) = (session.partitions.clone(), session.epoch);
        if partitions.is_empty() {
            sessions.remove(&request.session_id);
            return Ok(Session { kind: Kind::Sessionless, partitions, by_id });
        }
        Ok(Session { kind: Kind::Incremental { id: request.session_id, epoch }, partitions, by_id })
    }

    /// A new session's id; 0 when there is no room.
    fn create(&self, partitions: Vec<FetchedPartition>, by_id: bool, now_ms: i64) -> i32 {
        let mut sessions = self.lock();
        if sessions.len() >= self.slots && !evict(&mut sessions, now_ms) {
            return NO_SESSION;
        }
        let id = loop {
            let id = rand::random_range(1..i32::MAX);
            if !sessions.contains_key(&id) {
                break id;
            }
        };
        sessions.insert(id, Cached { epoch: next_epoch(INITIAL_EPOCH), by_id, last_used_ms: now_ms, partitions });
        id
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Cached>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the session that was not used for the longest time, if that is long enough.
fn evict(sessions: &mut HashMap<i32, Cached>, now_ms: i64) -> bool {
    let oldest = sessions.iter().min_by_key(|(_, session)| session.last_used_ms);
    match oldest.filter(|(_, session)| now_ms.saturating_sub(session.last_used_ms) > EVICTION_MS).map(|(id, _)| *id) {
        Some(id) => sessions.remove(&id).is_some(),
        None => false,
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn partitions_of(request: &FetchRequest, by_id: bool) -> Vec<FetchedPartition> {
    let all = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)));
    all.map(|(topic, partition)| FetchedPartition::new(topic, partition, by_id)).collect()
}

impl Cached {
    /// Adds, changes and forgets what the request says (`FetchSession.update`).
    fn update(&mut self, asked: Vec<FetchedPartition>, request: &FetchRequest, by_id: bool) {
        if !asked.is_empty() {
            self.add(asked);
        }
        self.forget(request, by_id);
    }

    fn add(&mut self, asked: Vec<FetchedPartition>) {
        let mut places: HashMap<PartitionKey, usize> =
            self.partitions.iter().enumerate().map(|(place, partition)| (partition.key(), place)).collect();
        for partition in asked {
            match places.get(&partition.key()) {
                Some(place) => {
                    let told = self.partitions[*place].told;
                    self.partitions[*place] = FetchedPartition { told, ..partition };
                }
                None => {
                    places.insert(partition.key(), self.partitions.len());
                    self.partitions.push(partition);
                }
            }
        }
    }

    fn forget(&mut self, request: &FetchRequest, by_id: bool) {
        for topic in &request.forgotten_topics_data {
            let name: Option<Arc<str>> = (!by_id).then(|| Arc::from(topic.topic.0.as_str()));
            self.partitions.retain(|partition| {
                let same = partition.name == name && (!by_id || partition.topic_id == topic.topic_id);
                !(same && topic.partitions.contains(&partition.index))
            });
        }
    }
}

impl Session {
    pub(super) fn partitions(&self) -> &[FetchedPartition] {
        &self.partitions
    }

    /// Makes the answer, and remembers what it tells.
    pub(super) fn finish(mut self, cache: &SessionCache, answers: Vec<PartitionAnswer>, now_ms: i64) -> FetchAnswer {
        let mut named: Vec<(usize, PartitionAnswer)> = Vec::with_capacity(answers.len());
        for (place, answer) in answers.into_iter().enumerate() {
            let is_news = note(&mut self.partitions[place], &answer);
            if is_news || !matches!(self.kind, Kind::Incremental { .. }) {
                named.push((place, answer));
            }
        }
        let answer = FetchAnswer::new(self.by_id, &self.partitions, named);
        match self.kind {
            Kind::Sessionless => answer,
            Kind::Full => {
                let id = cache.create(self.partitions, self.by_id, now_ms);
                answer.in_session(id)
            }
            Kind::Incremental { id, epoch } => {
                if self.store(cache, id, epoch, &answer) {
                    answer.in_session(id)
                } else {
                    // Another request of the session came while this one waited (`IncrementalFetchContext`).
                    FetchAnswer::failed(ErrorCode::InvalidFetchSessionEpoch)
                }
            }
        }
    }

    /// The answer when the client has to wait: nothing is told, so nothing is remembered, and who asked for a session gets none.
    pub(super) fn throttled(&self, cache: &SessionCache) -> FetchAnswer {
        let Kind::Incremental { id, epoch } = self.kind else { return FetchAnswer::empty() };
        match cache.lock().get(&id) {
            Some(session) if session.epoch != epoch => FetchAnswer::failed(ErrorCode::InvalidFetchSessionEpoch),
            _ => FetchAnswer::empty().in_session(id),
        }
    }

    /// Partitions that had data go to the end, so that those behind them get their turn next time. False if the session is
    /// not where it was.
    fn store(self, cache: &SessionCache, id: i32, epoch: i32, answer: &FetchAnswer) -> bool {
        let served = answer.places_with_data();
        let (last, first): (Vec<_>, Vec<_>) =
            self.partitions.into_iter().enumerate().partition(|(place, _)| served.contains(place));
        match cache.lock().get_mut(&id) {
            Some(session) if session.epoch == epoch => {
                session.partitions = first.into_iter().chain(last).map(|(_, partition)| partition).collect();
                true
            }
            // Evicted meanwhile: the client learns it with its next request.
            None => true,
            Some(_) => false,
        }
    }
}

/// Notes what the client is told of a partition, and whether it is anything new
/// (`CachedPartition.maybeUpdateResponseData`).
fn note(partition: &mut FetchedPartition, answer: &PartitionAnswer) -> bool {
    let now = Told { high_watermark: answer.high_watermark, log_start_offset: answer.log_start_offset };
    let is_news = answer.size() > 0 || answer.is_error() || partition.told != Some(now);
    // An error is told again as long as it lasts.
    partition.told = (!answer.is_error()).then_some(now);
    is_news
}

#[cfg(test)]
mod tests {
    use protocol::StrBytes;
    use protocol::messages::fetch_request::ForgottenTopic;
    use storage::Region;

    use super::*;
    use crate::replica::PartitionRead;

    const VERSION: i16 = 12;
    const NOW: i64 = 1_000_000;

    /// A request in a session, for these partitions of topic `t` at offset 0.
    fn request(id: i32, epoch: i32, partitions: &[i32]) -> FetchRequest {
        let asked = partitions.iter().map(|index| {
            FetchPartition::default().with_partition(*index).with_fetch_offset(0).with_partition_max_bytes(1000)
        });
        let topic = FetchTopic::default().with_topic(name()).with_partitions(asked.collect());
        let topics = if partitions.is_empty() { Vec::new() } else { vec![topic] };
        FetchRequest::default().with_session_id(id).with_session_epoch(epoch).with_topics(topics)
    }

    fn name() -> protocol::messages::TopicName {
        StrBytes::from_static_str("t").into()
    }

    fn forgetting(mut request: FetchRequest, partitions: &[i32]) -> FetchRequest {
        let topic = ForgottenTopic::default().with_topic(name()).with_partitions(partitions.to_vec());
        request.forgotten_topics_data = vec![topic];
        request
    }

    fn answer(high_watermark: i64) -> PartitionAnswer {
        let offsets = PartitionRead {
            region: Region::empty(),
            remote: None,
            high_watermark,
            last_stable_offset: high_watermark,
            log_start_offset: 0,
        };
        PartitionAnswer::read(offsets, false)
    }

    /// Answers all partitions of a session with these high watermarks; what the client is told of.
    fn finish(cache: &SessionCache, session: Session, high_watermarks: &[i64]) -> (i32, Vec<i32>) {
        let answers = high_watermarks.iter().map(|offset| answer(*offset)).collect();
        session.finish(cache, answers, NOW).summary()
    }

    fn asked(session: &Session) -> Vec<i32> {
        session.partitions().iter().map(|partition| partition.index).collect()
    }

    fn begin(cache: &SessionCache, request: &FetchRequest) -> Result<Session, ErrorCode> {
        cache.begin(request, VERSION, NOW)
    }

    #[test]
    fn a_session_answers_only_news() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0, 1, 2])).unwrap();
        let (id, told) = finish(&cache, session, &[5, 5, 5]);
        assert!(id > 0);
        assert_eq!(told, [0, 1, 2], "the first answer names all");
        let session = begin(&cache, &request(id, 1, &[])).unwrap();
        assert_eq!(asked(&session), [0, 1, 2], "a request that names none asks for all");
        assert_eq!(finish(&cache, session, &[5, 6, 5]), (id, vec![1]));
        let session = begin(&cache, &request(id, 2, &[])).unwrap();
        assert_eq!(finish(&cache, session, &[5, 6, 5]), (id, vec![]));
    }

    #[test]
    fn who_has_to_wait_is_told_afterwards_what_is_new() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0, 1])).unwrap();
        assert_eq!(session.throttled(&cache).summary(), (0, vec![]), "there is no session yet");
        let (id, _) = finish(&cache, session, &[5, 5]);
        let session = begin(&cache, &request(id, 1, &[])).unwrap();
        assert_eq!(session.throttled(&cache).summary(), (id, vec![]));
        let late = begin(&cache, &request(id, 2, &[])).unwrap();
        assert_eq!(session.throttled(&cache).error(), ErrorCode::InvalidFetchSessionEpoch.code());
        assert_eq!(finish(&cache, late, &[5, 6]), (id, vec![1]), "as if the wait had not been");
    }

    #[test]
    fn an_error_is_told_as_long_as_it_lasts() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0])).unwrap();
        let (id, _) = finish(&cache, session, &[5]);
        for epoch in 1..3 {
            let session = begin(&cache, &request(id, epoch, &[])).unwrap();
            let failed = vec![PartitionAnswer::failed(ErrorCode::KafkaStorageError)];
            assert_eq!(session.finish(&cache, failed, NOW).summary(), (id, vec![0]));
        }
        let session = begin(&cache, &request(id, 3, &[])).unwrap();
        assert_eq!(finish(&cache, session, &[5]), (id, vec![0]), "and so is its end");
    }

    #[test]
    fn partitions_come_and_go() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0, 1])).unwrap();
        let (id, _) = finish(&cache, session, &[5, 5]);
        let session = begin(&cache, &forgetting(request(id, 1, &[7]), &[0])).unwrap();
        assert_eq!(asked(&session), [1, 7]);
        assert_eq!(finish(&cache, session, &[5, 5]), (id, vec![7]));
        let session = begin(&cache, &forgetting(request(id, 2, &[]), &[1, 7])).unwrap();
        assert_eq!(finish(&cache, session, &[]), (0, vec![]), "an empty session ends");
        assert_eq!(begin(&cache, &request(id, 3, &[])).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    }

    #[test]
    fn a_client_that_is_out_of_step_is_told() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0])).unwrap();
        let (id, _) = finish(&cache, session, &[5]);
        assert_eq!(begin(&cache, &request(id, 2, &[])).unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
        assert_eq!(begin(&cache, &request(id ^ 1, 1, &[])).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
        assert_eq!(cache.begin(&request(id, 1, &[]), 13, NOW).unwrap_err(), ErrorCode::FetchSessionTopicIdError);
        let closed = begin(&cache, &request(id, FINAL_EPOCH, &[0])).unwrap();
        assert_eq!(finish(&cache, closed, &[5]), (0, vec![0]), "closing it still answers");
        assert_eq!(begin(&cache, &request(id, 1, &[])).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    }

    #[test]
    fn two_requests_in_one_epoch_do_not_both_count() {
        let cache = SessionCache::new(10);
        let session = begin(&cache, &request(0, 0, &[0])).unwrap();
        let (id, _) = finish(&cache, session, &[5]);
        let slow = begin(&cache, &request(id, 1, &[])).unwrap();
        let fast = begin(&cache, &request(id, 2, &[])).unwrap();
        assert_eq!(finish(&cache, fast, &[6]), (id, vec![0]));
        let late = slow.finish(&cache, vec![answer(7)], NOW);
        assert_eq!(late.error(), ErrorCode::InvalidFetchSessionEpoch.code());
    }

    #[test]
    fn a_full_cache_evicts_only_what_is_stale() {
        let cache = SessionCache::new(1);
        let session = begin(&cache, &request(0, 0, &[0])).unwrap();
        let (first, _) = finish(&cache, session, &[5]);
        let session = begin(&cache, &request(0, 0, &[0])).unwrap();
        assert_eq!(finish(&cache, session, &[5]).0, NO_SESSION);
        let session = cache.begin(&request(0, 0, &[0]), VERSION, NOW).unwrap();
        let later = session.finish(&cache, vec![answer(5)], NOW + EVICTION_MS + 1).summary().0;
        assert!(later > 0);
        assert_eq!(begin(&cache, &request(first, 1, &[])).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    }

    #[test]
    fn epochs_wrap_around_to_one() {
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
