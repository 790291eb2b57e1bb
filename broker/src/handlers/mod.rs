//! THE TABLE: which APIs are served, in which versions, by which handler. ApiVersions is answered from it.
//!
//! A handler resolves names, asks one room below, and puts the result into Kafka's shape. An API that is not in the table
//! is not advertised, and a request for it ends the connection, as in Kafka.

mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod broker_loggers;
mod config_changes;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod error_codes;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;
mod text;
mod throttle;
mod unregister_broker;
mod update_features;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::messages::ApiKey;
use protocol::request::{DecodeError, decode_body};
use protocol::response::{self, EncodeError};
use protocol::{Encodable, HeaderVersion, Request, StrBytes};

pub use self::error_codes::ErrorCodes;
pub use self::fetch::SessionCache;
pub use crate::services::Services;

use crate::server::Output;
use throttle::{ThrottleTime, Timer};

/// One request on its way.
#[derive(Clone)]
pub struct RequestContext {
    pub services: Arc<Services>,
    /// Name of the listener that it came in by.
    pub listener: Arc<str>,
    /// Where the client is.
    pub client_address: SocketAddr,
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<StrBytes>,
    /// Bytes of the frame, without its size field.
    pub size: usize,
}

/// What a handler gives back.
pub enum Reply<A> {
    /// The answer.
    Now(A),
    /// The answer, once something has happened.
    Later(BoxFuture<'static, A>),
    /// No answer: acks=0. The connection is not read for so many ms.
    Silent(i32),
    /// End the connection: the only way to tell an acks=0 producer that something went wrong.
    Close,
}

/// What became of a request.
pub enum Handled {
    /// Its answer, if it has one, is in the output.
    Answered,
    /// Its answer comes later; `None` ends the connection.
    Later(BoxFuture<'static, Option<Output>>),
    Close,
}

/// Something that can be sent as the answer to a request.
pub trait Answer: ErrorCodes {
    /// How long the client has to wait by the quotas that the handler knows of, in ms.
    fn throttle_time_ms(&self) -> i32;

    /// Tells the client to wait so long; `throttle_ms` is above zero.
    fn throttle(&mut self, throttle_ms: i32);

    /// Appends the whole frame.
    ///
    /// # Errors
    /// It cannot be expressed in the version asked for, or its records cannot be read.
    fn put(self, output: &mut Output, api_version: i16, correlation_id: i32) -> Result<(), EncodeError>;
}

impl<B: Encodable + HeaderVersion + ErrorCodes + ThrottleTime> Answer for B {
    fn throttle_time_ms(&self) -> i32 {
        ThrottleTime::throttle_time_ms(self)
    }

    fn throttle(&mut self, throttle_ms: i32) {
        self.set_throttle_time_ms(throttle_ms);
    }

