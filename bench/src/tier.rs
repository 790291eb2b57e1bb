//! `bench tier`: what a consumer of the cold tier gets, and what producers feel of it.
//!
//! A topic is filled and moves to a directory. One consumer drains the remote part, then four at once, against a plain read of the same
//! files in the same run. Producers at a fixed rate are measured twice: alone, and while a consumer drains.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::broker::{Broker, Ottla, pause};
use crate::client::Client;
use crate::generator::{self, Outcome, Pace};
use crate::process;
use crate::request::{Fetch, Template};
use crate::workload::{self, Case, produce_templates};

const FETCH_MAX_BYTES: i32 = 1 << 20;
const SEGMENT_BYTES: u64 = 64 << 20;
const CONSUMERS: [usize; 2] = [1, 4];
/// The longest that anything may take.
const LIMIT: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Bytes that are moved and drained, in 10^9.
    #[arg(long, default_value_t = 5.0)]
    gigabytes: f64,
    /// How long producers are measured alone, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Requests of the producers a second, over four connections.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
}

/// A broker whose cold tier holds a topic.
struct Tier {
    ottla: Ottla,
    store: tempfile::TempDir,
    topic: String,
    /// Where the remote part ends (exclusive).
    remote_end: i64,
    /// Bytes of its segments.
    bytes: u64,
}

/// Fills a tiered topic and prints the figures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = Ottla::build()?;
    let tier = Tier::fill(&binary, options)?;
    println!("{:.2} GB of {} are remote\n", tier.bytes as f64 / 1e9, tier.topic);
    println!(
        "| consumers | MB/s | plain reads MB/s | ratio | CPU-s/GB of the broker |\n| --- | --- | --- | --- | --- |"
    );
    for consumers in CONSUMERS {
        let plain = tier.read_plainly(consumers)?;
        let before = process::cpu_time(tier.ottla.pid())?;
        let drained = tier.drain(consumers)?;
        let cpu = process::cpu_time(tier.ottla.pid())? - before;
        let rate = drained.bytes as f64 / 1e6 / drained.elapsed.as_secs_f64();
        let per_gb = cpu.as_secs_f64() * 1e9 / drained.bytes as f64;
        println!("| {consumers} | {rate:.0} | {plain:.0} | {:.2} | {per_gb:.2} |", rate / plain);
    }
    tier.print_producers(options)
}

impl Tier {
    fn fill(binary: &Path, options: &Options) -> Result<Self> {
        let store = tempfile::tempdir()?;
        let properties = format!(
            "remote.log.storage.system.enable=true\nottla.remote.storage.url=file://{}\n\
             remote.log.manager.task.interval.ms=500\nlog.retention.check.interval.ms=500\n",
            store.path().display()
        );
        let ottla = Ottla::start_with(binary, &properties)?;
        let topic = "cold".to_owned();
        let mut client = Client::connect(ottla.address())?;
        let configs = [
            ("remote.storage.enable".to_owned(), "true".to_owned()),
            ("segment.bytes".to_owned(), SEGMENT_BYTES.to_string()),
            ("local.retention.ms".to_owned(), "1000".to_owned()),
        ];
        client.create_topic(&topic, 1, &configs)?;
        let case = Case { connections: 1, partitions: 1, ..workload::find("produce-1m")?.clone() };
        let max_bytes = (options.gigabytes * 1e9) as u64;
        let pace = Pace { in_flight: 2, rate: None, duration: LIMIT, max_bytes };
        generator::run(ottla.address(), produce_templates(&case, &topic)?, pace)?;
        let remote_end = await_remote(&mut client, &topic)?;
        let bytes = segments(store.path())?.iter().map(|(_, size)| size).sum();
        Ok(Self { ottla, store, topic, remote_end, bytes })
    }

