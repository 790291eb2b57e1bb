//! `kafka-consumer-groups --describe`: offsets, members or state of groups.

use std::collections::BTreeMap;
use std::io::{Write, stderr};

use super::{Failure, Tool, failed, said};
use crate::client::{Committed, GroupDescription, GroupMember, OffsetAt, Place};

/// Where there is nothing to say.
const NOTHING: &str = "-";
const LEAST: usize = 15;

/// A partition of a group.
struct Row {
    place: Place,
    committed: Option<Committed>,
    end: Option<i64>,
    /// Id, host and client id.
    member: [String; 3],
}

impl Tool<'_> {
    pub(super) fn describe(&mut self) -> Result<(), Failure> {
        let is_verbose = self.parsed.has("verbose");
        let mut groups = Vec::new();
        for id in self.chosen_groups()? {
            groups.push(self.client.describe_group(&id).map_err(failed)?);
        }
        for group in &groups {
            if self.parsed.has("members") {
                self.members(group, is_verbose)?;
            } else if self.parsed.has("state") {
                self.state(group, is_verbose)?;
            } else {
                self.offsets(group, is_verbose)?;
            }
        }
        Ok(())
    }

    /// Says what is special of the group's state (`shouldPrintMemberState`).
    fn remark(&mut self, group: &GroupDescription) -> Result<(), Failure> {
        let id = &group.id;
        match group.state.as_str() {
            "Dead" => Err(said(&format!("Consumer group '{id}' does not exist."))),
            "Empty" => {
                self.output.flush()?;
                Ok(writeln!(stderr(), "\nConsumer group '{id}' has no active members.")?)
            }
            "Stable" => Ok(()),
            _ => {
                self.output.flush()?;
                Ok(writeln!(stderr(), "\nWarning: Consumer group '{id}' is rebalancing.")?)
            }
        }
    }

    fn offsets(&mut self, group: &GroupDescription, is_verbose: bool) -> Result<(), Failure> {
        let rows = self.rows(group)?;
        self.remark(group)?;
        if rows.is_empty() {
            return Ok(());
        }
        let widest = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).len()).max().unwrap_or(0).max(LEAST);
        let (id, topic) = (group.id.len().max(LEAST), widest(|row| &row.place.topic));
        let (member, host) = (widest(|row| &row.member[0]), widest(|row| &row.member[1]));
        let line = |cells: [&str; 10]| {
            let epoch = if is_verbose { format!("{:15} ", cells[3]) } else { String::new() };
            format!(
                "{:id$} {:topic$} {:10} {epoch}{:15} {:15} {:15} {:member$} {:host$} {}",
                cells[0], cells[1], cells[2], cells[4], cells[5], cells[6], cells[7], cells[8], cells[9]
            )
        };
        self.output.line("")?;
        self.output.line(line([
            "GROUP",
            "TOPIC",
            "PARTITION",
            "LEADER-EPOCH",
            "CURRENT-OFFSET",
            "LOG-END-OFFSET",
            "LAG",
            "CONSUMER-ID",
            "HOST",
            "CLIENT-ID",
        ]))?;
        let cell = |number: Option<i64>| number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string());
        for row in &rows {
            let committed = row.committed.map(|committed| committed.offset);
            let epoch = row.committed.map(|committed| committed.leader_epoch).filter(|epoch| *epoch >= 0);
            let lag = row.end.zip(committed).map(|(end, committed)| end - committed);
            let [member, host, client] = &row.member;
            let partition = row.place.partition.to_string();
            let numbers = [cell(epoch.map(i64::from)), cell(committed), cell(row.end), cell(lag)];
            let [epoch, committed, end, lag] = &numbers;
            let cells = [&group.id, &row.place.topic, &partition, epoch, committed, end, lag, member, host, client];
            self.output.line(line(cells.map(String::as_str)))?;
        }
        Ok(())
    }

    /// Members with the most partitions first, each with its own; then what nobody has.
    fn rows(&mut self, group: &GroupDescription) -> Result<Vec<Row>, Failure> {
        let mut committed = self.client.committed(&group.id).map_err(failed)?;
        let mut places: Vec<Place> = committed.keys().cloned().collect();
        let assigned = |member: &GroupMember| -> Vec<Place> {
            let of = |(topic, partitions): &(String, Vec<i32>)| -> Vec<Place> {
                partitions.iter().map(|partition| Place { topic: topic.clone(), partition: *partition }).collect()
            };
            member.assignment.iter().flat_map(of).collect()
        };
        group.members.iter().for_each(|member| places.extend(assigned(member)));
        places.sort_unstable();
        places.dedup();
        let ends: BTreeMap<Place, i64> = self.client.list_offsets(&places, OffsetAt::Latest).map_err(failed)?;
        let mut members: Vec<&GroupMember> = group.members.iter().collect();
        members.sort_by_key(|member| std::cmp::Reverse(member.partition_count()));
        let mut rows = Vec::new();
        let row = |place: Place, committed, member| Row { end: ends.get(&place).copied(), place, committed, member };
        for member in members {
            let who = || [member.id.clone(), member.host.clone(), member.client_id.clone()];
            for place in assigned(member) {
                let committed = committed.remove(&place);
                rows.push(row(place, committed, who()));
            }
        }
        let nobody = || [NOTHING; 3].map(str::to_owned);
        rows.extend(committed.into_iter().map(|(place, committed)| row(place, Some(committed), nobody())));
        Ok(rows)
    }

    fn members(&mut self, group: &GroupDescription, is_verbose: bool) -> Result<(), Failure> {
        self.remark(group)?;
        let with_instance = group.members.iter().any(|member| member.instance_id.is_some());
        let members: Vec<[String; 9]> = group.members.iter().map(|member| cells(group, member)).collect();
        let heads = [
            "GROUP",
            "CONSUMER-ID",
            "GROUP-INSTANCE-ID",
            "HOST",
            "CLIENT-ID",
            "#PARTITIONS",
            "CURRENT-EPOCH",
            "CURRENT-ASSIGNMENT",
            "TARGET-EPOCH",
        ]
        .map(str::to_owned);
        let targets: Vec<String> = group.members.iter().map(|member| assignment(&member.target)).collect();
        let least = [LEAST, LEAST, 17, LEAST, LEAST, LEAST, LEAST, 20, LEAST];
        let widths: Vec<usize> = least
            .iter()
            .enumerate()
            .map(|(at, least)| members.iter().map(|cells| cells[at].len()).max().unwrap_or(0).max(*least))
            .collect();
        let target = targets.iter().map(String::len).max().unwrap_or(0).max(20);
        let line = |cells: &[String; 9], last: &str| {
            let shown = cells.iter().zip(&widths).enumerate().filter(|(at, _)| match at {
                2 => with_instance,
                6.. => is_verbose,
                _ => true,
            });
            let mut line: String = shown.map(|(_, (cell, width))| format!("{cell:width$} ")).collect();
            if is_verbose {
                line.push_str(&format!("{last:target$}"));
            }
            line
        };
        self.output.line("")?;
        self.output.line(line(&heads, "TARGET-ASSIGNMENT"))?;
        members.iter().zip(&targets).try_for_each(|(cells, target)| self.output.line(line(cells, target)))?;
        Ok(())
    }

    fn state(&mut self, group: &GroupDescription, is_verbose: bool) -> Result<(), Failure> {
        self.remark(group)?;
        let (host, port) = self.client.address(group.coordinator).map_err(failed)?;
        let coordinator = format!("{host}:{port}  ({})", group.coordinator);
        let (id, width) = (group.id.len().max(LEAST), coordinator.len().max(25));
        let assignor = if group.assignor.is_empty() { NOTHING } else { &group.assignor };
        let line = |cells: [&str; 7]| {
            let epochs = if is_verbose { format!("{:15} {:25} ", cells[4], cells[5]) } else { String::new() };
            format!("{:id$} {:width$} {:20} {:20} {epochs}{}", cells[0], cells[1], cells[2], cells[3], cells[6])
        };
        self.output.line("")?;
        self.output.line(line([
            "GROUP",
            "COORDINATOR (ID)",
            "ASSIGNMENT-STRATEGY",
            "STATE",
            "GROUP-EPOCH",
            "TARGET-ASSIGNMENT-EPOCH",
            "#MEMBERS",
        ]))?;
        let epoch = |epoch: Option<i32>| epoch.map_or_else(|| NOTHING.to_owned(), |epoch| epoch.to_string());
        let (epochs, count) = (group.epochs.unzip(), group.members.len().to_string());
        let (group_epoch, target_epoch) = (epoch(epochs.0), epoch(epochs.1));
        let cells = [&group.id, &*coordinator, assignor, &group.state, &group_epoch, &target_epoch, &count];
        Ok(self.output.line(line(cells))?)
    }
}

/// Everything of a member but its target.
fn cells(group: &GroupDescription, member: &GroupMember) -> [String; 9] {
    let epoch = |epoch: Option<i32>| epoch.map_or_else(|| NOTHING.to_owned(), |epoch| epoch.to_string());
    [
        group.id.clone(),
        member.id.clone(),
        member.instance_id.clone().unwrap_or_default(),
        member.host.clone(),
        member.client_id.clone(),
        member.partition_count().to_string(),
        epoch(member.epoch),
        assignment(&member.assignment),
        epoch(group.epochs.map(|(_, target)| target)),
    ]
}

/// `t:0,1;u:2`
fn assignment(topics: &[(String, Vec<i32>)]) -> String {
    let topic = |(topic, partitions): &(String, Vec<i32>)| {
        format!("{topic}:{}", partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    let mut words: Vec<String> = topics.iter().map(topic).collect();
    words.sort_unstable();
    if words.is_empty() { NOTHING.to_owned() } else { words.join(";") }
}
