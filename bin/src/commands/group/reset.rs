//! `ottla group reset`.

use std::collections::BTreeMap;
use std::io::{Write, stderr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use broker::clock::Clock;
use clap::Args;
use protocol::error_code::ErrorCode;
use serde_json::json;

use super::lag::cell;
use super::{TopicChoice, of_group};
use crate::client::{Client, Place, Reset, ResetTo};
use crate::commands::Server;
use crate::moments::{parse_datetime, parse_iso_duration, parse_span};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The group's name.
    group: String,
    /// A topic, or some of its partitions. May be given many times.
    #[arg(short, long = "topic", value_name = "TOPIC[:PARTITION,…]", value_parser = TopicChoice::parse)]
    topics: Vec<TopicChoice>,
    /// Every partition of which the group has committed an offset.
    #[arg(long, conflicts_with_all = ["topics", "from_file"])]
    all_topics: bool,
    /// Where to go on: beginning, end, current, an offset, +N or -N (records on or back), @MS (a time in ms since 1970),
    /// 90s, 15m, 2h, 7d or P1DT12H ago, or 2026-11-25T10:00:00 (UTC unless it names a zone).
    #[arg(long, value_name = "WHERE", value_parser = Where::parse, allow_hyphen_values = true,
          required_unless_present = "from_file")]
    to: Option<Where>,
    /// Lines of topic,partition,offset, as --csv prints them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "topics"])]
    from_file: Option<PathBuf>,
    /// Does it. Without it, only what would happen is shown.
    #[arg(long)]
    execute: bool,
    /// Prints topic,partition,offset for --from-file.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// One JSON object a partition and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// `--to`: a place, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    To(ResetTo),
    Ago { ms: i64 },
}

