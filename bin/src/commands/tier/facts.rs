//! Where each partition's records are: what the store says, what a running broker says, or both together.

use std::collections::BTreeMap;
use std::ops::Range;

use clap::Args;
use protocol::ids::{Uuid, format_uuid, parse_uuid};
use serde_json::{Value, json};

use super::status;
use super::store::StoreArguments;

/// Whom to ask.
#[derive(Args, Debug)]
pub(super) struct Sources {
    #[command(flatten)]
    store: StoreArguments,
    /// Where a running broker has its metrics (its ottla.metrics.listener): it knows the local part too. Asked where no store is
    /// given, and beside the store where this is.
    #[arg(long, env = "OTTLA_MONITORING", value_name = "HOST:PORT")]
    monitoring: Option<String>,
}

/// Where metrics are unless somebody says otherwise.
const MONITORING: &str = "127.0.0.1:9644";

/// Name and id of the topic, index of the partition.
type Key = (String, Uuid, i32);

/// What is known of one partition. Ranges of offsets end before their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) log_start: Option<i64>,
    /// What can be read from the store.
    pub(super) remote: Option<Range<i64>>,
    pub(super) segments: Option<u64>,
    pub(super) bytes: Option<u64>,
    /// The newest manifest, as its key has it.
    pub(super) manifest: Option<String>,
    pub(super) local: Option<Range<i64>>,
    pub(super) lag: Option<Lag>,
    /// Why nothing moves, or the last failure.
    pub(super) status: Option<String>,
}

/// Closed segments that are not remote yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    /// How old the oldest is.
    pub(super) ms: u64,
}

impl Sources {
    /// Everything that is known, of one topic or of all.
    ///
    /// # Errors
    /// The store's, the broker's; a topic that neither has.
    pub(super) fn facts(&self, topic: Option<&str>) -> anyhow::Result<BTreeMap<Key, Facts>> {
        let mut facts = BTreeMap::new();
        if self.store.is_given() {
            read_store(&self.store, topic, &mut facts)?;
        }
        if !self.store.is_given() || self.monitoring.is_some() {
            let answer = status::ask(self.monitoring.as_deref().unwrap_or(MONITORING))?;
            read_status(&answer, topic, &mut facts);
        }
        match topic {
            Some(topic) if facts.is_empty() => anyhow::bail!("nothing is known of a tiered topic {topic}"),
            _ => Ok(facts),
        }
    }
}

fn read_store(arguments: &StoreArguments, topic: Option<&str>, facts: &mut BTreeMap<Key, Facts>) -> anyhow::Result<()> {
    let store = arguments.open()?;
    for topic in store.topics(topic)? {
        for partition in &topic.partitions {
            let contents = store.block_on(partition.contents(&store.remote))?;
            if contents.newest_version().is_none() {
                // Of it nothing is remote yet.
                continue;
            }
            let view = &contents.view;
            let known = Facts {
                log_start: view.start_offset(),
                remote: view.start_offset().zip(view.end_offset()).map(|(start, end)| start..end),
                segments: Some(view.live().len() as u64),
                bytes: Some(view.size_bytes()),
                manifest: contents.version().map(|version| version.to_string()),
                status: contents
                    .is_fallback()
                    .then(|| "the newest manifest is damaged; this is the one before".to_owned()),
                ..Facts::default()
            };
            facts.insert((topic.name.clone(), topic.id, partition.name.partition), known);
        }
    }
    Ok(())
}

