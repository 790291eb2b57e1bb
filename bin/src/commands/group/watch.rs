//! `ottla group watch`: how far groups are, again and again.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use protocol::error_code::ErrorCode;

use super::describe::{document, print_partitions};
use super::lag::GroupLag;
use super::of_group;
use crate::client::{Client, ClientError};
use crate::commands::Server;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Puts the cursor home and wipes what is below it: the next table overwrites the last one without a flicker.
const REDRAW: &str = "\x1b[H\x1b[J";
/// How often Ctrl-C is looked for while nothing is to be shown.
const STEP: Duration = Duration::from_millis(50);

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Shows their partitions. Without names: one line for each group that there is.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Seconds from one look to the next.
    #[arg(short, long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    interval: Duration,
    /// Ends after so many looks.
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    /// One JSON object a group and look.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.05..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds, 0.05 to 86400".to_owned())
}

/// What was seen at one moment.
struct Look {
    at: Instant,
    groups: Vec<GroupLag>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut client = Some(self.server.connect()?);
        let mut before: Option<Look> = None;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 && !interrupt.is_asked() {
            let look = match &mut client {
                Some(client) => self.look(client),
                None => self.server.connect().and_then(|new| self.look(client.insert(new))),
            };
            match look {
                Ok(look) => {
                    self.show(&look, before.as_ref())?;
                    before = Some(look);
                    left -= 1;
                }
                // The broker may come back; a first look that fails says at once what is wrong.
                Err(error) if before.is_some() && is_passing(&error) => {
                    client = None;
                    let _ = writeln!(stderr(), "{error:#}");
                }
                Err(error) => return Err(error),
            }
            if left > 0 {
                rest(self.interval, &interrupt);
            }
        }
        Ok(())
    }

    fn look(&self, client: &mut Client) -> anyhow::Result<Look> {
        let at = Instant::now();
        let listed = match self.groups.is_empty() {
            true => client.list_groups(&[], &[])?.into_iter().map(|group| group.id).collect(),
            false => self.groups.clone(),
        };
        let mut groups = Vec::new();
        for group in &listed {
            match GroupLag::of(client, group) {
                // It went between the list and this question.
                Err(error) if self.groups.is_empty() && error.code() == Some(ErrorCode::GroupIdNotFound) => {}
                other => groups.push(of_group("watch", group, other)?),
            }
        }
        Ok(Look { at, groups })
    }

    fn show(&self, look: &Look, before: Option<&Look>) -> anyhow::Result<()> {
        let mut output = Output::new();
        if self.json {
            for group in &look.groups {
                output.json(&document(group))?;
            }
            return Ok(output.flush()?);
        }
        if stdout().is_terminal() {
            output.bytes(REDRAW.as_bytes())?;
        } else if before.is_some() {
            output.line("")?;
        }
        output.table(&["GROUP", "STATE", "MEMBERS", "LAG", "READS/S"], &rows(look, before))?;
        for group in look.groups.iter().filter(|_| !self.groups.is_empty()) {
            output.line("")?;
            output.line(&group.description.id)?;
            print_partitions(&mut output, group)?;
        }
        output.flush().context("cannot show it")
    }
}

/// A line for each group, with how many records a second it has committed since the look before.
fn rows(look: &Look, before: Option<&Look>) -> Vec<Vec<String>> {
    let committed = |group: &GroupLag| -> i64 { group.partitions.iter().filter_map(|lag| lag.committed).sum() };
    let earlier: BTreeMap<&str, i64> = before
        .iter()
        .flat_map(|look| &look.groups)
        .map(|group| (group.description.id.as_str(), committed(group)))
        .collect();
    let seconds = before.map_or(0.0, |before| (look.at - before.at).as_secs_f64());
    let row = |group: &GroupLag| {
        let description = &group.description;
        let rate = earlier
            .get(description.id.as_str())
            .filter(|_| seconds > 0.0)
            .map_or_else(|| "-".to_owned(), |earlier| format!("{:.1}", (committed(group) - earlier) as f64 / seconds));
        let members = description.members.len().to_string();
        vec![description.id.clone(), description.state.clone(), members, group.total().to_string(), rate]
    };
    look.groups.iter().map(row).collect()
}

fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<ClientError>().is_some_and(ClientError::is_passing))
}

/// Lets the time pass until the next look, or until Ctrl-C.
fn rest(interval: Duration, interrupt: &Interrupt) {
    let end = Instant::now() + interval;
    while !interrupt.is_asked() {
        let Some(left) = end.checked_duration_since(Instant::now()) else { return };
        std::thread::park_timeout(left.min(STEP));
    }
}
