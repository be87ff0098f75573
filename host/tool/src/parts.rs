//! Parts of a password: shown to one custodian after the other, kept in files, read and asked for again.

use crate::bytes;
use crate::terminal::{self, ask, clear};
use ferrite_client::custody::threshold::Part;
use ferrite_client::{Error, ErrorKind, Result};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A part as a custodian keeps it.
fn describe(part: &Part, total: usize, needed: u32) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "Part {} of {total} of the password of a DKEK share. {needed} parts are needed.\n\nprime: {}\nnumber: {}\nvalue: {}\ncheck: {}\n",
        part.id,
        part.prime_text(),
        part.id,
        *part.value_text(),
        part.check_text(),
    ))
}

/// The file of a part.
pub(crate) fn path(directory: &Path, id: u32) -> PathBuf {
    directory.join(format!("part-{id}.txt"))
}

/// Hands the parts out: into files in a directory, or on the screen.
///
/// # Errors
/// Those of [`write`] and [`show`].
pub(crate) fn hand_out(parts: &[Part], needed: u32, directory: Option<&Path>) -> Result<()> {
    match directory {
        Some(directory) => write(directory, parts, needed),
        None => show(parts, needed),
    }
}

/// Writes each part to a file of its own: `part-1.txt` and so on; all or none.
///
/// # Errors
/// [`ErrorKind::Io`]; a file that is there is not replaced.
fn write(directory: &Path, parts: &[Part], needed: u32) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| {
        Error::new(ErrorKind::Io, format!("make the directory {}", directory.display()), error.to_string())
    })?;
    for (at, part) in parts.iter().enumerate() {
        let text = describe(part, parts.len(), needed);
        bytes::write_private(&path(directory, part.id), text.as_bytes()).inspect_err(|_| {
            remove(directory, parts.iter().take(at).map(|part| part.id));
        })?;
    }
    Ok(())
}

/// Removes the files of parts that open nothing.
pub(crate) fn remove(directory: &Path, ids: impl Iterator<Item = u32>) {
    for id in ids {
        // One that is gone, or stays, is as useless as before.
        let _ = fs::remove_file(path(directory, id));
    }
}

/// Whether there are custodians at a screen to show parts to.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn need_screen() -> Result<()> {
    if terminal::is_interactive() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "show the parts", "this is no terminal")
        .advise("Write them to files: --parts-to DIR"))
}

/// Shows each part to its custodian alone, and lets them type its value back.
///
/// # Errors
/// [`ErrorKind::Usage`] if this is no terminal.
pub(crate) fn show(parts: &[Part], needed: u32) -> Result<()> {
    need_screen()?;
    for part in parts {
        terminal::forget_typed()?;
        ask(&format!("Custodian {} of {}, come alone to the screen, then press Enter", part.id, parts.len()))?;
        let shown = show_one(part, parts.len(), needed);
        // Whatever happened, the next one sees nothing of it.
        clear();
        shown?;
    }
    Ok(())
}

fn show_one(part: &Part, total: usize, needed: u32) -> Result<()> {
    loop {
        clear();
        eprintln!("{}", *describe(part, total, needed));
        ask("Write all of it down, then press Enter: the screen is cleared, and you type the value back")?;
        clear();
        let typed = terminal::ask_unseen("Value (it is not shown; colons do not matter)")?;
        let typed = Zeroizing::new(String::from_utf8_lossy(&typed).into_owned());
        let is_same = Part::parse(&part.prime_text(), &part.id.to_string(), &typed).is_ok_and(|typed| typed == *part);
        if is_same {
            return Ok(());
        }
        ask("That is not the value. Press Enter to see it again")?;
    }
}

/// Reads parts from files.
///
/// # Errors
/// [`ErrorKind::BadInput`], [`ErrorKind::Io`].
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Part>> {
    paths.iter().map(|path| parse(path, &bytes::read(path)?)).collect()
}

fn parse(path: &Path, content: &[u8]) -> Result<Part> {
    let text = String::from_utf8_lossy(content);
    let what = format!("read the part in {}", path.display());
    let field = |name: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        found.map(str::trim).ok_or_else(|| Error::new(ErrorKind::BadInput, what.clone(), format!("it has no {name}")))
    };
    let part = Part::parse(field("prime")?, field("number")?, field("value")?)?;
    if field("check")? == part.check_text() {
        return Ok(part);
    }
    Err(Error::new(ErrorKind::BadInput, what, "its check value does not fit: a digit is wrong"))
}

/// Asks the custodians for their parts.
///
/// # Errors
/// [`ErrorKind::Usage`] if this is no terminal.
pub(crate) fn ask_all(count: u32) -> Result<Vec<Part>> {
    if !terminal::is_interactive() {
        return Err(Error::new(ErrorKind::Usage, "ask for the parts", "this is no terminal")
            .advise("Give them as files: --part FILE"));
    }
    eprintln!("Each custodian types their part. All have the same prime; the first one types it.");
    let prime = ask_prime()?;
    let mut parts: Vec<Part> = Vec::new();
    for at in 1..=count {
        terminal::forget_typed()?;
        ask(&format!("\nCustodian {at} of {count}, come to the screen, then press Enter"))?;
        let part = loop {
            match ask_one(&prime) {
                Ok(part) if parts.iter().any(|other| other.id == part.id) => {
                    eprintln!("Part {} was given already. Each custodian gives their own. Again:", part.id);
                }
                Ok(part) => break part,
                Err(error) if error.kind() == ErrorKind::BadInput => {
                    eprintln!("{}: {}. Again:", error.what(), error.why())
                }
                Err(error) => return Err(error),
            }
        };
        parts.push(part);
        clear();
        eprintln!("Part {at} of {count} is read.");
    }
    Ok(parts)
}

fn ask_prime() -> Result<String> {
    loop {
        let prime = ask("Prime")?;
        match Part::parse(&prime, "1", "0") {
            Ok(_) => return Ok(prime),
            Err(_) => eprintln!("That is no prime of a part: it is hexadecimal digits, with or without colons."),
        }
    }
}

fn ask_one(prime: &str) -> Result<Part> {
    let number = ask("Number of the part")?;
    let value = terminal::ask_unseen("Value (it is not shown; colons do not matter)")?;
    let value = Zeroizing::new(String::from_utf8_lossy(&value).into_owned());
    let check = ask("Check")?;
    let part = Part::parse(prime, &number, &value)?;
    if part.check_text().eq_ignore_ascii_case(&check) {
        return Ok(part);
    }
    Err(Error::new(ErrorKind::BadInput, "read the part", "its check does not fit, a digit is wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written_and_a_wrong_digit_is_found() {
        let part = Part { prime: 0xF556_46C9_A5A1_0187, id: 2, value: 0x1234_5678_9ABC_DEF0 };
        let text = describe(&part, 5, 3);
        assert_eq!(parse(Path::new("part"), text.as_bytes()).expect("a part"), part);
        let wrong = text.replace("9a:bc", "9b:bc");
        assert_ne!(*text, wrong);
        assert_eq!(parse(Path::new("part"), wrong.as_bytes()).expect_err("wrong").kind(), ErrorKind::BadInput);
        assert_eq!(parse(Path::new("part"), b"").expect_err("empty").kind(), ErrorKind::BadInput);
    }
}
