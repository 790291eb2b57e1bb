//! kafkajs, which looks only at the highest versions that a broker names.

use integration::broker::Broker;
use integration::clients;
use integration::scenario::{ALL_CODECS, Client, assert_left_behind};

#[test]
fn creates_produces_and_consumes_by_assignment() {
    let broker = Broker::start();
    let finished = clients::node("kafkajs.js", &[&broker.bootstrap(), "t"]);
    let verdict = clients::verdict("kafkajs", finished);
    let client = Client { codecs: ALL_CODECS, null_records: true, null_headers: false };
    assert_left_behind(&mut broker.connect(), "t", client, &verdict);
}