/// Adds what a broker says. Of what is remote the store knows better.
fn read_status(answer: &Value, topic: Option<&str>, facts: &mut BTreeMap<Key, Facts>) {
    let partitions = answer["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for partition in partitions {
        let name = partition["topic"].as_str().unwrap_or_default();
        let id = partition["topicId"].as_str().and_then(parse_uuid).unwrap_or_default();
        let index = partition["partition"].as_i64().and_then(|index| i32::try_from(index).ok());
        let (Some(index), true) = (index, topic.is_none_or(|topic| topic == name)) else { continue };
        let range = |start: &str, end: &str| {
            partition[start].as_i64().zip(partition[end].as_i64()).map(|(start, end)| start..end)
        };
        let lag = &partition["copyLag"];
        let number = |name: &str| lag[name].as_u64();
        let of_broker = Facts {
            log_start: partition["logStartOffset"].as_i64(),
            remote: range("remoteStartOffset", "remoteEndOffset"),
            segments: partition["remoteSegments"].as_u64(),
            bytes: partition["remoteBytes"].as_u64(),
            manifest: None,
            local: range("localStartOffset", "logEndOffset"),
            lag: number("segments").zip(number("bytes")).zip(number("ms")).map(|((segments, bytes), ms)| Lag {
                segments,
                bytes,
                ms,
            }),
            status: partition["status"].as_str().map(str::to_owned),
        };
        let known = facts.entry((name.to_owned(), id, index)).or_default();
        known.merge(of_broker);
    }
}

impl Facts {
    fn merge(&mut self, of_broker: Self) {
        let of_store = std::mem::take(self);
        *self = Self {
            log_start: of_broker.log_start.or(of_store.log_start),
            remote: of_store.remote.or(of_broker.remote),
            segments: of_store.segments.or(of_broker.segments),
            bytes: of_store.bytes.or(of_broker.bytes),
            manifest: of_store.manifest,
            status: of_store.status.or(of_broker.status),
            ..of_broker
        };
    }

    /// Everything as one document.
    pub(super) fn document(&self, (topic, id, partition): &Key) -> Value {
        json!({
            "topic": topic,
            "topicId": format_uuid(*id),
            "partition": partition,
            "logStartOffset": self.log_start,
            "remoteStartOffset": self.remote.as_ref().map(|range| range.start),
            "remoteEndOffset": self.remote.as_ref().map(|range| range.end),
            "remoteSegments": self.segments,
            "remoteBytes": self.bytes,
            "manifest": self.manifest,
            "localStartOffset": self.local.as_ref().map(|range| range.start),
            "logEndOffset": self.local.as_ref().map(|range| range.end),
            "copyLagSegments": self.lag.map(|lag| lag.segments),
            "copyLagBytes": self.lag.map(|lag| lag.bytes),
            "copyLagMs": self.lag.map(|lag| lag.ms),
            "status": self.status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_knows_what_is_remote_and_the_broker_the_rest() {
        let id = Uuid::from_u128(1);
        let key = ("orders".to_owned(), id, 0);
        let of_store =
            Facts { remote: Some(0..90), segments: Some(9), manifest: Some("m".to_owned()), ..Facts::default() };
        let mut facts = BTreeMap::from([(key.clone(), of_store)]);
        let answer = json!({ "partitions": [
            { "topic": "orders", "topicId": format_uuid(id), "partition": 0, "logStartOffset": 0, "remoteStartOffset": 0,
              "remoteEndOffset": 80, "remoteSegments": 8, "localStartOffset": 70, "logEndOffset": 100,
              "copyLag": { "segments": 1, "bytes": 10, "ms": 5 }, "status": "why" },
            { "topic": "other", "topicId": format_uuid(id), "partition": 0 },
            { "topic": "orders", "partition": "nonsense" },
        ] });
        read_status(&answer, Some("orders"), &mut facts);
        let known = &facts[&key];
        assert_eq!((facts.len(), &known.remote, &known.local), (1, &Some(0..90), &Some(70..100)));
        assert_eq!((known.lag, known.segments), (Some(Lag { segments: 1, bytes: 10, ms: 5 }), Some(9)));
        assert_eq!((known.status.as_deref(), known.manifest.as_deref()), (Some("why"), Some("m")));
        assert_eq!(known.document(&key)["copyLagMs"], 5);
    }

    #[test]
    fn an_answer_of_somebody_else_tells_nothing() {
        for answer in [json!(null), json!([1]), json!({ "partitions": [1, null, {}] })] {
            let mut facts = BTreeMap::new();
            read_status(&answer, None, &mut facts);
            assert_eq!(facts, BTreeMap::new());
        }
    }
}