    fn put(self, output: &mut Output, api_version: i16, correlation_id: i32) -> Result<(), EncodeError> {
        response::encode(output.bytes(), api_version, correlation_id, &self)
    }
}

/// One row of the table.
pub struct Api {
    pub key: ApiKey,
    /// First version served.
    pub min: i16,
    /// Last version served.
    pub max: i16,
    /// First version advertised, which may be lower than what is served.
    pub advertised_min: i16,
    read: fn(Bytes, i16) -> Result<(), DecodeError>,
    handle: fn(RequestContext, Bytes, &mut Output) -> Result<Handled, DecodeError>,
}

impl Api {
    /// Reads a body of `version` as for the handler, and runs nothing.
    ///
    /// # Errors
    /// The version is not served, or the bytes are not such a body.
    pub fn check_body(&self, version: i16, body: Bytes) -> Result<(), DecodeError> {
        if !(self.min..=self.max).contains(&version) {
            return Err(DecodeError::Body { version, message: "the version is not served".to_owned() });
        }
        (self.read)(body, version)
    }
}

/// The handler says which request it is about.
fn read<R: Request, A>(_: fn(RequestContext, R) -> Reply<A>, body: Bytes, version: i16) -> Result<(), DecodeError> {
    decode_body::<R>(body, version).map(drop)
}

macro_rules! apis {
    ($( $key:ident, $min:literal..=$max:literal, advertised from $advertised:literal, $handler:path; )*) => {
        /// All APIs served, by key.
        pub const APIS: &[Api] = &[$(
            Api {
                key: ApiKey::$key,
                min: $min,
                max: $max,
                advertised_min: $advertised,
                read: |body, version| read($handler, body, version),
                handle: |context, body, output| {
                    let request = decode_body(body, context.api_version)?;
                    let (version, correlation_id) = (context.api_version, context.correlation_id);
                    let timer = Timer::start(&context);
                    let reply = $handler(context, request);
                    Ok(finish(reply, timer, version, correlation_id, output))
                },
            },
        )*];

        /// Calls `check` for every API with its handler, whose types say which bodies it is about.
        #[cfg(test)]
        macro_rules! for_every_api {
            ($check:ident) => { $( $check($handler, ApiKey::$key); )* };
        }
    };
}

apis! {
    // KAFKA-18659: librdkafka before 2.12 stops compressing in silence unless version 0 is advertised.
    Produce, 3..=13, advertised from 0, produce::handle;
    Fetch, 4..=18, advertised from 4, fetch::handle;
    ListOffsets, 1..=11, advertised from 1, list_offsets::handle;
    Metadata, 0..=13, advertised from 0, metadata::handle;
    OffsetCommit, 2..=10, advertised from 2, offset_commit::handle;
    OffsetFetch, 1..=10, advertised from 1, offset_fetch::handle;
    FindCoordinator, 0..=6, advertised from 0, find_coordinator::handle;
    JoinGroup, 0..=9, advertised from 0, join_group::handle;
    Heartbeat, 0..=4, advertised from 0, heartbeat::handle;
    LeaveGroup, 0..=5, advertised from 0, leave_group::handle;
    SyncGroup, 0..=5, advertised from 0, sync_group::handle;
    DescribeGroups, 0..=6, advertised from 0, describe_groups::handle;
    ListGroups, 0..=5, advertised from 0, list_groups::handle;
    ApiVersions, 0..=4, advertised from 0, api_versions::handle;
    CreateTopics, 2..=7, advertised from 2, create_topics::handle;
    DeleteTopics, 1..=6, advertised from 1, delete_topics::handle;
    DeleteRecords, 0..=2, advertised from 0, delete_records::handle;
    InitProducerId, 0..=5, advertised from 0, init_producer_id::handle;
    OffsetForLeaderEpoch, 2..=4, advertised from 2, offset_for_leader_epoch::handle;
    DescribeConfigs, 1..=4, advertised from 1, describe_configs::handle;
    AlterConfigs, 0..=2, advertised from 0, alter_configs::handle;
    AlterReplicaLogDirs, 1..=2, advertised from 1, alter_replica_log_dirs::handle;
    DescribeLogDirs, 1..=4, advertised from 1, describe_log_dirs::handle;
    CreatePartitions, 0..=3, advertised from 0, create_partitions::handle;
    DeleteGroups, 0..=2, advertised from 0, delete_groups::handle;
    ElectLeaders, 0..=2, advertised from 0, elect_leaders::handle;
    IncrementalAlterConfigs, 0..=1, advertised from 0, incremental_alter_configs::handle;
    AlterPartitionReassignments, 0..=1, advertised from 0, alter_partition_reassignments::handle;
    ListPartitionReassignments, 0..=0, advertised from 0, list_partition_reassignments::handle;
    OffsetDelete, 0..=0, advertised from 0, offset_delete::handle;
    DescribeClientQuotas, 0..=1, advertised from 0, describe_client_quotas::handle;
    AlterClientQuotas, 0..=1, advertised from 0, alter_client_quotas::handle;
    DescribeUserScramCredentials, 0..=0, advertised from 0, describe_user_scram_credentials::handle;
    DescribeQuorum, 0..=2, advertised from 0, describe_quorum::handle;
    UpdateFeatures, 0..=2, advertised from 0, update_features::handle;
    DescribeCluster, 0..=2, advertised from 0, describe_cluster::handle;
    DescribeProducers, 0..=0, advertised from 0, describe_producers::handle;
    UnregisterBroker, 0..=0, advertised from 0, unregister_broker::handle;
    ConsumerGroupHeartbeat, 0..=1, advertised from 0, consumer_group_heartbeat::handle;
    ConsumerGroupDescribe, 0..=1, advertised from 0, consumer_group_describe::handle;
    ListConfigResources, 0..=1, advertised from 0, list_config_resources::handle;
    DescribeTopicPartitions, 0..=0, advertised from 0, describe_topic_partitions::handle;
}

fn find(api_key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == api_key)
}

/// Runs one request.
///
/// # Errors
/// The key, the version or the body is not one that is served: the connection must be closed.
pub fn dispatch(context: RequestContext, body: Bytes, output: &mut Output) -> Result<Handled, DecodeError> {
    let Some(api) = find(context.api_key) else {
        return Ok(refuse(&context, "API key is not served"));
    };
    if (api.min..=api.max).contains(&context.api_version) {
        return (api.handle)(context, body, output);
    }
    if api.key == ApiKey::ApiVersions {
        let answer = api_versions::unsupported_version();
        return Ok(finish(Reply::Now(answer), None, 0, context.correlation_id, output));
    }
    Ok(refuse(&context, "API version is not served"))
}

fn refuse(context: &RequestContext, reason: &str) -> Handled {
    tracing::debug!(api_key = context.api_key, api_version = context.api_version, reason, "closing the connection");
    Handled::Close
}

fn finish<A: Answer + Send + 'static>(
    reply: Reply<A>,
    mut timer: Option<Timer>,
    version: i16,
    correlation_id: i32,
    output: &mut Output,
) -> Handled {
    if let Some(timer) = &mut timer {
        timer.pause();
    }
    match reply {
        Reply::Now(answer) => match throttle::put(answer, timer, output, version, correlation_id) {
            Ok(()) => Handled::Answered,
            Err(error) => unsendable(&error),
        },
        Reply::Later(answer) => Handled::Later(Box::pin(async move {
            let mut output = Output::default();
            let answer = match &mut timer {
                Some(timer) => timer.run(answer).await,
                None => answer.await,
            };
            match throttle::put(answer, timer, &mut output, version, correlation_id) {
                Ok(()) => Some(output),
                Err(error) => {
                    unsendable(&error);
                    None
                }
            }
        })),
        Reply::Silent(throttle_ms) => {
            output.mute(throttle_ms);
            Handled::Answered
        }
        Reply::Close => Handled::Close,
    }
}

