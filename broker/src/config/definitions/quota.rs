//! Quotas. Source: `QuotaConfig`.

use super::Bounds::{Any, AtLeast};
use super::Definition;

/// The keys of quotas, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "alter.log.dirs.replication.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples that the rate of moves between log directories looks back.";
    Acts "alter.log.dirs.replication.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the rate of moves between log directories.";
    Refused "client.quota.callback.class" Class = None, Any, ReadOnly, "A class that computes the quotas of clients. Refused: Java classes are not loaded, and without it its limits would not be kept.";
    Acts "controller.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples that the quota of topic changes looks back: so much may come at once.";
    Acts "controller.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the quota of topic changes.";
    Acts "quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the quotas of clients and the rates of connections.";
    Acts "quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the quotas of clients and the rates of connections.";
    None "replication.quota.window.num" Int = Some("11"), AtLeast(1), ReadOnly, "Samples kept for the quotas of replication. No effect yet: this node is the only one.";
    None "replication.quota.window.size.seconds" Int = Some("1"), AtLeast(1), ReadOnly, "Span of each sample for the quotas of replication. No effect yet: this node is the only one.";
};