    /// MB/s of so many readers, each of every segment's file, one after the other.
    fn read_plainly(&self, readers: usize) -> Result<f64> {
        let files = segments(self.store.path())?;
        let started = Instant::now();
        let read = std::thread::scope(|scope| -> Result<u64> {
            let reader = || files.iter().try_fold(0, |sum, (path, _)| Ok(sum + std::fs::read(path)?.len() as u64));
            let threads: Vec<_> = (0..readers).map(|_| scope.spawn(reader)).collect();
            let read: Vec<std::io::Result<u64>> =
                threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(0))).collect();
            Ok(read.into_iter().sum::<std::io::Result<u64>>()?)
        })?;
        Ok(read as f64 / 1e6 / started.elapsed().as_secs_f64())
    }

    /// Everything remote, by each consumer.
    fn drain(&self, consumers: usize) -> Result<Outcome> {
        let fetch = |_| Ok(Template::Fetch(Fetch::new(&self.topic, 0, self.remote_end, FETCH_MAX_BYTES)?.patient()));
        let templates = (0..consumers).map(fetch).collect::<Result<_>>()?;
        let max_bytes = self.bytes * consumers as u64;
        generator::run(self.ottla.address(), templates, Pace { in_flight: 1, rate: None, duration: LIMIT, max_bytes })
    }

    fn print_producers(&self, options: &Options) -> Result<()> {
        let case = workload::find("produce-1")?;
        Client::connect(self.ottla.address())?.create_topic("tail", case.partitions, &[])?;
        let produce = |duration| produce_at(self.ottla.address(), case, options.rate, duration);
        let alone = produce(Duration::from_secs(options.seconds))?;
        let beside = std::thread::scope(|scope| -> Result<Outcome> {
            let drain = scope.spawn(|| self.drain(1));
            let mut beside = produce(Duration::from_secs(1))?;
            while !drain.is_finished() {
                let more = produce(Duration::from_secs(1))?;
                beside.latency.add(&more.latency)?;
            }
            drain.join().map_err(|_| anyhow::anyhow!("the consumer failed"))??;
            Ok(beside)
        })?;
        println!(
            "\n| producers at {} a second | p50 ms | p99 ms | p99.9 ms |\n| --- | --- | --- | --- |",
            options.rate
        );
        let quantiles = [0.5, 0.99, 0.999];
        let of = |outcome: &Outcome| quantiles.map(|it| outcome.latency.value_at_quantile(it) as f64 / 1e3);
        let (alone, beside) = (of(&alone), of(&beside));
        for (name, [p50, p99, p999]) in [("alone", alone), ("while a consumer drains", beside)] {
            println!("| {name} | {p50:.2} | {p99:.2} | {p999:.2} |");
        }
        println!("| ratio | {:.2} | {:.2} | {:.2} |", beside[0] / alone[0], beside[1] / alone[1], beside[2] / alone[2]);
        Ok(())
    }
}

fn produce_at(address: SocketAddr, case: &Case, rate: u64, duration: Duration) -> Result<Outcome> {
    let pace = Pace { in_flight: case.in_flight, rate: Some(rate), duration, max_bytes: u64::MAX };
    generator::run(address, produce_templates(case, "tail")?, pace)
}

/// Waits until at most two segments are local, and returns where the remote part ends (exclusive).
fn await_remote(client: &mut Client, topic: &str) -> Result<i64> {
    const EARLIEST_LOCAL: i64 = -4;
    let end = client.latest_offset(topic, 0)?;
    // A record has more than a kilobyte.
    let most_local = i64::try_from(SEGMENT_BYTES / 512)?;
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let local = client.offset(topic, 0, EARLIEST_LOCAL)?;
        if local > 0 && end - local < most_local {
            return Ok(local);
        }
        pause(Duration::from_millis(200));
    }
    bail!("the segments are still local after {LIMIT:?}")
}

/// The segments' files below `folder`, with their sizes.
fn segments(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
            if metadata.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                found.push((path, metadata.len()));
            }
        }
    }
    ensure!(!found.is_empty(), "nothing is remote");
    found.sort();
    Ok(found)
}