impl Where {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse::<i64>().ok().filter(|number| *number >= 0);
        let parsed = match (text, text.as_bytes()) {
            ("beginning", _) => Some(Self::To(ResetTo::Earliest)),
            ("end", _) => Some(Self::To(ResetTo::Latest)),
            ("current", _) => Some(Self::To(ResetTo::Current)),
            (_, [b'+', ..]) => number(&text[1..]).map(|count| Self::To(ResetTo::Shift(count))),
            (_, [b'-', ..]) => number(&text[1..]).map(|count| Self::To(ResetTo::Shift(-count))),
            (_, [b'@', ..]) => number(&text[1..]).map(|time| Self::To(ResetTo::Timestamp(time))),
            _ => (number(text).map(ResetTo::Offset))
                .or_else(|| parse_datetime(text).map(ResetTo::Timestamp))
                .map(Self::To)
                .or_else(|| parse_span(text).or_else(|| parse_iso_duration(text)).map(|ms| Self::Ago { ms })),
        };
        parsed.ok_or_else(|| {
            "expected beginning, end, current, an offset, +N, -N, @MS, a time like 15m, or a date".to_owned()
        })
    }

    fn resolve(self, now_ms: i64) -> ResetTo {
        match self {
            Self::To(to) => to,
            Self::Ago { ms } => ResetTo::Timestamp(now_ms.saturating_sub(ms).max(0)),
        }
    }
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        self.check_inactive(&mut client)?;
        let plan = self.plan(&mut client)?;
        for reset in &plan {
            if let Some(asked) = reset.asked {
                let _ = writeln!(stderr(), "{} does not have {asked}, but {}", reset.place, reset.to);
            }
        }
        if self.execute {
            of_group("reset", &self.group, client.carry_out_reset(&self.group, &plan))?;
        }
        self.print(&plan)?;
        if !self.execute && !self.csv {
            let _ = writeln!(stderr(), "nothing was changed; --execute does it");
        }
        Ok(())
    }

    /// Members would overwrite it at once.
    fn check_inactive(&self, client: &mut Client) -> anyhow::Result<()> {
        match client.describe_group(&self.group) {
            Ok(group) if group.is_active() => {
                let (group, state) = (&self.group, group.state);
                bail!(
                    "cannot reset {group}: it is {state}; stop its members first (who they are: ottla group describe {group})"
                )
            }
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Ok(()),
            other => of_group("reset", &self.group, other).map(drop),
        }
    }

    fn plan(&self, client: &mut Client) -> anyhow::Result<Vec<Reset>> {
        let committed = of_group("reset", &self.group, client.committed_offsets(&self.group))?;
        if let Some(path) = &self.from_file {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let offsets = import(&text).with_context(|| path.display().to_string())?;
            return Ok(client.plan_import(&committed, &offsets)?);
        }
        let places: Vec<Place> =
            if self.all_topics { committed.keys().cloned().collect() } else { self.chosen(client)? };
        if places.is_empty() {
            bail!("nothing to reset: give --topic, or --all-topics for a group that has committed offsets");
        }
        let to = self.to.context("--to is missing")?.resolve(Clock::default().now_ms());
        Ok(client.plan_reset(&committed, &places, to)?)
    }

    fn chosen(&self, client: &mut Client) -> anyhow::Result<Vec<Place>> {
        let names: Vec<&str> = self.topics.iter().map(|choice| choice.topic.as_str()).collect();
        let known = client.partitions_of(&names)?;
        let mut places = Vec::new();
        for choice in &self.topics {
            let topic = &choice.topic;
            let all = known.iter().filter(|place| place.topic == *topic);
            if all.clone().next().is_none() {
                bail!("there is no topic {topic} (what there is: ottla topic list)");
            }
            let named = choice.partitions.iter().map(|partition| Place { topic: topic.clone(), partition: *partition });
            places.extend(named);
            places.extend(all.filter(|_| choice.partitions.is_empty()).cloned());
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    fn print(&self, plan: &[Reset]) -> anyhow::Result<()> {
        let mut output = Output::new();
        for reset in plan.iter().filter(|_| self.csv || self.json) {
            let Place { topic, partition } = &reset.place;
            if self.csv {
                output.line(format!("{topic},{partition},{}", reset.to))?;
            } else {
                output.json(&json!({
                    "group": self.group,
                    "topic": topic,
                    "partition": partition,
                    "from": reset.from,
                    "to": reset.to,
                    "executed": self.execute,
                }))?;
            }
        }
        if !self.csv && !self.json {
            let row = |reset: &Reset| {
                let Place { topic, partition } = &reset.place;
                vec![topic.clone(), partition.to_string(), cell(reset.from), reset.to.to_string()]
            };
            output.table(&["TOPIC", "PARTITION", "FROM", "TO"], &plan.iter().map(row).collect::<Vec<_>>())?;
        }
        Ok(output.flush()?)
    }
}

/// Lines of `topic,partition,offset`; empty ones are skipped.
fn import(text: &str) -> anyhow::Result<BTreeMap<Place, i64>> {
    let mut offsets = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parsed = || {
            let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
            let (topic, partition, offset) = (cells.next()?, cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
            cells.next().is_none().then(|| (Place { topic: topic.to_owned(), partition }, offset))
        };
        let (place, offset) =
            parsed().with_context(|| format!("line {}: expected topic,partition,offset", index + 1))?;
        offsets.insert(place, offset);
    }
    if offsets.is_empty() {
        bail!("no line of topic,partition,offset");
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_understood() {
        let cases = [
            ("beginning", ResetTo::Earliest),
            ("end", ResetTo::Latest),
            ("current", ResetTo::Current),
            ("17", ResetTo::Offset(17)),
            ("+5", ResetTo::Shift(5)),
            ("-5", ResetTo::Shift(-5)),
            ("@1000", ResetTo::Timestamp(1000)),
            ("1970-01-01T00:00:01Z", ResetTo::Timestamp(1000)),
        ];
        for (text, expected) in cases {
            assert_eq!(Where::parse(text), Ok(Where::To(expected)), "{text}");
        }
        for ago in ["15m", "PT15M"] {
            assert_eq!(Where::parse(ago).unwrap().resolve(1_000_000_000), ResetTo::Timestamp(999_100_000), "{ago}");
        }
        for text in ["", "start", "-", "--5", "1.5h", "2026-11-25"] {
            assert!(Where::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_has_a_line_for_each_partition() {
        let offsets = import("t,0,5\n\n\"u\",1,7\n").unwrap();
        let shown: Vec<_> = offsets.iter().map(|(place, offset)| format!("{place} {offset}")).collect();
        assert_eq!(shown, ["t-0 5", "u-1 7"]);
        for broken in ["", "t,0", "t,0,x", "t,0,1,2"] {
            assert!(import(broken).is_err(), "{broken}");
        }
    }
}
