//! A small blocking Kafka client for the commands: one connection a broker, versions as ApiVersions says.
//!
//! It asks one thing at a time and waits for the answer, which is all that a command needs. Whatever a broker answers is
//! checked before it is used; nothing here starts a thread or a broker.

mod admin;
mod configs;
mod connection;
mod consumer;
mod error;
mod groups;
mod offsets;
mod partitioner;
mod producer;
mod reset;
mod topics;

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{MetadataRequest, MetadataResponse, TopicName};

pub(crate) use admin::{Node, QuorumReplica};
pub(crate) use configs::{ConfigChange, ConfigEntry, ConfigResource, ResourceKind};
pub(crate) use connection::{ApiRange, Connection, Versions};
pub(crate) use consumer::{Consumer, Position};
pub(crate) use error::{ClientError, Refusal, Result};
pub(crate) use groups::{CONSUMER, GroupDescription, GroupMember};
pub(crate) use offsets::{Committed, OffsetAt, Place};
pub(crate) use producer::{Acknowledged, Acks, OutgoingRecord, Producer};
pub(crate) use reset::{Reset, ResetError, ResetTo};
pub(crate) use topics::{NewTopic, PartitionDescription, TopicDescription};

/// How long a broker may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a new topic may take until all of its partitions have leaders.
const LEADER_LIMIT: Duration = Duration::from_secs(10);
const METADATA_VERSIONS: std::ops::RangeInclusive<i16> = 4..=12;

/// Connections to the brokers of one cluster.
pub(crate) struct Client {
    /// The first bootstrap address that answered: asked everything that any broker answers.
    seed: Connection,
    brokers: HashMap<i32, Connection>,
    /// Host and port of each broker, as the last metadata had them.
    addresses: HashMap<i32, (String, u16)>,
}

impl Client {
    /// Connects to the first address of `bootstrap` (`HOST:PORT`, several with commas) where a Kafka broker answers.
    ///
    /// # Errors
    /// None does.
    pub(crate) fn connect(bootstrap: &str) -> Result<Self> {
        let mut last = None;
        for server in bootstrap.split(',').map(str::trim).filter(|server| !server.is_empty()) {
            match Connection::to_server(server) {
                Ok(seed) => return Ok(Self { seed, brokers: HashMap::new(), addresses: HashMap::new() }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(ClientError::NoServer))
    }

    /// The connection for what any broker answers.
    pub(crate) fn any(&mut self) -> &mut Connection {
        &mut self.seed
    }

    /// The connection to one broker, made when there is none.
    ///
    /// # Errors
    /// The cluster knows no such broker, or it does not answer.
    pub(crate) fn broker(&mut self, id: i32) -> Result<&mut Connection> {
        if !self.brokers.contains_key(&id) {
            let (host, port) = self.addresses.get(&id).ok_or(ClientError::UnknownBroker(id))?;
            self.brokers.insert(id, Connection::to(host, *port)?);
        }
        self.brokers.get_mut(&id).ok_or(ClientError::UnknownBroker(id))
    }

    /// Forgets a connection that broke.
    pub(crate) fn forget(&mut self, id: i32) {
        self.brokers.remove(&id);
    }

    /// Asks for metadata: of these topics, or of all. `create` lets the broker create those that are missing, if it does so.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn metadata(&mut self, topics: Option<&[&str]>, create: bool) -> Result<MetadataResponse> {
        let named = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(topics.map(|topics| topics.iter().map(named).collect()))
            .with_allow_auto_topic_creation(create);
        let response = self.seed.ask(&request, METADATA_VERSIONS)?;
        for broker in &response.brokers {
            let port = u16::try_from(broker.port).unwrap_or(0);
            self.note_address(broker.node_id.0, (broker.host.to_string(), port));
        }
        Ok(response)
    }

    /// Host and port of a broker.
    ///
    /// # Errors
    /// [`ClientError::UnknownBroker`].
    pub(crate) fn address(&self, id: i32) -> Result<(&str, u16)> {
        let (host, port) = self.addresses.get(&id).ok_or(ClientError::UnknownBroker(id))?;
        Ok((host, *port))
    }

    /// Keeps where a broker is; a connection to where it was is of no use.
    fn note_address(&mut self, id: i32, address: (String, u16)) {
        if self.addresses.insert(id, address.clone()).is_some_and(|known| known != address) {
            self.brokers.remove(&id);
        }
    }

    /// Metadata of one topic whose partitions all have a leader. Waits a while for those of a topic that is being created.
    ///
    /// # Errors
    /// There is no such topic, or it gets no leaders.
    pub(crate) fn topic_with_leaders(&mut self, topic: &str, create: bool) -> Result<MetadataResponseTopic> {
        let deadline = Instant::now() + LEADER_LIMIT;
        loop {
            let response = self.metadata(Some(&[topic]), create)?;
            let found =
                response.topics.into_iter().next().ok_or(ClientError::Malformed("metadata without the topic"))?;
            let leaderless = found.partitions.iter().any(|partition| partition.leader_id.0 < 0);
            let refusal = Refusal::check(found.error_code, None);
            let waits = match &refusal {
                Ok(()) => leaderless,
                Err(refusal) => {
                    refusal.code == ErrorCode::LeaderNotAvailable
                        || create && refusal.code == ErrorCode::UnknownTopicOrPartition
                }
            };
            if !waits {
                refusal?;
                return Ok(found);
            }
            if Instant::now() >= deadline {
                refusal?;
                return Err(Refusal::of(ErrorCode::LeaderNotAvailable).into());
            }
            pause();
        }
    }
}

impl Client {
    /// Waits until the broker shows a topic that was just created, with at least `partitions` partitions and a leader for each: the
    /// controller answers before the brokers know.
    ///
    /// # Errors
    /// It does not within 10 s.
    pub(crate) fn await_topic(&mut self, topic: &str, partitions: i32) -> Result<()> {
        let deadline = Instant::now() + LEADER_LIMIT;
        loop {
            let refusal = match self.topic_with_leaders(topic, false) {
                Ok(found) if i32::try_from(found.partitions.len()).unwrap_or(i32::MAX) >= partitions => return Ok(()),
                Ok(_) => Refusal::of(ErrorCode::LeaderNotAvailable).into(),
                Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => error,
                Err(error) => return Err(error),
            };
            if Instant::now() >= deadline {
                return Err(refusal);
            }
            pause();
        }
    }

    /// Waits until the broker does not show a topic any more that was just deleted.
    ///
    /// # Errors
    /// It still does after 10 s.
    pub(crate) fn await_deletion(&mut self, topic: &str) -> Result<()> {
        let deadline = Instant::now() + LEADER_LIMIT;
        loop {
            let response = self.metadata(Some(&[topic]), false)?;
            let code = response.topics.first().map_or(0, |topic| topic.error_code);
            if code == ErrorCode::UnknownTopicOrPartition.code() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Refusal {
                    code: ErrorCode::RequestTimedOut,
                    message: Some("it is still there".to_owned()),
                }
                .into());
            }
            pause();
        }
    }
}

/// Lets a moment pass before something is asked again.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(50));
}

/// A string of a message body.
fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Every address that a host name stands for, in the resolver's order.
fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    // IPv6 addresses stand in brackets in addresses and without them in metadata.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((host, port).to_socket_addrs()?.collect())
}
