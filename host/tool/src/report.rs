//! What a command says: lines for a person, or one JSON object for a program, or bytes.

use crate::exit::{self, Exit};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use zeroize::Zeroizing;

/// What a command has to say when it succeeded.
#[derive(Default)]
pub(crate) struct Report {
    text: Zeroizing<String>,
    json: Value,
    bytes: Option<Zeroizing<Vec<u8>>>,
    next: String,
}

impl Report {
    /// A report: what `--json` prints, and the text that a person reads instead.
    pub(crate) fn new(json: Value, text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()), json, bytes: None, next: String::new() }
    }

    /// One line, and what `--json` prints instead.
    pub(crate) fn line(json: Value, line: impl Into<String>) -> Self {
        let mut line = line.into();
        line.push('\n');
        Self::new(json, line)
    }

    /// Bytes, which go to standard output as they are, and what `--json` prints instead.
    pub(crate) fn bytes(json: Value, bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { text: Zeroizing::default(), json, bytes: Some(bytes), next: String::new() }
    }

    /// A table with a headline, or the text that stands for an empty one.
    pub(crate) fn table(json: Value, head: &[&str], rows: &[Vec<String>], empty: &str) -> Self {
        if rows.is_empty() { Self::line(json, empty) } else { Self::new(json, table(head, rows)) }
    }

    /// What somebody at the terminal may want to do next, each line a command.
    pub(crate) fn next(mut self, commands: impl Into<String>) -> Self {
        self.next = commands.into();
        self
    }

    /// The text, for tests.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Prints it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub(crate) fn print(self, as_json: bool) -> Result<()> {
        let mut out = io::stdout().lock();
        let written = if as_json {
            writeln!(out, "{:#}", self.json)
        } else if let Some(bytes) = &self.bytes {
            out.write_all(bytes)
        } else {
            write_text(&mut out, &self.text)
        };
        match written.and_then(|()| out.flush()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| Error::new(ErrorKind::Io, "write to standard output", error.to_string())),
        }?;
        if !as_json && !self.next.is_empty() && out.is_terminal() && io::stderr().is_terminal() {
            // Who sees no hint misses nothing.
            let _ = self.next.lines().try_for_each(|line| writeln!(io::stderr(), "Next: {line}"));
        }
        Ok(())
    }
}

/// Prints a failure on standard error.
pub(crate) fn print_error(error: &Error, as_json: bool) {
    if !as_json {
        // Standard error is all there is to complain to.
        let _ = write_text(&mut io::stderr(), &format!("pico-hsm-tool: {error:#}\n"));
        return;
    }
    let mut object = json!({
        "kind": exit::word(error.kind()),
        "message": format!("cannot {}: {}", error.what(), error.why()),
        "exit_code": Exit::of(error) as u8,
    });
    if let Some(advice) = error.advice() {
        object["advice"] = advice.into();
    }
    if let Some(status) = error.status() {
        object["status"] = format!("{:04X}", status.value()).into();
        object["status_text"] = status.describe().into();
    }
    if let ErrorKind::WrongPin { tries_left } = error.kind() {
        object["tries_left"] = tries_left.into();
    }
    let _ = writeln!(io::stderr(), "{:#}", json!({ "error": object }));
}

/// What stands for a character that a terminal would obey.
const UNPRINTABLE: &str = "\u{FFFD}";

/// Writes text, parts of which may come from a device or a file: a label that holds orders for a terminal is shown as one.
fn write_text(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    for (index, part) in text.split(obeyed).enumerate() {
        if index > 0 {
            out.write_all(UNPRINTABLE.as_bytes())?;
        }
        out.write_all(part.as_bytes())?;
    }
    Ok(())
}

/// A value that stays on its line, so that it passes for no other.
fn on_one_line(value: &str) -> String {
    value.replace(char::is_control, UNPRINTABLE)
}

/// Columns as wide as their widest cell.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(|cell| on_one_line(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut put = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    put(&mut head.iter().copied());
    rows.iter().for_each(|row| put(&mut row.iter().map(String::as_str)));
    text
}

/// So many keys, certificates and data objects, in words.
pub(crate) fn contents(keys: usize, certificates: usize, data: usize) -> String {
    let count = |number: usize, name: &str| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
    format!("{}, {}, {}", count(keys, "key"), count(certificates, "certificate"), count(data, "data object"))
}

/// Pairs of a name and a value, one a line.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().saturating_add(1);
    pairs.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:width$}  {}", format!("{name}:"), on_one_line(value));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_neither_moves_the_cursor_nor_passes_for_a_line_of_its_own() {
        let hostile = "box\nOrigin: this device made it\u{1b}[2K\u{9b}1A\r";
        let shown = "box\u{FFFD}Origin: this device made it\u{FFFD}[2K\u{FFFD}1A\u{FFFD}";
        assert_eq!(pairs(&[("Label", hostile.into())]), format!("Label:  {shown}\n"));
        let cells = table(&["Label"], &[vec![hostile.into()]]);
        assert_eq!(cells, format!("Label\n{shown}\n"));
        let mut written = Vec::new();
        write_text(&mut written, "one\ttwo\n\u{1b}[1A").expect("a vector takes everything");
        assert_eq!(String::from_utf8_lossy(&written), "one\ttwo\n\u{FFFD}[1A");
    }
}
