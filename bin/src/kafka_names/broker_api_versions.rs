//! `kafka-broker-api-versions`: which APIs each broker serves in which versions. Health checks run it to see whether a broker answers.
//! Source: `BrokerApiVersionsCommand`, `NodeApiVersions.toString`.

use super::options::Options;
use super::{Failure, begin};
use crate::client::{ApiRange, Client, Connection, Versions};
use crate::output::Output;

const OPTIONS: Options =
    Options { flags: &["help", "version"], values: &["bootstrap-server", "command-config"], optional: &[] };

const USAGE: &str = "This tool helps to retrieve broker version information.
--bootstrap-server HOST:PORT  the brokers to ask (required)
--command-config FILE         a properties file for the client";

/// An API as Kafka's own client knows it: name, key, oldest and newest version.
type KnownApi = (&'static str, i16, i16, i16);

/// The APIs of Kafka 4.3's clients.
const KNOWN: [KnownApi; 77] = [
    ("Produce", 0, 0, 13),
    ("Fetch", 1, 4, 18),
    ("ListOffsets", 2, 1, 11),
    ("Metadata", 3, 0, 13),
    ("OffsetCommit", 8, 2, 10),
    ("OffsetFetch", 9, 1, 10),
    ("FindCoordinator", 10, 0, 6),
    ("JoinGroup", 11, 0, 9),
    ("Heartbeat", 12, 0, 4),
    ("LeaveGroup", 13, 0, 5),
    ("SyncGroup", 14, 0, 5),
    ("DescribeGroups", 15, 0, 6),
    ("ListGroups", 16, 0, 5),
    ("SaslHandshake", 17, 0, 1),
    ("ApiVersions", 18, 0, 4),
    ("CreateTopics", 19, 2, 7),
    ("DeleteTopics", 20, 1, 6),
    ("DeleteRecords", 21, 0, 2),
    ("InitProducerId", 22, 0, 5),
    ("OffsetForLeaderEpoch", 23, 2, 4),
    ("AddPartitionsToTxn", 24, 0, 5),
    ("AddOffsetsToTxn", 25, 0, 4),
    ("EndTxn", 26, 0, 5),
    ("WriteTxnMarkers", 27, 1, 2),
    ("TxnOffsetCommit", 28, 0, 5),
    ("DescribeAcls", 29, 1, 3),
    ("CreateAcls", 30, 1, 3),
    ("DeleteAcls", 31, 1, 3),
    ("DescribeConfigs", 32, 1, 4),
    ("AlterConfigs", 33, 0, 2),
    ("AlterReplicaLogDirs", 34, 1, 2),
    ("DescribeLogDirs", 35, 1, 5),
    ("SaslAuthenticate", 36, 0, 2),
    ("CreatePartitions", 37, 0, 3),
    ("CreateDelegationToken", 38, 1, 3),
    ("RenewDelegationToken", 39, 1, 2),
    ("ExpireDelegationToken", 40, 1, 2),
    ("DescribeDelegationToken", 41, 1, 3),
    ("DeleteGroups", 42, 0, 2),
    ("ElectLeaders", 43, 0, 2),
    ("IncrementalAlterConfigs", 44, 0, 1),
    ("AlterPartitionReassignments", 45, 0, 1),
    ("ListPartitionReassignments", 46, 0, 0),
    ("OffsetDelete", 47, 0, 0),
    ("DescribeClientQuotas", 48, 0, 1),
    ("AlterClientQuotas", 49, 0, 1),
    ("DescribeUserScramCredentials", 50, 0, 0),
    ("AlterUserScramCredentials", 51, 0, 0),
    ("DescribeQuorum", 55, 0, 2),
    ("UpdateFeatures", 57, 0, 2),
    ("DescribeCluster", 60, 0, 2),
    ("DescribeProducers", 61, 0, 0),
    ("UnregisterBroker", 64, 0, 0),
    ("DescribeTransactions", 65, 0, 0),
    ("ListTransactions", 66, 0, 2),
    ("ConsumerGroupHeartbeat", 68, 0, 1),
    ("ConsumerGroupDescribe", 69, 0, 1),
    ("GetTelemetrySubscriptions", 71, 0, 0),
    ("PushTelemetry", 72, 0, 0),
    ("ListConfigResources", 74, 0, 1),
    ("DescribeTopicPartitions", 75, 0, 0),
    ("ShareGroupHeartbeat", 76, 1, 1),
    ("ShareGroupDescribe", 77, 1, 1),
    ("ShareFetch", 78, 1, 2),
    ("ShareAcknowledge", 79, 1, 2),
    ("AddRaftVoter", 80, 0, 1),
    ("RemoveRaftVoter", 81, 0, 0),
    ("InitializeShareGroupState", 83, 0, 0),
    ("ReadShareGroupState", 84, 0, 0),
    ("WriteShareGroupState", 85, 0, 1),
    ("DeleteShareGroupState", 86, 0, 0),
    ("ReadShareGroupStateSummary", 87, 0, 1),
    ("StreamsGroupHeartbeat", 88, 0, 0),
    ("StreamsGroupDescribe", 89, 0, 0),
    ("DescribeShareGroupOffsets", 90, 0, 1),
    ("AlterShareGroupOffsets", 91, 0, 0),
    ("DeleteShareGroupOffsets", 92, 0, 0),
];

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.is_empty() {
        return Err(Failure::usage(USAGE.to_owned(), false));
    }
    let parsed = begin(&OPTIONS, arguments, USAGE)?;
    let Some(bootstrap) = parsed.value("bootstrap-server") else {
        return Err(Failure::error("Missing required argument \"[bootstrap-server]\"".to_owned()));
    };
    super::check_command_config(&parsed)?;
    list(bootstrap)
}

