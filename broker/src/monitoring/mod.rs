//! Metrics and health on a port of their own: a minimal HTTP/1.1 server, bounded in everything that a stranger can ask of it.
//!
//! ```text
//! /metrics    Prometheus' text format
//! /livez      200 while the process turns
//! /startupz   200 when every log is whole; before that 503 with how many are
//! /tier       JSON: what is remote of each partition, what waits to be copied, and why
//! /readyz     200 while clients are served, every partition's log is there and led ones have replicas enough; else 503 with the reason
//! ```
//! After a crash liveness stays green: whoever restarted a broker that is busy recovering would let it begin anew.

mod health;
mod http;
mod tier;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::BrokerConfig;
use crate::metrics;
use crate::services::Services;
use crate::tasks::{Tasks, stopped};
use http::{Head, Request, Response};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 32;
/// A connection that takes longer for its one request is closed.
const DEADLINE: Duration = Duration::from_secs(5);

/// The bound listener.
pub struct Monitoring {
    socket: TcpListener,
    address: SocketAddr,
}

/// Binds the listener that the settings name; `None` if they name none. Where the setting is left at its default, an address that
/// is taken is no reason not to start: another broker on this machine has it.
///
/// # Errors
/// An address that was asked for and cannot be had.
pub async fn bind(settings: &BrokerConfig) -> io::Result<Option<Monitoring>> {
    let Some(address) = &settings.metrics_listener.address else { return Ok(None) };
    let bound = match TcpListener::bind(address).await {
        Ok(socket) => socket.local_addr().map(|address| Monitoring { socket, address }),
        Err(error) => Err(error),
    };
    match bound {
        Ok(monitoring) => Ok(Some(monitoring)),
        Err(error) if settings.metrics_listener.is_default => {
            tracing::warn!(%address, %error, "no metrics and health: the address cannot be had");
            Ok(None)
        }
        Err(error) => {
            Err(io::Error::new(error.kind(), format!("The metrics listener failed to bind to {address}: {error}")))
        }
    }
}

/// Serves until the tasks stop.
pub fn spawn(tasks: &mut Tasks, monitoring: Monitoring, services: &Arc<Services>) {
    let services = Arc::clone(services);
    let mut stop = tasks.stop_signal();
    tracing::info!("Metrics and health on http://{}/metrics", monitoring.address);
    tasks.spawn("monitoring", async move {
        tokio::select! {
            () = monitoring.accept(&services) => {}
            () = stopped(&mut stop) => {}
        }
    });
}

impl Monitoring {
    /// Connections end with this future.
    async fn accept(self, services: &Arc<Services>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let services = Arc::clone(services);
                    connections.spawn(async move {
                        match tokio::time::timeout(DEADLINE, answer(stream, &services)).await {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => tracing::debug!(%peer, %error, "a monitoring connection was lost"),
                            Err(_) => tracing::debug!(%peer, "a monitoring connection was too slow"),
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a monitoring connection");
                    // Out of descriptors: accepting again at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Reads one request, answers it and closes.
async fn answer(mut stream: TcpStream, services: &Arc<Services>) -> io::Result<()> {
    let response = match read_head(&mut stream).await? {
        Some(Ok(request)) => respond(&request, services).await,
        Some(Err(refusal)) => refusal,
        None => return Ok(()),
    };
    stream.write_all(&response.head()).await?;
    stream.write_all(response.body()).await?;
    stream.shutdown().await
}

/// `None` if the peer closes before there is a whole head.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Result<Request, Response>>> {
    let mut input = Vec::new();
    loop {
        match http::parse(&input) {
            Head::Whole(request) => return Ok(Some(Ok(request))),
            Head::Refused(response) => return Ok(Some(Err(response))),
            Head::Unfinished => {}
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            count => input.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn respond(request: &Request, services: &Arc<Services>) -> Response {
    let response = match request.path.as_str() {
        "/metrics" => {
            let runtime = tokio::runtime::Handle::current().metrics();
            aside(services, move |services| Response::metrics(metrics::scrape(services, &runtime))).await
        }
        "/livez" => Response::text(200, "ok\n"),
        "/startupz" => health::startup(services),
        "/readyz" => aside(services, health::readiness).await,
        "/tier" => aside(services, tier::report).await,
        _ => Response::text(404, "/metrics /livez /startupz /readyz /tier\n"),
    };
    if request.head_only { response.without_body() } else { response }
}

/// Off the runtime's workers: there may be thousands of partitions.
async fn aside(services: &Arc<Services>, look: impl FnOnce(&Services) -> Response + Send + 'static) -> Response {
    let services = Arc::clone(services);
    match tokio::task::spawn_blocking(move || look(&services)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a look at the broker failed");
            Response::text(500, "the broker cannot tell\n")
        }
    }
}
