//! Groups that read a topic once, whatever the rebalances and a crash of the broker in between.

use std::time::Duration;

use protocol::record_batch::Codec;

use crate::broker::Setup;
use crate::process::Finished;
use crate::wire::Connection;
use crate::{clients, records, wait};

/// Partitions of the topic `t`.
pub const PARTITIONS: i32 = 6;
/// Records that [`produce`] puts into each.
pub const RECORDS: i64 = 10;
/// Records that it puts into all, as a program's argument.
pub const TOTAL: &str = "60";

const RESTART_LIMIT: Duration = Duration::from_secs(60);

/// Puts [`RECORDS`] records into each partition of `t`.
///
/// # Panics
/// They are refused.
pub fn produce(connection: &mut Connection) {
    for partition in 0..PARTITIONS {
        let batch = records::batch(1, 0..RECORDS, Codec::None, wait::now_ms());
        assert_eq!(connection.produce("t", partition, batch).error_code, 0);
    }
}

/// # Panics
/// Not every group has committed `expected` in every partition.
#[track_caller]
pub fn assert_committed(connection: &mut Connection, groups: &[&str], expected: i64) {
    for group in groups {
        connection.await_coordinator(group);
        let committed = connection.fetch_offsets(group, None);
        let offsets: Vec<_> = committed.iter().map(|(_, partition, committed)| (*partition, committed.0)).collect();
        let expected: Vec<_> = (0..PARTITIONS).map(|partition| (partition, expected)).collect();
        assert_eq!(offsets, expected, "{group}");
    }
}

/// Runs a program twice, given the bootstrap address, the broker being killed in between: the second run reads what came since, and
/// nothing again.
///
/// # Panics
/// The program finds something wrong, or its groups have not committed everything.
pub fn reads_once(client: &str, groups: &[&str], setup: Setup, run: impl Fn(&str) -> Finished) {
    let mut broker = setup.start();
    broker.connect().create_topic("t", PARTITIONS, &[]);
    for round in 1..=2 {
        let mut connection = broker.connect();
        produce(&mut connection);
        let finished = run(&broker.bootstrap());
        let log = broker.log();
        let verdict = std::panic::catch_unwind(|| clients::verdict(client, finished));
        let verdict = verdict.unwrap_or_else(|_| panic!("{client}, round {round}\n{log}"));
        assert!(verdict.checks >= 60, "only {} checks", verdict.checks);
        assert_committed(&mut connection, groups, RECORDS * round);
        broker.kill9();
        assert!(broker.restart() < RESTART_LIMIT);
        assert_committed(&mut broker.connect(), groups, RECORDS * round);
    }
}
