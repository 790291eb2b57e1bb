//! While the partition of a group is read, whoever asks is told to come again, but for the heartbeat: nobody can say that the member
//! does not live. Here it is never read, since nobody runs the worker.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use protocol::error_code::ErrorCode;
use storage::file_system::OsFileSystem;

use super::classic::{Caller, Identity, Join, Leaving, Protocol, Sync};
use super::consumer::Heartbeat;
use super::shard::Shard;
use super::slot::{Phase, Slot};
use super::{Commit, GroupCoordinator, GroupError, GroupFilter, OffsetReader};
use crate::clock::Clock;
use crate::config::GroupConfig;
use crate::error_code;
use crate::replica::testing::{LEADER_EPOCH, partition};
use crate::replica::{Durability, Flusher};

const CALLER: Caller<'_> = Caller { member_id: "member", instance_id: None, generation: 1 };
const NOBODY: OffsetReader<'_> = OffsetReader { member_id: None, epoch: -1 };

fn join() -> Join {
    let identity = Identity {
        id: "member".into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
    };
    Join {
        identity,
        new_member_id: "member".into(),
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "range".into(), metadata: "about".into() }],
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        requires_known_member_id: false,
        can_skip_assignment: true,
        reason: String::new(),
    }
}

fn sync() -> Sync {
    Sync {
        member_id: "member".into(),
        instance_id: None,
        generation: 1,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        member_id: "member".into(),
        epoch: 0,
        instance_id: None,
        rack_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: Some(60_000),
        topics: Some(["t".into()].into()),
        regex: None,
        assignor: None,
        owned: Some([].into()),
    }
}

async fn assert_loading<T: Debug>(asked: impl Future<Output = Result<T, GroupError>>) {
    let code = asked.await.map_err(|error| error_code::group(&error));
    assert!(matches!(code, Err(ErrorCode::CoordinatorLoadInProgress)), "{code:?}");
}

/// Everything that a coordinator is asked about a group.
async fn assert_all_is_loading(groups: &GroupCoordinator) {
    assert_loading(async { groups.join("g", join()).await.error.map_or(Ok(()), Err) }).await;
    assert_loading(async { groups.sync("g", sync()).await.error.map_or(Ok(()), Err) }).await;
    let leaving = [Leaving { member_id: "member".into(), instance_id: None, reason: None }];
    assert_loading(groups.leave("g", &leaving)).await;
    let commit = Commit { group: "g", caller: CALLER, retention_ms: None, knows_consumer_protocol: true, offsets: &[] };
    assert_loading(groups.commit(&commit)).await;
    assert_loading(groups.fetch_offsets("g", NOBODY, &[], true)).await;
    assert_loading(groups.fetch_all_offsets("g", NOBODY, true)).await;
    assert_loading(groups.delete_offsets("g", &[])).await;
    assert_loading(groups.delete_group("g")).await;
    assert_loading(groups.describe("g")).await;
    assert_loading(groups.list(&GroupFilter::default())).await;
    assert_loading(groups.consumer_heartbeat("g", &heartbeat())).await;
    assert_loading(groups.consumer_leave("g", &"member".into(), None, -1)).await;
    assert_loading(groups.consumer_describe("g")).await;
}

#[tokio::test]
async fn whoever_asks_while_a_partition_is_read_is_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let flusher = Flusher::start(1);
    let mut config = GroupConfig::for_tests();
    config.topic.partitions = 1;
    let groups = GroupCoordinator::new(config, Clock::default(), 1);
    let partition = partition(Arc::new(OsFileSystem), folder.path(), &flusher, Durability::Durable);
    let slot = Arc::new(Slot::new(0, partition, LEADER_EPOCH));
    groups.write_slots().insert(0, Arc::clone(&slot));

    assert_all_is_loading(&groups).await;
    assert!(groups.heartbeat("g", CALLER).is_ok());
    assert_eq!(groups.census(10).loading, 1);
    assert!(groups.lock_waiting().is_empty(), "nobody waits for an answer that does not come");

    slot.lock().phase = Phase::Active(Shard::default());
    assert!(matches!(groups.heartbeat("g", CALLER), Err(GroupError::UnknownMember)));
    flusher.stop();
}
