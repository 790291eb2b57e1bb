//! Prometheus' text format, version 0.0.4: families of series, and a bound on how many series of detail there are.

use std::fmt::{Display, Write};

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    Gauge,
}

/// A scrape being written.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    /// Series of detail that may still be written.
    left: usize,
    /// Series of detail that were not.
    omitted: usize,
}

/// One family being written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// Begins one with at most `max_series` series of detail: those of topics and partitions.
    pub(super) fn new(max_series: usize) -> Self {
        Self { text: String::new(), left: max_series, omitted: 0 }
    }

    /// Begins a family.
    pub(super) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        put(&mut self.text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.text, name }
    }

    /// A family of one series without labels.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).series(&[], value);
    }

    /// Takes the place for `count` series of detail, all or none: part of a family would be taken for the whole.
    pub(super) fn reserve(&mut self, count: usize) -> bool {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.omitted += count;
                false
            }
        }
    }

    /// How many series of detail there is a place for.
    pub(super) fn room(&self) -> usize {
        self.left
    }

    /// Series that found no place.
    pub(super) fn omitted(&self) -> usize {
        self.omitted
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a series. Values of labels may be any text.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (place, (name, label)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, label);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        put(self.text, format_args!(" {value}\n"));
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

fn escape(text: &mut String, label: &str) {
    for char in label.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_prometheus_reads() {
        let mut exposition = Exposition::new(0);
        exposition.single("up", Kind::Gauge, "Whether it is up.", 1);
        let mut family = exposition.family("bytes_total", Kind::Counter, "Bytes.");
        family.series(&[("topic", "a\"b\\c\nd"), ("partition", "0")], 7);
        family.series(&[], 0.5);
        let text = "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n# HELP bytes_total Bytes.\n\
                    # TYPE bytes_total counter\nbytes_total{topic=\"a\\\"b\\\\c\\nd\",partition=\"0\"} 7\nbytes_total 0.5\n";
        assert_eq!(exposition.finish(), text);
    }

    #[test]
    fn detail_is_whole_or_not_there() {
        let mut exposition = Exposition::new(10);
        assert!(exposition.reserve(6));
        assert!(!exposition.reserve(5));
        assert!(exposition.reserve(4));
        assert_eq!(exposition.omitted(), 5);
    }
}
