//! @platformatic/kafka, which knows only the newest versions and fetches by topic id.

use integration::broker::Broker;
use integration::clients;
use integration::scenario::{Client, assert_left_behind};

use protocol::record_batch::Codec;

/// Without zstd: this client takes that from Node.js 22.15 or newer, and its newest release for Node.js 20 says so.
const CODECS: &[Codec] = &[Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

#[test]
fn creates_produces_and_consumes_by_assignment() {
    let broker = Broker::start();
    let finished = clients::node("platformatic.js", &[&broker.bootstrap(), "t"]);
    let verdict = clients::verdict("@platformatic/kafka", finished);
    let client = Client { codecs: CODECS, null_records: true, null_headers: true };
    assert_left_behind(&mut broker.connect(), "t", client, &verdict);
}
