//! `kafka-consumer-groups`: lists, describes, resets and deletes groups of consumers. Source: `ConsumerGroupCommand`.

mod describe;
mod reset;

use std::collections::BTreeMap;

use broker::group::GroupError;
use broker::group::consumer::check_regex;
use protocol::error_code::ErrorCode;

use super::options::{Options, Parsed};
use super::{Failure, begin, only_action};
use crate::client::{CONSUMER, Client, ClientError, Place, Refusal};
use crate::commands::TopicChoice;
use crate::output::Output;

const OPTIONS: Options = Options {
    flags: &[
        "list",
        "describe",
        "delete",
        "reset-offsets",
        "delete-offsets",
        "all-topics",
        "all-groups",
        "dry-run",
        "execute",
        "export",
        "to-earliest",
        "to-latest",
        "to-current",
        "members",
        "verbose",
        "offsets",
        "help",
        "version",
    ],
    values: &[
        "bootstrap-server",
        "command-config",
        "group",
        "topic",
        "timeout",
        "to-offset",
        "from-file",
        "to-datetime",
        "by-duration",
        "shift-by",
        "validate-regex",
    ],
    optional: &["state", "type"],
};

const ACTIONS: [&str; 6] = ["list", "describe", "delete", "reset-offsets", "delete-offsets", VALIDATE_REGEX];
const VALIDATE_REGEX: &str = "validate-regex";
const STATES: [&str; 7] =
    ["PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "Stable", "Empty", "Dead"];
const TYPES: [&str; 2] = ["Classic", "Consumer"];
const USAGE: &str = "kafka-consumer-groups --bootstrap-server HOST:PORT with exactly one of
  --list [--state [STATE,…]] [--type [TYPE,…]]
  --describe (--group GROUP… | --all-groups) [--offsets | --members | --state] [--verbose]
  --delete (--group GROUP… | --all-groups)
  --delete-offsets --group GROUP --topic TOPIC[:PARTITION,…]…
  --reset-offsets (--group GROUP… | --all-groups) (--topic TOPIC[:PARTITION,…]… | --all-topics) [--dry-run | --execute] [--export]
                  (--to-earliest | --to-latest | --to-current | --to-offset N | --shift-by N | --to-datetime YYYY-MM-DDTHH:mm:SS.sss |
                   --by-duration PnDTnHnMnS | --from-file FILE)
  --validate-regex EXPRESSION, without a server
and [--command-config FILE] [--timeout MS] [--help] [--version]";

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let parsed = begin(&OPTIONS, arguments, USAGE)?;
    let action = check(&parsed)?;
    if action == VALIDATE_REGEX {
        return super::print(&verdict(parsed.value(VALIDATE_REGEX).unwrap_or_default()));
    }
    super::check_command_config(&parsed)?;
    let bootstrap = parsed.value("bootstrap-server").unwrap_or_default();
    let mut client = Client::connect(bootstrap).map_err(Failure::of)?;
    let mut tool = Tool { client: &mut client, parsed: &parsed, output: Output::new() };
    let done = match action {
        "list" => tool.list(),
        "describe" => tool.describe(),
        "delete" => tool.delete(),
        "reset-offsets" => tool.reset(),
        _ => tool.delete_offsets(),
    };
    tool.output.flush()?;
    done
}

