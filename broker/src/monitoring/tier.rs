//! What is remote of each partition that this broker leads, what waits to be copied, and why: for `ottla tier describe` and whoever
//! else asks why a segment is still local.

use serde_json::{Value, json};

use super::http::Response;
use crate::replica::{CopyLag, Partition};
use crate::services::Services;
use protocol::ids::format_uuid;

/// Looks at every partition: not for a thread that serves clients.
pub(super) fn report(services: &Services) -> Response {
    let Some(tier) = services.replicas.tier() else { return Response::text(404, "there is no remote storage\n") };
    let (table, now_ms, trouble) = (services.replicas.table(), services.clock.now_ms(), tier.trouble());
    let mut partitions: Vec<_> = table.partitions().filter(|partition| partition.moves_segments()).collect();
    partitions.sort_by_key(|partition| partition.name().clone());
    let partitions: Vec<Value> =
        partitions.into_iter().map(|partition| describe(partition, trouble.as_deref(), now_ms)).collect();
    let document = json!({
        "clusterId": &*services.cluster_id,
        "store": tier.store().name(),
        "trouble": trouble,
        "partitions": partitions,
    });
    Response::json(format!("{document}\n"))
}

/// Offsets: starts are inclusive, ends exclusive. What is not known is null: a log that nobody has used since the start is not
/// opened for this.
fn describe(partition: &Partition, trouble: Option<&str>, now_ms: i64) -> Value {
    let remote = partition.tiered().remote();
    let view = remote.map(|remote| remote.view());
    let local = if partition.is_loaded() { partition.offsets().ok() } else { None };
    let status = trouble.map(str::to_owned).or_else(|| remote.map(|remote| remote.status()));
    let local_start = local.map(|offsets| offsets.log_start_offset);
    json!({
        "topic": &*partition.name().topic,
        "topicId": format_uuid(partition.log().topic_id()),
        "partition": partition.name().partition,
        "logStartOffset": local_start.map(|start| partition.tiered().log_start_offset(start)),
        "remoteStartOffset": view.as_ref().and_then(|view| view.start_offset()),
        "remoteEndOffset": view.as_ref().and_then(|view| view.end_offset()),
        "remoteSegments": view.as_ref().map(|view| view.live().len()),
        "remoteBytes": view.as_ref().map(|view| view.size_bytes()),
        "localStartOffset": local_start,
        "logEndOffset": local.map(|offsets| offsets.log_end_offset),
        "copyLag": local.map(|_| lag(partition.copy_lag(), now_ms)),
        "status": status,
    })
}

fn lag(lag: CopyLag, now_ms: i64) -> Value {
    let age = lag.oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest).max(0));
    json!({ "segments": lag.segments, "bytes": lag.bytes, "ms": age })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_has_an_age_only_while_something_waits() {
        assert_eq!(lag(CopyLag::default(), 5_000), json!({ "segments": 0, "bytes": 0, "ms": 0 }));
        let waiting = CopyLag { segments: 2, bytes: 30, oldest_ms: Some(1_000) };
        assert_eq!(lag(waiting, 5_000), json!({ "segments": 2, "bytes": 30, "ms": 4_000 }));
        assert_eq!(lag(waiting, 0)["ms"], 0, "clocks differ");
    }
}
