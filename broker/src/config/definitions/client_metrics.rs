//! The keys of a subscription to clients' metrics (KIP-714). Source: `ClientMetricsConfigs`.

use super::Bounds::{Any, Between};
use super::Definition;

/// A subscription's keys, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "interval.ms" Int = Some("300000"), Between(100, 3_600_000), ClusterWide, "How often clients are to send metrics. No effect yet: clients are not asked for metrics.";
    None "match" List = Some(""), Any, ClusterWide, "Which clients are meant, as pairs of a selector and a pattern. No effect yet: clients are not asked for metrics.";
    None "metrics" List = Some(""), Any, ClusterWide, "Which metrics are meant, by prefix; all if one is empty. No effect yet: clients are not asked for metrics.";
};
