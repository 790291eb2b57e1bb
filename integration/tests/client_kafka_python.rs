//! kafka-python, which negotiates every API.

use integration::broker::Broker;
use integration::clients;
use integration::scenario::{ALL_CODECS, Client, assert_left_behind};

#[test]
fn creates_produces_and_consumes_by_assignment() {
    let broker = Broker::start();
    let finished = clients::python("kafka_python.py", &[&broker.bootstrap(), "t"]);
    let verdict = clients::verdict("kafka-python", finished);
    let client = Client { codecs: ALL_CODECS, null_records: false, null_headers: false };
    assert_left_behind(&mut broker.connect(), "t", client, &verdict);
}
