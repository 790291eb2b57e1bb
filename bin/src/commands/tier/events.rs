//! `ottla tier events`.

use std::collections::HashMap;
use std::io;

use clap::Args;
use protocol::ids::{Uuid, format_uuid};
use serde_json::json;

use super::event::{Event, Range, open, poll, read_all};
use crate::commands::Server;
use crate::interrupt::Interrupt;
use crate::moments::format_utc;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only segments of this topic.
    topic: Option<String>,
    /// Goes on with what comes, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// One JSON object an event and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut client = self.server.connect()?;
        let mut consumer = open(&mut client)?;
        let topic = self.topic.as_deref();
        let mut printer = Printer { output: Output::new(), json: self.json, ranges: HashMap::new() };
        let mut events = read_all(&mut consumer, topic)?;
        // Of different partitions of the topic; the order of each stays.
        events.sort_by_key(|event| event.timestamp);
        printer.print(&events)?;
        while self.follow && !interrupt.is_asked() {
            printer.print(&poll(&mut consumer, topic)?)?;
        }
        Ok(())
    }
}

struct Printer {
    output: Output,
    json: bool,
    /// Of segments that were told of.
    ranges: HashMap<Uuid, Range>,
}

impl Printer {
    fn print(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            if let Some(range) = event.range {
                self.ranges.insert(event.segment, range);
            }
            let range = self.ranges.get(&event.segment).copied();
            match self.json {
                true => self.print_json(event, range)?,
                false => self.print_line(event, range)?,
            }
        }
        self.output.flush()
    }

    fn print_json(&mut self, event: &Event, range: Option<Range>) -> io::Result<()> {
        self.output.json(&json!({
            "timestamp": event.timestamp,
            "topic": event.topic,
            "topicId": format_uuid(event.topic_id),
            "partition": event.partition,
            "segment": format_uuid(event.segment),
            "state": event.state.name(),
            "broker": event.broker,
            "firstOffset": range.map(|range| range.first_offset),
            "lastOffset": range.map(|range| range.last_offset),
            "size": range.map(|range| range.size_bytes),
        }))
    }

    fn print_line(&mut self, event: &Event, range: Option<Range>) -> io::Result<()> {
        let offsets = range.map_or_else(
            || "?".to_owned(),
            |range| format!("{}..={} {} bytes", range.first_offset, range.last_offset, range.size_bytes),
        );
        let (time, state) = (format_utc(event.timestamp), event.state.name());
        let (topic, partition, segment) = (&event.topic, event.partition, format_uuid(event.segment));
        self.output.line(format_args!("{time}  {state:<23}  {topic}-{partition}  {segment}  {offsets}"))
    }
}
