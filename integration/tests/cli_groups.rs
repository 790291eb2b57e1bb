//! `ottla group`: the real binary against a real broker.

use std::fs;
use std::process::Command;
use std::time::Duration;

use integration::broker::{Broker, Setup};
use integration::process::{self, Finished};
use integration::wire::{Connection, Member};
use integration::{records, wait, workspace};
use protocol::record_batch::Codec;

const LIMIT: Duration = Duration::from_secs(60);

fn broker() -> Broker {
    Setup::new().set("group.initial.rebalance.delay.ms", 0).set("offsets.topic.num.partitions", 2).start()
}

fn ottla(broker: &Broker, arguments: &[&str]) -> Finished {
    let mut command = Command::new(workspace::ottla());
    process::run(command.args(arguments).args(["-b", &broker.bootstrap()]), b"", LIMIT)
}

/// Exit code and the one line on standard error.
fn failure(broker: &Broker, arguments: &[&str]) -> (Option<i32>, String) {
    let finished = ottla(broker, arguments);
    let said = finished.stderr.trim_end().to_owned();
    assert!(!said.contains('\n'), "one line: {said}");
    (finished.status.code(), said)
}

/// Ten records in each of two partitions, a second apart, the first at `base`; the group `idle` has read two of each.
fn ready(broker: &Broker, base: i64) -> Connection {
    let mut connection = broker.connect();
    connection.create_topic("orders", 2, &[]);
    for partition in 0..2 {
        for number in 0..10 {
            let batch = records::batch(1, number..number + 1, Codec::None, base + number * 1_000);
            assert_eq!(connection.produce("orders", partition, batch).error_code, 0);
        }
    }
    connection.await_coordinator("idle");
    for partition in 0..2 {
        let committed = (2, 0, String::new());
        assert_eq!(connection.commit("idle", &Member::none(), ("orders", partition), &committed), 0);
    }
    connection
}

/// A member of `busy` that has both partitions of `orders`.
fn join_busy(connection: &mut Connection) -> Member {
    connection.await_coordinator("busy");
    // Version 0, orders of partitions 0 and 1, no user data.
    let member = connection.join_alone("busy", "\0\0\0\0\0\u{1}\0\u{6}orders\0\0\0\u{2}\0\0\0\0\0\0\0\u{1}\0\0\0\0");
    assert_eq!(connection.commit("busy", &member, ("orders", 0), &(4, 0, String::new())), 0);
    member
}

fn offsets(connection: &mut Connection, group: &str) -> Vec<i64> {
    connection.fetch_offsets(group, None).iter().map(|(_, _, committed)| committed.0).collect()
}

