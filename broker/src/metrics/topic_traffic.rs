//! What a scrape says of the traffic of topics: Kafka's beans `BrokerTopicMetrics`, as Strimzi's rules for the JMX exporter spell
//! them, and as its newer reporter inside of Kafka does.

use std::collections::BTreeMap;

use super::Totals;
use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use Kind::Counter;

type OfTotals = fn(&Totals) -> u64;

/// The bean's name, help, number.
const TRAFFIC: &[(&str, &str, OfTotals)] = &[
    ("messagesin", "Records appended.", |totals| totals.messages_in),
    ("bytesin", "Bytes of batches appended.", |totals| totals.bytes_in),
    ("bytesout", "Bytes of batches sent to consumers.", |totals| totals.bytes_out),
    ("totalproducerequests", "Batches that came in Produce requests.", |totals| totals.produce_requests),
    ("totalfetchrequests", "Reads for Fetch requests.", |totals| totals.fetch_requests),
    ("failedproducerequests", "Batches refused for other than expected causes.", |totals| {
        totals.failed_produce_requests
    }),
    ("failedfetchrequests", "Reads failed for other than expected causes.", |totals| totals.failed_fetch_requests),
];

/// Traffic of all topics and of each.
pub(super) struct TopicTraffic<'a> {
    all: Totals,
    by_topic: BTreeMap<&'a str, Totals>,
}

impl<'a> Scrape<'a> {
    pub(super) fn traffic(&self) -> TopicTraffic<'a> {
        let mut by_topic: BTreeMap<&str, Totals> = BTreeMap::new();
        for partition in &self.partitions {
            *by_topic.entry(&partition.name().topic).or_default() += partition.traffic().totals();
        }
        let mut all = self.services.replicas.deleted_traffic();
        by_topic.values().for_each(|totals| all += *totals);
        TopicTraffic { all, by_topic }
    }
}

impl TopicTraffic<'_> {
    pub(super) fn put(&self, out: &mut Exposition) {
        self.put_as("_total", out);
    }

    /// The reporter keeps the bean's whole name. Last, so that the aliases take no series from anything else.
    pub(super) fn put_aliases(&self, out: &mut Exposition) {
        self.put_as("persec_total", out);
    }

    fn put_as(&self, suffix: &str, out: &mut Exposition) {
        for (name, help, number) in TRAFFIC {
            let name = format!("kafka_server_brokertopicmetrics_{name}{suffix}");
            let detailed = out.reserve(self.by_topic.len());
            let mut family = out.family(&name, Counter, help);
            family.series(&[], number(&self.all));
            for (topic, totals) in self.by_topic.iter().filter(|_| detailed) {
                family.series(&[("topic", topic)], number(totals));
            }
        }
    }
}
