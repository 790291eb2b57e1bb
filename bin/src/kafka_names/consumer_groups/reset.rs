//! `kafka-consumer-groups --reset-offsets`. Source: `GroupOffsetsResetter`.

use std::collections::BTreeMap;
use std::io::{Write, stderr};

use broker::clock::Clock;
use protocol::error_code::ErrorCode;

use super::{Failure, Tool, failed, said, wrong};
use crate::client::{Place, Reset, ResetError, ResetTo};
use crate::moments::{parse_datetime, parse_iso_duration};

const SCENARIOS: [&str; 8] =
    ["to-offset", "shift-by", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "from-file"];
const NOT_EXECUTED: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will \
    require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this \
    command and want to keep the current default behavior without prompting.";

impl Tool<'_> {
    pub(super) fn reset(&mut self) -> Result<(), Failure> {
        let scenarios: Vec<&str> = SCENARIOS.into_iter().filter(|name| self.parsed.has(name)).collect();
        if let [first, second, ..] = scenarios[..] {
            return Err(wrong(&format!("Option \"[{first}]\" can't be used with option \"[{second}]\"")));
        }
        let Some(scenario) = scenarios.first() else {
            return Err(wrong(&format!(
                "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
                SCENARIOS.map(|name| format!("[{name}]")).join(", ")
            )));
        };
        if !self.parsed.has("dry-run") && !self.parsed.has("execute") {
            writeln!(stderr(), "{NOT_EXECUTED}")?;
        }
        let mut plans: Vec<(String, Vec<Reset>)> = Vec::new();
        for group in self.chosen_groups()? {
            let plan = if self.is_inactive(&group)? { self.plan(&group, scenario)? } else { Vec::new() };
            if self.parsed.has("execute") {
                self.client.carry_out_reset(&group, &plan).map_err(failed)?;
            }
            plans.push((group, plan));
        }
        if self.parsed.has("export") { self.export(&plans) } else { self.print(&plans) }
    }

    fn is_inactive(&mut self, group: &str) -> Result<bool, Failure> {
        match self.client.describe_group(group) {
            Ok(found) if found.is_active() => {
                let line = format!(
                    "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is {}.",
                    found.state
                );
                self.output.line(line)?;
                Ok(false)
            }
            Err(error) if error.code() != Some(ErrorCode::GroupIdNotFound) => Err(failed(error)),
            _ => Ok(true),
        }
    }

    fn plan(&mut self, group: &str, scenario: &str) -> Result<Vec<Reset>, Failure> {
        let committed = self.client.committed_offsets(group).map_err(failed)?;
        let plan = if scenario == "from-file" {
            let offsets = self.import(group)?;
            self.client.plan_import(&committed, &offsets)
        } else {
            let places = if self.parsed.has("all-topics") {
                committed.keys().cloned().collect()
            } else if self.parsed.has("topic") {
                let (places, unknown) = self.places()?;
                if let Some(topic) = unknown.first() {
                    return Err(said(&format!(
                        "Executing consumer group command failed due to \
                         org.apache.kafka.common.errors.UnknownTopicOrPartitionException: Topic {topic} not found."
                    )));
                }
                places
            } else {
                return Err(wrong("One of the reset scopes should be defined: --all-topics, --topic."));
            };
            let to = self.target(scenario)?;
            self.client.plan_reset(&committed, &places, to)
        };
        let plan = plan.map_err(|error| match error {
            ResetError::Client(error) => failed(error),
            ResetError::UnknownPartition(place) => {
                said(&format!("Executing consumer group command failed due to The partitions \"{place}\" do not exist"))
            }
            ResetError::NothingToShift(place) => {
                wrong(&format!("Cannot shift offset for partition {place} since there is no current committed offset"))
            }
        })?;
        for reset in &plan {
            self.warn(reset)?;
        }
        Ok(plan)
    }

    /// The partition does not reach as far as was asked.
    fn warn(&mut self, Reset { place, to, asked, .. }: &Reset) -> Result<(), Failure> {
        let Some(asked) = asked else { return Ok(()) };
        let relation = if asked > to { "higher than latest" } else { "lower than earliest" };
        writeln!(
            stderr(),
            "WARN New offset ({asked}) is {relation} offset for topic partition {place}. Value will be set to {to}."
        )?;
        Ok(())
    }

    fn target(&self, scenario: &str) -> Result<ResetTo, Failure> {
        let text = self.parsed.value(scenario).unwrap_or_default();
        let number =
            || text.parse::<i64>().map_err(|_| wrong(&format!("Cannot parse argument '{text}' of option {scenario}")));
        let unreadable =
            || said(&format!("Executing consumer group command failed due to Unparseable date: \"{text}\""));
        Ok(match scenario {
            "to-earliest" => ResetTo::Earliest,
            "to-latest" => ResetTo::Latest,
            "to-current" => ResetTo::Current,
            "to-offset" => ResetTo::Offset(number()?),
            "shift-by" => ResetTo::Shift(number()?),
            "to-datetime" => ResetTo::Timestamp(parse_datetime(text).ok_or_else(unreadable)?),
            _ => {
                let ms = parse_iso_duration(text).ok_or_else(|| {
                    said("Executing consumer group command failed due to Text cannot be parsed to a Duration")
                })?;
                ResetTo::Timestamp(Clock::default().now_ms().saturating_sub(ms))
            }
        })
    }

    /// `topic,partition,offset`, or with the group before it.
    fn import(&self, group: &str) -> Result<BTreeMap<Place, i64>, Failure> {
        let path = self.parsed.value("from-file").unwrap_or_default();
        let unreadable = |why: &str| said(&format!("Executing consumer group command failed due to {path}: {why}"));
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error.to_string()))?;
        let mut offsets = BTreeMap::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let mut cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
            if cells.len() == 4 && cells.remove(0) != group {
                continue;
            }
            let [topic, partition, offset] = cells[..] else { return Err(unreadable(line)) };
            let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return Err(unreadable(line)) };
            offsets.insert(Place { topic: topic.to_owned(), partition }, offset);
        }
        Ok(offsets)
    }

    fn export(&mut self, plans: &[(String, Vec<Reset>)]) -> Result<(), Failure> {
        let with_group = self.parsed.values("group").len() != 1;
        for (group, plan) in plans {
            for Reset { place, to, .. } in plan {
                let prefix = if with_group { format!("{group},") } else { String::new() };
                self.output.line(format!("{prefix}{},{},{to}", place.topic, place.partition))?;
            }
        }
        Ok(self.output.line("")?)
    }

    fn print(&mut self, plans: &[(String, Vec<Reset>)]) -> Result<(), Failure> {
        let group = plans.iter().map(|(group, _)| group.len()).max().unwrap_or(0).max(15);
        let topics = plans.iter().flat_map(|(_, plan)| plan).map(|reset| reset.place.topic.len());
        let topic = topics.max().unwrap_or(0).max(15);
        self.output.line(format!("\n{:group$} {:topic$} {:10} NEW-OFFSET", "GROUP", "TOPIC", "PARTITION"))?;
        for (id, plan) in plans {
            for Reset { place, to, .. } in plan {
                self.output.line(format!("{id:group$} {:topic$} {:<10} {to}", place.topic, place.partition))?;
            }
        }
        Ok(())
    }
}
