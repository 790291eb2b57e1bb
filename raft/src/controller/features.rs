//! Feature levels: what this program supports, and what a new cluster begins with.

use crate::image::{ConfigResource, METADATA_VERSION_FEATURE};
use protocol::metadata_record::{ConfigRecord, FeatureLevelRecord, MetadataRecord};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::plan::MIN_IN_SYNC_REPLICAS_CONFIG;

/// The feature of KIP-966.
pub(super) const ELIGIBLE_LEADER_REPLICAS_FEATURE: &str = "eligible.leader.replicas.version";

/// The `metadata.version` of Apache Kafka 4.3 (4.3-IV0), whose records this program writes.
pub const METADATA_VERSION: i16 = 30;

/// Each feature, the levels that this program supports, and the level that a new cluster begins with, as of Apache Kafka 4.3. The level
/// of `kraft.version` is kept by the raft layer and not finalized here.
const FEATURES: [(&str, RangeInclusive<i16>, Option<i16>); 7] = [
    (METADATA_VERSION_FEATURE, METADATA_VERSION..=METADATA_VERSION, Some(METADATA_VERSION)),
    (ELIGIBLE_LEADER_REPLICAS_FEATURE, 0..=1, Some(1)),
    ("group.version", 0..=1, Some(1)),
    ("share.version", 0..=1, Some(1)),
    ("streams.version", 0..=1, Some(1)),
    ("transaction.version", 0..=2, Some(2)),
    (crate::image::KRAFT_VERSION_FEATURE, 0..=1, None),
];

/// The levels of each feature that this program supports, `kraft.version` among them.
#[must_use]
pub fn supported_features() -> BTreeMap<Arc<str>, RangeInclusive<i16>> {
    FEATURES.iter().map(|(name, levels, _)| (Arc::from(*name), levels.clone())).collect()
}

/// The first records of a new cluster (`ActivationRecordsGenerator`): feature levels, `metadata.version` first, and the minimum of
/// in-sync replicas that eligible leader replicas rely on.
#[must_use]
pub fn bootstrap_records(min_in_sync_replicas: i32) -> Vec<MetadataRecord> {
    let feature = |(name, _, level): &(&str, RangeInclusive<i16>, Option<i16>)| {
        level.map(|feature_level| FeatureLevelRecord { name: (*name).into(), feature_level }.into())
    };
    let minimum = ConfigRecord {
        resource_type: ConfigResource::default_broker().resource_type.id(),
        resource_name: ConfigResource::default_broker().name,
        name: MIN_IN_SYNC_REPLICAS_CONFIG.into(),
        value: Some(min_in_sync_replicas.to_string().into()),
    };
    FEATURES.iter().filter_map(feature).chain([minimum.into()]).collect()
}
