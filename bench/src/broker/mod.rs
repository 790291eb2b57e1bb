//! A broker under test: started from nothing, measured by its process id, stopped at the end.

mod kafka;
mod ottla;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub(crate) use kafka::Kafka;
pub(crate) use ottla::Ottla;

use crate::client::Client;
use crate::workload::Durability;

/// What the comparison needs of a broker.
pub(crate) trait Broker {
    fn name(&self) -> &'static str;
    fn address(&self) -> SocketAddr;
    fn pid(&self) -> u32;
    /// From exec to the first answer, on an empty and formatted folder.
    fn start_time(&self) -> Duration;
    /// Topic configuration that puts this broker into `durability`.
    fn topic_configs(&self, durability: Durability) -> Vec<(String, String)>;
}

/// Below the ports that the kernel gives to outgoing connections, any of which it may give away before a broker listens.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that is free now, and the next one too: Kafka's controller takes that.
pub(crate) fn free_ports() -> Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    // Where to begin differs from bench to bench.
    let first = PORTS.start + u16::try_from(std::process::id() % u32::from(PORTS.end - PORTS.start))?;
    let mut ports = (first..PORTS.end).chain(PORTS.start..first).step_by(2);
    ports.find(|port| is_free(port) && is_free(&(port + 1))).context("no two ports are free")
}

/// Waits until the broker answers ApiVersions; the time since `started`.
fn await_answer(address: SocketAddr, started: Instant, limit: Duration) -> Result<Duration> {
    while started.elapsed() < limit {
        if Client::answers(address) {
            return Ok(started.elapsed());
        }
        pause(Duration::from_millis(1));
    }
    bail!("no answer from {address} after {limit:?}")
}

#[allow(clippy::disallowed_methods, reason = "polling another process: there is nothing to wait on")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