/// The one action, if the options go together (`ConsumerGroupCommandOptions.checkArgs`).
fn check(parsed: &Parsed) -> Result<&'static str, Failure> {
    let several = || {
        let all = ACTIONS.map(|action| format!("--{action}")).join(", ");
        wrong(&format!("Command must include exactly one action: {all}"))
    };
    let action = only_action(parsed, &ACTIONS).ok_or_else(several)?;
    if action != VALIDATE_REGEX && !parsed.has("bootstrap-server") {
        return Err(wrong("Missing required argument \"[bootstrap-server]\""));
    }
    let is_scoped = parsed.has("group") || parsed.has("all-groups");
    if matches!(action, "describe" | "delete" | "reset-offsets") && !is_scoped {
        return Err(wrong(&format!("Option [{action}] takes one of these options: [all-groups], [group]")));
    }
    if action == "delete-offsets" && !(parsed.has("group") && parsed.has("topic")) {
        return Err(wrong("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    let reports = ["members", "offsets", "state"].iter().filter(|report| parsed.has(report)).count();
    if action == "describe" && reports > 1 {
        return Err(wrong("Option [describe] takes at most one of these options: [members], [offsets], [state]"));
    }
    if action == "reset-offsets" && parsed.has("dry-run") && parsed.has("execute") {
        return Err(wrong("Option [reset-offsets] only accepts one of [execute] and [dry-run]"));
    }
    if parsed.has("group") && parsed.has("all-groups") {
        return Err(wrong("Option \"[group]\" can't be used with option \"[all-groups]\""));
    }
    if parsed.has("group") && action == "list" {
        return Err(wrong("Option \"[group]\" can't be used with option \"[list]\""));
    }
    if parsed.has("topic") && matches!(action, "list" | "describe") {
        return Err(wrong(&format!("Option \"[topic]\" can't be used with option \"[{action}]\"")));
    }
    Ok(action)
}

/// Whether members of the consumer protocol may subscribe by that expression.
fn verdict(regex: &str) -> String {
    match check_regex(regex) {
        Ok(()) => format!("The regular expression `{regex}` is valid."),
        Err(GroupError::InvalidRegex { reason, .. }) => {
            format!("The regular expression `{regex}` is invalid: {reason}.")
        }
        Err(other) => other.to_string(),
    }
}

/// A command line that does not hold together.
fn wrong(reason: &str) -> Failure {
    Failure::usage(format!("{reason}\n{USAGE}"), false)
}

/// What the tool says when a broker does not do what it asks; as Kafka's it ends with 0 all the same.
fn failed(error: ClientError) -> Failure {
    let reason = match &error {
        ClientError::Refused(refusal) => exception(refusal),
        other => other.to_string(),
    };
    said(&format!("Executing consumer group command failed due to {reason}"))
}

fn said(text: &str) -> Failure {
    Failure { said: Some(format!("\nError: {text}")), error: None, is_success: true }
}

/// Java's exception of a refusal, as `Throwable.toString` has it.
fn exception(refusal: &Refusal) -> String {
    let name = match refusal.code {
        ErrorCode::NonEmptyGroup => "GroupNotEmptyException".to_owned(),
        other => format!("{other:?}Exception"),
    };
    format!("org.apache.kafka.common.errors.{name}: {}", message(refusal))
}

/// What `Errors` says where the broker says nothing.
fn message(refusal: &Refusal) -> String {
    match (&refusal.message, refusal.code) {
        (Some(message), _) => message.clone(),
        (None, ErrorCode::NonEmptyGroup) => "The group is not empty.".to_owned(),
        (None, ErrorCode::GroupIdNotFound) => "The group id does not exist.".to_owned(),
        (None, ErrorCode::GroupSubscribedToTopic) => {
            "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.".to_owned()
        }
        (None, _) => refusal.to_string(),
    }
}

struct Tool<'a> {
    client: &'a mut Client,
    parsed: &'a Parsed,
    output: Output,
}

impl Tool<'_> {
    fn list(&mut self) -> Result<(), Failure> {
        let states = self.words("state", "state list", "states", &STATES)?;
        let kinds = self.words("type", "types list", "types", &TYPES)?;
        let groups = self.consumer_groups(&states, &kinds)?;
        let (with_type, with_state) = (self.parsed.has("type"), self.parsed.has("state"));
        if !with_type && !with_state {
            groups.iter().try_for_each(|(id, ..)| self.output.line(id))?;
            return Ok(());
        }
        let width = groups.iter().map(|(id, ..)| id.chars().count()).max().unwrap_or(0).max(15) + 10;
        let line = |id: &str, kind: &str, state: &str| {
            let mut line = format!("{id:width$}");
            for (_, word) in [(with_type, kind), (with_state, state)].iter().filter(|(is_shown, _)| *is_shown) {
                line.push_str(&format!(" {word:20}"));
            }
            line
        };
        self.output.line(line("GROUP", "TYPE", "STATE"))?;
        groups.iter().try_for_each(|(id, kind, state)| self.output.line(line(id, kind, state)))?;
        Ok(())
    }

    /// Words of an option, with commas between; empty if it has no value.
    fn words(&self, option: &str, list: &str, plural: &str, known: &[&str]) -> Result<Vec<String>, Failure> {
        let Some(given) = self.parsed.value(option).filter(|given| !given.is_empty()) else { return Ok(Vec::new()) };
        let word = |word: &str| {
            let spelled = word.trim().replace('_', "");
            known.iter().find(|known| known.eq_ignore_ascii_case(&spelled)).map(|known| (*known).to_owned())
        };
        let invalid = || wrong(&format!("Invalid {list} '{given}'. Valid {plural} are: {}", known.join(", ")));
        given.split(',').map(word).collect::<Option<Vec<_>>>().ok_or_else(invalid)
    }

    /// Id, type and state of the groups of consumers, and of those that only have offsets (`ListGroupsOptions.forConsumerGroups`).
    fn consumer_groups(
        &mut self,
        states: &[String],
        kinds: &[String],
    ) -> Result<Vec<(String, String, String)>, Failure> {
        let kinds = if kinds.is_empty() { TYPES.map(str::to_owned).to_vec() } else { kinds.to_vec() };
        let groups = self.client.list_groups(states, &kinds).map_err(failed)?;
        let is_consumer = |protocol: &str| protocol.is_empty() || protocol == CONSUMER;
        let named = groups.into_iter().filter(|group| is_consumer(&group.protocol_type)).map(|group| {
            let kind = group.kind.unwrap_or_default();
            let name = TYPES.iter().find(|known| known.eq_ignore_ascii_case(&kind)).copied().unwrap_or("Unknown");
            (group.id, name.to_owned(), group.state.unwrap_or_else(|| "Unknown".to_owned()))
        });
        Ok(named.collect())
    }

    /// The groups that were named, or all; by id.
    fn chosen_groups(&mut self) -> Result<Vec<String>, Failure> {
        let mut ids: Vec<String> = if self.parsed.has("all-groups") {
            self.consumer_groups(&[], &[])?.into_iter().map(|(id, ..)| id).collect()
        } else {
            self.parsed.values("group").to_vec()
        };
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn delete(&mut self) -> Result<(), Failure> {
        if self.parsed.has("topic") {
            return Err(wrong("The consumer does not support topic-specific offset deletion from a consumer group."));
        }
        let (mut deleted, mut refused) = (Vec::new(), Vec::new());
        for group in self.chosen_groups()? {
            match self.client.delete_group(&group) {
                Ok(()) => deleted.push(format!("'{group}'")),
                Err(ClientError::Refused(refusal)) => refused.push((group, refusal)),
                Err(error) => return Err(failed(error)),
            }
        }
        let names = deleted.join(", ");
        if refused.is_empty() {
            let line = format!("Deletion of requested consumer groups ({names}) was successful.");
            return Ok(self.output.line(line)?);
        }
        self.output.line("\nError: Deletion of some consumer groups failed:")?;
        for (group, refusal) in &refused {
            let line = format!("* Group '{group}' could not be deleted due to: {}", exception(refusal));
            self.output.line(line)?;
        }
        if !deleted.is_empty() {
            self.output.line(format!("\nThese consumer groups were deleted successfully: {names}"))?;
        }
        Ok(())
    }

    fn delete_offsets(&mut self) -> Result<(), Failure> {
        let group = self.parsed.value("group").unwrap_or_default();
        let (places, unknown) = self.places()?;
        let mut statuses: BTreeMap<Place, String> = BTreeMap::new();
        let missing = Refusal::of(ErrorCode::UnknownTopicOrPartition);
        for topic in unknown {
            statuses.insert(Place { topic, partition: -1 }, format!("Error: {}", exception(&missing)));
        }
        let results = match self.client.try_delete_offsets(group, &places) {
            Err(ClientError::Refused(refusal)) => {
                self.output.line(format!("\nError: {}", message(&refusal)))?;
                places.into_iter().map(|place| (place, Err(refusal.clone()))).collect()
            }
            other => {
                let results = other.map_err(failed)?;
                match results.values().any(Result::is_err) {
                    true => self
                        .output
                        .line("\nError: Encountered some partition-level error, see the follow-up details.")?,
                    false => self.output.line(format!("Request succeeded for deleting offsets from group {group}."))?,
                }
                results
            }
        };
        statuses.extend(results.into_iter().map(|(place, result)| {
            (
                place,
                result.map_or_else(|refusal| format!("Error: {}", exception(&refusal)), |()| "Successful".to_owned()),
            )
        }));
        let width = statuses.keys().map(|place| place.topic.len()).max().unwrap_or(0).max(15);
        self.output.line(format!("\n{:width$} {:10} {:15}", "TOPIC", "PARTITION", "STATUS"))?;
        for (Place { topic, partition }, status) in &statuses {
            let partition = if *partition < 0 { "-".to_owned() } else { partition.to_string() };
            self.output.line(format!("{topic:width$} {partition:10} {status:15}"))?;
        }
        Ok(())
    }

    /// The partitions of `--topic`, and which topics there are none of.
    fn places(&mut self) -> Result<(Vec<Place>, Vec<String>), Failure> {
        let (mut places, mut unknown) = (Vec::new(), Vec::new());
        for given in self.parsed.values("topic") {
            let choice = TopicChoice::parse(given)
                .map_err(|_| wrong(&format!("Invalid topic arg '{given}', expected topic name and partitions")))?;
            let found = self.client.partitions_of(&[&choice.topic]).map_err(failed)?;
            if !choice.partitions.is_empty() {
                places.extend(choice.partitions.iter().map(|partition| choice.place(*partition)));
            } else if found.is_empty() {
                unknown.push(choice.topic);
            } else {
                places.extend(found);
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok((places, unknown))
    }
}