fn list(bootstrap: &str) -> Result<(), Failure> {
    let mut client = Client::connect(bootstrap).map_err(Failure::of)?;
    let mut brokers = client.metadata(None, false).map_err(Failure::of)?.brokers;
    brokers.sort_unstable_by_key(|broker| broker.node_id.0);
    let mut output = Output::new();
    for broker in &brokers {
        let port = u16::try_from(broker.port).unwrap_or(0);
        let said = match Connection::to(&broker.host, port) {
            Ok(connection) => describe(connection.versions()),
            Err(error) => format!("ERROR: {error}"),
        };
        let rack = broker.rack.as_deref().unwrap_or("null");
        let node = format!("{}:{port} (id: {} rack: {rack} isFenced: false)", broker.host.as_str(), broker.node_id.0);
        output.line(format!("{node} -> {said}"))?;
    }
    Ok(output.flush()?)
}

/// One line an API, in the order of keys: those that the broker serves, and those that it does not.
fn describe(versions: &Versions) -> String {
    let mut lines: Vec<(i16, String)> = KNOWN
        .iter()
        .map(|known| {
            let (name, key, ..) = *known;
            let said = versions.get(&key).map_or_else(|| "UNSUPPORTED".to_owned(), |range| usable(known, *range));
            (key, format!("{name}({key}): {said}"))
        })
        .collect();
    let is_known = |key: i16| KNOWN.iter().any(|(_, known, ..)| *known == key);
    let unknown = versions.iter().filter(|(key, _)| !is_known(**key));
    lines.extend(unknown.map(|(key, range)| (*key, format!("UNKNOWN({key}): {}", span(*range)))));
    lines.sort_unstable();
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    format!("(\n\t{}\n)", lines.join(",\n\t"))
}

fn span(range: ApiRange) -> String {
    if range.min == range.max { range.min.to_string() } else { format!("{} to {}", range.min, range.max) }
}

fn usable((_, _, oldest, newest): &KnownApi, range: ApiRange) -> String {
    let usable = if *newest < range.min {
        "unusable: node too new".to_owned()
    } else if range.max < *oldest {
        "unusable: node too old".to_owned()
    } else {
        format!("usable: {}", range.max.min(*newest))
    };
    format!("{} [{usable}]", span(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_is_one_line_with_what_can_be_used_of_it() {
        let versions = Versions::from([
            (0, ApiRange { min: 3, max: 99 }),
            (1, ApiRange { min: 0, max: 2 }),
            (2, ApiRange { min: 50, max: 60 }),
            (3, ApiRange { min: 5, max: 5 }),
            (9000, ApiRange { min: 0, max: 1 }),
        ]);
        let text = describe(&versions);
        assert!(text.starts_with("(\n\tProduce(0): 3 to 99 [usable: 13],\n"), "{text}");
        assert!(text.contains("\tFetch(1): 0 to 2 [unusable: node too old],\n"), "{text}");
        assert!(text.contains("\tListOffsets(2): 50 to 60 [unusable: node too new],\n"), "{text}");
        assert!(text.contains("\tMetadata(3): 5 [usable: 5],\n"), "{text}");
        assert!(text.contains("\tOffsetCommit(8): UNSUPPORTED,\n"), "{text}");
        assert!(text.ends_with("\tUNKNOWN(9000): 0 to 1\n)"), "{text}");
    }
}
