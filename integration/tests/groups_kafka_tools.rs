//! Kafka's own tools on groups, and its formatters on `__consumer_offsets`.

use std::collections::BTreeMap;
use std::fs;

use integration::broker::{Broker, Setup};
use integration::kafka::tool;
use integration::wire::{Connection, Member};
use integration::{records, wait};
use protocol::record_batch::Codec;

fn broker() -> Broker {
    Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 2).start()
}

/// Topic `t` of two partitions with five records each, a second apart, the first at `base`.
fn fill(connection: &mut Connection, base: i64) {
    connection.create_topic("t", 2, &[]);
    for partition in 0..2 {
        for number in 0..5 {
            let batch = records::batch(1, number..number + 1, Codec::None, base + number * 1_000);
            assert_eq!(connection.produce("t", partition, batch).error_code, 0);
        }
    }
}

fn groups(broker: &Broker, arguments: &[&str]) -> String {
    let bootstrap = broker.bootstrap();
    tool("consumer-groups", &[&["--bootstrap-server", &bootstrap], arguments].concat()).ok()
}

fn offsets(connection: &mut Connection, group: &str) -> Vec<i64> {
    connection.fetch_offsets(group, None).iter().map(|(_, _, committed)| committed.0).collect()
}

#[test]
fn groups_are_consumed_described_reset_and_deleted() {
    let broker = broker();
    let mut connection = broker.connect();
    let base = wait::now_ms() - 3_600_000;
    fill(&mut connection, base);
    let bootstrap = broker.bootstrap();
    let arguments = ["--bootstrap-server", &bootstrap, "--topic", "t", "--group", "g", "--from-beginning"];
    let read = tool("console-consumer", &[&arguments[..], &["--max-messages", "10"]].concat());
    assert!(read.everything().contains("Processed a total of 10 messages"), "{}", read.everything());
    assert_eq!(offsets(&mut connection, "g"), [5, 5]);

    let described = groups(&broker, &["--describe", "--group", "g"]);
    let rows: Vec<Vec<&str>> = described.lines().map(|line| line.split_whitespace().take(6).collect()).collect();
    assert!(rows.contains(&vec!["g", "t", "1", "5", "5", "0"]), "{described}");
    let state = groups(&broker, &["--describe", "--group", "g", "--state"]);
    assert!(state.contains("Empty"), "{state}");
    let listed = groups(&broker, &["--list", "--state", "Empty"]);
    assert!(listed.lines().any(|line| line.starts_with('g')), "{listed}");
    let typed = groups(&broker, &["--list", "--type", "classic"]);
    assert!(typed.lines().any(|line| line.split_whitespace().eq(["g", "Classic"])), "{typed}");
    assert!(!groups(&broker, &["--list", "--type", "consumer"]).contains("g "), "it is no group of that type");

    let reset = |how: &[&str], act: &str| {
        groups(&broker, &[&["--reset-offsets", "--group", "g", "--topic", "t", act], how].concat())
    };
    let planned = reset(&["--to-earliest"], "--dry-run");
    assert!(planned.contains("NEW-OFFSET"), "{planned}");
    assert_eq!(offsets(&mut connection, "g"), [5, 5], "nothing happens in a dry run");
    let in_time = chrono_like(base + 2_500);
    let ways: [(&[&str], [i64; 2]); 7] = [
        (&["--to-earliest"], [0, 0]),
        (&["--to-offset", "2"], [2, 2]),
        (&["--shift-by", "2"], [4, 4]),
        (&["--to-datetime", &in_time], [3, 3]),
        (&["--to-current"], [3, 3]),
        (&["--by-duration", "P1D"], [0, 0]),
        (&["--to-latest"], [5, 5]),
    ];
    for (how, expected) in ways {
        reset(how, "--execute");
        assert_eq!(offsets(&mut connection, "g"), expected, "{how:?}");
    }
    let exported = reset(&["--to-offset", "1"], "--export");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("offsets.csv");
    fs::write(&file, exported).expect("the file can be written");
    reset(&["--from-file", file.to_str().expect("the path is text")], "--execute");
    assert_eq!(offsets(&mut connection, "g"), [1, 1]);

    groups(&broker, &["--delete-offsets", "--group", "g", "--topic", "t:0"]);
    assert_eq!(offsets(&mut connection, "g"), [1]);
    assert_eq!(connection.commit("h", &Member::none(), ("t", 0), &(1, 0, String::new())), 0);
    groups(&broker, &["--reset-offsets", "--all-groups", "--all-topics", "--to-latest", "--execute"]);
    assert_eq!([offsets(&mut connection, "g"), offsets(&mut connection, "h")], [[5], [5]]);
    let deleted = groups(&broker, &["--delete", "--group", "g"]);
    assert!(deleted.contains("was successful"), "{deleted}");
    let deleted = groups(&broker, &["--delete", "--all-groups"]);
    assert!(deleted.contains("was successful"), "{deleted}");
    assert_eq!(groups(&broker, &["--list"]).trim(), "");
}

