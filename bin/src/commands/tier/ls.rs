//! `ottla tier ls`.

use std::collections::BTreeMap;

use clap::Args;
use protocol::ids::{Uuid, format_uuid};
use protocol::remote_log_record::RemoteLogSegmentState;
use serde_json::{Value, json};

use super::event::{Event, Range, open, read_all};
use crate::commands::Server;
use crate::moments::format_utc;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only segments of this topic.
    topic: Option<String>,
    /// One JSON object a segment and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// A segment that is not gone.
struct Segment {
    topic: String,
    partition: i32,
    id: Uuid,
    state: RemoteLogSegmentState,
    range: Range,
    /// When its copy began.
    begun: i64,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut client = self.server.connect()?;
        let mut consumer = open(&mut client)?;
        let segments = segments(read_all(&mut consumer, self.topic.as_deref())?);
        let mut output = Output::new();
        if self.json {
            for segment in &segments {
                output.json(&segment.document())?;
            }
        } else {
            let rows: Vec<_> = segments.iter().map(Segment::row).collect();
            output.table(&["TOPIC", "PARTITION", "FIRST", "LAST", "BYTES", "NEWEST", "STATE", "SEGMENT"], &rows)?;
        }
        Ok(output.flush()?)
    }
}

/// The segments that are not gone, by topic, partition and offset.
fn segments(events: Vec<Event>) -> Vec<Segment> {
    let mut found: BTreeMap<Uuid, Segment> = BTreeMap::new();
    for event in events {
        if let Some(range) = event.range {
            let Event { topic, partition, segment: id, state, timestamp: begun, .. } = event;
            found.insert(id, Segment { topic, partition, id, state, range, begun });
        } else if event.state == RemoteLogSegmentState::DeleteSegmentFinished {
            found.remove(&event.segment);
        } else if let Some(segment) = found.get_mut(&event.segment) {
            segment.state = event.state;
        }
    }
    let mut segments: Vec<Segment> = found.into_values().collect();
    segments.sort_by(|a, b| a.place().cmp(&b.place()));
    segments
}

impl Segment {
    fn place(&self) -> (&str, i32, i64) {
        (&self.topic, self.partition, self.range.first_offset)
    }

    fn row(&self) -> Vec<String> {
        let Range { first_offset, last_offset, size_bytes, max_timestamp } = self.range;
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            first_offset.to_string(),
            last_offset.to_string(),
            size_bytes.to_string(),
            format_utc(max_timestamp),
            self.state.name().to_owned(),
            format_uuid(self.id),
        ]
    }

    fn document(&self) -> Value {
        json!({
            "topic": self.topic,
            "partition": self.partition,
            "segment": format_uuid(self.id),
            "firstOffset": self.range.first_offset,
            "lastOffset": self.range.last_offset,
            "size": self.range.size_bytes,
            "maxTimestamp": self.range.max_timestamp,
            "copyBegan": self.begun,
            "state": self.state.name(),
        })
    }
}
