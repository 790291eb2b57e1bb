//! Metrics. Source: `MetricConfigs`, `CommonClientConfigs`.

use super::Bounds::{Any, AtLeast};
use super::Definition;

/// The keys of metrics, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    None "kafka.metrics.polling.interval.secs" Int = Some("10"), AtLeast(1), ReadOnly, "How often the classes of kafka.metrics.reporters are asked. No effect: Java classes are not loaded.";
    None "kafka.metrics.reporters" List = Some(""), Any, ReadOnly, "Classes that report metrics. No effect: Java classes are not loaded.";
    None "metric.reporters" List = Some("org.apache.kafka.common.metrics.JmxReporter"), Any, ClusterWide, "Classes that report metrics. No effect: Java classes are not loaded.";
    None "metrics.num.samples" Int = Some("2"), AtLeast(1), ReadOnly, "Samples kept for each metric. No effect: metrics are counted, and sampled by who reads them.";
    None "metrics.recording.level" String = Some("INFO"), Any, ReadOnly, "How detailed metrics are. No effect: all are kept.";
    None "metrics.sample.window.ms" Long = Some("30000"), AtLeast(1), ReadOnly, "Span of each sample of a metric. No effect: metrics are counted, and sampled by who reads them.";
    Acts "ottla.metrics.listener" String = Some("127.0.0.1:9644"), Any, ReadOnly, "Where metrics and health are served over HTTP, as host:port, port 0 meaning a free one; empty: nowhere. Left at its default, an address that is taken is a warning only.";
    Acts "ottla.metrics.max.series" Int = Some("20000"), AtLeast(0), ReadOnly, "The most series of topics and partitions in one scrape; families beyond it are left out whole.";
    None "telemetry.max.bytes" Int = Some("1048576"), AtLeast(1), ReadOnly, "The most bytes of metrics that a client may send at once. No effect yet: clients are not asked for metrics.";
};
