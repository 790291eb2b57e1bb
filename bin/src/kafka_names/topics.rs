//! `kafka-topics`: creates, lists, describes, alters and deletes topics. Source: `TopicCommand`.

use broker::config::topic::{MIN_IN_SYNC_REPLICAS, validate};
use protocol::error_code::ErrorCode;
use protocol::ids::{format_uuid, parse_uuid};
use regex_lite::Regex;

use super::options::{Options, Parsed};
use super::{Failure, begin, java_order, only_action};
use crate::client::{
    Client, ClientError, ConfigEntry, ConfigResource, NewTopic, PartitionDescription, ResourceKind, TopicDescription,
};
use crate::output::Output;

const OPTIONS: Options = Options {
    flags: &[
        "list",
        "create",
        "delete",
        "alter",
        "describe",
        "under-replicated-partitions",
        "unavailable-partitions",
        "under-min-isr-partitions",
        "at-min-isr-partitions",
        "topics-with-overrides",
        "if-exists",
        "if-not-exists",
        "exclude-internal",
        "help",
        "version",
    ],
    values: &[
        "bootstrap-server",
        "command-config",
        "topic",
        "topic-id",
        "config",
        "delete-config",
        "partitions",
        "replication-factor",
        "replica-assignment",
        "partition-size-limit-per-response",
    ],
    optional: &[],
};

const ACTIONS: [&str; 5] = ["create", "list", "alter", "describe", "delete"];
const REPORTS: [&str; 4] =
    ["under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"];
/// Options, and the actions that they belong to (`TopicCommandOptions.checkInvalidArgs`).
const BELONGINGS: [(&str, &[&str]); 11] = [
    ("config", &["alter", "create"]),
    ("partitions", &["alter", "create"]),
    ("replication-factor", &["create"]),
    ("replica-assignment", &["alter", "create"]),
    ("under-replicated-partitions", &["describe"]),
    ("under-min-isr-partitions", &["describe"]),
    ("at-min-isr-partitions", &["describe"]),
    ("unavailable-partitions", &["describe"]),
    ("topics-with-overrides", &["describe"]),
    ("if-exists", &["alter", "delete", "describe"]),
    ("if-not-exists", &["create"]),
];

const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
const COLLISION: &str = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
                         collide. To avoid issues it is best to use either, but not both.";
const USAGE: &str = "kafka-topics --bootstrap-server HOST:PORT with exactly one of
  --list [--exclude-internal]
  --create --topic NAME [--partitions N] [--replication-factor N] [--replica-assignment B:B,B:B] [--config KEY=VALUE]... [--if-not-exists]
  --describe [--topic REGEX | --topic-id ID] [--under-replicated-partitions | --unavailable-partitions |
             --under-min-isr-partitions | --at-min-isr-partitions] [--topics-with-overrides] [--exclude-internal] [--if-exists]
  --alter --topic REGEX --partitions N [--replica-assignment B:B,B:B] [--if-exists]
  --delete --topic REGEX [--if-exists]
and [--command-config FILE] [--partition-size-limit-per-response N] [--help] [--version]";

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.is_empty() {
        return Err(wrong("Create, delete, describe, or change a topic."));
    }
    let parsed = begin(&OPTIONS, arguments, USAGE)?;
    let action = check(&parsed)?;
    super::check_command_config(&parsed)?;
    let bootstrap = parsed.value("bootstrap-server").unwrap_or_default();
    let mut client = Client::connect(bootstrap).map_err(|error| failed(Kind::Refused(error)))?;
    let mut tool = Tool { client: &mut client, parsed: &parsed, output: Output::new() };
    let done = match action {
        "create" => tool.create(),
        "alter" => tool.alter(),
        "list" => tool.list(),
        "describe" => tool.describe(),
        _ => tool.delete(),
    };
    tool.output.flush()?;
    done.map_err(failed)
}

