//! `bench groups`: what groups cost a broker while nothing happens, and how long a rebalance takes.
//!
//! Each member has a connection of its own, as real consumers do. A rebalance is measured from the first request until every member
//! has its assignment. Heartbeats then come at the rate at which such members send them.

mod classic;
mod consumer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::messages::{FindCoordinatorRequest, GroupId, HeartbeatRequest};

use crate::broker::{Broker, Kafka, Ottla, pause};
use crate::client::{Client, text};
use crate::generator::{self, Outcome, Pace};
use crate::process;
use crate::request::{HEARTBEAT_VERSION, Heartbeats, Template};
use classic::ClassicMembers;
use consumer::ConsumerMembers;

const FIND_COORDINATOR_VERSION: i16 = 2;
/// Connections that carry the heartbeats of all members.
const HEARTBEAT_CONNECTIONS: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rebalances of each shape; the median is shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long heartbeats are sent, in seconds.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Which protocol members speak; both by default.
    #[arg(long)]
    protocol: Option<GroupProtocol>,
}

/// The protocol that members speak.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GroupProtocol {
    /// JoinGroup and SyncGroup; members assign.
    Classic,
    /// KIP-848: heartbeats; the broker assigns.
    Consumer,
}

impl GroupProtocol {
    const ALL: [Self; 2] = [Self::Classic, Self::Consumer];

    fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }

    /// Kafka's default heartbeat.interval.ms and group.consumer.heartbeat.interval.ms, in seconds.
    fn heartbeat_interval_s(self) -> u64 {
        match self {
            Self::Classic => 3,
            Self::Consumer => 5,
        }
    }

    fn connect(self, address: SocketAddr, shape: Shape) -> Result<Box<dyn Members>> {
        Ok(match self {
            Self::Classic => Box::new(ClassicMembers::connect(address, shape)?),
            Self::Consumer => Box::new(ConsumerMembers::connect(address, shape)?),
        })
    }
}

/// All members of all groups.
trait Members {
    /// Every group gets a new assignment.
    fn rebalance(&mut self) -> Result<Duration>;
    /// A heartbeat of each member, encoded.
    fn heartbeats(&self) -> Result<Vec<Bytes>>;
}

/// How many groups of how many members.
#[derive(Clone, Copy)]
struct Shape {
    groups: usize,
    members: usize,
}

const SHAPES: [Shape; 2] = [Shape { groups: 1_000, members: 10 }, Shape { groups: 1, members: 1_000 }];

/// What one broker needed for one shape.
struct Figures {
    join: Duration,
    rebalance: Duration,
    rebalance_cpu: Duration,
    heartbeats: Outcome,
    heartbeat_cpu: Duration,
    resident_bytes: u64,
}

/// Runs every shape against both brokers, each started anew, and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    raise_open_file_limit()?;
    let binary = Ottla::build()?;
    println!(
        "| groups × members | protocol | broker | first join ms | rebalance ms | CPU ms | heartbeats/s | CPU µs each | p99 ms | RSS MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let protocols = GroupProtocol::ALL.into_iter().filter(|one| options.protocol.is_none_or(|wanted| wanted == *one));
    for (protocol, shape) in protocols.flat_map(|protocol| SHAPES.map(|shape| (protocol, shape))) {
        // Both before the first load: its thousands of connections take ports that the second could want.
        let (kafka, ottla) = (Kafka::start()?, Ottla::start(&binary)?);
        for broker in [&ottla as &dyn Broker, &kafka] {
            println!("{}", row(shape, protocol, broker.name(), &measure(broker, shape, protocol, options)?));
        }
    }
    Ok(())
}

fn row(shape: Shape, protocol: GroupProtocol, broker: &str, figures: &Figures) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let heartbeats = &figures.heartbeats;
    format!(
        "| {} × {} | {} | {broker} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} | {:.0} |",
        shape.groups,
        shape.members,
        protocol.name(),
        ms(figures.join),
        ms(figures.rebalance),
        ms(figures.rebalance_cpu),
        heartbeats.requests as f64 / heartbeats.elapsed.as_secs_f64(),
        figures.heartbeat_cpu.as_secs_f64() * 1e6 / heartbeats.requests.max(1) as f64,
        heartbeats.latency.value_at_quantile(0.99) as f64 / 1e3,
        figures.resident_bytes as f64 / 1_048_576.0,
    )
}

fn measure(broker: &dyn Broker, shape: Shape, protocol: GroupProtocol, options: &Options) -> Result<Figures> {
    await_coordinator(broker.address())?;
    let mut members = protocol.connect(broker.address(), shape)?;
    let join = members.rebalance()?;
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let before = process::cpu_time(broker.pid())?;
        let rebalance = members.rebalance()?;
        rounds.push((rebalance, process::cpu_time(broker.pid())? - before));
    }
    rounds.sort_unstable();
    let (rebalance, rebalance_cpu) = rounds[rounds.len() / 2];
    let count = u64::try_from(shape.groups * shape.members)?;
    let pace = Pace {
        in_flight: 1,
        rate: Some(count / protocol.heartbeat_interval_s()),
        duration: Duration::from_secs(options.seconds),
        max_bytes: u64::MAX,
    };
    let templates = templates(&members.heartbeats()?, protocol);
    let before = process::cpu_time(broker.pid())?;
    let heartbeats = generator::run(broker.address(), templates, pace)?;
    Ok(Figures {
        join,
        rebalance,
        rebalance_cpu,
        heartbeats,
        heartbeat_cpu: process::cpu_time(broker.pid())? - before,
        resident_bytes: process::resident_bytes(broker.pid())?,
    })
}

/// Heartbeats of all members in turn, over a few connections.
fn templates(frames: &[Bytes], protocol: GroupProtocol) -> Vec<Template> {
    let of = |connection: usize| -> Vec<Bytes> {
        frames.iter().skip(connection).step_by(HEARTBEAT_CONNECTIONS).cloned().collect()
    };
    let heartbeats = |connection| match protocol {
        GroupProtocol::Classic => Heartbeats::classic(of(connection)),
        GroupProtocol::Consumer => Heartbeats::consumer(of(connection)),
    };
    (0..HEARTBEAT_CONNECTIONS).map(|connection| Template::Heartbeat(heartbeats(connection))).collect()
}

/// The first question makes the topic of the groups; asks until its partitions are served.
fn await_coordinator(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    for group in 0..200 {
        let group = format!("warm-{group}");
        loop {
            let request = FindCoordinatorRequest::default().with_key(text(&group));
            let found = client.send(&request, FIND_COORDINATOR_VERSION)?.error_code;
            let heartbeat = HeartbeatRequest::default().with_group_id(GroupId(text(&group)));
            // A stranger's heartbeat is refused as soon as somebody coordinates the group.
            let code = client.send(&heartbeat, HEARTBEAT_VERSION)?.error_code;
            if found == 0 && code == 25 {
                break;
            }
            ensure!(Instant::now() < deadline, "no coordinator: error {found}, {code}");
            pause(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// A connection for each member; the brokers inherit the limit.
fn raise_open_file_limit() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}
