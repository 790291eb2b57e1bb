//! `ottla tier describe`.

use std::ops::Range;

use clap::Args;

use super::facts::{Facts, Lag, Sources};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only this topic.
    topic: Option<String>,
    /// One JSON object a partition and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: Sources,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let facts = self.sources.facts(self.topic.as_deref())?;
        let mut output = Output::new();
        if self.json {
            for (key, facts) in &facts {
                output.json(&facts.document(key))?;
            }
        } else {
            let rows: Vec<_> =
                facts.iter().map(|((topic, _, partition), facts)| row(topic, *partition, facts)).collect();
            let head = [
                "TOPIC",
                "PARTITION",
                "START",
                "REMOTE",
                "SEGMENTS",
                "BYTES",
                "MANIFEST",
                "LOCAL",
                "WAITING",
                "STATUS",
            ];
            output.table(&head, &rows)?;
        }
        Ok(output.flush()?)
    }
}

fn row(topic: &str, partition: i32, facts: &Facts) -> Vec<String> {
    vec![
        topic.to_owned(),
        partition.to_string(),
        or_dash(facts.log_start),
        or_dash(facts.remote.as_ref().map(offsets)),
        or_dash(facts.segments),
        or_dash(facts.bytes),
        or_dash(facts.manifest.as_deref().map(short)),
        or_dash(facts.local.as_ref().map(offsets)),
        or_dash(facts.lag.map(waiting)),
        or_dash(facts.status.as_deref().filter(|status| !status.is_empty())),
    ]
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// First and last offset.
pub(super) fn offsets(range: &Range<i64>) -> String {
    if range.is_empty() { "none".to_owned() } else { format!("{}..={}", range.start, range.end - 1) }
}

/// A manifest's leader epoch and number without what only makes names sort.
fn short(manifest: &str) -> String {
    let trimmed =
        |digits: &str| Some(digits.trim_start_matches('0')).filter(|rest| !rest.is_empty()).unwrap_or("0").to_owned();
    manifest
        .split_once('-')
        .map_or_else(|| manifest.to_owned(), |(epoch, number)| format!("{}-{}", trimmed(epoch), trimmed(number)))
}

fn waiting(lag: Lag) -> String {
    match lag.segments {
        0 => "nothing".to_owned(),
        segments => format!("{segments} segments, {} bytes, {} s", lag.bytes, lag.ms / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_known_and_no_more() {
        let facts = Facts {
            remote: Some(0..90),
            manifest: Some("0000000000-00000000000000000170".to_owned()),
            local: Some(90..90),
            lag: Some(Lag { segments: 0, bytes: 0, ms: 0 }),
            status: Some(String::new()),
            ..Facts::default()
        };
        let expected = ["t", "0", "-", "0..=89", "-", "-", "0-170", "none", "nothing", "-"];
        assert_eq!(row("t", 0, &facts), expected);
    }
}
