//! `ottla config list`: every key that is known, and what a node here would make of it. Asks no broker.

use std::path::PathBuf;

use broker::config::definitions::{Definition, broker_key};
use broker::config::{EffectiveValue, Source, reference};
use clap::Args;
use serde_json::{Value, json};

use super::key_value;
use crate::output::Output;
use crate::server;

/// What to list.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Apache Kafka's own configuration file, as `ottla server` takes it.
    file: Option<PathBuf>,
    /// Sets one configuration key, over the environment and the file. May be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = key_value)]
    overrides: Vec<(String, String)>,
    /// Lists only keys that are set.
    #[arg(long)]
    set: bool,
    /// Prints one JSON array.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Prints the reference page of all keys, whatever is set.
    #[arg(long)]
    markdown: bool,
}

impl Arguments {
    /// Prints the list.
    ///
    /// # Errors
    /// What would keep a broker from starting.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut output = Output::new();
        if self.markdown {
            output.bytes(reference::page().as_bytes())?;
            return Ok(output.flush()?);
        }
        let (config, _) = server::configure(self.file.as_deref(), self.overrides)?;
        let is_wanted = |value: &EffectiveValue| !self.set || value.source != Source::Default;
        let values = config.values().into_iter().filter(is_wanted);
        let rows = values.filter_map(|value| Some((broker_key(value.definition_name)?, value)));
        if self.json {
            output.json(&rows.map(|(definition, value)| json_row(definition, &value)).collect())?;
        } else {
            let rows: Vec<_> = rows.map(|(definition, value)| table_row(definition, &value)).collect();
            output.table(&["KEY", "VALUE", "SET", "TYPE", "VALUES", "CHANGE", "HERE"], &rows)?;
        }
        Ok(output.flush()?)
    }
}

fn table_row(definition: &Definition, value: &EffectiveValue) -> Vec<String> {
    let is_set = if value.source == Source::Default { "" } else { "yes" };
    let cells = [
        definition.name,
        value.value.as_deref().unwrap_or("null"),
        is_set,
        reference::kind(definition.kind),
        &reference::bounds(&definition.bounds),
        reference::update(definition.update),
        reference::effect(definition.effect),
    ];
    cells.map(str::to_owned).to_vec()
}

fn json_row(definition: &Definition, value: &EffectiveValue) -> Value {
    json!({
        "key": definition.name,
        "value": value.value,
        "set": value.source != Source::Default,
        "type": reference::kind(definition.kind),
        "default": definition.default,
        "values": reference::bounds(&definition.bounds),
        "change": reference::update(definition.update),
        "here": reference::effect(definition.effect),
        "documentation": definition.documentation,
    })
}
