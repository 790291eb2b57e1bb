//! `ottla topic`, `produce`, `consume`, `cluster`, `config`, `format`, `check`: the real binary against a real broker.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::broker::Broker;
use integration::process::{self, Finished};
use integration::{audit, workspace};

const LIMIT: Duration = Duration::from_secs(60);

fn ottla(arguments: &[&str]) -> Finished {
    ottla_with_input(arguments, b"")
}

fn ottla_with_input(arguments: &[&str], input: &[u8]) -> Finished {
    process::run(Command::new(workspace::ottla()).args(arguments), input, LIMIT)
}

/// Exit code and what stands on standard error, which is one line.
fn failure(arguments: &[&str]) -> (i32, String) {
    let finished = ottla(arguments);
    let lines = finished.stderr.trim_end();
    assert!(!lines.contains('\n'), "one line: {lines}");
    (finished.status.code().expect("it ends by itself"), lines.to_owned())
}

#[test]
fn topics_live_from_creation_to_deletion() {
    let broker = Broker::start();
    let server = ["-b", &broker.bootstrap()];
    let run = |arguments: &[&str]| ottla(&[arguments, &server].concat());
    assert_eq!(
        run(&["topic", "create", "orders", "users", "-p", "2", "-c", "retention.ms=3600000"]).ok(),
        "created orders\ncreated users\n"
    );
    assert_eq!(run(&["topic", "create", "orders", "--if-not-exists"]).ok(), "orders exists\n");
    assert_eq!(run(&["topic", "list"]).ok(), "orders\nusers\n");
    let described = run(&["topic", "describe", "orders"]).ok();
    assert!(described.contains("retention.ms=3600000"), "{described}");
    let json = run(&["topic", "describe", "orders", "--json"]).ok();
    assert!(json.contains(r#""retention.ms":"3600000""#) && json.contains(r#""leader":1"#), "{json}");
    run(&["topic", "alter", "orders", "--partitions", "5"]).ok();
    assert_eq!(broker.connect().describe_topic("orders").partitions.len(), 5);
    assert_eq!(run(&["topic", "delete", "orders", "users"]).ok(), "deleted orders\ndeleted users\n");
    assert_eq!(run(&["topic", "delete", "orders", "--if-exists"]).ok(), "orders does not exist\n");
    assert_eq!(run(&["topic", "list"]).ok(), "");
}

#[test]
fn records_go_in_and_come_out_as_they_were() {
    let broker = Broker::start();
    let server = ["-b", &broker.bootstrap()];
    ottla(&[&["topic", "create", "t", "-p", "3"], &server[..]].concat()).ok();
    let produce = |arguments: &[&str], input: &[u8]| {
        ottla_with_input(&[&["produce", "t"], arguments, &server].concat(), input).ok()
    };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("{codec}:of {codec}\n");
        produce(&["--key-separator", ":", "-z", codec, "-H", "from=test"], line.as_bytes());
    }
    produce(&["--json"], br#"{"key":"binary","value":{"base64":"gIE="},"headers":{"h":null},"timestamp":5}"#);
    let consume = ["consume", "t", "--exit-at-end", "--json"];
    let read = ottla(&[&consume[..], &server].concat()).ok();
    assert_eq!(read.lines().count(), 6, "{read}");
    assert!(read.contains(r#""value":{"base64":"gIE="}"#) && read.contains(r#""headers":{"h":null}"#), "{read}");
    assert!(read.contains(r#""headers":{"from":"test"}"#) && read.contains(r#""value":"of zstd""#), "{read}");

    // What one command prints the other one takes.
    ottla(&[&["topic", "create", "copy", "-p", "3"], &server[..]].concat()).ok();
    ottla_with_input(&[&["produce", "copy", "--json"], &server[..]].concat(), read.as_bytes()).ok();
    let mut connection = broker.connect();
    for partition in 0..3 {
        let records = |connection: &mut _, topic: &str| -> Vec<_> {
            let records = audit::read_all(connection, topic, partition).records;
            records.into_iter().map(|record| (record.key, record.value, record.timestamp, record.headers)).collect()
        };
        assert_eq!(records(&mut connection, "t"), records(&mut connection, "copy"), "partition {partition}");
    }
}

#[test]
fn a_large_input_arrives_whole_in_order_and_once() {
    let broker = Broker::start();
    let server = ["-b", &broker.bootstrap()];
    let lines: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
    ottla(&[&["topic", "create", "large"], &server[..]].concat()).ok();
    ottla_with_input(&[&["produce", "large"], &server[..]].concat(), lines.as_bytes()).ok();
    let read = ottla(&[&["consume", "large", "--exit-at-end"], &server[..]].concat()).ok();
    assert!(read == lines, "{} bytes of {}", read.len(), lines.len());
    let last = ottla(&[&["consume", "large", "--from", "-2", "-e", "-f", "%o %v\\n"], &server[..]].concat()).ok();
    assert_eq!(last, "49998 line 49998\n49999 line 49999\n");
    let some = ottla(&[&["consume", "large", "--from", "7", "-n", "2"], &server[..]].concat()).ok();
    assert_eq!(some, "line 7\nline 8\n");
    let contents = audit::read_all(&mut broker.connect(), "large", 0);
    assert!(contents.headers.iter().all(|header| header.producer_id >= 0), "the producer is idempotent");
}

/// A `consume` that waits for news.
fn follow(topic: &str, bootstrap: &str) -> Child {
    let mut command = Command::new(workspace::ottla());
    command.args(["consume", topic, "-b", bootstrap]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("the binary starts")
}

#[test]
fn a_load_is_taken_whole_and_read_whole() {
    let broker = Broker::start();
    let server = ["-b", &broker.bootstrap()];
    let bench = |arguments: &[&str]| ottla(&[&["bench"], arguments, &server].concat()).ok();
    ottla(&[&["topic", "create", "load", "-p", "3"], &server[..]].concat()).ok();
    let produce = ["produce", "load", "-n", "10001", "-c", "3", "--batch", "50", "-z", "lz4", "-s", "200"];
    let sent = bench(&produce);
    assert!(sent.starts_with("10001 records sent, ") && sent.contains(" ms 99.9th."), "{sent}");
    let mut connection = broker.connect();
    let stored: usize = (0..3).map(|partition| audit::read_all(&mut connection, "load", partition).records.len()).sum();
    assert_eq!(stored, 10_001);
    let read = bench(&["consume", "load", "--json"]);
    assert!(read.contains(r#""records":10001"#) && read.contains(r#""bytes":2000200"#), "{read}");
    let paced = bench(&["produce", "load", "-n", "100", "--rate", "200", "--acks", "1", "--json"]);
    let seconds = paced.split_once(r#""seconds":"#).and_then(|(_, rest)| rest.split([',', '}']).next()?.parse().ok());
    assert!(seconds.is_some_and(|seconds: f64| seconds >= 0.49), "100 records at 200 a second: {paced}");
}

#[test]
fn a_consumer_follows_until_ctrl_c_and_survives_a_restart_of_the_broker() {
    let mut broker = Broker::start();
    let bootstrap = broker.bootstrap();
    ottla(&["topic", "create", "news", "-b", &bootstrap]).ok();
    let mut child = follow("news", &bootstrap);
    let mut lines = BufReader::new(child.stdout.take().expect("the output is a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    ottla_with_input(&["produce", "news", "-b", &bootstrap], b"before\n").ok();
    assert_eq!(next(), "before");
    broker.kill9();
    broker.restart();
    ottla_with_input(&["produce", "news", "-b", &bootstrap], b"after\n").ok();
    assert_eq!(next(), "after");
    process::signal(child.id(), libc::SIGINT);
    let status = process::wait_for(&mut child, LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(0), "Ctrl-C is how it ends: {status}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let lines: String = (0..20_000).map(|number| format!("a line of some length {number}\n")).collect();
    ottla(&["topic", "create", "t", "-b", &bootstrap]).ok();
    ottla_with_input(&["produce", "t", "-b", &bootstrap], lines.as_bytes()).ok();
    let mut child = follow("t", &bootstrap);
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("the output is a pipe")).read_line(&mut first).expect("a line");
    assert_eq!(first, "a line of some length 0\n");
    let status = process::wait_for(&mut child, LIMIT).expect("it ends");
    assert!(status.success(), "{status}");
}

#[test]
fn a_cluster_says_what_it_is() {
    let broker = Broker::start();
    let server = ["-b", &broker.bootstrap()];
    let run = |arguments: &[&str]| ottla(&[arguments, &server].concat()).ok();
    let id = run(&["cluster", "id"]);
    assert_eq!(id.trim_end().len(), 22, "{id}");
    let described = run(&["cluster", "describe", "--json"]);
    assert!(described.contains(id.trim_end()), "{described}");
    assert!(described.contains(&format!(r#""port":{}"#, broker.address().port())), "{described}");
    assert!(run(&["cluster", "quorum"]).contains("voter"));
    run(&["topic", "create", "t", "-c", "segment.bytes=1048576"]);
    let configs = run(&["config", "describe", "--topic", "t"]);
    assert!(configs.contains("segment.bytes=1048576  (DYNAMIC_TOPIC_CONFIG)"), "{configs}");
    run(&["config", "set", "--topic", "t", "retention.ms=5000000"]);
    run(&["topic", "alter", "t", "--unset", "segment.bytes"]);
    let configs = run(&["config", "describe", "--topic", "t"]);
    assert!(configs.contains("retention.ms=5000000") && !configs.contains("segment.bytes"), "{configs}");
    run(&["config", "delete", "--topic", "t", "retention.ms"]);
    assert!(!run(&["config", "describe", "--topic", "t"]).contains("retention.ms"));
    let all = run(&["config", "describe", "--broker", "1", "--all", "--json"]);
    assert!(all.lines().count() > 20, "{all}");
}

#[test]
fn failures_are_one_line_that_says_what_to_do() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let (code, text) = failure(&["consume", "nosuch", "-e", "-b", &bootstrap]);
    assert!(code == 1 && text.contains("nosuch") && text.contains("topic list"), "{code} {text}");
    let (code, text) = failure(&["topic", "create", "no spaces", "-b", &bootstrap]);
    assert!(code == 1 && text.contains("Topic name is invalid"), "{code} {text}");
    let (code, text) = failure(&["topic", "list", "-b", "127.0.0.1:1"]);
    assert!(
        code == 1 && text.contains("no broker answers at 127.0.0.1:1") && text.contains("running"),
        "{code} {text}"
    );
    let (code, text) = failure(&["topic", "list", "-b", "nowhere"]);
    assert!(code == 1 && text.contains("HOST:PORT"), "{code} {text}");
    ottla(&["topic", "create", "t", "-b", &bootstrap]).ok();
    let (code, text) = failure(&["consume", "t", "--from", "99", "-n", "1", "-b", &bootstrap]);
    assert!(code == 1 && text.contains("has no offset 99"), "{code} {text}");
    assert_eq!(ottla(&["topic", "create"]).status.code(), Some(2), "a command line that is none");
    assert_eq!(ottla(&["consume", "t", "--from", "yesterday"]).status.code(), Some(2));
}

#[test]
fn a_node_is_formatted_checked_and_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = format!("log.dirs={}", folder.path().join("data").display());
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0";
    let settings = ["--override", &data, "--override", listeners];
    let run = |arguments: &[&str]| ottla(&[arguments, &settings].concat());
    assert!(run(&["check"]).ok().contains("does not exist yet"));
    assert!(!folder.path().join("data").exists(), "a check touches nothing");
    let formatted = run(&["format", "--cluster-id", "Kmp-xkTnSf-WWXhWmiorDg"]).ok();
    assert!(formatted.contains("cluster id Kmp-xkTnSf-WWXhWmiorDg, node id 1"), "{formatted}");
    assert!(run(&["format"]).ok().contains("is formatted already"));
    assert_eq!(run(&["format", "--cluster-id", "another"]).status.code(), Some(1));
    let broker = integration::broker::Setup::new().folder(folder.path()).start();
    assert_eq!(ottla(&["cluster", "id", "-b", &broker.bootstrap()]).ok(), "Kmp-xkTnSf-WWXhWmiorDg\n");
    let used = run(&["check", "--json"]);
    assert_eq!(used.status.code(), Some(1));
    assert!(used.stdout.contains("in use by a running broker"), "{}", used.stdout);
    let bad = ottla(&["check", "--override", "num.partitions=none"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(bad.stdout.contains("num.partitions"), "{}", bad.stdout);
}

/// Every command with its words, leaves and branches, as the help texts list them.
fn commands(branch: &[String]) -> Vec<Vec<String>> {
    let help = help(branch);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let below = names.filter(|name| *name != "help").map(|name| [branch, &[name.to_owned()]].concat());
    below.flat_map(|command| [vec![command.clone()], commands(&command)].concat()).collect()
}

fn help(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    ottla(&words).ok()
}

#[test]
fn every_command_explains_itself_and_refuses_what_it_does_not_know() {
    let all = commands(&[]);
    assert!(all.len() > 35 && all.contains(&vec!["group".to_owned(), "reset".to_owned()]), "{all:?}");
    for command in &all {
        let (help, name) = (help(command), command.join(" "));
        let examples = help.split("Example").nth(1).unwrap_or_else(|| panic!("{name} has no example:\n{help}"));
        assert!(examples.contains(&format!("ottla {name}")), "{help}");
        let lines: Vec<&str> = help.lines().collect();
        for pair in lines.windows(2) {
            let is_argument = pair[0].trim_start().starts_with(['<', '[', '-']) && !pair[0].starts_with("          ");
            assert!(!is_argument || !pair[1].trim().is_empty(), "{name} --help is silent about{}", pair[0]);
        }
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--no-such-option"]).collect();
        let refused = ottla(&words);
        assert_eq!(refused.status.code(), Some(2), "{name}: {}", refused.everything());
        assert!(refused.stderr.contains("--no-such-option"), "{name}: {}", refused.stderr);
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(ottla(&["completions", shell]).ok().contains("consume"), "{shell}");
    }
}

/// Arguments that a command needs before it asks a broker.
const WORDS: &[(&str, &[&str])] = &[
    ("topic create", &["t"]),
    ("topic alter", &["t", "--partitions", "2"]),
    ("topic delete", &["t"]),
    ("produce", &["t"]),
    ("consume", &["t"]),
    ("group reset", &["g", "--all-topics", "--to", "beginning"]),
    ("group delete", &["g"]),
    ("config describe", &["--cluster"]),
    ("config set", &["--cluster", "num.io.threads=9"]),
    ("config delete", &["--cluster", "num.io.threads"]),
    ("bench produce", &["t", "-n", "1"]),
    ("bench consume", &["t"]),
];

#[test]
fn a_command_that_reaches_no_broker_says_where_it_asked() {
    let asks = |command: &Vec<String>| {
        let help = help(command);
        // With a store to look into, it opens that first.
        help.contains("--bootstrap-server") && !help.contains("--store")
    };
    let asking: Vec<_> = commands(&[]).into_iter().filter(asks).collect();
    assert!(asking.len() > 15, "{asking:?}");
    for command in asking {
        let name = command.join(" ");
        let words = WORDS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, words)| *words);
        let command: Vec<&str> = command.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let (code, text) = failure(&[&command[..], &["-b", "127.0.0.1:1"]].concat());
        assert!(code == 1 && text.contains("no broker answers at 127.0.0.1:1"), "{name}: {code} {text}");
    }
}

#[test]
fn a_command_is_over_before_a_broker_would_have_begun() {
    let finished = ottla(&["--version"]);
    assert!(finished.ok().starts_with("ottla "));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(workspace::ottla());
    command.args(["completions", "bash"]).current_dir(folder.path());
    process::run(&mut command, b"", LIMIT).ok();
    let left = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(left, 0, "no data directory is made");
}
