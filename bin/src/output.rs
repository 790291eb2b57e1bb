//! What commands print on standard output: lines, tables, JSON. Somebody who stops reading is no failure.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::Value;

const BUFFER: usize = 64 << 10;

/// Standard output, buffered until [`Output::flush`] or its end.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { out: BufWriter::with_capacity(BUFFER, io::stdout().lock()) }
    }

    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// One JSON document on one line, as line-wise readers like it.
    pub(crate) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value}")
    }

    /// Columns as wide as their widest cell, each cell on one line; the last one is not padded.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
        let cell_width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> =
            head.iter().enumerate().map(|(at, name)| name.len().max(cell_width(at).unwrap_or(0))).collect();
        let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&head).chain(&rows) {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(self.out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The text with a space in place of each line break and what is around it: what stores answer has some.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// An error with its causes on one line. A cause that the text before it has told already, as those of stores do, is left out.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    one_line(&text)
}

/// True if a command ended because nobody reads its output any more: `ottla consume … | head`.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_failure_is_one_line_that_says_each_cause_once() {
        let error =
            anyhow!("404 Not Found: <?xml?>\n <Error/>\n").context("PUT http://a").context("cannot use the store");
        assert_eq!(with_causes(&error), "cannot use the store: PUT http://a: 404 Not Found: <?xml?> <Error/>");
        let told = anyhow!("404").context("PUT http://a: 404").context("listing x: PUT http://a: 404");
        assert_eq!(with_causes(&told), "listing x: PUT http://a: 404");
    }
}
