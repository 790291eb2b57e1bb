//! Listeners, sockets, connections. Source: `SocketServerConfigs`, `ServerConfigs`.

use super::Bounds::{AddressCounts, Any, AtLeast};
use super::Definition;

/// The keys of listeners, sockets and connections, by name.
pub(super) const ROWS: &[Definition] = definitions! {
    Acts "advertised.listeners" List = None, Any, ReadOnly, "Where clients find each listener, if it is elsewhere than it listens.";
    Acts "connections.max.idle.ms" Long = Some("600000"), Any, ReadOnly, "A connection that is silent for so long is closed; a negative value keeps it.";
    Acts "controller.listener.names" List = Some("CONTROLLER"), Any, ReadOnly, "The listeners that serve controllers; they are not advertised to clients.";
    Acts "inter.broker.listener.name" String = None, Any, ReadOnly, "The listener that brokers use among themselves.";
    Acts "listener.security.protocol.map" String = Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, ReadOnly, "The security protocol of each listener. Only PLAINTEXT is served yet.";
    Acts "listeners" List = Some("PLAINTEXT://:9092"), Any, ReadOnly, "Where to listen: name://host:port, an empty host meaning every address, port 0 a free one.";
    Acts "max.connection.creation.rate" Int = Some("2147483647"), AtLeast(0), ClusterWide, "Connections that may be opened in a second; more wait to be accepted. Also for one listener, as listener.name.NAME.max.connection.creation.rate.";
    Acts "max.connections" Int = Some("2147483647"), AtLeast(0), ClusterWide, "Connections that may be open; more wait to be accepted, and those that are open stay when it is lowered. Also for one listener, as listener.name.NAME.max.connections.";
    Acts "max.connections.per.ip" Int = Some("2147483647"), AtLeast(0), ClusterWide, "Connections that may be open from one address.";
    Acts "max.connections.per.ip.overrides" String = Some(""), AddressCounts, ClusterWide, "Connections that may be open from certain addresses in place of max.connections.per.ip, as address:count with commas between.";
    None "num.io.threads" Int = Some("8"), AtLeast(1), ClusterWide, "Threads that work on requests. No effect: there is one for each core.";
    None "num.network.threads" Int = Some("3"), AtLeast(1), ClusterWide, "Threads that read and write sockets. No effect: there is one for each core.";
    Acts "queued.max.request.bytes" Long = Some("-1"), Any, ReadOnly, "Memory for requests being read; -1 for the default of 256 MiB. Connections wait for it.";
    None "queued.max.requests" Int = Some("500"), AtLeast(1), ReadOnly, "Requests that wait for a thread. No effect: none waits; queued.max.request.bytes limits their memory.";
    None "request.timeout.ms" Int = Some("30000"), Any, ReadOnly, "How long a request to another node may take. No effect yet: this node is the only one.";
    None "socket.connection.setup.timeout.max.ms" Long = Some("30000"), Any, ReadOnly, "The longest wait for a connection to another node. No effect yet: this node is the only one.";
    None "socket.connection.setup.timeout.ms" Long = Some("10000"), Any, ReadOnly, "The first wait for a connection to another node. No effect yet: this node is the only one.";
    Acts "socket.listen.backlog.size" Int = Some("50"), AtLeast(1), ReadOnly, "Connections that wait to be accepted.";
    None "socket.receive.buffer.bytes" Int = Some("102400"), Any, ReadOnly, "The receive buffer of sockets. No effect: the system sizes it, which is faster.";
    Acts "socket.request.max.bytes" Int = Some("104857600"), AtLeast(1), ReadOnly, "The largest Produce request; other requests may have 2 MiB.";
    None "socket.send.buffer.bytes" Int = Some("102400"), Any, ReadOnly, "The send buffer of sockets. No effect: the system sizes it, which is faster.";
};