/// The one action, if the options go together.
fn check(parsed: &Parsed) -> Result<&'static str, Failure> {
    let several = "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
    let action = only_action(parsed, &ACTIONS).ok_or_else(|| wrong(several))?;
    if !parsed.has("bootstrap-server") {
        return Err(Failure::error("--bootstrap-server must be specified".to_owned()));
    }
    if action == "describe" && parsed.has("if-exists") && !parsed.has("topic") && !parsed.has("topic-id") {
        return Err(wrong("--topic or --topic-id is required to describe a topic"));
    }
    let needs_topic = !matches!(action, "list" | "describe");
    if needs_topic && !parsed.has("topic") {
        return Err(wrong("Missing required argument \"[topic]\""));
    }
    if action == "alter" && parsed.has("config") {
        return Err(wrong(
            "Option combination \"[[config], [bootstrap-server]]\" can't be used with option \"[alter]\" (To alter topic \
             configurations, the kafka-configs tool can be used.)",
        ));
    }
    if action == "alter" && !parsed.has("partitions") {
        return Err(wrong("Missing required argument \"[partitions]\""));
    }
    for (option, belongs_to) in BELONGINGS {
        if parsed.has(option) && !belongs_to.contains(&action) {
            return Err(wrong(&format!("Option \"[{option}]\" can't be used with option \"[{action}]\"")));
        }
    }
    if action == "create" && parsed.has("replica-assignment") {
        for other in ["partitions", "replication-factor"] {
            if parsed.has(other) {
                return Err(wrong(&format!("Option \"[replica-assignment]\" can't be used with option \"[{other}]\"")));
            }
        }
    }
    Ok(action)
}

/// A command line that does not hold together.
fn wrong(reason: &str) -> Failure {
    Failure::usage(format!("{reason}\n{USAGE}"), false)
}

/// Why the tool did not do it.
enum Kind {
    /// It found out by itself.
    Own(String),
    Refused(ClientError),
    Output(std::io::Error),
}

impl From<ClientError> for Kind {
    fn from(error: ClientError) -> Self {
        Self::Refused(error)
    }
}

impl From<std::io::Error> for Kind {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// As the tool says it: on standard output the reason, on standard error the name of Java's exception too, which scripts look for.
fn failed(kind: Kind) -> Failure {
    let (text, exception) = match kind {
        Kind::Output(error) => return error.into(),
        Kind::Own(text) => (text, "java.lang.IllegalArgumentException".to_owned()),
        Kind::Refused(error) => {
            let name = error.code().map_or_else(|| "KafkaException".to_owned(), exception_name);
            (error.to_string(), format!("org.apache.kafka.common.errors.{name}"))
        }
    };
    Failure {
        said: Some(format!("Error while executing topic command : {text}")),
        error: Some(format!("ERROR {exception}: {text} (org.apache.kafka.tools.TopicCommand)")),
        is_success: false,
    }
}

/// The class of Java's client for an error code, without its package.
fn exception_name(code: ErrorCode) -> String {
    match code {
        ErrorCode::TopicAlreadyExists => "TopicExistsException".to_owned(),
        ErrorCode::InvalidConfig => "InvalidConfigurationException".to_owned(),
        ErrorCode::InvalidTopicException => "InvalidTopicException".to_owned(),
        other => format!("{other:?}Exception"),
    }
}

struct Tool<'a> {
    client: &'a mut Client,
    parsed: &'a Parsed,
    output: Output,
}

