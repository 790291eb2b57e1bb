//! `ottla group list`.

use clap::Args;
use serde_json::json;

use crate::commands::Server;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only groups in this state: empty, stable, preparing-rebalance, … May be given many times.
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    states: Vec<String>,
    /// Only groups of this type: classic, consumer. May be given many times.
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// One JSON object a group and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// As Kafka spells states, without regard for case, or with dashes.
#[expect(clippy::unnecessary_wraps, reason = "it is a parser of clap")]
fn state(text: &str) -> Result<String, String> {
    Ok(text.replace('-', ""))
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let groups = self.server.connect()?.list_groups(&self.states, &self.kinds)?;
        let mut output = Output::new();
        if self.json {
            for group in &groups {
                output.json(&json!({
                    "group": group.id,
                    "type": group.kind,
                    "protocol": group.protocol_type,
                    "state": group.state,
                }))?;
            }
            return Ok(output.flush()?);
        }
        let word = |word: Option<&str>| word.filter(|word| !word.is_empty()).unwrap_or("-").to_owned();
        let rows: Vec<_> = groups
            .iter()
            .map(|group| {
                let (kind, state) = (word(group.kind.as_deref()), word(group.state.as_deref()));
                vec![group.id.clone(), kind, word(Some(&group.protocol_type)), state]
            })
            .collect();
        output.table(&["GROUP", "TYPE", "PROTOCOL", "STATE"], &rows)?;
        Ok(output.flush()?)
    }
}