fn unsendable(error: &EncodeError) -> Handled {
    tracing::error!(%error, "cannot send an answer");
    Handled::Close
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// Every version that is advertised and served is decoded and encoded, and the table says no other.
    fn check<R, A>(_: fn(RequestContext, R) -> Reply<A>, key: ApiKey)
    where
        R: Request + Default + PartialEq + std::fmt::Debug,
        R::Response: Default,
    {
        let api = find(key as i16).expect("it is in the table");
        assert_eq!(R::KEY, key as i16);
        assert!(api.advertised_min <= api.min && api.min <= api.max, "{key:?}");
        assert!(R::VERSIONS.min <= api.min && api.max <= R::VERSIONS.max, "{key:?}");
        for version in api.min..=api.max {
            let mut bytes = BytesMut::new();
            R::default().encode(&mut bytes, version).unwrap_or_else(|error| panic!("{key:?} {version}: {error}"));
            let body = bytes.freeze();
            api.check_body(version, body).unwrap_or_else(|error| panic!("{key:?} {version}: {error}"));
            let mut out = BytesMut::new();
            response::encode(&mut out, version, 1, &R::Response::default())
                .unwrap_or_else(|error| panic!("{key:?} {version}: {error}"));
        }
        assert!(api.check_body(api.max + 1, Bytes::from_static(&[0; 64])).is_err(), "{key:?}");
    }

    #[test]
    fn every_advertised_version_is_decoded_and_encoded() {
        for_every_api!(check);
    }

    #[test]
    fn the_table_is_in_order_and_names_each_api_once() {
        assert!(APIS.windows(2).all(|pair| (pair[0].key as i16) < pair[1].key as i16));
        assert!(find(-1).is_none() && find(i16::MAX).is_none());
    }
}
