//! `ottla group delete`.

use anyhow::bail;
use clap::Args;
use protocol::error_code::ErrorCode;

use super::{TopicChoice, of_group};
use crate::client::{Client, Place};
use crate::commands::Server;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Names of groups.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    /// Only what is committed of this topic, or of some of its partitions. May be given many times.
    #[arg(short, long = "topic", value_name = "TOPIC[:PARTITION,…]", value_parser = TopicChoice::parse)]
    topics: Vec<TopicChoice>,
    /// A group that does not exist is no failure.
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    server: Server,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let mut output = Output::new();
        for group in &self.groups {
            let done = if self.topics.is_empty() {
                client.delete_group(group).map(|()| format!("deleted {group}"))
            } else {
                let places = self.committed(&mut client, group)?;
                client
                    .delete_offsets(group, &places)
                    .map(|()| format!("deleted the offsets of {group} in {} partitions", places.len()))
            };
            match done {
                Err(error) if self.if_exists && error.code() == Some(ErrorCode::GroupIdNotFound) => {
                    output.line(format!("{group} does not exist"))?;
                }
                done => output.line(of_group("delete", group, done)?)?,
            }
        }
        Ok(output.flush()?)
    }

    /// What the group has committed of what was chosen.
    fn committed(&self, client: &mut Client, group: &str) -> anyhow::Result<Vec<Place>> {
        let mut places: Vec<Place> = client.committed_offsets(group)?.into_keys().collect();
        places.retain(|place| self.topics.iter().any(|choice| choice.contains(place)));
        if places.is_empty() && !self.if_exists {
            bail!("{group} has committed nothing there (what it has: ottla group describe {group})");
        }
        Ok(places)
    }
}
