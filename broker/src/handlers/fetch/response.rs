//! A Fetch response as pieces: bytes, and regions of log files that go out as they lie on disk. Encoded by hand, since a
//! codec would copy the records; the crate's encoder is the oracle in the tests.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use protocol::error_code::{ErrorCode, NONE};
use protocol::ids::Uuid;
use protocol::response::EncodeError;
use storage::Piece;

use super::session::FetchedPartition;
use crate::handlers::ErrorCodes;
use crate::replica::{PartitionRead, RemoteRead};
use crate::server::Output;

const FIRST_FLEXIBLE: i16 = 12;
const FIRST_WITH_IDS: i16 = 13;
const NO_REPLICA: i32 = -1;

/// The answer for one partition.
#[derive(Debug)]
pub(super) struct PartitionAnswer {
    error_code: i16,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    pub(super) log_start_offset: i64,
    /// Null in the answer for read_uncommitted, an empty list for read_committed.
    read_committed: bool,
    records: Vec<Piece>,
    /// What the records have to come from.
    pub(super) remote: Option<RemoteRead>,
}

impl PartitionAnswer {
    pub(super) fn failed(code: ErrorCode) -> Self {
        Self {
            error_code: code.code(),
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            read_committed: false,
            records: Vec::new(),
            remote: None,
        }
    }

    /// A partition that is not here, whose aborted transactions are none instead of unknown.
    pub(super) fn unknown(code: ErrorCode) -> Self {
        Self { read_committed: true, ..Self::failed(code) }
    }

    pub(super) fn read(read: PartitionRead, read_committed: bool) -> Self {
        Self {
            error_code: NONE,
            high_watermark: read.high_watermark,
            last_stable_offset: read.last_stable_offset,
            log_start_offset: read.log_start_offset,
            read_committed,
            records: if read.region.is_empty() { Vec::new() } else { vec![Piece::Region(read.region)] },
            remote: read.remote,
        }
    }

    /// Takes records that were not in the local log.
    pub(super) fn fill(&mut self, records: Vec<Piece>) {
        self.records = records;
    }

    /// Bytes of records.
    pub(super) fn size(&self) -> usize {
        self.records.iter().map(Piece::size).sum()
    }

    pub(super) fn error_code(&self) -> i16 {
        self.error_code
    }

    pub(super) fn is_error(&self) -> bool {
        self.error_code != NONE
    }
}

#[derive(Debug)]
struct TopicAnswer {
    name: Option<Arc<str>>,
    id: Uuid,
    /// Index of the partition, its place in the request, its answer.
    partitions: Vec<(i32, usize, PartitionAnswer)>,
}

/// The whole answer.
#[derive(Debug)]
pub(in crate::handlers) struct FetchAnswer {
    throttle_time_ms: i32,
    error_code: i16,
    session_id: i32,
    topics: Vec<TopicAnswer>,
}

impl FetchAnswer {
    pub(super) fn failed(code: ErrorCode) -> Self {
        Self { error_code: code.code(), ..Self::empty() }
    }

    /// No error, no session and no partition.
    pub(super) fn empty() -> Self {
        Self { throttle_time_ms: 0, error_code: NONE, session_id: 0, topics: Vec::new() }
    }

    /// What is left of the answer when its client has to wait.
    pub(super) fn without_partitions(&self) -> Self {
        Self { error_code: self.error_code, session_id: self.session_id, ..Self::empty() }
    }

    pub(super) fn with_throttle_time_ms(mut self, throttle_time_ms: i32) -> Self {
        self.throttle_time_ms = throttle_time_ms;
        self
    }

    /// `answers` name their partitions by place; neighbours of one topic share an entry.
    pub(super) fn new(by_id: bool, partitions: &[FetchedPartition], answers: Vec<(usize, PartitionAnswer)>) -> Self {
        let mut topics: Vec<TopicAnswer> = Vec::new();
        for (place, answer) in answers {
            let Some(partition) = partitions.get(place) else { continue };
            let same = |topic: &TopicAnswer| {
                if by_id { topic.id == partition.topic_id } else { topic.name == partition.name }
            };
            if !topics.last().is_some_and(same) {
                let name = partition.name.clone();
                topics.push(TopicAnswer { name, id: partition.topic_id, partitions: Vec::new() });
            }
            if let Some(topic) = topics.last_mut() {
                topic.partitions.push((partition.index, place, answer));
            }
        }
        Self { topics, ..Self::empty() }
    }

    pub(super) fn in_session(mut self, session_id: i32) -> Self {
        self.session_id = session_id;
        self
    }

    /// Places of partitions that the answer has records of.
    pub(super) fn places_with_data(&self) -> HashSet<usize> {
        let partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.filter(|(_, _, answer)| answer.size() > 0).map(|(_, place, _)| *place).collect()
    }