/// A time as the tool wants it, in UTC.
fn chrono_like(time_ms: i64) -> String {
    let (days, ms) = (time_ms.div_euclid(86_400_000), time_ms.rem_euclid(86_400_000));
    // Days to a civil date, after Howard Hinnant.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000)
}

#[test]
fn members_are_described_and_a_busy_group_is_left_alone() {
    let broker = broker();
    let mut connection = broker.connect();
    fill(&mut connection, wait::now_ms());
    connection.await_coordinator("busy");
    // An assignment in the consumers' protocol: version 0, t of partitions 0 and 1, no user data.
    let assignment = "\0\0\0\0\0\u{1}\0\u{1}t\0\0\0\u{2}\0\0\0\0\0\0\0\u{1}\0\0\0\0";
    let member = connection.join_alone("busy", assignment);
    assert_eq!(connection.commit("busy", &member, ("t", 0), &(3, 0, String::new())), 0);
    let members = groups(&broker, &["--describe", "--group", "busy", "--members", "--verbose"]);
    let row = members.lines().find(|line| line.contains(&member.id)).unwrap_or_else(|| panic!("{members}"));
    assert!(row.contains("/127.0.0.1") && row.contains("ottla-test") && row.contains("t:0,1"), "{members}");
    let reset = ["--reset-offsets", "--group", "busy", "--topic", "t", "--to-earliest", "--execute"];
    let bootstrap = broker.bootstrap();
    let refused = tool("consumer-groups", &[&["--bootstrap-server", &bootstrap], &reset[..]].concat()).everything();
    assert!(refused.contains("Assignments can only be reset if the group 'busy' is inactive"), "{refused}");
    let refused = tool("consumer-groups", &["--bootstrap-server", &bootstrap, "--delete", "--group", "busy"]);
    assert!(refused.everything().contains("GroupNotEmptyException"), "{}", refused.everything());
}

#[test]
fn the_verifiable_consumer_verifies() {
    let broker = broker();
    let mut connection = broker.connect();
    fill(&mut connection, wait::now_ms());
    let bootstrap = broker.bootstrap();
    let output = tool(
        "verifiable-consumer",
        &[
            "--bootstrap-server",
            &bootstrap,
            "--topic",
            "t",
            "--group-id",
            "v",
            "--max-messages",
            "10",
            "--reset-policy",
            "earliest",
        ],
    )
    .ok();
    assert!(output.contains(r#""name":"partitions_assigned""#), "{output}");
    assert!(output.contains(r#""success":true"#) && output.contains(r#""name":"shutdown_complete""#), "{output}");
    assert_eq!(offsets(&mut connection, "v"), [5, 5]);
}

#[test]
fn kafkas_formatters_and_its_log_reader_understand_the_topic() {
    let mut broker = broker();
    let mut connection = broker.connect();
    fill(&mut connection, wait::now_ms());
    connection.await_coordinator("g");
    let member = connection.join_alone("g", "");
    assert_eq!(connection.commit("g", &member, ("t", 1), &(4, 7, "note".to_owned())), 0);
    assert_eq!(connection.commit("simple", &Member::none(), ("t", 0), &(2, -1, String::new())), 0);
    let bootstrap = broker.bootstrap();
    let formatted = |formatter: &str| {
        let class = format!("org.apache.kafka.tools.consumer.{formatter}");
        tool(
            "console-consumer",
            &[
                "--bootstrap-server",
                &bootstrap,
                "--topic",
                "__consumer_offsets",
                "--from-beginning",
                "--timeout-ms",
                "2000",
                "--formatter",
                &class,
            ],
        )
        .everything()
    };
    let offsets = formatted("OffsetsMessageFormatter");
    let expected = r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":1}},"value":{"version":4,"data":{"offset":4,"leaderEpoch":7,"metadata":"note","commitTimestamp":"#;
    assert!(offsets.contains(expected), "{offsets}");
    assert!(
        offsets.contains(r#""group":"simple","topic":"t","partition":0}},"value":{"version":4,"data":{"offset":2,"#)
    );
    let generations = formatted("GroupMetadataMessageFormatter");
    let expected = r#"{"key":{"type":2,"data":{"group":"g"}},"value":{"version":3,"data":{"protocolType":"consumer","generation":1,"protocol":"range","leader":""#;
    assert!(generations.contains(expected), "{generations}");

    broker.stop();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for partition in 0..2 {
        let folder = broker.data().join(format!("__consumer_offsets-{partition}"));
        let Ok(files) = fs::read_dir(&folder) else { continue };
        for file in files.map(|file| file.expect("the folder can be read").path()) {
            if file.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let shown = tool("dump-log", &["--offsets-decoder", "--files", &file.to_string_lossy()]).ok();
            assert!(!shown.contains("isvalid: false"), "{shown}");
            for mark in [r#"{"type":"1","data":{"group":"g""#, r#"{"type":"2","data":{"group":"g"}}"#, "\"note\""] {
                *seen.entry(mark).or_default() += shown.matches(mark).count();
            }
        }
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 0), "{seen:?}");
}
