//! `ottla tier map`.

use std::ops::Range;

use clap::Args;
use serde_json::{Value, json};

use super::describe::offsets;
use super::facts::{Facts, Sources};
use crate::output::Output;

/// Characters of a bar.
const WIDTH: usize = 60;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only this topic.
    topic: Option<String>,
    /// One JSON object a partition and line, with the ranges that are remote, local or both.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: Sources,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let facts = self.sources.facts(self.topic.as_deref())?;
        let mut output = Output::new();
        for ((topic, _, partition), facts) in &facts {
            let map = Map::of(facts);
            if self.json {
                output.json(&json!({ "topic": topic, "partition": partition, "ranges": map.document() }))?;
            } else {
                map.lines(topic, *partition).iter().try_for_each(|line| output.line(line))?;
            }
        }
        Ok(output.flush()?)
    }
}

/// Where the offsets of one partition are. Ranges end before their end.
struct Map {
    remote: Range<i64>,
    /// `None`: no broker was asked, or it does not know.
    local: Option<Range<i64>>,
}

impl Map {
    /// What cannot be read any more is nowhere.
    fn of(facts: &Facts) -> Self {
        let start = facts.log_start.unwrap_or(0);
        let readable = |range: &Range<i64>| range.start.max(start)..range.end.max(start);
        Self { remote: facts.remote.as_ref().map_or(0..0, readable), local: facts.local.as_ref().map(readable) }
    }

    /// From the first offset that is anywhere to the end.
    fn whole(&self) -> Range<i64> {
        let ranges =
            || [Some(&self.remote), self.local.as_ref()].into_iter().flatten().filter(|range| !range.is_empty());
        let start = ranges().map(|range| range.start).min().unwrap_or(0);
        start..ranges().map(|range| range.end).max().unwrap_or(start)
    }

    fn both(&self) -> Range<i64> {
        let local = self.local.clone().unwrap_or(0..0);
        self.remote.start.max(local.start)..self.remote.end.min(local.end)
    }

    fn document(&self) -> Vec<Value> {
        let range = |kind: &str, range: Range<i64>| {
            (!range.is_empty()).then(|| json!({ "where": kind, "firstOffset": range.start, "endOffset": range.end }))
        };
        let (both, local) = (self.both(), self.local.clone().unwrap_or(0..0));
        let (remote_end, local_start) =
            if both.is_empty() { (self.remote.end, local.start) } else { (both.start, both.end) };
        [range("remote", self.remote.start..remote_end), range("both", both), range("local", local_start..local.end)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn lines(&self, topic: &str, partition: i32) -> Vec<String> {
        let whole = self.whole();
        let bar = |name: &str, range: &Range<i64>| format!("  {name:6} [{}]  {}", bar(range, &whole), offsets(range));
        let mut lines = vec![format!("{topic}-{partition}  {}", offsets(&whole)), bar("remote", &self.remote)];
        lines.push(match &self.local {
            Some(local) => bar("local", local),
            None => "  local  not known: --monitoring names a running broker".to_owned(),
        });
        lines
    }
}

/// The part of `whole` that is `range`; what is there at all has a character.
fn bar(range: &Range<i64>, whole: &Range<i64>) -> String {
    let length = i128::from(whole.end) - i128::from(whole.start);
    let place = |offset: i64| {
        let from_start = (i128::from(offset) - i128::from(whole.start)) * WIDTH as i128;
        usize::try_from(from_start.checked_div(length).unwrap_or(0)).unwrap_or(0).min(WIDTH)
    };
    if range.is_empty() {
        return " ".repeat(WIDTH);
    }
    let from = place(range.start).min(WIDTH - 1);
    let to = place(range.end).max(from + 1);
    format!("{}{}{}", " ".repeat(from), "#".repeat(to - from), " ".repeat(WIDTH - to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(log_start: i64, remote: Range<i64>, local: Option<Range<i64>>) -> Map {
        Map::of(&Facts { log_start: Some(log_start), remote: Some(remote), local, ..Facts::default() })
    }

    #[test]
    fn every_offset_has_its_place() {
        let lines = map(0, 0..90, Some(60..120)).lines("t", 3);
        assert_eq!(lines[0], "t-3  0..=119");
        assert_eq!(lines[1], format!("  remote [{}{}]  0..=89", "#".repeat(45), " ".repeat(15)));
        assert_eq!(lines[2], format!("  local  [{}{}]  60..=119", " ".repeat(30), "#".repeat(30)));
        assert!(map(0, 0..90, None).lines("t", 0)[2].contains("not known"));
    }

    #[test]
    fn ranges_meet_or_leave_a_gap() {
        let range = |kind: &str, first: i64, end: i64| json!({ "where": kind, "firstOffset": first, "endOffset": end });
        let both = map(10, 0..90, Some(60..120)).document();
        assert_eq!(both, [range("remote", 10, 60), range("both", 60, 90), range("local", 90, 120)]);
        assert_eq!(map(0, 0..90, Some(90..120)).document(), [range("remote", 0, 90), range("local", 90, 120)]);
        assert_eq!(map(0, 0..0, Some(5..9)).document(), [range("local", 5, 9)]);
        assert_eq!(map(0, 0..0, None).document(), [] as [Value; 0]);
    }

    #[test]
    fn small_things_are_seen_and_nothing_overflows() {
        assert_eq!(bar(&(999..1000), &(0..1000)).trim_start(), "#");
        assert_eq!(bar(&(0..i64::MAX), &(0..i64::MAX)), "#".repeat(WIDTH));
        assert_eq!(bar(&(0..0), &(0..0)).len(), WIDTH);
    }
}
