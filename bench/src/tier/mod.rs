//! `bench tier`: what a consumer of the cold tier gets, and what producers feel of it.
//!
//! A topic is filled and moves to a store: a directory, or MinIO. One consumer drains the remote part, then four at once, against the plain
//! client of the same store and against the broker's local log in the same run. Producers at a fixed rate are measured alone, while a
//! consumer drains (one that competes with them for this machine's cores, and one that gives way), while the plain client reads the
//! same and the broker has no part in it, and while a store on this machine gives way.

mod many;
mod plain;
mod store;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::broker::{Broker, Ottla, pause};
use crate::client::Client;
use crate::generator::{self, Outcome, Pace};
use crate::process;
use crate::request::{Fetch, Template};
use crate::workload::{self, Case, produce_templates};
use plain::{Plain, Way};
use store::{Kind, LOWEST, Store};

const FETCH_MAX_BYTES: i32 = 1 << 20;
const SEGMENT_BYTES: u64 = 64 << 20;
const CONSUMERS: [usize; 2] = [1, 4];
/// The topic that moves, and one that stays.
const COLD: &str = "cold";
const LOCAL: &str = "local";
/// Bytes of the local one, which is read again and again.
const LOCAL_BYTES: u64 = 1_000_000_000;
/// The longest that anything may take.
const LIMIT: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the topic moves to.
    #[arg(long, value_enum, default_value_t = Kind::Directory)]
    store: Kind,
    /// Bytes that are moved and drained, in 10^9.
    #[arg(long, default_value_t = 5.0)]
    gigabytes: f64,
    /// How long producers are measured alone, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Requests of the producers a second, over four connections.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Measures what a start costs with so many remote segments of one partition, and nothing else.
    #[arg(long)]
    segments: Option<u64>,
}

/// A broker whose cold tier holds a topic.
struct Tier {
    ottla: Ottla,
    plain: Plain,
    /// Where the remote part ends (exclusive).
    remote_end: i64,
    /// Where the local topic ends (exclusive).
    local_end: i64,
    /// After the broker, which is stopped first.
    store: Store,
}

/// Fills a tiered topic and prints the figures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = Ottla::build()?;
    if let Some(segments) = options.segments {
        return many::run(&binary, options.store, segments);
    }
    let tier = Tier::fill(&binary, options)?;
    println!("{:.2} GB are remote\n", tier.plain.bytes() as f64 / 1e9);
    println!(
        "| consumers | MB/s | plain client, whole objects | ratio | plain client, 4 ranges at once | ratio | local log | ratio | CPU-s/GB of the broker |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for consumers in CONSUMERS {
        tier.print_consumers(consumers)?;
    }
    tier.print_producers(options)
}

impl Tier {
    fn fill(binary: &Path, options: &Options) -> Result<Self> {
        let store = Store::start(options.store)?;
        let ottla = start(binary, &store)?;
        let mut client = Client::connect(ottla.address())?;
        let configs = [
            ("remote.storage.enable".to_owned(), "true".to_owned()),
            ("segment.bytes".to_owned(), SEGMENT_BYTES.to_string()),
            ("local.retention.ms".to_owned(), "1000".to_owned()),
        ];
        client.create_topic(COLD, 1, &configs)?;
        client.create_topic(LOCAL, 1, &[])?;
        fill(ottla.address(), COLD, (options.gigabytes * 1e9) as u64)?;
        fill(ottla.address(), LOCAL, LOCAL_BYTES)?;
        // A record has more than a kilobyte.
        let most_local = i64::try_from(SEGMENT_BYTES / 512)?;
        let (remote_end, local_end) = (await_remote(&mut client, COLD, most_local)?, client.latest_offset(LOCAL, 0)?);
        let plain = Plain::new(store.client()?)?;
        Ok(Self { ottla, plain, remote_end, local_end, store })
    }

    /// Prints what so many consumers get.
    fn print_consumers(&self, consumers: usize) -> Result<()> {
        let whole = self.plain.read(consumers, Way::Whole)?;
        let ranges = self.plain.read(consumers, Way::Ranges)?;
        let before = process::cpu_time(self.ottla.pid())?;
        let drained = self.drain(COLD, self.remote_end, consumers)?;
        let cpu = process::cpu_time(self.ottla.pid())? - before;
        let local = rate(&self.drain(LOCAL, self.local_end, consumers)?);
        let ours = rate(&drained);
        let of = |other: f64| format!("{other:.0} | {:.2}", ours / other);
        let per_gb = cpu.as_secs_f64() * 1e9 / drained.bytes as f64;
        println!("| {consumers} | {ours:.0} | {} | {} | {} | {per_gb:.2} |", of(whole), of(ranges), of(local));
        Ok(())
    }

