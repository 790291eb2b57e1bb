//! rskafka 0.6.0's own test suite, from the registry package, against our broker.
//!
//! Not run, by name:
//! - `test_sasl` passes by doing nothing: it needs a SASL listener, which this version does not have.
//! - `test_tls`, `test_socks5` are not built: they need features for TLS and for a SOCKS5 proxy.
//! - every pairing with `java` passes by doing nothing: they drive the Java client through a bridge that loads jars
//!   from the network; the Java client itself is covered by `kafka_tools.rs`.

use integration::broker::{Broker, Setup};
use integration::clients;
use protocol::messages::MetadataRequest;

/// Tests of the four files that talk to the broker, those above left out.
const TALKING: usize = 12 + 9 + 1 + 20;
/// Each makes a topic of its own and leaves it, but for `test_plain`, `test_client_backoff_terminates` (none) and
/// `test_topic_crud` (deletes it); `test_non_existing_partition` must not make one.
const TOPICS_LEFT: usize = TALKING - 4;

fn run(broker: &Broker, file: &str) -> Vec<String> {
    let finished = clients::rskafka_tests(file, &broker.bootstrap());
    let shown = finished.everything();
    assert!(finished.status.success(), "{shown}");
    let names = finished.stdout.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"));
    names.map(ToOwned::to_owned).filter(|name| !name.contains("java") && name != "test_sasl").collect()
}

#[test]
fn its_own_suite_passes() {
    // `test_non_existing_partition` asks for a topic that must not come into being by that.
    let broker = Setup::new().set("auto.create.topics.enable", false).start();
    let mut passed = Vec::new();
    for file in ["client", "consumer", "producer", "produce_consume"] {
        passed.extend(run(&broker, file));
    }
    assert_eq!(passed.len(), TALKING, "{passed:?}");
    let all = broker.connect().send(&MetadataRequest::default().with_topics(None), 9);
    let left = all.topics.iter().filter(|t| t.name.as_ref().is_some_and(|name| name.starts_with("test_topic_")));
    assert!(left.count() >= TOPICS_LEFT, "the suite reached the broker: {:?}", all.topics.len());
}
