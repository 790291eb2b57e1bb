//! Produce (key 0), versions 3–13; advertised from 0 (KAFKA-18659).
//!
//! Behaviour: every partition is appended before anything is waited for. acks=1 is answered at once; acks=all when the
//! high watermark is above the last record, which in class `durable` means synced; acks=0 is not answered, and an error
//! then closes the connection so that the client refreshes its metadata. Transactional batches are refused with
//! INVALID_TXN_STATE, as Kafka refuses a batch whose transaction its coordinator does not know; without a transactional
//! id in the request the whole of it is, with TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
//! Versions: v5 log start offset · v7 zstd · v8 record errors (KIP-467) · v9 flexible · v10 current leader (KIP-951) ·
//! v13 topic ids (KIP-516).
//! Source: ProduceRequest.json, `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::record_batch::{BatchHeader, InvalidReason};
use protocol::response::{self, EncodeError};
use storage::AppendError;

use super::{Answer, ErrorCodes, Reply, RequestContext};
use crate::error_code;
use crate::replica::{Partition, PartitionError, TopicReplicas, Watch};
use crate::server::Output;

const ACKS_ALL: i16 = -1;
/// Topics whose records only the broker writes.
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
/// The client id that may write to them all the same.
const ADMIN_CLIENT: &str = "__admin_client";
const FIRST_VERSION_WITH_IDS: i16 = 13;
const FIRST_VERSION_WITH_LEADERS: i16 = 10;
const FIRST_VERSION_WITH_MESSAGES: i16 = 8;

