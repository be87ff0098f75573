//! Where bytes come from and go to: files, standard input, standard output.

use crate::report::Report;
use clap::{Args, ValueEnum};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// [`ErrorKind::Io`].
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Io, format!("read {}", path.display()), error.to_string()).caused_by(error)
    };
    if path == Path::new("-") {
        let mut content = Zeroizing::new(Vec::new());
        io::stdin().lock().read_to_end(&mut content).map_err(failed)?;
        return Ok(content);
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}

/// Writes a file that may hold secrets: only its owner can read it, and it is not replaced if it is there.
///
/// # Errors
/// [`ErrorKind::Usage`]: it is there; [`ErrorKind::Io`].
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let what = format!("write {}", path.display());
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(content).and_then(|()| file.sync_all()).inspect_err(|_| {
            // Half of it is of no use, and would be in the way.
            let _ = fs::remove_file(path);
        })
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => is_there(path),
        _ => Error::new(ErrorKind::Io, what, error.to_string()).caused_by(error),
    })
}

/// Finds out early that a file can not be written because it is there.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn check_new(path: &Path) -> Result<()> {
    // A link that leads nowhere is there too.
    if fs::symlink_metadata(path).is_ok() { Err(is_there(path)) } else { Ok(()) }
}

fn is_there(path: &Path) -> Error {
    Error::new(ErrorKind::Usage, format!("write {}", path.display()), "there is a file already")
        .advise("It may be the only copy of something. Take another name, or move it away.")
}

/// Makes a directory that only its owner can look into.
///
/// # Errors
/// It is there already, or cannot be made.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Where a result goes.
#[derive(Args)]
pub(crate) struct Output {
    /// Write the result to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How the result is written [default: hex on a terminal, else raw]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// How bytes are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// As they are
    Raw,
    /// Hexadecimal digits and a line end
    Hex,
    /// Base64 and a line end
    Base64,
}

impl Output {
    /// Writes a result; `--json` has it in hexadecimal under `name`, or the file's name under `file`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub(crate) fn deliver(&self, name: &str, bytes: &[u8], mut json: Value) -> Result<Report> {
        let default = if self.output.is_none() && io::stdout().is_terminal() { Format::Hex } else { Format::Raw };
        let encoded = Zeroizing::new(match self.format.unwrap_or(default) {
            Format::Raw => bytes.to_vec(),
            Format::Hex => (hex::encode(bytes) + "\n").into_bytes(),
            Format::Base64 => (base64(bytes) + "\n").into_bytes(),
        });
        self.write(name, &encoded, hex::encode(bytes), &mut json)
    }

    /// Writes a result that is text already; `--json` has it under `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub(crate) fn deliver_text(&self, name: &str, text: &str, mut json: Value) -> Result<Report> {
        self.write(name, text.as_bytes(), text.to_owned(), &mut json)
    }

    fn write(&self, name: &str, encoded: &[u8], for_json: String, json: &mut Value) -> Result<Report> {
        let Some(path) = &self.output else {
            json[name] = for_json.into();
            return Ok(Report::bytes(json.take(), Zeroizing::new(encoded.to_vec())));
        };
        fs::write(path, encoded).map_err(|error| {
            Error::new(ErrorKind::Io, format!("write {}", path.display()), error.to_string()).caused_by(error)
        })?;
        json["file"] = json!(path);
        Ok(Report::line(json.take(), format!("{} bytes in {}", encoded.len(), path.display())))
    }
}

/// Base64 (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |group: &[u8]| {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digit = |position: usize| {
            let digit = usize::try_from(bits >> (18 - 6 * position) & 63).ok();
            let digit = digit.and_then(|digit| ALPHABET.get(digit)).map_or('=', |letter| char::from(*letter));
            if position <= group.len() { digit } else { '=' }
        };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(encode).collect()
}

/// Hexadecimal digits from the command line; blanks and colons between them do not matter.
#[derive(Clone)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl std::str::FromStr for Hex {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        hex::decode(digits).map(Self).map_err(|error| format!("these are no hexadecimal digits: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(&[0xFB, 0xFF]), "+/8=");
    }
}
