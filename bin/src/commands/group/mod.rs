//! `ottla group`: list, describe, reset, delete and watch the groups of consumers.

mod delete;
mod describe;
mod lag;
mod list;
mod reset;
mod watch;

use anyhow::Context;
use clap::Subcommand;
use protocol::error_code::ErrorCode;

use crate::client::{ClientError, Place};

/// Lists, describes, resets, deletes and watches groups of consumers, and what each has still to read.
///
/// Examples:
///   ottla group describe billing
///   ottla group watch
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Command {
    /// Lists groups.
    ///
    /// Examples:
    ///   ottla group list
    ///   ottla group list --state empty --json | jq -r .group
    #[command(verbatim_doc_comment)]
    List(list::Arguments),
    /// Describes groups: their members, and for each partition what is committed, what there is, and the difference, the lag.
    ///
    /// Examples:
    ///   ottla group describe                 # all
    ///   ottla group describe billing --json
    #[command(verbatim_doc_comment)]
    Describe(describe::Arguments),
    /// Sets where a group goes on reading. Shows only what it would do, unless --execute is given. The group's members must have
    /// stopped; a group that does not exist comes into being.
    ///
    /// Examples:
    ///   ottla group reset billing --topic orders --to beginning            # shows
    ///   ottla group reset billing --topic orders --to beginning --execute  # does it
    ///   ottla group reset billing --topic orders:0,2 --to -100             # 100 records back, in two partitions
    ///   ottla group reset billing --all-topics --to 15m                    # what was written since a quarter of an hour ago
    ///   ottla group reset billing --all-topics --to current --csv > offsets.csv
    ///   ottla group reset billing --from-file offsets.csv --execute
    #[command(verbatim_doc_comment)]
    Reset(reset::Arguments),
    /// Deletes groups with all their offsets, or only what a group has committed of some topics.
    ///
    /// Examples:
    ///   ottla group delete billing
    ///   ottla group delete billing --topic orders:0,2
    #[command(verbatim_doc_comment)]
    Delete(delete::Arguments),
    /// Shows again and again how far groups are: on a terminal as a table that is redrawn, elsewhere as lines. Until Ctrl-C.
    ///
    /// Examples:
    ///   ottla group watch                        # a line for each group
    ///   ottla group watch billing --interval 5   # its partitions, every five seconds
    ///   ottla group watch --json -n 1 | jq .lag
    #[command(verbatim_doc_comment)]
    Watch(watch::Arguments),
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(arguments) => arguments.run(),
            Self::Describe(arguments) => arguments.run(),
            Self::Reset(arguments) => arguments.run(),
            Self::Delete(arguments) => arguments.run(),
            Self::Watch(arguments) => arguments.run(),
        }
    }
}

/// A topic, or some of its partitions: `TOPIC` or `TOPIC:0,2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicChoice {
    pub(crate) topic: String,
    /// None means all.
    pub(crate) partitions: Vec<i32>,
}

impl TopicChoice {
    /// # Errors
    /// What stands behind the colon is no list of partitions. A topic's own name has no colon.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (topic, partitions) = match text.split_once(':') {
            None => (text, Vec::new()),
            Some((topic, partitions)) => {
                let number = |word: &str| word.trim().parse().ok().filter(|number: &i32| *number >= 0);
                let partitions: Option<Vec<i32>> = partitions.split(',').map(number).collect();
                (topic, partitions.ok_or("expected TOPIC or TOPIC:PARTITION,PARTITION")?)
            }
        };
        Ok(Self { topic: topic.to_owned(), partitions })
    }

    /// One of the topic's partitions.
    pub(crate) fn place(&self, partition: i32) -> Place {
        Place { topic: self.topic.clone(), partition }
    }

    fn contains(&self, place: &Place) -> bool {
        place.topic == self.topic && (self.partitions.is_empty() || self.partitions.contains(&place.partition))
    }
}

/// Says of which group it is, and what to do where that helps.
fn of_group<T>(what: &str, group: &str, result: Result<T, ClientError>) -> anyhow::Result<T> {
    match result {
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => {
            anyhow::bail!("cannot {what} {group}: there is no such group (what there is: ottla group list)")
        }
        Err(error) if error.code() == Some(ErrorCode::NonEmptyGroup) => {
            anyhow::bail!(
                "cannot {what} {group}: it has members; stop them first (who they are: ottla group describe {group})"
            )
        }
        Err(error) if error.code() == Some(ErrorCode::GroupSubscribedToTopic) => {
            anyhow::bail!("cannot {what} {group}: its members read that topic; stop them first")
        }
        other => other.with_context(|| format!("cannot {what} {group}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_stand_with_or_without_partitions() {
        let choice =
            |topic: &str, partitions: &[i32]| TopicChoice { topic: topic.to_owned(), partitions: partitions.into() };
        assert_eq!(TopicChoice::parse("orders"), Ok(choice("orders", &[])));
        assert_eq!(TopicChoice::parse("orders:0,12"), Ok(choice("orders", &[0, 12])));
        for text in ["orders:", "orders:a", "orders:-1", "orders:1:2"] {
            assert!(TopicChoice::parse(text).is_err(), "{text}");
        }
    }
}
