//! What a stranger's client sees: the harness of the tests beside it.
//!
//! The tests run real clients, Kafka's own tools and a raw wire client against the `ottla` binary as a process
//! of its own. The oracle is Apache Kafka: every test that starts a broker also passes against Kafka itself,
//! which proves the test.
//!
//! | environment variable | meaning |
//! | --- | --- |
//! | `OTTLA_TEST_BROKER=kafka` | start Apache Kafka (`integration/kafka/kafka`) wherever a test starts a broker |
//! | `OTTLA_TEST_BOOTSTRAP=HOST:PORT` | use this running broker; tests that kill or restart theirs fail by name |
//! | `OTTLA_BINARY=PATH` | use this binary instead of building the checkout's own |
//! | `OTTLA_CACHE=DIR` | where clients and Kafka are kept, by default `~/.cache/ottla` |
//!
//! # Invariants
//! - A test that cannot run fails; none passes by doing nothing.
//! - A client's own word is never enough: the test reads the records back with the raw [`wire::Connection`].
//! - Ports are 0, data lies in temporary folders, and a broker never outlives its [`broker::Broker`].
//! - Nothing sleeps to wait for a state: see [`wait`], the one door to clock and sleep.

pub mod audit;
pub mod broker;
pub mod clients;
pub mod connect;
pub mod groups;
pub mod http_proxy;
pub mod kafka;
pub mod load;
pub mod monitoring;
pub mod object_store;
pub mod process;
pub mod records;
pub mod scenario;
pub mod tiering;
pub mod wait;
pub mod wire;
pub mod workspace;

/// A hostile or broken response must not make a test reserve gigabytes (see the lib page of `protocol`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
