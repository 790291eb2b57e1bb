//! What consumers say to their group's leader inside JoinGroup, as far as a coordinator looks at it: the topics that they
//! subscribe to. The crate knows the whole message, but reserves memory from counts that it has not checked.

use crate::schema::Schema;
use crate::{StrBytes, message};
use bytes::{Buf, Bytes};

message! {
    /// The fields of version 0, with which every version begins, up to the topics (`ConsumerProtocolSubscription`).
    struct SubscriptionPrefix, key -1, versions "0", flexible "1+" {
        /// The topics by name.
        topics: Vec<StrBytes>, "0+";
    }
}

/// The topics of a consumer's subscription; `None` if `metadata` is none.
#[must_use]
pub fn subscribed_topics(mut metadata: Bytes) -> Option<Vec<StrBytes>> {
    // Later versions only append to this one (`ConsumerProtocol.deserializeSubscription`).
    let version = metadata.try_get_i16().ok()?;
    (version >= 0).then(|| SubscriptionPrefix::decode(0, &mut metadata).ok())?.map(|prefix| prefix.topics)
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
}
