//! How `ottla consume` prints a record: a text with places for its parts.

use protocol::record_batch::Record;

/// A format, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordFormat(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Headers,
}

impl RecordFormat {
    /// Takes a format apart; see the help of `ottla consume` for the places.
    ///
    /// # Errors
    /// A place that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            let piece = match char {
                '\\' => {
                    plain.push(match rest.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('0') => '\0',
                        Some('\\') => '\\',
                        other => {
                            return Err(format!("unknown escape \\{}", other.map_or_else(String::new, String::from)));
                        }
                    });
                    continue;
                }
                '%' => match rest.next() {
                    Some('%') => {
                        plain.push('%');
                        continue;
                    }
                    Some('t') => Piece::Topic,
                    Some('p') => Piece::Partition,
                    Some('o') => Piece::Offset,
                    Some('T') => Piece::Timestamp,
                    Some('k') => Piece::Key,
                    Some('v') => Piece::Value,
                    Some('h') => Piece::Headers,
                    other => {
                        let found = other.map_or_else(String::new, String::from);
                        return Err(format!("unknown place %{found}: it must be one of %t %p %o %T %k %v %h %%"));
                    }
                },
                other => {
                    plain.push(other);
                    continue;
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Appends a record to `out`. Keys and values go as they are; null is nothing.
    pub(crate) fn print(&self, topic: &str, partition: i32, record: &Record, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Topic => out.extend_from_slice(topic.as_bytes()),
                Piece::Partition => out.extend_from_slice(partition.to_string().as_bytes()),
                Piece::Offset => out.extend_from_slice(record.offset.to_string().as_bytes()),
                Piece::Timestamp => out.extend_from_slice(record.timestamp.to_string().as_bytes()),
                Piece::Key => out.extend_from_slice(record.key.as_deref().unwrap_or_default()),
                Piece::Value => out.extend_from_slice(record.value.as_deref().unwrap_or_default()),
                Piece::Headers => print_headers(record, out),
            }
        }
    }
}

fn print_headers(record: &Record, out: &mut Vec<u8>) {
    for (place, header) in record.headers.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&header.key);
        out.push(b'=');
        out.extend_from_slice(header.value.as_deref().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use protocol::record_batch::Header;

    use super::*;

    #[test]
    fn places_are_filled_and_escapes_are_plain_text() {
        let format = RecordFormat::parse(r"%t-%p@%o %T %k=%v [%h] 100%%\n").unwrap();
        let header =
            |key: &'static str, value: Option<&'static str>| Header { key: key.into(), value: value.map(Into::into) };
        let record = Record {
            offset: 7,
            timestamp: 1000,
            key: Some("k".into()),
            value: None,
            headers: vec![header("a", Some("1")), header("b", None)],
        };
        let mut out = Vec::new();
        format.print("t", 3, &record, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "t-3@7 1000 k= [a=1,b=] 100%\n");
    }

    #[test]
    fn unknown_places_are_named() {
        assert!(RecordFormat::parse("%x").unwrap_err().contains("%x"));
        assert!(RecordFormat::parse("end %").is_err());
        assert!(RecordFormat::parse(r"\q").is_err());
    }
}
