//! Listeners and their connections.

mod connection;
mod connection_limits;
mod connection_quotas;
mod output;
mod reader;
mod request_memory;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use protocol::frame::FrameLimits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use connection_limits::{ConnectionLimits, resolve};
pub use connection_quotas::ConnectionQuotas;
pub use output::Output;
pub use request_memory::RequestMemory;

use crate::handlers::Services;
use connection::Connection;
use connection_quotas::Admission;

/// What a connection may still take after the stop for the answers that it is owed.
const DRAIN: Duration = Duration::from_secs(5);

/// What all connections share.
pub struct ServerSettings {
    pub frames: FrameLimits,
    pub memory: RequestMemory,
    pub connections: Arc<ConnectionQuotas>,
    /// `connections.max.idle.ms`; a connection that is silent for so long is closed.
    pub idle: Option<Duration>,
    /// `socket.listen.backlog.size`.
    pub backlog: u32,
}

/// One bound listener.
pub struct Listener {
    /// Its name, by which brokers are advertised.
    pub name: Arc<str>,
    socket: TcpListener,
    address: SocketAddr,
    /// Connections that are open.
    open: Arc<AtomicUsize>,
}

/// What a connection begins with.
struct Begin<'a> {
    connections: &'a mut JoinSet<()>,
    settings: &'a Arc<ServerSettings>,
    services: &'a Arc<Services>,
}

/// Counts one connection while it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Whatever the system says, with the address.
    pub fn bind(name: &str, address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("Socket server failed to bind to {address}: {error}"))
        };
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(failed)?;
        socket.set_reuse_address(true).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        socket.bind(&address.into()).map_err(failed)?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX)).map_err(failed)?;
        let socket = TcpListener::from_std(socket.into()).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { name: name.into(), socket, address, open: Arc::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `stop` is true, then until every connection is done, closed at the latest when its
    /// present requests are answered.
    pub async fn serve(self, settings: Arc<ServerSettings>, services: Arc<Services>, stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        services.metrics.show_connections(&self.name, &self.open);
        let mut stopped = stop.clone();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let mut begin = Begin { connections: &mut connections, settings: &settings, services: &services };
                        self.admit(&mut begin, &stop, &mut stopped, stream, peer).await;
                    }
                    Err(error) => self.pause_after(error).await,
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                () = crate::tasks::stopped(&mut stopped) => break,
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::info!(listener = %self.name, connections = connections.len(), "ending connections that do not read");
            connections.shutdown().await;
        }
    }

    /// Begins to serve a connection as soon as it may be; none is accepted meanwhile.
    async fn admit(
        &self,
        begin: &mut Begin<'_>,
        stop: &watch::Receiver<bool>,
        stopped: &mut watch::Receiver<bool>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let admission = tokio::select! {
            admission = begin.settings.connections.admit(&self.name, canonical(peer.ip())) => admission,
            () = crate::tasks::stopped(stopped) => return,
        };
        let place = match admission {
            Admission::Place(place) => place,
            Admission::TooMany => {
                tracing::debug!(%peer, "connection refused: too many");
                return;
            }
            Admission::TooFast(wait) => {
                tracing::debug!(%peer, ?wait, "connection refused: too fast");
                // It is kept for so long, so that who comes again at once does not come faster.
                begin.connections.spawn(async move {
                    tokio::time::sleep(wait).await;
                    drop(stream);
                });
                return;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "connection lost before it began");
            return;
        }
        let (settings, services) = (Arc::clone(begin.settings), Arc::clone(begin.services));
        let connection = Connection::new((stream, peer), place, Arc::clone(&self.name), settings, services);
        let (stop, counted) = (stop.clone(), Counted::new(&self.open));
        // Not in a block of its own, which would hold the connection's place twice: most connections only wait.
        begin.connections.spawn(connection.run(stop).map(move |()| drop(counted)));
    }

    /// Out of descriptors: accepting again at once would only spin.
    async fn pause_after(&self, error: io::Error) {
        tracing::warn!(listener = %self.name, %error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// An IPv4 address that came through an IPv6 socket counts as the IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