impl Tool<'_> {
    fn create(&mut self) -> Result<(), Kind> {
        let topic = self.new_topic()?;
        if topic.name.contains(['.', '_']) {
            self.output.line(COLLISION)?;
        }
        if topic.replication_factor.is_some_and(|factor| factor < 1) {
            return Err(Kind::Own(format!("The replication factor must be between 1 and {} inclusive", i16::MAX)));
        }
        if topic.partitions.is_some_and(|count| count < 1) {
            return Err(Kind::Own("The partitions must be greater than 0".to_owned()));
        }
        match self.client.create_topic(&topic) {
            Ok(()) => Ok(self.output.line(format!("Created topic {}.", topic.name))?),
            Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) && self.parsed.has("if-not-exists") => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn new_topic(&self) -> Result<NewTopic, Kind> {
        let mut configs = Vec::new();
        for config in self.parsed.values("config") {
            let Some((key, value)) = config.split_once('=').filter(|(_, value)| !value.contains('=')) else {
                let text = "requirement failed: Invalid topic config: all configs to be added must be in the format \
                            \"key=val\".";
                return Err(Kind::Own(text.to_owned()));
            };
            configs.push((key.trim().to_owned(), value.trim().to_owned()));
        }
        let values = configs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        validate(values).map_err(|error| Kind::Own(error.to_string()))?;
        let factor: Option<i32> = self.number("replication-factor")?;
        Ok(NewTopic {
            name: self.parsed.value("topic").unwrap_or_default().to_owned(),
            partitions: self.number("partitions")?,
            replication_factor: factor.map(|factor| i16::try_from(factor).unwrap_or(0)),
            assignments: self.assignments()?,
            configs,
            validate_only: false,
        })
    }

    fn number(&self, option: &str) -> Result<Option<i32>, Kind> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Kind::Own(format!("Cannot parse argument '{text}' of option {option}")))
        };
        self.parsed.value(option).map(parse).transpose()
    }

    /// `1:2,2:1`: the replicas of each partition.
    fn assignments(&self) -> Result<Vec<Vec<i32>>, Kind> {
        let Some(text) = self.parsed.value("replica-assignment").filter(|text| !text.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut assignments: Vec<Vec<i32>> = Vec::new();
        for (index, partition) in text.split(',').enumerate() {
            let replica = |id: &str| {
                let id = id.trim();
                id.parse().map_err(|_| Kind::Own(format!("For input string: \"{id}\"")))
            };
            let replicas: Vec<i32> = partition.split(':').map(replica).collect::<Result<_, _>>()?;
            let mut sorted = replicas.clone();
            sorted.sort_unstable();
            if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                let text = format!("Partition replica lists may not contain duplicate entries: {}", twice[0]);
                return Err(Kind::Own(text));
            }
            if assignments.first().is_some_and(|first| first.len() != replicas.len()) {
                return Err(Kind::Own(format!("Partition {index} has different replication factor: {replicas:?}")));
            }
            assignments.push(replicas);
        }
        Ok(assignments)
    }

    fn list(&mut self) -> Result<(), Kind> {
        let names: Vec<String> = self.matching()?.into_iter().map(|topic| topic.name).collect();
        Ok(self.output.line(names.join("\n"))?)
    }

    fn alter(&mut self) -> Result<(), Kind> {
        let topics = self.matching()?;
        self.ensure_found(&topics)?;
        let count = self.number("partitions")?.unwrap_or_default();
        let assignments = self.assignments()?;
        for topic in topics {
            let new = assignments.get(topic.partitions.len()..).unwrap_or_default();
            self.client.create_partitions(&topic.name, count, new)?;
        }
        Ok(())
    }

    fn delete(&mut self) -> Result<(), Kind> {
        let topics = self.matching()?;
        self.ensure_found(&topics)?;
        for topic in topics {
            self.client.delete_topic(&topic.name)?;
        }
        Ok(())
    }

    /// The topics that `--topic` matches as a whole; a comma stands for "or" (`TopicFilter.IncludeList`).
    fn matching(&mut self) -> Result<Vec<TopicDescription>, Kind> {
        let mut topics = self.client.list_topics()?;
        if self.parsed.has("exclude-internal") {
            topics.retain(|topic| !topic.is_internal && !INTERNAL.contains(&topic.name.as_str()));
        }
        if let Some(given) = self.parsed.value("topic") {
            let cleaned = given.trim().replace(',', "|").replace(' ', "");
            let cleaned = cleaned.trim_matches(['"', '\'']);
            let regex = Regex::new(&format!("^(?:{cleaned})$"))
                .map_err(|_| Kind::Own(format!("{cleaned} is an invalid regex.")))?;
            topics.retain(|topic| regex.is_match(&topic.name));
        }
        Ok(topics)
    }

    fn ensure_found(&self, topics: &[TopicDescription]) -> Result<(), Kind> {
        match self.parsed.value("topic") {
            Some(name) if !name.is_empty() && topics.is_empty() && !self.parsed.has("if-exists") => {
                Err(Kind::Own(format!("Topic '{name}' does not exist as expected")))
            }
            _ => Ok(()),
        }
    }

    fn describe(&mut self) -> Result<(), Kind> {
        let topics = match self.parsed.value("topic-id").and_then(parse_uuid).filter(|id| !id.is_nil()) {
            Some(id) => {
                let mut topics = self.client.list_topics()?;
                topics.retain(|topic| topic.id == id);
                if topics.is_empty() && !self.parsed.has("if-exists") {
                    return Err(Kind::Own(format!("TopicId '{}' does not exist as expected", format_uuid(id))));
                }
                topics
            }
            None => {
                let topics = self.matching()?;
                self.ensure_found(&topics)?;
                topics
            }
        };
        let names: Vec<String> = topics.into_iter().map(|topic| topic.name).collect();
        let mut topics = self.client.describe_topics(&names)?;
        let count = topics.len();
        java_order::sort(&mut topics, count, |topic| &topic.name);
        let live: Vec<i32> = self.client.cluster()?.nodes.iter().map(|node| node.id).collect();
        for topic in &topics {
            let resource = ConfigResource { kind: ResourceKind::Topic, name: topic.name.clone() };
            let mut configs = self.client.describe_configs(&resource)?;
            java_order::sort(&mut configs, 16, |config| &config.name);
            self.print_topic(topic, &configs)?;
            if !self.parsed.has("topics-with-overrides") {
                for partition in &topic.partitions {
                    self.print_partition(topic, partition, &configs, &live)?;
                }
            }
        }
        Ok(())
    }

    fn print_topic(&mut self, topic: &TopicDescription, configs: &[ConfigEntry]) -> std::io::Result<()> {
        let is_report = REPORTS.iter().any(|report| self.parsed.has(report));
        let overrides: Vec<String> = configs
            .iter()
            .filter(|config| !config.is_default)
            .map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null")))
            .collect();
        if is_report || self.parsed.has("topics-with-overrides") && overrides.is_empty() {
            return Ok(());
        }
        let id = if topic.id.is_nil() { String::new() } else { format!("\tTopicId: {}", format_uuid(topic.id)) };
        self.output.line(format!(
            "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}",
            topic.name,
            topic.partitions.len(),
            topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
            overrides.join(",")
        ))
    }

    fn print_partition(
        &mut self,
        topic: &TopicDescription,
        partition: &PartitionDescription,
        configs: &[ConfigEntry],
        live: &[i32],
    ) -> std::io::Result<()> {
        let min_isr = configs.iter().find(|config| config.name == MIN_IN_SYNC_REPLICAS);
        let min_isr = min_isr.and_then(|config| config.value.as_deref()?.parse::<usize>().ok()).unwrap_or(1);
        let isr = partition.isr.len();
        let holds = |report: &str| match report {
            "under-replicated-partitions" => partition.replicas.len() > isr,
            "under-min-isr-partitions" => partition.leader.is_none() || isr < min_isr,
            "at-min-isr-partitions" => isr == min_isr,
            _ => partition.leader.is_none_or(|leader| !live.contains(&leader)),
        };
        let mut asked = REPORTS.iter().filter(|report| self.parsed.has(report)).peekable();
        if asked.peek().is_some() && !asked.any(|report| holds(report)) {
            return Ok(());
        }
        let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        let known = |known: &Option<Vec<i32>>| known.as_deref().map_or_else(|| "N/A".to_owned(), ids);
        self.output.line(format!(
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}",
            topic.name,
            partition.index,
            partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            ids(&partition.replicas),
            ids(&partition.isr),
            known(&partition.elr),
            known(&partition.last_known_elr)
        ))
    }
}
