//! What consumers of the classic protocol say to each other inside JoinGroup and SyncGroup, as far as a coordinator reads or writes it.
//! The crate knows these messages, but reserves memory from counts that it has not checked. Source: `ConsumerProtocol`.

use crate::schema::{DecodeError, EncodeError, Schema};
use crate::{StrBytes, message};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The last version of both messages; a later one is read as this, since versions only append.
const LAST_VERSION: i16 = 3;

message! {
    /// What a consumer says of itself.
    pub struct ConsumerProtocolSubscription, key -1, versions "0-3", flexible "4+" {
        /// The topics that it subscribes to, by name.
        topics: Vec<StrBytes>, "0+";
        /// What its assignor adds.
        user_data: Option<Bytes>, "0+", nullable "0+";
        /// The partitions that it has.
        owned_partitions: Vec<ConsumerPartitions>, "1+", ignorable true;
        /// The generation in which it got them.
        generation_id: i32, "2+", default -1, ignorable true;
        /// Its rack.
        rack_id: Option<StrBytes>, "3+", nullable "3+", ignorable true;
    }

    /// What a consumer is assigned.
    pub struct ConsumerProtocolAssignment, key -1, versions "0-3", flexible "4+" {
        /// The partitions.
        assigned_partitions: Vec<ConsumerPartitions>, "0+";
        /// What the assignor adds.
        user_data: Option<Bytes>, "0+", nullable "0+";
    }

    /// Partitions of a topic (`TopicPartition`).
    pub struct ConsumerPartitions {
        /// The topic.
        topic: StrBytes, "0+";
        /// Its partitions.
        partitions: Vec<i32>, "0+";
    }

    /// The fields of version 0, with which every version begins, up to the topics (`ConsumerProtocolSubscription`).
    struct SubscriptionPrefix, key -1, versions "0", flexible "1+" {
        /// The topics by name.
        topics: Vec<StrBytes>, "0+";
    }
}

/// The topics of a consumer's subscription; `None` if `metadata` is none.
#[must_use]
pub fn subscribed_topics(mut metadata: Bytes) -> Option<Vec<StrBytes>> {
    let version = metadata.try_get_i16().ok()?;
    (version >= 0).then(|| SubscriptionPrefix::decode(0, &mut metadata).ok())?.map(|prefix| prefix.topics)
}

/// The version in front of a message; `None` if there is none.
#[must_use]
pub fn version(mut message: Bytes) -> Option<i16> {
    message.try_get_i16().ok().filter(|version| *version >= 0).map(|version| version.min(LAST_VERSION))
}

/// Reads a subscription or an assignment with the version in front. Bytes after it are ignored.
///
/// # Errors
/// If it is none.
pub fn read<M: Schema>(mut message: Bytes) -> Result<M, DecodeError> {
    // Without a version there is no version 0 either.
    let version = version(message.clone()).unwrap_or(0);
    message.advance(size_of::<i16>().min(message.len()));
    M::decode(version, &mut message)
}

/// Writes a subscription or an assignment in that version, which is put in front.
///
/// # Errors
/// If a string is longer than its length field can say.
pub fn write<M: Schema>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let version = version.clamp(0, LAST_VERSION);
    let mut out = BytesMut::with_capacity(size_of::<i16>() + message.encoded_size(version)?);
    out.put_i16(version);
    message.encode(version, &mut out)?;
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_in_every_version_and_nothing_else_is_taken_for_them() {
        for version in [0, 1, 3, 9] {
            let bytes = [&[0, version, 0, 0, 0, 2, 0, 1, b't', 0, 2, b'u', b'v'][..], &[0xff; 4]].concat();
            let topics = subscribed_topics(bytes.into()).unwrap();
            assert_eq!(topics.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["t", "uv"]);
        }
        for bytes in [&b""[..], b"about a member", &[0xff, 0xff, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 1, 0, 9, b't']] {
            assert_eq!(subscribed_topics(Bytes::from_static(bytes)), None, "{bytes:?}");
        }
    }

    #[test]
    fn messages_are_read_as_they_are_written() {
        let partitions = vec![ConsumerPartitions { topic: StrBytes::from_static_str("t"), partitions: vec![1, 2] }];
        let subscription = ConsumerProtocolSubscription {
            topics: vec![StrBytes::from_static_str("t")],
            user_data: None,
            owned_partitions: partitions.clone(),
            generation_id: 7,
            rack_id: Some(StrBytes::from_static_str("r")),
        };
        let bytes = write(&subscription, 9).unwrap();
        assert_eq!((version(bytes.clone()), read(bytes)), (Some(3), Ok(subscription)));
        let assignment = ConsumerProtocolAssignment { assigned_partitions: partitions, user_data: None };
        // AssignedPartitions of one topic with two partitions, no user data.
        let expected = [0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 255, 255, 255, 255];
        let bytes = write(&assignment, 0).unwrap();
        assert_eq!((&bytes[..], read(bytes.clone())), (&expected[..], Ok(assignment)));
        for bytes in [&b""[..], &[0], &[0, 3], &[0xff, 0xff, 0, 0, 0, 1]] {
            assert!(read::<ConsumerProtocolSubscription>(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
