//! The cases: what is sent, by how many connections, how many at a time.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::client::Client;
use crate::generator::{self, Outcome, Pace};
use crate::process;
use crate::request::{Fetch, Produce, Template, batch};

/// Which limit of the class a case is for, and so which topic configuration each broker gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Answered from the page cache, Kafka's default.
    Replicated,
    /// Answered after fdatasync: Kafka's `flush.messages=1`.
    Durable,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Produce,
    Fetch,
}

/// One row of the table.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) direction: Direction,
    pub(crate) durability: Durability,
    pub(crate) records: u32,
    pub(crate) value_size: usize,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) partitions: i32,
    /// Requests a second; `None` is a closed loop.
    pub(crate) rate: Option<u64>,
}

const SMALL: Case = Case {
    name: "produce-1",
    text: "one 100-byte record a batch, 4 connections × 5 in flight",
    direction: Direction::Produce,
    durability: Durability::Replicated,
    records: 1,
    value_size: 100,
    connections: 4,
    in_flight: 5,
    partitions: 4,
    rate: None,
};

pub(crate) const CASES: &[Case] = &[
    SMALL,
    Case {
        name: "produce-1-deep",
        text: "one 100-byte record a batch, 4 connections × 32 in flight",
        in_flight: 32,
        ..SMALL
    },
    Case { name: "produce-11k", text: "100 records of 100 bytes (11 KB), 4 × 5", records: 100, ..SMALL },
    Case { name: "produce-1m", text: "1000 records of 1 KB (1 MiB), 4 × 5", records: 1000, value_size: 1024, ..SMALL },
    Case {
        name: "fetch-1m",
        text: "warm fetches of 1 MiB from a log of 11 KB batches, one connection",
        direction: Direction::Fetch,
        records: 100,
        connections: 1,
        in_flight: 1,
        partitions: 1,
        ..SMALL
    },
    Case {
        name: "durable-1",
        text: "one record a batch, flushed before the answer, 4 × 5",
        durability: Durability::Durable,
        ..SMALL
    },
    Case {
        name: "durable-1-deep",
        text: "one record a batch, flushed before the answer, 4 × 32",
        durability: Durability::Durable,
        in_flight: 32,
        ..SMALL
    },
    Case {
        name: "open-1",
        text: "one record a batch at 9,000 requests a second, 8 connections, from the due time",
        connections: 8,
        rate: Some(9_000),
        ..SMALL
    },
];

/// Bytes of one answer in a fetch case.
const FETCH_MAX_BYTES: i32 = 1024 * 1024;
/// What a fetch case writes first, and the most that any run writes.
const FETCH_LOG_BYTES: u64 = 1_200_000_000;
const MAX_RUN_BYTES: u64 = 4_000_000_000;

/// What a run did and what it cost the broker.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    /// CPU time of the broker during the run; zero if its process is not known.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

pub(crate) fn find(name: &str) -> Result<&'static Case> {
    CASES.iter().find(|case| case.name == name).with_context(|| format!("no case {name}: `bench cases` lists them"))
}

/// Parses KEY=VALUE.
pub(crate) fn key_value(argument: &str) -> Result<(String, String)> {
    let (key, value) = argument.split_once('=').context("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs `case` on a topic of its own, which is deleted afterwards.
pub(crate) fn run(
    address: SocketAddr,
    pid: Option<u32>,
    case: &Case,
    configs: &[(String, String)],
    duration: Duration,
) -> Result<Run> {
    let topic = format!("bench-{}-{}", case.name, now_ms());
    let mut client = Client::connect(address)?;
    client.create_topic(&topic, case.partitions, configs)?;
    let templates = match case.direction {
        Direction::Produce => produce_templates(case, &topic)?,
        Direction::Fetch => fetch_templates(address, &mut client, case, &topic)?,
    };
    let pace = Pace { in_flight: case.in_flight, rate: case.rate, duration, max_bytes: MAX_RUN_BYTES };
    let before = pid.map(process::cpu_time).transpose()?;
    let outcome = generator::run(address, templates, pace)?;
    let run = Run {
        cpu: match (pid, before) {
            (Some(pid), Some(before)) => process::cpu_time(pid)? - before,
            _ => Duration::ZERO,
        },
        resident_bytes: pid.map(process::resident_bytes).transpose()?.unwrap_or(0),
        outcome,
    };
    client.delete_topic(&topic)?;
    Ok(run)
}

/// One batch again and again for each connection.
pub(crate) fn produce_templates(case: &Case, topic: &str) -> Result<Vec<Template>> {
    let batch = batch(case.records, case.value_size, now_ms());
    (0..case.connections)
        .map(|connection| {
            let partition = i32::try_from(connection)? % case.partitions;
            let produce = Produce::new(topic, partition, batch.clone())?;
            Ok(Template::Produce(produce))
        })
        .collect()
}

/// Fills the log first, then reads it from its start, each connection the whole of it.
fn fetch_templates(address: SocketAddr, client: &mut Client, case: &Case, topic: &str) -> Result<Vec<Template>> {
    let fill = Pace { in_flight: 5, rate: None, duration: Duration::from_secs(60), max_bytes: FETCH_LOG_BYTES };
    generator::run(address, produce_templates(case, topic)?, fill)?;
    let end = client.latest_offset(topic, 0)?;
    (0..case.connections).map(|_| Ok(Template::Fetch(Fetch::new(topic, 0, end, FETCH_MAX_BYTES)?))).collect()
}

/// Milliseconds since the epoch: records dated in the past would be deleted by retention.
#[allow(clippy::disallowed_methods, reason = "the bench stands outside the broker and has the real clock only")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
