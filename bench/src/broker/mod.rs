//! A broker under test: started from nothing, measured by its process id, stopped at the end.

mod kafka;
mod ottla;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

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

/// A port that is free now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
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
