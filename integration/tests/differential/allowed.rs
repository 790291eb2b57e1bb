//! Where answers may differ, and why. Everything else must be equal.

use protocol::messages::ApiKey;

/// A field that is not compared.
pub(crate) struct Allowed {
    /// In which API; `None`: in all.
    pub(crate) api: Option<ApiKey>,
    /// In which cases: those whose name begins so.
    pub(crate) case: &'static str,
    pub(crate) field: &'static str,
    /// For the reader.
    #[expect(dead_code, reason = "a reason has to be given")]
    pub(crate) reason: &'static str,
}

impl Allowed {
    pub(crate) fn concerns(&self, key: i16, case: &str) -> bool {
        self.api.is_none_or(|api| api as i16 == key) && case.starts_with(self.case)
    }
}

const fn allow(api: ApiKey, case: &'static str, field: &'static str, reason: &'static str) -> Allowed {
    Allowed { api: Some(api), case, field, reason }
}

pub(crate) const ALLOWED: &[Allowed] = &[
    allow(ApiKey::ApiVersions, "", "api_keys", "each serves what it serves; the ranges are compared apart"),
    allow(ApiKey::ApiVersions, "", "finalized_features_epoch", "an offset of the metadata log"),
    allow(ApiKey::ApiVersions, "", "supported_features", "the lowest metadata.version is the one that Ottla writes"),
    allow(ApiKey::CreateTopics, "", "topic_id", "random"),
    allow(ApiKey::DeleteTopics, "deleted", "topic_id", "random"),
    allow(ApiKey::Metadata, "all", "topic_id", "random; those asked for by name are compared"),
    allow(ApiKey::DescribeTopicPartitions, "all", "topic_id", "random; those asked for by name are compared"),
    allow(ApiKey::Fetch, "new session", "session_id", "random"),
    allow(ApiKey::Produce, "too old", "batch_index_error_message", "names the present time"),
    allow(ApiKey::DescribeQuorum, "asked", "high_watermark", "an offset of the metadata log"),
    allow(ApiKey::DescribeQuorum, "asked", "log_end_offset", "an offset of the metadata log"),
    allow(ApiKey::DescribeQuorum, "asked", "last_fetch_timestamp", "the present time"),
    allow(ApiKey::DescribeQuorum, "asked", "last_caught_up_timestamp", "the present time"),
    allow(ApiKey::DescribeQuorum, "asked", "leader_epoch", "how often the quorum elected"),
    allow(
        ApiKey::DescribeQuorum,
        "asked",
        "listeners",
        "the test gives only Kafka, which needs one, a controller's listener",
    ),
    allow(ApiKey::DescribeConfigs, "", "documentation", "Ottla describes its keys in its own words"),
    allow(
        ApiKey::UpdateFeatures,
        "metadata too high",
        "error_message",
        "names the lowest metadata.version, see ApiVersions",
    ),
    allow(ApiKey::IncrementalAlterConfigs, "unknown operation", "error_code", "Kafka fails, Ottla says what is wrong"),
    allow(
        ApiKey::IncrementalAlterConfigs,
        "unknown operation",
        "error_message",
        "Kafka fails, Ottla says what is wrong",
    ),
    allow(ApiKey::DescribeConfigs, "root logger", "value", "the test's Kafka logs warnings only"),
    allow(ApiKey::DescribeLogDirs, "", "total_bytes", "the device, as it is at the moment"),
    allow(ApiKey::DescribeLogDirs, "", "usable_bytes", "the device, as it is at the moment"),
];