/// The words of each line.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn groups_are_listed_and_described_with_their_lag() {
    let broker = broker();
    let mut connection = ready(&broker, wait::now_ms());
    let member = join_busy(&mut connection);
    let listed = ottla(&broker, &["group", "list"]).ok();
    assert_eq!(
        rows(&listed),
        [
            vec!["GROUP", "TYPE", "PROTOCOL", "STATE"],
            vec!["busy", "classic", "consumer", "Stable"],
            vec!["idle", "classic", "-", "Empty"]
        ]
    );
    let empty = ottla(&broker, &["group", "list", "--state", "empty", "--type", "classic", "--json"]).ok();
    assert_eq!(empty, "{\"group\":\"idle\",\"protocol\":\"\",\"state\":\"Empty\",\"type\":\"classic\"}\n");
    assert_eq!(ottla(&broker, &["group", "list", "--state", "preparing-rebalance", "--json"]).ok(), "");

    let described = ottla(&broker, &["group", "describe", "busy"]).ok();
    let lines = rows(&described);
    assert!(described.starts_with("busy  (classic, Stable, assignor range, coordinator 1, lag 6)\n"), "{described}");
    assert_eq!(lines[2], [&*member.id, "-", "ottla-test", "/127.0.0.1", "2"]);
    assert_eq!(lines[4], ["orders", "0", "4", "10", "6", &*member.id]);
    assert_eq!(lines[5], ["orders", "1", "-", "10", "-", &*member.id]);
    let all = ottla(&broker, &["group", "describe", "--json"]).ok();
    assert!(all.contains(r#"{"committed":2,"end":10,"lag":8,"member":null,"partition":1,"topic":"orders"}"#), "{all}");
    assert!(all.contains(r#""assignment":{"orders":[0,1]}"#) && all.lines().count() == 2, "{all}");

    let (code, said) = failure(&broker, &["group", "describe", "nobody"]);
    assert_eq!(
        (code, &*said),
        (Some(1), "ottla: cannot describe nobody: there is no such group (what there is: ottla group list)")
    );
}

#[test]
fn offsets_are_reset_to_every_kind_of_place_and_only_when_told_so() {
    let broker = broker();
    let base = wait::now_ms() - 3_600_000;
    let mut connection = ready(&broker, base);
    let reset = |arguments: &[&str]| ottla(&broker, &[&["group", "reset", "idle"], arguments].concat());
    let shown = reset(&["--topic", "orders", "--to", "end"]);
    assert_eq!(shown.stderr, "nothing was changed; --execute does it\n");
    assert_eq!(
        rows(&shown.ok()),
        [["TOPIC", "PARTITION", "FROM", "TO"], ["orders", "0", "2", "10"], ["orders", "1", "2", "10"]]
    );
    assert_eq!(offsets(&mut connection, "idle"), [2, 2]);
    // 2.5 s after the first record, in ms since the epoch.
    let in_time = format!("@{}", base + 2_500);
    let ways: [(&[&str], [i64; 2]); 10] = [
        (&["--topic", "orders", "--to", "end"], [10, 10]),
        (&["--topic", "orders", "--to", "beginning"], [0, 0]),
        (&["--topic", "orders", "--to", "7"], [7, 7]),
        (&["--topic", "orders:1", "--to", "-3"], [7, 4]),
        (&["--all-topics", "--to", "+1"], [8, 5]),
        (&["--all-topics", "--to", "current"], [8, 5]),
        (&["--all-topics", "--to", &in_time], [3, 3]),
        (&["--all-topics", "--to", "1s"], [10, 10]),
        (&["--all-topics", "--to", "P1D"], [0, 0]),
        (&["--all-topics", "--to", "2001-01-01T00:00:00Z"], [0, 0]),
    ];
    for (arguments, expected) in ways {
        let done = reset(&[arguments, &["--execute"]].concat());
        assert_eq!(done.stderr, "", "{arguments:?}");
        done.ok();
        assert_eq!(offsets(&mut connection, "idle"), expected, "{arguments:?}");
    }
    let far = reset(&["--topic", "orders:0", "--to", "99", "--execute", "--json"]);
    assert_eq!(far.stderr, "orders-0 does not have 99, but 10\n");
    assert_eq!(
        far.ok(),
        "{\"executed\":true,\"from\":0,\"group\":\"idle\",\"partition\":0,\"to\":10,\"topic\":\"orders\"}\n"
    );

    let csv = reset(&["--all-topics", "--to", "current", "--csv"]).ok();
    assert_eq!(csv, "orders,0,10\norders,1,0\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("offsets.csv");
    fs::write(&file, "orders,0,6\norders,1,5\n").expect("it can be written");
    let file = file.to_str().expect("the path is text");
    reset(&["--from-file", file, "--execute"]).ok();
    assert_eq!(offsets(&mut connection, "idle"), [6, 5]);
    let copied = ottla(&broker, &["group", "reset", "copy", "--from-file", file, "--execute"]);
    copied.ok();
    assert_eq!(offsets(&mut connection, "copy"), [6, 5], "a new group");
}

#[test]
fn what_cannot_be_reset_says_why() {
    let broker = broker();
    let mut connection = ready(&broker, wait::now_ms());
    join_busy(&mut connection);
    let says = |arguments: &[&str], expected: &str| {
        let (code, said) = failure(&broker, &[&["group"], arguments].concat());
        assert!(code == Some(1) && said.contains(expected), "{arguments:?}: {code:?} {said}");
    };
    says(
        &["reset", "busy", "--topic", "orders", "--to", "end"],
        "cannot reset busy: it is Stable; stop its members first",
    );
    says(&["reset", "idle", "--topic", "no", "--to", "end"], "there is no topic no");
    says(&["reset", "idle", "--topic", "orders:2", "--to", "end"], "there is no partition orders-2");
    says(&["reset", "new", "--topic", "orders", "--to", "-1"], "cannot shift orders-0: nothing is committed there");
    says(&["reset", "new", "--all-topics", "--to", "end"], "nothing to reset");
    says(&["delete", "busy"], "cannot delete busy: it has members");
    says(&["delete", "none"], "there is no such group");
    let usage = ottla(&broker, &["group", "reset", "idle", "--topic", "orders", "--to", "soon"]);
    assert_eq!(usage.status.code(), Some(2), "a command line that is none");
}

#[test]
fn groups_and_offsets_are_deleted() {
    let broker = broker();
    let mut connection = ready(&broker, wait::now_ms());
    let delete = |arguments: &[&str]| ottla(&broker, &[&["group", "delete"], arguments].concat()).ok();
    assert_eq!(delete(&["idle", "--topic", "orders:1"]), "deleted the offsets of idle in 1 partitions\n");
    assert_eq!(offsets(&mut connection, "idle"), [2]);
    assert_eq!(delete(&["idle"]), "deleted idle\n");
    assert_eq!(delete(&["idle", "--if-exists"]), "idle does not exist\n");
    assert_eq!(ottla(&broker, &["group", "list", "--json"]).ok(), "");
}

#[test]
fn lag_is_watched_as_lines_and_on_a_terminal_as_a_table_that_is_redrawn() {
    let broker = broker();
    let mut connection = ready(&broker, wait::now_ms());
    join_busy(&mut connection);
    let watch = ["group", "watch", "--interval", "0.1", "-n", "2"];
    let seen = ottla(&broker, &watch).ok();
    assert_eq!(seen.matches("GROUP").count(), 2, "{seen}");
    assert!(rows(&seen).contains(&vec!["idle", "Empty", "0", "16", "-"]), "{seen}");
    assert!(rows(&seen).contains(&vec!["idle", "Empty", "0", "16", "0.0"]), "{seen}");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    let one = ottla(&broker, &["group", "watch", "busy", "-n", "1"]).ok();
    assert!(rows(&one).iter().any(|row| row.len() == 6 && row[..5] == ["orders", "0", "4", "10", "6"]), "{one}");
    let json = ottla(&broker, &["group", "watch", "--json", "-n", "1"]).ok();
    assert!(json.lines().count() == 2 && json.contains("\"lag\":16"), "{json}");
    let gone = failure(&broker, &["group", "watch", "nobody"]);
    assert!(gone.0 == Some(1) && gone.1.contains("there is no such group"), "{gone:?}");

    let mut terminal = Command::new("script");
    let command = format!("{} {} -b {}", workspace::ottla().display(), watch.join(" "), broker.bootstrap());
    let shown = process::run(terminal.args(["-qec", &command, "/dev/null"]), b"", LIMIT).ok();
    assert_eq!(shown.matches("\u{1b}[H\u{1b}[J").count(), 2, "{shown:?}");
}

#[test]
fn a_watch_outlives_a_restart_of_the_broker_and_ends_with_ctrl_c() {
    let mut broker = broker();
    ready(&broker, wait::now_ms());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (out, errors) = (folder.path().join("out"), folder.path().join("errors"));
    let create = |path| fs::File::create(path).expect("a file can be made");
    let mut command = Command::new(workspace::ottla());
    command.args(["group", "watch", "--json", "--interval", "0.05", "-b", &broker.bootstrap()]);
    let mut child = command.stdout(create(&out)).stderr(create(&errors)).spawn().expect("it starts");
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    wait::until_true("a first look", LIMIT, || text(&out).contains("idle"));
    broker.kill9();
    wait::until_true("a word about it", LIMIT, || !text(&errors).is_empty());
    broker.restart();
    let before = text(&out).len();
    wait::until_true("further looks", LIMIT, || text(&out).len() > before);
    process::signal(child.id(), libc::SIGINT);
    let status = process::wait_for(&mut child, LIMIT).expect("it ends");
    assert!(status.success(), "{status}");
}
