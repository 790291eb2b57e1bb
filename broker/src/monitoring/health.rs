//! What the probes of an orchestrator are told.

use super::http::Response;
use crate::metrics::Health;
use crate::replica::{Partition, RecoveryProgress};
use crate::services::Services;

/// Whether every log is whole.
pub(super) fn startup(services: &Services) -> Response {
    let is_joined = services.broker_epoch() >= 0;
    let was_clean = services.replicas.log_dirs().all().iter().all(|log_dir| log_dir.was_clean());
    started(is_joined, was_clean, services.replicas.recovery().progress())
}

fn started(is_joined: bool, was_clean: bool, recovery: RecoveryProgress) -> Response {
    let RecoveryProgress { total, done, is_over } = recovery;
    if !is_joined {
        Response::text(503, "joining the cluster\n")
    } else if was_clean || is_over {
        Response::text(200, "ok\n")
    } else {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0);
        Response::text(503, format!("recovering: {done} of {total} logs, {percent} %\n"))
    }
}

/// Whether clients are served. Looks at every partition: not for a thread that serves clients.
pub(super) fn readiness(services: &Services) -> Response {
    let image = services.metadata.image();
    let broker = image.broker(services.settings.node_id);
    let table = services.replicas.table();
    let count =
        |is_hurt: &dyn Fn(&Partition) -> bool| table.partitions().filter(|partition| is_hurt(partition)).count();
    let offline = count(&|partition| partition.log().log_dir().is_offline());
    let below = count(&|partition| Health::of(services, &image, partition).under_min_isr);
    ready(&[
        (services.broker_epoch() < 0, "joining the cluster"),
        (broker.is_none_or(|broker| broker.fenced), "fenced by the controller"),
        (broker.is_some_and(|broker| broker.in_controlled_shutdown), "stopping"),
        (services.replicas.log_dirs().online().next().is_none(), "every log directory has failed"),
        (offline > 0, &format!("{offline} partitions lie in log directories that have failed")),
        (below > 0, &format!("{below} partitions led here are below min.insync.replicas")),
    ])
}

fn ready(obstacles: &[(bool, &str)]) -> Response {
    match obstacles.iter().find(|(is_there, _)| *is_there) {
        Some((_, reason)) => Response::text(503, format!("{reason}\n")),
        None => Response::text(200, "ok\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(response: &Response) -> (u16, &str) {
        (response.status(), std::str::from_utf8(response.body()).unwrap())
    }

    #[test]
    fn a_start_is_over_when_every_log_is_whole() {
        let recovery = |total, done, is_over| RecoveryProgress { total, done, is_over };
        assert_eq!(shown(&started(false, true, recovery(0, 0, false))), (503, "joining the cluster\n"));
        assert_eq!(shown(&started(true, true, recovery(0, 0, false))), (200, "ok\n"));
        assert_eq!(shown(&started(true, false, recovery(0, 0, false))), (503, "recovering: 0 of 0 logs, 0 %\n"));
        assert_eq!(shown(&started(true, false, recovery(64, 16, false))), (503, "recovering: 16 of 64 logs, 25 %\n"));
        assert_eq!(shown(&started(true, false, recovery(64, 64, true))), (200, "ok\n"));
    }

    #[test]
    fn the_first_obstacle_is_told() {
        assert_eq!(shown(&ready(&[(false, "a"), (true, "b"), (true, "c")])), (503, "b\n"));
        assert_eq!(shown(&ready(&[(false, "a")])), (200, "ok\n"));
    }
}
