//! A small blocking client for what happens before and after a run: handshake, topics, offsets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, ListOffsetsRequest, MetadataRequest, RequestHeader,
    TopicName,
};
use protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

const CREATE_TOPICS_VERSION: i16 = 5;
const DELETE_TOPICS_VERSION: i16 = 5;
const METADATA_VERSION: i16 = 9;
const LIST_OFFSETS_VERSION: i16 = 8;
const DEADLINE: Duration = Duration::from_secs(60);

/// Encodes `request` with its header and size: the bytes that go over the wire.
pub(crate) fn encode<R: Request>(request: &R, version: i16) -> Result<Bytes> {
    let mut payload = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("bench")))
        .encode(&mut payload, R::header_version(version))?;
    request.encode(&mut payload, version)?;
    let mut frame = BytesMut::with_capacity(payload.len() + 4);
    frame.extend_from_slice(&u32::try_from(payload.len())?.to_be_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame.freeze())
}

/// One connection that asks and waits for the answer.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { stream })
    }

    /// So many connections, each of them accepted: those that wait to be are never more than a broker's backlog has room for
    /// (50, `socket.listen.backlog.size`). One more would wait for a second until it asks again.
    pub(crate) fn connect_all(address: SocketAddr, count: usize) -> Result<Vec<Self>> {
        const AT_ONCE: usize = 32;
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let mut client = Self::connect(address)?;
            if clients.len() % AT_ONCE == 0 {
                // Whoever is answered was accepted, and so was everybody before.
                client.send(&ApiVersionsRequest::default(), 0)?;
            }
            clients.push(client);
        }
        Ok(clients)
    }

    /// True once the broker at `address` answers an ApiVersions request: accepting alone proves nothing.
    pub(crate) fn answers(address: SocketAddr) -> bool {
        let ask = || -> Result<()> {
            let mut client = Self::connect(address)?;
            client.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            client.send(&ApiVersionsRequest::default(), 0)?;
            Ok(())
        };
        ask().is_ok()
    }

    /// Asks and waits for the answer.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        self.ask(request, version)?;
        self.answer::<R>(version)
    }

    /// Asks; [`Self::answer`] takes the answer.
    pub(crate) fn ask<R: Request>(&mut self, request: &R, version: i16) -> Result<()> {
        Ok(self.stream.write_all(&encode(request, version)?)?)
    }

    /// Waits for the answer to the oldest request that has none.
    pub(crate) fn answer<R: Request>(&mut self, version: i16) -> Result<R::Response> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size))?];
        self.stream.read_exact(&mut frame)?;
        let mut frame = Bytes::from(frame);
        protocol::messages::ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
        R::Response::decode(&mut frame, version)
    }

    /// Creates `topic` and waits until every partition is served.
    pub(crate) fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(String, String)]) -> Result<()> {
        let configs = configs
            .iter()
            .map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))))
            .collect();
        let creatable = CreatableTopic::default()
            .with_name(TopicName(text(topic)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs);
        let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(30_000);
        let response = self.send(&request, CREATE_TOPICS_VERSION)?;
        for created in &response.topics {
            ensure!(
                created.error_code == 0,
                "create {topic}: error {} {:?}",
                created.error_code,
                created.error_message
            );
        }
        self.await_leaders(topic, usize::try_from(partitions)?)?;
        (0..partitions).try_for_each(|partition| self.await_service(topic, partition))
    }

    /// A broker may tell of a leader before that leader has heard of it.
    fn await_service(&mut self, topic: &str, partition: i32) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.latest_offset(topic, partition) {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
                Ok(_) => return Ok(()),
            }
        }
    }

    fn await_leaders(&mut self, topic: &str, partitions: usize) -> Result<()> {
        let request = MetadataRequest::default()
            .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))))]))
            .with_allow_auto_topic_creation(false);
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let response = self.send(&request, METADATA_VERSION)?;
            let ready = response.topics.iter().all(|t| {
                t.error_code == 0
                    && t.partitions.len() == partitions
                    && t.partitions.iter().all(|p| p.error_code == 0 && p.leader_id.0 >= 0)
            });
            if ready && !response.topics.is_empty() {
                return Ok(());
            }
        }
        bail!("{topic} has no leaders after {DEADLINE:?}")
    }

    pub(crate) fn delete_topic(&mut self, topic: &str) -> Result<()> {
        let request =
            DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text(topic))]).with_timeout_ms(30_000);
        let response = self.send(&request, DELETE_TOPICS_VERSION)?;
        let code = response.responses.first().context("no answer for the topic")?.error_code;
        ensure!(code == 0, "delete {topic}: error {code}");
        Ok(())
    }

    /// The log end offset of one partition.
    pub(crate) fn latest_offset(&mut self, topic: &str, partition: i32) -> Result<i64> {
        const LATEST: i64 = -1;
        self.offset(topic, partition, LATEST)
    }

    /// The offset that a timestamp, or one of its special values, stands for.
    pub(crate) fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let wanted = ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: text(topic), partitions: vec![wanted] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let response = self.send(&request, LIST_OFFSETS_VERSION)?;
        let answer =
            response.topics.first().and_then(|t| t.partitions.first()).context("no answer for the partition")?;
        ensure!(answer.error_code == 0, "list offsets: error {}", answer.error_code);
        Ok(answer.offset)
    }
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}
