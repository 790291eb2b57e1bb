//! What a start costs when one partition has many remote segments.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::store::{Kind, Store};
use super::{COLD, await_remote, start};
use crate::broker::{Broker, Ottla, pause};
use crate::client::Client;
use crate::generator::{self, Pace};
use crate::process;
use crate::request::batch;
use crate::workload::{self, Case, produce_templates};

/// A batch of one record of 100 bytes has more than a half of that, so that each has a segment of its own.
const SEGMENT_BYTES: u64 = 200;
/// Of starts.
const ROUNDS: usize = 3;
const EARLIEST: i64 = -2;
/// Until a broker has put away what the start needed.
const REST: Duration = Duration::from_secs(5);

/// Starts a broker without remote segments, and then with so many.
pub(super) fn run(binary: &Path, kind: Kind, segments: u64) -> Result<()> {
    let store = Store::start(kind)?;
    let mut ottla = start(binary, &store)?;
    let mut client = Client::connect(ottla.address())?;
    let configs =
        [("remote.storage.enable", "true"), ("segment.bytes", &SEGMENT_BYTES.to_string()), ("local.retention.ms", "1")];
    client.create_topic(COLD, 1, &configs.map(|(key, value)| (key.to_owned(), value.to_owned())))?;
    println!("| remote segments | ready after | resident |\n| --- | --- | --- |");
    print_starts(&mut ottla, 0)?;
    let case = Case { connections: 1, partitions: 1, in_flight: 1, ..workload::find("produce-1")?.clone() };
    let batch_bytes = batch(case.records, case.value_size, 0).len() as u64;
    let pace = Pace { in_flight: 1, rate: None, duration: super::LIMIT, max_bytes: (segments + 1) * batch_bytes };
    generator::run(ottla.address(), produce_templates(&case, COLD)?, pace)?;
    let remote = await_remote(&mut Client::connect(ottla.address())?, COLD, 2)?;
    print_starts(&mut ottla, remote)
}

/// A row for each of several starts.
fn print_starts(ottla: &mut Ottla, segments: i64) -> Result<()> {
    for _ in 0..ROUNDS {
        ottla.restart()?;
        let start = Client::connect(ottla.address())?.offset(COLD, 0, EARLIEST)?;
        ensure!(start == 0, "the log begins at {start}");
        pause(REST);
        let resident = process::resident_bytes(ottla.pid())? as f64 / f64::from(1 << 20);
        println!("| {segments} | {:.0} ms | {resident:.1} MiB |", ottla.start_time().as_secs_f64() * 1e3);
    }
    Ok(())
}