    /// As much as is remote, by each consumer, of a topic up to `end_offset` (exclusive) and then from its start again.
    fn drain(&self, topic: &str, end_offset: i64, consumers: usize) -> Result<Outcome> {
        let fetch = |_| Ok(Template::Fetch(Fetch::new(topic, 0, end_offset, FETCH_MAX_BYTES)?.patient()));
        let templates = (0..consumers).map(fetch).collect::<Result<_>>()?;
        let max_bytes = self.plain.bytes() * consumers as u64;
        generator::run(self.ottla.address(), templates, Pace { in_flight: 1, rate: None, duration: LIMIT, max_bytes })
    }

    fn print_producers(&self, options: &Options) -> Result<()> {
        let case = workload::find("produce-1")?;
        Client::connect(self.ottla.address())?.create_topic("tail", case.partitions, &[])?;
        let produce = |duration| produce_at(self.ottla.address(), case, options.rate, duration);
        let alone = quantiles(&produce(Duration::from_secs(options.seconds))?);
        let beside = |priority: i32, read: &(dyn Fn() -> Result<()> + Sync)| -> Result<Row> {
            std::thread::scope(|scope| {
                let reader = scope.spawn(move || {
                    // Of this thread alone.
                    rustix::process::nice(priority)?;
                    read()
                });
                let mut beside = produce(Duration::from_secs(1))?;
                while !reader.is_finished() {
                    let more = produce(Duration::from_secs(1))?;
                    beside.latency.add(&more.latency)?;
                }
                reader.join().map_err(|_| anyhow::anyhow!("the reader failed"))??;
                Ok(quantiles(&beside))
            })
        };
        println!(
            "\n| producers at {} a second | p50 ms | p99 ms | p99.9 ms | p99, ratio |\n| --- | --- | --- | --- | --- |",
            options.rate
        );
        let print = |name: &str, [p50, p99, p999]: Row| {
            println!("| {name} | {p50:.2} | {p99:.2} | {p999:.2} | {:.2} |", p99 / alone[1]);
        };
        print("alone", alone);
        let drain = || self.drain(COLD, self.remote_end, 1).map(|_| ());
        print("while a consumer drains", beside(0, &drain)?);
        print("while a consumer of the lowest priority drains", beside(LOWEST, &drain)?);
        let read = || self.plain.read(1, Way::Ranges).map(|_| ());
        print("while the plain client reads the same, 4 ranges at once", beside(0, &read)?);
        if self.store.give_way()? {
            print("while a consumer drains, and the store gives way", beside(0, &drain)?);
        }
        Ok(())
    }
}

/// p50, p99 and p99.9 in ms.
type Row = [f64; 3];

fn quantiles(outcome: &Outcome) -> Row {
    [0.5, 0.99, 0.999].map(|quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e3)
}

/// MB/s.
fn rate(outcome: &Outcome) -> f64 {
    outcome.bytes as f64 / 1e6 / outcome.elapsed.as_secs_f64()
}

fn produce_at(address: SocketAddr, case: &Case, rate: u64, duration: Duration) -> Result<Outcome> {
    let pace = Pace { in_flight: case.in_flight, rate: Some(rate), duration, max_bytes: u64::MAX };
    generator::run(address, produce_templates(case, "tail")?, pace)
}

/// A broker whose cold tier is in `store`.
fn start(binary: &Path, store: &Store) -> Result<Ottla> {
    let properties = format!(
        "remote.log.storage.system.enable=true\nottla.remote.storage.url={}\n\
         remote.log.manager.task.interval.ms=500\nlog.retention.check.interval.ms=500\n",
        store.url()
    );
    Ottla::start_with(binary, &properties, &store.environment())
}

fn fill(address: SocketAddr, topic: &str, max_bytes: u64) -> Result<()> {
    let case = Case { connections: 1, partitions: 1, ..workload::find("produce-1m")?.clone() };
    let pace = Pace { in_flight: 2, rate: None, duration: LIMIT, max_bytes };
    generator::run(address, produce_templates(&case, topic)?, pace).map(|_| ())
}

/// Waits until fewer than `most_local` offsets are local, and returns where the remote part ends (exclusive).
fn await_remote(client: &mut Client, topic: &str, most_local: i64) -> Result<i64> {
    const EARLIEST_LOCAL: i64 = -4;
    let end = client.latest_offset(topic, 0)?;
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
