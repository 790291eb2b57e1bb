//! `bench groups`: what groups cost a broker while nothing happens, and how long a rebalance takes.
//!
//! Each member has a connection of its own, as real consumers do, and joins by the classic protocol. A rebalance is measured from the
//! first JoinGroup until every member has its assignment. Heartbeats then come at the rate at which such members send them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::StrBytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
};

use crate::broker::{Broker, Kafka, Ottla, pause};
use crate::client::{Client, encode, text};
use crate::generator::{self, Outcome, Pace};
use crate::process;
use crate::request::{HEARTBEAT_VERSION, Heartbeats, Template};

/// The last in which a new member needs no second request to get its id.
const JOIN_GROUP_VERSION: i16 = 3;
const SYNC_GROUP_VERSION: i16 = 2;
const FIND_COORDINATOR_VERSION: i16 = 2;
/// Nobody's session ends during a run.
const SESSION_MS: i32 = 1_800_000;
/// Kafka's default heartbeat.interval.ms.
const HEARTBEAT_INTERVAL_S: u64 = 3;
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
        "| groups × members | broker | first join ms | rebalance ms | CPU ms | heartbeats/s | CPU µs each | p99 ms | RSS MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for shape in SHAPES {
        // Both before the first load: its thousands of connections take ports that the second could want.
        let (kafka, ottla) = (Kafka::start()?, Ottla::start(&binary)?);
        for broker in [&ottla as &dyn Broker, &kafka] {
            println!("{}", row(shape, broker.name(), &measure(broker, shape, options)?));
        }
    }
    Ok(())
}

fn row(shape: Shape, broker: &str, figures: &Figures) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let heartbeats = &figures.heartbeats;
    format!(
        "| {} × {} | {broker} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} | {:.0} |",
        shape.groups,
        shape.members,
        ms(figures.join),
        ms(figures.rebalance),
        ms(figures.rebalance_cpu),
        heartbeats.requests as f64 / heartbeats.elapsed.as_secs_f64(),
        figures.heartbeat_cpu.as_secs_f64() * 1e6 / heartbeats.requests.max(1) as f64,
        heartbeats.latency.value_at_quantile(0.99) as f64 / 1e3,
        figures.resident_bytes as f64 / 1_048_576.0,
    )
}

fn measure(broker: &dyn Broker, shape: Shape, options: &Options) -> Result<Figures> {
    await_coordinator(broker.address())?;
    let mut members = Members::connect(broker.address(), shape)?;
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
        rate: Some(count / HEARTBEAT_INTERVAL_S),
        duration: Duration::from_secs(options.seconds),
        max_bytes: u64::MAX,
    };
    let templates = members.heartbeats()?;
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

struct Member {
    group: GroupId,
    client: Client,
    id: StrBytes,
    generation: i32,
    /// Who gets an assignment from this one, if it leads.
    led: Vec<StrBytes>,
}

/// All members of all groups.
struct Members {
    all: Vec<Member>,
    round: u32,
}

impl Members {
    fn connect(address: SocketAddr, shape: Shape) -> Result<Self> {
        let mut all = Vec::with_capacity(shape.groups * shape.members);
        for group in 0..shape.groups {
            for _ in 0..shape.members {
                let group = GroupId(text(&format!("group-{group}")));
                let client = Client::connect(address)?;
                all.push(Member { group, client, id: text(""), generation: -1, led: Vec::new() });
            }
        }
        Ok(Self { all, round: 0 })
    }

    /// Everybody joins with a new subscription, and gets an assignment.
    fn rebalance(&mut self) -> Result<Duration> {
        self.round += 1;
        let start = Instant::now();
        for member in &mut self.all {
            member.client.ask(&join(member.group.clone(), member.id.clone(), self.round), JOIN_GROUP_VERSION)?;
        }
        for member in &mut self.all {
            let joined = member.client.answer::<JoinGroupRequest>(JOIN_GROUP_VERSION)?;
            member.joined(&joined)?;
        }
        for member in &mut self.all {
            let sync = member.sync();
            member.client.ask(&sync, SYNC_GROUP_VERSION)?;
        }
        for member in &mut self.all {
            let synced = member.client.answer::<SyncGroupRequest>(SYNC_GROUP_VERSION)?;
            ensure!(synced.error_code == 0, "sync: error {}", synced.error_code);
            ensure!(!synced.assignment.is_empty(), "sync: no assignment");
        }
        Ok(start.elapsed())
    }

    /// Heartbeats of all members in turn, over a few connections.
    fn heartbeats(&self) -> Result<Vec<Template>> {
        let frame = |member: &Member| {
            let request = HeartbeatRequest::default()
                .with_group_id(member.group.clone())
                .with_generation_id(member.generation)
                .with_member_id(member.id.clone());
            encode(&request, HEARTBEAT_VERSION)
        };
        let frames: Vec<Bytes> = self.all.iter().map(frame).collect::<Result<_>>()?;
        let of = |connection| frames.iter().skip(connection).step_by(HEARTBEAT_CONNECTIONS).cloned().collect();
        Ok((0..HEARTBEAT_CONNECTIONS).map(|connection| Template::Heartbeat(Heartbeats::new(of(connection)))).collect())
    }
}

/// What a consumer of two topics sends; the round makes it a new subscription, so that the group has to rebalance.
fn join(group: GroupId, id: StrBytes, round: u32) -> JoinGroupRequest {
    let metadata =
        [&b"\0\x01\0\0\0\x02\0\x06orders\0\x08payments\0\0\0\x04"[..], &round.to_be_bytes(), &[0; 4]].concat();
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata.into());
    JoinGroupRequest::default()
        .with_group_id(group)
        .with_session_timeout_ms(SESSION_MS)
        .with_rebalance_timeout_ms(300_000)
        .with_member_id(id)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

impl Member {
    fn joined(&mut self, joined: &JoinGroupResponse) -> Result<()> {
        ensure!(joined.error_code == 0, "join: error {}", joined.error_code);
        self.id = joined.member_id.clone();
        self.generation = joined.generation_id;
        self.led = joined.members.iter().map(|member| member.member_id.clone()).collect();
        Ok(())
    }

    fn sync(&self) -> SyncGroupRequest {
        // Two topics of one partition each.
        let assignment = b"\0\x01\0\0\0\x02\0\x06orders\0\0\0\x01\0\0\0\0\0\x08payments\0\0\0\x01\0\0\0\0\0\0\0\0";
        let assign = |id: &StrBytes| {
            SyncGroupRequestAssignment::default()
                .with_member_id(id.clone())
                .with_assignment(Bytes::from_static(assignment))
        };
        SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.id.clone())
            .with_assignments(self.led.iter().map(assign).collect())
    }
}

/// A connection for each member; the brokers inherit the limit.
fn raise_open_file_limit() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}
