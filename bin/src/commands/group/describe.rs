//! `ottla group describe`.

use clap::Args;
use serde_json::{Value, json};

use super::lag::{GroupLag, PartitionLag, cell};
use super::of_group;
use crate::client::GroupMember;
use crate::commands::Server;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Without names: all groups.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// One JSON object a group and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let groups = if self.groups.is_empty() {
            client.list_groups(&[], &[])?.into_iter().map(|group| group.id).collect()
        } else {
            self.groups
        };
        let mut output = Output::new();
        for (place, group) in groups.iter().enumerate() {
            let group = of_group("describe", group, GroupLag::of(&mut client, group))?;
            if self.json {
                output.json(&document(&group))?;
            } else {
                if place > 0 {
                    output.line("")?;
                }
                print(&mut output, &group)?;
            }
        }
        Ok(output.flush()?)
    }
}

/// A group as JSON, for `describe` and `watch`.
pub(super) fn document(group: &GroupLag) -> Value {
    let description = &group.description;
    let member = |member: &GroupMember| {
        json!({
            "id": member.id,
            "instance_id": member.instance_id,
            "client_id": member.client_id,
            "host": member.host,
            "assignment": member.assignment.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })
    };
    let partition = |partition: &PartitionLag| {
        json!({
            "topic": partition.place.topic,
            "partition": partition.place.partition,
            "committed": partition.committed,
            "end": partition.end,
            "lag": partition.lag(),
            "member": group.member(partition).map(|member| &member.id),
        })
    };
    json!({
        "group": description.id,
        "type": description.kind,
        "protocol": description.protocol_type,
        "state": description.state,
        "assignor": description.assignor,
        "coordinator": description.coordinator,
        "epoch": description.epochs.map(|(epoch, _)| epoch),
        "assignment_epoch": description.epochs.map(|(_, epoch)| epoch),
        "lag": group.total(),
        "members": description.members.iter().map(member).collect::<Vec<_>>(),
        "partitions": group.partitions.iter().map(partition).collect::<Vec<_>>(),
    })
}

fn print(output: &mut Output, group: &GroupLag) -> std::io::Result<()> {
    let description = &group.description;
    let mut about = vec![description.kind.to_owned(), description.state.clone()];
    about.extend(Some(&description.assignor).filter(|name| !name.is_empty()).map(|name| format!("assignor {name}")));
    about.extend(description.epochs.map(|(epoch, _)| format!("epoch {epoch}")));
    about.push(format!("coordinator {}", description.coordinator));
    about.push(format!("lag {}", group.total()));
    output.line(format!("{}  ({})", description.id, about.join(", ")))?;
    let member = |member: &GroupMember| {
        let instance = member.instance_id.clone().unwrap_or_else(|| "-".to_owned());
        let count = member.partition_count().to_string();
        vec![format!("  {}", member.id), instance, member.client_id.clone(), member.host.clone(), count]
    };
    if !description.members.is_empty() {
        let rows: Vec<_> = description.members.iter().map(member).collect();
        output.table(&["  MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS"], &rows)?;
    }
    if !group.partitions.is_empty() {
        print_partitions(output, group)?;
    }
    Ok(())
}

/// The table of a group's partitions, for `describe` and `watch`.
pub(super) fn print_partitions(output: &mut Output, group: &GroupLag) -> std::io::Result<()> {
    let row = |partition: &PartitionLag| {
        let member = group.member(partition).map_or("-", |member| &member.id);
        vec![
            format!("  {}", partition.place.topic),
            partition.place.partition.to_string(),
            cell(partition.committed),
            cell(partition.end),
            cell(partition.lag()),
            member.to_owned(),
        ]
    };
    let rows: Vec<_> = group.partitions.iter().map(row).collect();
    output.table(&["  TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"], &rows)
}