pub(super) fn handle(context: RequestContext, request: ProduceRequest) -> Reply<ProduceAnswer> {
    let (throttle_ms, tells_throttle) = throttle(&context, &request);
    let mut append = Append::new(&context, &request);
    if request.transactional_id.is_none() && request.topic_data.iter().any(has_transactional) {
        append.refused = Some(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    let topics = request.topic_data;
    let mut responses = Vec::with_capacity(topics.len());
    for topic in topics {
        let place = responses.len();
        responses.push(append.topic(topic, place));
    }
    let Append { waits, failed, not_leader, acks, .. } = append;
    let mut response = ProduceResponse::default().with_responses(responses);
    if not_leader && context.api_version >= FIRST_VERSION_WITH_LEADERS {
        response.node_endpoints = leaders(&context);
    }
    match acks {
        0 if failed => Reply::Close,
        0 => Reply::Silent(throttle_ms),
        ACKS_ALL if waits.iter().any(|wait| !wait.is_over()) => {
            let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
            Reply::Later(Box::pin(async move {
                let response = settle(response, waits, timeout).await;
                ProduceAnswer { response, throttle_ms, tells_throttle }
            }))
        }
        _ => Reply::Now(ProduceAnswer { response, throttle_ms, tells_throttle }),
    }
}

/// How long the client has to wait for having sent so much, and whether it may be told. rskafka sends a request again whose answer
/// tells of a wait, so that batches which nobody can recognize would be written twice: their client only finds that its connection
/// is not read.
fn throttle(context: &RequestContext, request: &ProduceRequest) -> (i32, bool) {
    let quotas = &context.services.quotas;
    if !quotas.produce.is_set() && !quotas.request.is_set() {
        return (0, true);
    }
    let now_ms = context.services.clock.now_ms();
    let throttle_ms = quotas.produce.record(context.client(), context.size as f64, now_ms);
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut batches = partitions.filter_map(|data| data.records.as_ref());
    (throttle_ms, batches.all(has_producer_id))
}

fn has_producer_id(records: &Bytes) -> bool {
    BatchHeader::read(records).is_ok_and(|header| header.producer_id >= 0)
}

/// The answer, and what its client has to wait for it.
pub(super) struct ProduceAnswer {
    response: ProduceResponse,
    throttle_ms: i32,
    tells_throttle: bool,
}

impl ErrorCodes for ProduceAnswer {
    fn for_each_error_code(&self, see: &mut dyn FnMut(i16)) {
        self.response.for_each_error_code(see);
    }
}

impl Answer for ProduceAnswer {
    fn throttle_time_ms(&self) -> i32 {
        self.throttle_ms
    }

    fn throttle(&mut self, throttle_ms: i32) {
        if self.tells_throttle {
            self.response.throttle_time_ms = throttle_ms;
        }
    }

    fn put(self, output: &mut Output, version: i16, correlation_id: i32) -> Result<(), EncodeError> {
        response::encode(output.bytes(), version, correlation_id, &self.response)
    }
}

/// A partition whose answer waits until its high watermark reaches an offset.
struct Wait {
    partition: Arc<Partition>,
    offset: i64,
    topic_place: usize,
    partition_place: usize,
}

impl Wait {
    fn is_over(&self) -> bool {
        self.partition.known_high_watermark() >= Some(self.offset)
    }

    fn has_failed(&self) -> bool {
        self.partition.check_leader().is_err() || self.partition.log().log_dir().is_offline()
    }
}

struct Append<'a> {
    context: &'a RequestContext,
    acks: i16,
    now_ms: i64,
    /// Every partition gets this answer.
    refused: Option<ErrorCode>,
    waits: Vec<Wait>,
    failed: bool,
    not_leader: bool,
}

impl<'a> Append<'a> {
    fn new(context: &'a RequestContext, request: &ProduceRequest) -> Self {
        let now_ms = context.services.clock.now_ms();
        Self { context, acks: request.acks, now_ms, refused: None, waits: Vec::new(), failed: false, not_leader: false }
    }

    fn topic(&mut self, topic: TopicProduceData, topic_place: usize) -> TopicProduceResponse {
        let table = self.context.services.replicas.table();
        let by_id = self.context.api_version >= FIRST_VERSION_WITH_IDS;
        let replicas = if by_id { table.by_id(topic.topic_id) } else { table.by_name(&topic.name.0) };
        let missing = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let mut responses = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let partition_place = responses.len();
            responses.push(self.partition(replicas, missing, data, topic_place, partition_place));
        }
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(responses)
    }

    fn partition(
        &mut self,
        replicas: Option<&Arc<TopicReplicas>>,
        missing: ErrorCode,
        data: PartitionProduceData,
        topic_place: usize,
        partition_place: usize,
    ) -> PartitionProduceResponse {
        let index = data.index;
        let partition = match self.find(replicas, missing, index) {
            Ok(partition) => partition,
            Err(code) => return self.refuse(index, code, None),
        };
        let records = data.records.unwrap_or_default();
        if is_transactional(&records) {
            return self.refuse(index, ErrorCode::InvalidTxnState, None);
        }
        match partition.append(records, self.context.api_version, self.now_ms) {
            Ok(appended) => {
                if self.acks == ACKS_ALL {
                    let offset = appended.last_offset + 1;
                    let partition = Arc::clone(partition);
                    self.waits.push(Wait { partition, offset, topic_place, partition_place });
                }
                PartitionProduceResponse::default()
                    .with_index(index)
                    .with_base_offset(appended.base_offset)
                    .with_log_append_time_ms(appended.log_append_time.unwrap_or(-1))
                    .with_log_start_offset(appended.log_start_offset)
            }
            Err(error) => self.failure(partition, index, &error),
        }
    }

    fn find<'t>(
        &self,
        replicas: Option<&'t Arc<TopicReplicas>>,
        missing: ErrorCode,
        index: i32,
    ) -> Result<&'t Arc<Partition>, ErrorCode> {
        if let Some(code) = self.refused {
            return Err(code);
        }
        let replicas = replicas.ok_or(missing)?;
        if !matches!(self.acks, ACKS_ALL..=1) {
            return Err(ErrorCode::InvalidRequiredAcks);
        }
        let is_admin = self.context.client_id.as_deref() == Some(ADMIN_CLIENT);
        if INTERNAL_TOPICS.contains(&&*replicas.name) && !is_admin {
            return Err(ErrorCode::InvalidTopicException);
        }
        replicas.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    fn failure(&mut self, partition: &Arc<Partition>, index: i32, error: &PartitionError) -> PartitionProduceResponse {
        let code = error_code::partition(error);
        tracing::debug!(partition = %partition.name(), %error, "batch rejected");
        let mut response = self.refuse(index, code, None);
        if tells_log_start(error) {
            response.log_start_offset = partition.log_start_offset().unwrap_or(-1);
        }
        if let PartitionError::Invalid(invalid) = error
            && !invalid.record_errors.is_empty()
        {
            if self.context.api_version >= FIRST_VERSION_WITH_MESSAGES {
                response.error_message = Some(StrBytes::from_string(error.to_string()));
            }
            response.record_errors = invalid
                .record_errors
                .iter()
                .map(|(index, message)| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(*index)
                        .with_batch_index_error_message(Some(StrBytes::from_string(message.clone())))
                })
                .collect();
        }
        if code == ErrorCode::NotLeaderOrFollower && self.context.api_version >= FIRST_VERSION_WITH_LEADERS {
            response.current_leader = self.current_leader(partition);
        }
        response
    }

    fn refuse(&mut self, index: i32, code: ErrorCode, message: Option<String>) -> PartitionProduceResponse {
        self.failed = true;
        self.not_leader |= code == ErrorCode::NotLeaderOrFollower;
        let mut response = PartitionProduceResponse::default().with_index(index).with_error_code(code.code());
        response.base_offset = -1;
        if self.context.api_version >= FIRST_VERSION_WITH_MESSAGES {
            response.error_message = message.map(StrBytes::from_string);
        }
        response
    }

    fn current_leader(&self, partition: &Partition) -> LeaderIdAndEpoch {
        let image = self.context.services.metadata.image();
        let topic = image.topics().by_id(partition.log().topic_id());
        let state = topic.and_then(|topic| topic.partition(partition.name().partition));
        state.map_or_else(LeaderIdAndEpoch::default, |state| {
            LeaderIdAndEpoch::default().with_leader_id(state.leader().into()).with_leader_epoch(state.leader_epoch())
        })
    }
}

