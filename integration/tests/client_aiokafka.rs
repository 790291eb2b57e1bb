//! aiokafka, which speaks old versions only.

use integration::broker::Setup;
use integration::clients;
use integration::scenario::{ALL_CODECS, Client, assert_left_behind};

#[test]
fn creates_produces_and_consumes_by_assignment() {
    // Describing an unknown topic makes this client create it.
    let broker = Setup::new().set("auto.create.topics.enable", false).start();
    let finished = clients::python("aio_kafka.py", &[&broker.bootstrap(), "t"]);
    let verdict = clients::verdict("aiokafka", finished);
    let client = Client { codecs: ALL_CODECS, null_records: false, null_headers: true };
    assert_left_behind(&mut broker.connect(), "t", client, &verdict);
}
