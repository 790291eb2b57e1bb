//! Names, ids and words in the types of message bodies.

use std::sync::Arc;

use protocol::StrBytes;
use protocol::messages::{BrokerId, TopicName};

/// What Kafka says of a request that makes no sense (`Errors.INVALID_REQUEST`).
pub(super) const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client library or the \
                                          message was sent to an incompatible broker. See the broker logs for more details.";

/// A copy of `text`.
pub(super) fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A copy of `name`.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(str_bytes(name))
}

/// The ids, in their order.
pub(super) fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}

/// A shared copy of `text`.
pub(super) fn shared(text: &str) -> Arc<str> {
    Arc::from(text)
}

/// A shared copy of a text that may be absent.
pub(super) fn shared_option(text: Option<&StrBytes>) -> Option<Arc<str>> {
    text.map(|text| shared(text))
}