    /// The session's id and the indexes of the partitions that it names.
    #[cfg(test)]
    pub(super) fn summary(&self) -> (i32, Vec<i32>) {
        let partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        (self.session_id, partitions.map(|(index, _, _)| *index).collect())
    }

    #[cfg(test)]
    pub(super) fn error(&self) -> i16 {
        self.error_code
    }

    fn records_size(&self) -> usize {
        self.topics.iter().flat_map(|topic| &topic.partitions).map(|(_, _, answer)| answer.size()).sum()
    }
}

impl ErrorCodes for FetchAnswer {
    fn for_each_error_code(&self, see: &mut dyn FnMut(i16)) {
        see(self.error_code);
        self.topics.iter().flat_map(|topic| &topic.partitions).for_each(|(_, _, answer)| see(answer.error_code));
    }
}

impl FetchAnswer {
    pub(super) fn put(self, output: &mut Output, version: i16, correlation_id: i32) -> Result<(), EncodeError> {
        let size = self.records_size() + encoded_size(&self, version);
        let size = i32::try_from(size).map_err(|error| EncodeError { version, message: error.to_string() })?;
        output.bytes().put_i32(size);
        self.encode(output, version, correlation_id);
        Ok(())
    }
}

/// Bytes of everything but the records, counted by encoding it.
fn encoded_size(answer: &FetchAnswer, version: i16) -> usize {
    let mut count = Encoder { version, bytes: BytesMut::new() };
    count.head(answer, 0);
    for topic in &answer.topics {
        count.topic_head(topic);
        for (index, _, partition) in &topic.partitions {
            count.partition_head(*index, partition);
            count.tags();
        }
        count.tags();
    }
    count.tags();
    count.bytes.len()
}

impl FetchAnswer {
    fn encode(self, output: &mut Output, version: i16, correlation_id: i32) {
        let mut encoder = Encoder { version, bytes: std::mem::take(output.bytes()) };
        encoder.head(&self, correlation_id);
        for topic in self.topics {
            encoder.topic_head(&topic);
            for (index, _, partition) in topic.partitions {
                encoder.partition_head(index, &partition);
                if !partition.records.is_empty() {
                    *output.bytes() = encoder.bytes;
                    partition.records.into_iter().for_each(|piece| output.put(piece));
                    encoder.bytes = std::mem::take(output.bytes());
                }
                encoder.tags();
            }
            encoder.tags();
        }
        encoder.tags();
        *output.bytes() = encoder.bytes;
    }
}

struct Encoder {
    version: i16,
    bytes: BytesMut,
}

impl Encoder {
    fn is_flexible(&self) -> bool {
        self.version >= FIRST_FLEXIBLE
    }

    /// No tagged fields: none of ours is ever away from its default.
    fn tags(&mut self) {
        if self.is_flexible() {
            self.bytes.put_u8(0);
        }
    }

    fn head(&mut self, answer: &FetchAnswer, correlation_id: i32) {
        self.bytes.put_i32(correlation_id);
        self.tags();
        self.bytes.put_i32(answer.throttle_time_ms);
        if self.version >= 7 {
            self.bytes.put_i16(answer.error_code);
            self.bytes.put_i32(answer.session_id);
        }
        self.count(answer.topics.len());
    }

    fn topic_head(&mut self, topic: &TopicAnswer) {
        if self.version >= FIRST_WITH_IDS {
            self.bytes.put_slice(topic.id.as_bytes());
        } else {
            let name = topic.name.as_deref().unwrap_or_default();
            if self.is_flexible() {
                self.compact(name.len() + 1);
            } else {
                self.bytes.put_i16(i16::try_from(name.len()).unwrap_or(0));
            }
            self.bytes.put_slice(name.as_bytes());
        }
        self.count(topic.partitions.len());
    }

    fn partition_head(&mut self, index: i32, partition: &PartitionAnswer) {
        self.bytes.put_i32(index);
        self.bytes.put_i16(partition.error_code);
        self.bytes.put_i64(partition.high_watermark);
        self.bytes.put_i64(partition.last_stable_offset);
        if self.version >= 5 {
            self.bytes.put_i64(partition.log_start_offset);
        }
        self.aborted_transactions(partition.read_committed);
        if self.version >= 11 {
            self.bytes.put_i32(NO_REPLICA);
        }
        if self.is_flexible() {
            self.compact(partition.size() + 1);
        } else {
            self.bytes.put_i32(i32::try_from(partition.size()).unwrap_or(0));
        }
    }

    fn aborted_transactions(&mut self, read_committed: bool) {
        match (self.is_flexible(), read_committed) {
            (true, committed) => self.bytes.put_u8(u8::from(committed)),
            (false, true) => self.bytes.put_i32(0),
            (false, false) => self.bytes.put_i32(-1),
        }
    }

