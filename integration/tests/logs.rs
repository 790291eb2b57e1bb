//! The log as scripts and operators meet it: the lines they wait for, JSON where nobody looks, detail that can be turned up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use integration::broker::Broker;
use integration::{kafka, process, wait, workspace};

const LIMIT: Duration = Duration::from_secs(60);

/// What Testcontainers' modules and start scripts look for in the output.
const PHRASES: [&str; 3] =
    ["Kafka Server started", "Transitioning from RECOVERY to RUNNING", "[KafkaServer id=1] started"];

#[test]
fn lines_are_json_and_hold_the_phrases_that_scripts_wait_for() {
    let broker = Broker::start();
    for phrase in PHRASES {
        wait::until_true(phrase, LIMIT, || broker.log().lines().any(|line| line.contains(phrase)));
    }
    for line in broker.log().lines() {
        let is_object = line.starts_with("{\"timestamp\":\"") && line.ends_with('}') && line.contains("\"level\":\"");
        assert!(is_object && line.contains("\"message\":\""), "{line}");
    }
}

/// Sends what is no request.
fn offend(broker: &Broker) {
    let mut stream = TcpStream::connect(broker.address()).expect("the listener accepts");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it can be sent");
    // To the end, which comes when the broker has dealt with it; reset or not.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// How often the log tells of such a client, whose first word is taken for a size.
fn told(broker: &Broker) -> usize {
    let size = i32::from_be_bytes(*b"GET ");
    broker.log().matches(&format!("Invalid receive (size = {size} ")).count()
}

#[test]
fn a_signal_turns_the_detail_up_and_down_again() {
    let broker = Broker::start();
    let turn = |detail: &str| {
        let before = broker.log().matches("the log's level was changed").count();
        process::signal(broker.pid(), libc::SIGUSR2);
        wait::until_true("the new level", LIMIT, || {
            broker.log().lines().filter(|line| line.contains("the log's level was changed")).count() > before
        });
        assert!(
            broker.log().lines().any(|line| line.contains(&format!("\"detail\":\"{detail}\""))),
            "{}",
            broker.log()
        );
    };
    offend(&broker);
    turn("Debug");
    assert_eq!(told(&broker), 0, "a client's mistake is no news");
    offend(&broker);
    wait::until_true("the client's mistake", LIMIT, || told(&broker) == 1);
    turn("Trace");
    turn("AsStarted");
    offend(&broker);
    assert_eq!(told(&broker), 1);
}

#[test]
fn kafkas_tool_turns_the_detail_of_one_part_up_and_down_again() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let configs = |arguments: &str| {
        let logger = ["--bootstrap-server", &bootstrap, "--entity-type", "broker-loggers", "--entity-name", "1"];
        let arguments: Vec<&str> = logger.into_iter().chain(arguments.split(' ')).collect();
        kafka::tool("configs", &arguments)
    };
    let described = || configs("--describe").ok();
    for line in ["root=INFO", "broker.server=INFO", "openraft=ERROR"] {
        assert!(described().contains(&format!("  {line} sensitive=false synonyms={{}}\n")), "{}", described());
    }
    offend(&broker);
    configs("--alter --add-config broker.server=DEBUG").ok();
    assert!(described().contains("  broker.server=DEBUG "));
    assert_eq!(told(&broker), 0, "a client's mistake is no news");
    offend(&broker);
    wait::until_true("the client's mistake", LIMIT, || told(&broker) == 1);
    configs("--alter --delete-config broker.server").ok();
    assert!(described().contains("  broker.server=INFO "));
    offend(&broker);
    assert_eq!(told(&broker), 1);
    for (refused, why) in [
        ("--alter --add-config no.such=DEBUG", "Invalid broker logger(s): no.such"),
        ("--alter --add-config root=debug", "Cannot set the log level of root to debug as it is not a supported"),
        ("--alter --delete-config root", "Removing the log level of the root logger is not allowed"),
    ] {
        let answer = configs(refused).everything();
        assert!(answer.contains(why), "{answer}");
    }
}

#[test]
fn people_get_plain_lines_where_they_ask_for_them() {
    let run = |format: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(workspace::ottla());
        command.env("OTTLA_LOG_FORMAT", format).stdin(Stdio::null());
        // A directory that is a file: it logs, and ends.
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        command.args(["--override", &format!("log.dirs={}", file.display()), "--override", "no.such.key=1"]);
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let human = run("human");
    assert!(human.contains("WARN unknown configuration key no.such.key is ignored"), "{human}");
    let json = run("json");
    assert!(json.contains("\"message\":\"unknown configuration key no.such.key is ignored"), "{json}");
    let refused = run("xml");
    assert!(refused.contains("Invalid value xml for OTTLA_LOG_FORMAT: must be one of human, json"), "{refused}");
}
