//! `ottla consume`: the records of a topic, from anywhere on, until the end or for ever.

use std::io::{IsTerminal, Write, stderr};

use anyhow::Context;
use broker::clock::Clock;
use clap::Args;
use protocol::record_batch::Record;
use serde_json::{Value, json};

use super::record_format::RecordFormat;
use super::{Server, json};
use crate::client::{Consumer, Position};
use crate::interrupt::Interrupt;
use crate::moments::parse_span;
use crate::output::Output;

/// Prints the records of a topic, old and new ones, until Ctrl-C.
///
/// Examples:
///   ottla consume hello                                   # everything, then what comes
///   ottla consume hello --from end                        # only what comes
///   ottla consume hello --from -10 --exit-at-end          # the last ten of each partition
///   ottla consume hello --from 15m --json | jq .value     # what was written since a quarter of an hour ago
///   ottla consume hello --format '%p:%o %k=%v\n' -n 5
///
/// Places of --format: %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v value, %h headers, %% a percent sign;
/// \n \t \0 \\ as usual.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Which topic.
    topic: String,
    /// Where to begin: beginning, end, an offset, -N (N before the end), @MS (a time in ms since 1970), or 90s, 15m, 2h, 7d ago.
    #[arg(long, default_value = "beginning", value_name = "WHERE", value_parser = From::parse, allow_hyphen_values = true)]
    from: From,
    /// Only this partition. May be given many times.
    #[arg(short, long = "partition", value_name = "PARTITION")]
    partitions: Vec<i32>,
    /// Ends after so many records.
    #[arg(short = 'n', long, value_name = "COUNT")]
    max_records: Option<u64>,
    /// Ends once everything has been read that was there at the start.
    #[arg(short, long)]
    exit_at_end: bool,
    /// How a record is printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "%v\\n", value_parser = RecordFormat::parse)]
    format: RecordFormat,
    /// One JSON object a record and line; bytes that are no text stand as {"base64": "..."}.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// `--from`: a place, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Place(Position),
    Ago { ms: i64 },
}

impl From {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse::<i64>().ok().filter(|number| *number >= 0);
        let place = |position| Some(Self::Place(position));
        let parsed = match text {
            "beginning" => place(Position::Beginning),
            "end" => place(Position::End),
            _ => match text.as_bytes() {
                [b'-', ..] => number(&text[1..]).and_then(|count| place(Position::Last(count))),
                [b'@', ..] => number(&text[1..]).and_then(|time| place(Position::Timestamp(time))),
                _ => (number(text).and_then(|offset| place(Position::Offset(offset))))
                    .or_else(|| parse_span(text).map(|ms| Self::Ago { ms })),
            },
        };
        parsed.ok_or_else(|| "expected beginning, end, an offset, -N, @MS, or a time like 15m".to_owned())
    }

    fn position(self, now_ms: i64) -> Position {
        match self {
            Self::Place(position) => position,
            Self::Ago { ms } => Position::Timestamp(now_ms.saturating_sub(ms).max(0)),
        }
    }
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut client = self.server.connect()?;
        let position = self.from.position(Clock::default().now_ms());
        let mut consumer = Consumer::open(&mut client, &self.topic, &self.partitions, position)
            .with_context(|| format!("cannot read {} (what there is: ottla topic list)", self.topic))?;
        let mut output = Output::new();
        let mut left = self.max_records.unwrap_or(u64::MAX);
        let mut printed = 0u64;
        while left > 0 && !interrupt.is_asked() && !(self.exit_at_end && consumer.has_caught_up()) {
            let records = consumer.poll()?;
            let wanted = usize::try_from(left).unwrap_or(usize::MAX);
            for (partition, record) in records.iter().take(wanted) {
                self.print(&mut output, *partition, record)?;
                printed += 1;
                left -= 1;
            }
            output.flush()?;
        }
        if stderr().is_terminal() {
            let _ = writeln!(stderr(), "{printed} records read from {}", self.topic);
        }
        Ok(())
    }

    fn print(&self, output: &mut Output, partition: i32, record: &Record) -> std::io::Result<()> {
        if self.json {
            return output.json(&self.document(partition, record));
        }
        let mut text = Vec::new();
        self.format.print(&self.topic, partition, record, &mut text);
        output.bytes(&text)
    }

    fn document(&self, partition: i32, record: &Record) -> Value {
        let headers: serde_json::Map<String, Value> = record
            .headers
            .iter()
            .map(|header| {
                (String::from_utf8_lossy(&header.key).into_owned(), json::from_bytes(header.value.as_deref()))
            })
            .collect();
        json!({
            "topic": self.topic,
            "partition": partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "key": json::from_bytes(record.key.as_deref()),
            "value": json::from_bytes(record.value.as_deref()),
            "headers": headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_understood() {
        let cases = [
            ("beginning", Position::Beginning),
            ("end", Position::End),
            ("17", Position::Offset(17)),
            ("-3", Position::Last(3)),
            ("@1000", Position::Timestamp(1000)),
        ];
        for (text, expected) in cases {
            assert_eq!(From::parse(text), Ok(From::Place(expected)), "{text}");
        }
        assert_eq!(From::parse("15m").unwrap().position(1_000_000_000), Position::Timestamp(999_100_000));
        for text in ["", "start", "-", "1.5h", "@", "--1", "h"] {
            assert!(From::parse(text).is_err(), "{text}");
        }
    }
}
