//! How a client that uses too much is slowed: the answer tells for how long its connection will not be read, and leaves at once
//! (KIP-219). Source: `RequestHandlerHelper`.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use protocol::error_code::NONE;
use protocol::messages::*;
use protocol::response::EncodeError;

use super::{Answer, RequestContext, Services};
use crate::quota::{ANONYMOUS, Client, Mutations, percentage};
use crate::server::Output;

impl RequestContext {
    /// Whose request it is, to quotas.
    pub(super) fn client(&self) -> Client<'_> {
        Client { user: ANONYMOUS, client_id: self.client_id.as_deref().unwrap_or_default() }
    }

    /// The quota of topic changes that this request makes. From `first_strict` on a version can tell that a change was refused
    /// for it.
    pub(super) fn mutations(&self, first_strict: i16) -> Arc<Mutations> {
        let services = &self.services;
        let is_strict = self.api_version >= first_strict;
        Arc::new(Mutations::new(Arc::clone(&services.quotas), services.clock, self.client(), is_strict))
    }
}

/// Measures what one request takes of the workers, while there is a quota for that.
pub(super) struct Timer {
    services: Arc<Services>,
    client_id: String,
    started: Instant,
    spent: Duration,
}

impl Timer {
    /// Begins to measure; `None` if nobody wants to know.
    pub(super) fn start(context: &RequestContext) -> Option<Self> {
        let is_wanted = context.services.quotas.request.is_set();
        is_wanted.then(|| Self {
            services: Arc::clone(&context.services),
            client_id: context.client().client_id.to_owned(),
            started: Instant::now(),
            spent: Duration::ZERO,
        })
    }

    /// The handler is done, or waits.
    pub(super) fn pause(&mut self) {
        self.spent += self.started.elapsed();
    }

    /// Runs what is left of the request, and counts only the time in which it does something.
    pub(super) async fn run<A>(&mut self, mut answer: BoxFuture<'static, A>) -> A {
        poll_fn(|context| {
            self.started = Instant::now();
            let polled = answer.as_mut().poll(context);
            self.pause();
            polled
        })
        .await
    }

    /// Records the time, and answers how long the client has to wait, in ms.
    fn record(self) -> i32 {
        let client = Client { user: ANONYMOUS, client_id: &self.client_id };
        let now_ms = self.services.clock.now_ms();
        self.services.quotas.request.record(client, percentage(self.spent), now_ms)
    }
}

/// Puts an answer into the output, slowed as much as the handler found and the timer finds: whatever is more.
///
/// # Errors
/// It cannot be sent.
pub(super) fn put<A: Answer>(
    mut answer: A,
    timer: Option<Timer>,
    output: &mut Output,
    version: i16,
    correlation_id: i32,
) -> Result<(), EncodeError> {
    let throttle_ms = answer.throttle_time_ms().max(timer.map_or(0, Timer::record));
    if throttle_ms > 0 {
        answer.throttle(throttle_ms);
        output.mute(throttle_ms);
    }
    answer.for_each_error_code(&mut |code| {
        if code != NONE {
            output.put_error(code);
        }
    });
    answer.put(output, version, correlation_id)
}

/// A response that can tell how long the client is not listened to.
pub trait ThrottleTime {
    fn throttle_time_ms(&self) -> i32;
    fn set_throttle_time_ms(&mut self, throttle_ms: i32);
}

macro_rules! told_in_a_field {
    ($($response:ident)*) => {$(
        impl ThrottleTime for $response {
            fn throttle_time_ms(&self) -> i32 {
                self.throttle_time_ms
            }

            fn set_throttle_time_ms(&mut self, throttle_ms: i32) {
                self.throttle_time_ms = throttle_ms;
            }
        }
    )*};
}

told_in_a_field! {
    AlterClientQuotasResponse AlterConfigsResponse AlterPartitionReassignmentsResponse AlterReplicaLogDirsResponse
    ApiVersionsResponse ConsumerGroupDescribeResponse ConsumerGroupHeartbeatResponse CreatePartitionsResponse
    CreateTopicsResponse DeleteGroupsResponse DeleteRecordsResponse DeleteTopicsResponse DescribeClientQuotasResponse
    DescribeClusterResponse DescribeConfigsResponse DescribeGroupsResponse DescribeLogDirsResponse DescribeProducersResponse
    DescribeTopicPartitionsResponse DescribeUserScramCredentialsResponse ElectLeadersResponse FindCoordinatorResponse HeartbeatResponse
    IncrementalAlterConfigsResponse InitProducerIdResponse JoinGroupResponse LeaveGroupResponse ListConfigResourcesResponse
    ListGroupsResponse ListOffsetsResponse ListPartitionReassignmentsResponse MetadataResponse OffsetCommitResponse
    OffsetDeleteResponse OffsetFetchResponse OffsetForLeaderEpochResponse SyncGroupResponse UnregisterBrokerResponse
    UpdateFeaturesResponse
}

/// It has no field for it; the connection is slowed all the same.
impl ThrottleTime for DescribeQuorumResponse {
    fn throttle_time_ms(&self) -> i32 {
        0
    }

    fn set_throttle_time_ms(&mut self, _: i32) {}
}