    fn count(&mut self, count: usize) {
        if self.is_flexible() {
            self.compact(count + 1);
        } else {
            self.bytes.put_i32(i32::try_from(count).unwrap_or(0));
        }
    }

    /// An unsigned varint.
    fn compact(&mut self, value: usize) {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.put_u8(rest as u8);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::StrBytes;
    use protocol::messages::FetchResponse;
    use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use storage::file_system::LosingFileSystem;

    use super::*;
    use crate::replica::testing::{self, NOW, batch};
    use crate::replica::{Durability, FetchLimits, Flusher};

    /// A read with records, from a file without a descriptor: its bytes are copied into the output.
    fn read(values: usize) -> (PartitionRead, Bytes) {
        let flusher = Flusher::start(1);
        let file_system = Arc::new(LosingFileSystem::default());
        let path = std::path::Path::new("/data");
        let partition = testing::partition(file_system, path, &flusher, Durability::Replicated);
        for n in 0..values {
            partition.append(batch(&[&[n as u8; 300]]), 9, NOW).unwrap();
        }
        let limits = FetchLimits {
            offset: 0,
            max_bytes: 1 << 20,
            at_least_one: true,
            current_leader_epoch: -1,
            read_committed: false,
        };
        let read = partition.read(limits).unwrap();
        let bytes = read.region.read().unwrap();
        flusher.stop();
        (read, bytes)
    }

    fn oracle(answer: &FetchAnswer, version: i16, records: &[Bytes]) -> BytesMut {
        let mut records = records.iter();
        let mut response =
            FetchResponse::default().with_error_code(answer.error_code).with_session_id(answer.session_id);
        response.throttle_time_ms = answer.throttle_time_ms;
        for topic in &answer.topics {
            let mut topic_response = FetchableTopicResponse::default();
            if version >= FIRST_WITH_IDS {
                topic_response.topic_id = topic.id;
            } else {
                topic_response.topic = StrBytes::from_string(topic.name.as_deref().unwrap().to_owned()).into();
            }
            for (index, _, partition) in &topic.partitions {
                let mut data = PartitionData::default()
                    .with_partition_index(*index)
                    .with_error_code(partition.error_code)
                    .with_high_watermark(partition.high_watermark)
                    .with_last_stable_offset(partition.last_stable_offset)
                    .with_aborted_transactions(partition.read_committed.then(Vec::new))
                    .with_records(Some(if partition.size() > 0 {
                        records.next().unwrap().clone()
                    } else {
                        Bytes::new()
                    }));
                if version >= 5 {
                    data.log_start_offset = partition.log_start_offset;
                }
                topic_response.partitions.push(data);
            }
            response.responses.push(topic_response);
        }
        let mut out = BytesMut::new();
        protocol::response::encode(&mut out, version, 77, &response).unwrap();
        out
    }

    #[test]
    fn every_version_is_encoded_as_the_codec_does() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(u128::MAX)];
        for (version, read_committed) in (4..=18).flat_map(|version| [(version, false), (version, true)]) {
            let (one, one_bytes) = read(1);
            let (many, many_bytes) = read(500);
            let (empty, _) = read(0);
            let partitions = vec![
                (0, 0, PartitionAnswer::read(one, read_committed)),
                (900, 1, PartitionAnswer::failed(ErrorCode::OffsetOutOfRange)),
                (3, 2, PartitionAnswer::read(many, read_committed)),
            ];
            let topics = vec![
                TopicAnswer { name: Some("first".into()), id: ids[0], partitions },
                TopicAnswer {
                    name: Some("ä".repeat(100).into()),
                    id: ids[1],
                    partitions: vec![(1, 3, PartitionAnswer::read(empty, read_committed))],
                },
                TopicAnswer { name: Some("none".into()), id: ids[1], partitions: Vec::new() },
            ];
            let session_id = if version >= 7 { 1234 } else { 0 };
            let answer = FetchAnswer { throttle_time_ms: 4711, error_code: NONE, session_id, topics };
            let expected = oracle(&answer, version, &[one_bytes, many_bytes]);
            let mut output = Output::default();
            output.bytes().put_slice(b"before");
            answer.put(&mut output, version, 77).unwrap();
            assert!(output.bytes()[6..] == expected, "version {version}");
        }
    }

    #[test]
    fn a_failure_of_the_whole_names_no_topics() {
        for version in 7..=18 {
            let answer = FetchAnswer::failed(ErrorCode::FetchSessionIdNotFound);
            let expected = oracle(&answer, version, &[]);
            let mut output = Output::default();
            answer.put(&mut output, version, 77).unwrap();
            assert_eq!(*output.bytes(), expected);
        }
    }
}