fn has_transactional(topic: &TopicProduceData) -> bool {
    topic.partition_data.iter().filter_map(|data| data.records.as_ref()).any(is_transactional)
}

fn is_transactional(records: &Bytes) -> bool {
    BatchHeader::read(records).is_ok_and(|header| header.attributes.is_transactional())
}

/// The brokers that a client may be sent to (KIP-951).
fn leaders(context: &RequestContext) -> Vec<NodeEndpoint> {
    let image = context.services.metadata.image();
    let brokers = image.brokers().values().filter(|broker| broker.is_active());
    brokers
        .filter_map(|broker| {
            let endpoint = broker.endpoint(&context.listener)?;
            Some(
                NodeEndpoint::default()
                    .with_node_id(broker.id.into())
                    .with_host(StrBytes::from_string(endpoint.host.to_string()))
                    .with_port(i32::from(endpoint.port)),
            )
        })
        .collect()
}

/// Whether Kafka tells where the log begins: not where the batch was not even looked at, or is none (`ReplicaManager.appendToLocalLog`).
fn tells_log_start(error: &PartitionError) -> bool {
    match error {
        PartitionError::Invalid(invalid) => {
            !invalid.record_errors.is_empty() || invalid.reason == InvalidReason::InvalidTimestamp
        }
        PartitionError::Append(error) => matches!(error, AppendError::Producer(_)),
        _ => false,
    }
}

/// Waits until every partition is replicated and durable as its class asks, or the request's time is over.
async fn settle(mut response: ProduceResponse, waits: Vec<Wait>, timeout: Duration) -> ProduceResponse {
    let in_time = tokio::time::timeout(timeout, all_over(&waits)).await.is_ok();
    for wait in waits.iter().filter(|wait| !wait.is_over()) {
        let code = match wait.partition.check_leader() {
            Err(_) => ErrorCode::NotLeaderOrFollower,
            Ok(()) if wait.partition.log().log_dir().is_offline() => ErrorCode::KafkaStorageError,
            Ok(()) if !in_time => ErrorCode::RequestTimedOut,
            Ok(()) => continue,
        };
        let topic = response.responses.get_mut(wait.topic_place);
        if let Some(answer) = topic.and_then(|topic| topic.partition_responses.get_mut(wait.partition_place)) {
            debug_assert_eq!(answer.error_code, NONE, "only what was appended waits");
            answer.error_code = code.code();
        }
    }
    response
}

async fn all_over(waits: &[Wait]) {
    let is_open = |wait: &Wait| !wait.is_over() && !wait.has_failed();
    let mut watch = Watch::default();
    for (slot, wait) in waits.iter().enumerate() {
        watch.add(&wait.partition, wait.offset, slot as u32);
    }
    while waits.iter().any(is_open) {
        for slot in watch.ready().await {
            if let Some(wait) = waits.get(slot as usize).filter(|wait| is_open(wait)) {
                watch.renew(&wait.partition, wait.offset, slot);
            }
        }
    }
}
