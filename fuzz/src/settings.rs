//! `server.properties`: any text gives settings or a reason.

use broker::config::BrokerConfig;
use storage::properties::parse_bytes;

use crate::Target;

const SEED: &str = "# comment\nnode.id=1\nprocess.roles=broker,controller\nlog.dirs=/a,\\\n  /b\n\
    listeners=PLAINTEXT\\://localhost:9092,CONTROLLER://:9093\nadvertised.listeners=PLAINTEXT://host:9092\n\
    controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@localhost:9093\n\
    listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.retention.ms=-1\nnum.partitions=3\n\
    auto.create.topics.enable=false\nqueued.max.request.bytes=104857600\nu\\u0041=x\n";

pub(crate) fn targets() -> Vec<Target> {
    vec![Target::new("server-properties", vec![SEED.into(), b"broker.id=0\nlog.dir /x".into()], run)]
}

fn run(input: &[u8]) {
    let Ok(properties) = parse_bytes(input) else { return };
    if let Err(error) = BrokerConfig::new(properties) {
        assert!(!error.to_string().is_empty(), "an error says what is wrong");
    }
}
