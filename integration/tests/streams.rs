//! Kafka Streams: a word count with its internal topics, through a crash of the broker and the loss of its own state.

use std::fs;
use std::time::Duration;

use integration::broker::Setup;
use integration::kafka::{java, tool};
use integration::wire::Connection;
use integration::{clients, wait};
use protocol::record_batch::{BatchBuilder, Codec};

const LIMIT: Duration = Duration::from_secs(60);

/// Puts `count` lines of three words into each partition.
fn write_lines(connection: &mut Connection, count: i64) {
    for partition in 0..2 {
        let mut batch = BatchBuilder::new(0, Codec::None);
        for number in 0..count {
            let line = format!("all {} {}", ["even", "odd"][usize::from(number % 2 == 1)], number % 10);
            batch.append(wait::now_ms(), None, Some(line.as_bytes()), &[]);
        }
        assert_eq!(connection.produce("lines", partition, batch.build()).error_code, 0);
    }
}

/// What the program must print after `lines` lines of each of the two partitions.
fn expected(lines: i64) -> String {
    let digits = (0..10).map(|digit| format!("{digit} {}\n", lines / 5)).collect::<String>();
    format!("{digits}all {}\neven {lines}\nodd {lines}\n", lines * 2)
}

#[test]
fn words_are_counted_through_a_crash_and_from_the_changelog_alone() {
    let mut broker =
        Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 3).start();
    let mut connection = broker.connect();
    connection.create_topic("lines", 2, &[]);
    connection.create_topic("counts", 2, &[]);
    let state = tempfile::tempdir().expect("a temporary folder");
    for round in 1..=2 {
        let mut connection = broker.connect();
        write_lines(&mut connection, 500);
        let folder = state.path().join("state");
        let words = (round * 500 * 2 * 3).to_string();
        let finished = java("WordCount.java", &[&broker.bootstrap(), &folder.to_string_lossy(), &words]);
        let counts = finished.stdout.clone();
        assert!(clients::verdict("streams", finished).checks >= 13);
        let counts = counts.split("OK ").next().unwrap_or_default();
        assert_eq!(counts, expected(round * 500), "round {round}");
        let lag = tool(
            "consumer-groups",
            &["--bootstrap-server", &broker.bootstrap(), "--describe", "--group", "word-count"],
        );
        let described = lag.ok();
        let rows: Vec<Vec<&str>> = described.lines().map(|line| line.split_whitespace().collect()).collect();
        let lines: Vec<_> = rows.iter().filter(|row| row.get(1) == Some(&"lines")).collect();
        assert!(lines.len() == 2 && lines.iter().all(|row| row[5] == "0"), "{described}");
        // What is counted was purged from the repartition topic, so that it does not grow.
        wait::until_true("records deleted from the repartition topic", LIMIT, || {
            (0..2).any(|partition| connection.earliest("word-count-words-repartition", partition) > 0)
        });
        broker.kill9();
        broker.restart();
        fs::remove_dir_all(&folder).expect("Streams keeps its state there");
    }
}
