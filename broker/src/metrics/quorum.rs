//! What a scrape says of the metadata quorum: Kafka's bean `kafka.server:type=raft-metrics`, as Strimzi's rules for the JMX exporter
//! spell it (`raftmetrics`), and as its newer reporter inside of Kafka does (`raft_metrics`).

use std::sync::{Mutex, PoisonError};

use raft::quorum::QuorumDescription;
use tokio::time::Instant;

use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use Kind::Gauge;

/// Where the metadata log ended at the last look.
#[derive(Debug, Default)]
pub(super) struct QuorumMetrics {
    last: Mutex<Option<(Instant, i64)>>,
}

impl QuorumMetrics {
    /// Records a second that the log has grown by since the last look; 0 at the first.
    fn append_rate(&self, end: i64, now: Instant) -> f64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = last.map_or(0.0, |(at, before)| {
            let seconds = now.duration_since(at).as_secs_f64();
            if seconds > 0.0 { (end - before).max(0) as f64 / seconds } else { 0.0 }
        });
        *last = Some((now, end));
        rate
    }
}

impl Scrape<'_> {
    pub(super) fn quorum(&self, out: &mut Exposition, quorum: &QuorumDescription) {
        let node_id = self.services.settings.node_id;
        let state = if self.is_controller { "leader" } else { "follower" };
        for name in ["kafka_server_raftmetrics_current_state", "kafka_server_raft_metrics_current_state_info"] {
            out.family(name, Gauge, "This node's part in the quorum.").series(&[("current_state", state)], 1);
        }
        let mut gauge = |name: &str, help: &str, value: f64| {
            for bean in ["raftmetrics", "raft_metrics"] {
                out.single(&format!("kafka_server_{bean}_{name}"), Gauge, help, value);
            }
        };
        gauge("current_leader", "Node that leads the quorum, -1 if none does.", f64::from(quorum.leader_id));
        gauge("current_epoch", "Leader epoch of the quorum.", f64::from(quorum.leader_epoch));
        let vote = if self.is_controller { node_id } else { -1 };
        gauge("current_vote", "Node that this one voted for, -1 if it is not known.", f64::from(vote));
        let high_watermark = quorum.high_watermark as f64;
        gauge("high_watermark", "Offset up to which the metadata log is committed, exclusive.", high_watermark);
        if let Some(member) = quorum.voters.iter().find(|member| member.node_id == node_id) {
            let end = member.log_end_offset;
            gauge("log_end_offset", "End of this node's metadata log, exclusive.", end as f64);
            let rate = self.services.metrics.quorum.append_rate(end, Instant::now());
            gauge(
                "append_records_rate",
                "Records a second that the metadata log has grown by since the last scrape.",
                rate,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_is_that_since_the_last_look() {
        let (metrics, start) = (QuorumMetrics::default(), Instant::now());
        let rate = |end, seconds| metrics.append_rate(end, start + Duration::from_secs(seconds));
        assert_eq!(
            [rate(100, 0), rate(120, 10), rate(120, 20), rate(125, 20), rate(90, 30)],
            [0.0, 2.0, 0.0, 0.0, 0.0]
        );
    }
}
