//! confluent-kafka, Python over today's librdkafka.

use integration::broker::Broker;
use integration::clients;
use integration::scenario::{ALL_CODECS, Client, assert_left_behind};

#[test]
fn creates_produces_and_consumes_by_assignment() {
    let broker = Broker::start();
    let finished = clients::python("confluent.py", &[&broker.bootstrap(), "t"]);
    let verdict = clients::verdict("confluent-kafka", finished);
    let client = Client { codecs: ALL_CODECS, null_records: true, null_headers: true };
    assert_left_behind(&mut broker.connect(), "t", client, &verdict);
}
