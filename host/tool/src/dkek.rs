//! `dkek`: shares of the key that wraps keys, in files under passwords; passwords in n parts of which m give them back.

use crate::app::{Device, Global};
use crate::bytes::{self, Hex};
use crate::parts;
use crate::report::Report;
use crate::secret::{self, Source};
use crate::status::{domain_json, domain_text};
use crate::terminal::{self, STOPPED, ask};
use clap::{Args, Subcommand};
use ferrite_client::custody::share::{self, Share};
use ferrite_client::custody::threshold::{self, Part};
use ferrite_client::hsm::DomainState;
use ferrite_client::{Error, ErrorKind, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

/// Variable of the environment with the password of a share's file.
pub(crate) const PASSWORD: &str = "PICO_HSM_SHARE_PASSWORD";

/// Make and import the shares of the key that wraps keys (DKEK)
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a share, in a file under a password; needs no device
    CreateShare(Create),
    /// Import a share into a key domain
    ImportShare(Import),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The file to write
    file: PathBuf,
    /// Where the password is [default: the variable PICO_HSM_SHARE_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["parts", "needed"])]
    password: Option<Source>,
    /// Take a random password, in so many parts, each for another custodian
    #[arg(long, requires = "needed", value_parser = clap::value_parser!(u32).range(3..=255))]
    parts: Option<u32>,
    /// How many of the parts give the password back
    #[arg(long, requires = "parts", value_parser = clap::value_parser!(u32).range(2..=255))]
    needed: Option<u32>,
    /// Write each part to a file in this directory, instead of showing it on the terminal
    #[arg(long, requires = "parts", value_name = "DIR")]
    parts_to: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Import {
    /// The share's file
    file: PathBuf,
    /// The key domain
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=15))]
    domain: u8,
    #[command(flatten)]
    password: Password,
    /// The check value that the DKEK must have, as the minutes of its ceremony say it
    #[arg(long, value_name = "HEX")]
    expect_check: Option<Hex>,
}

/// How the password of a share is had.
#[derive(Args)]
pub(crate) struct Password {
    /// Where the password is [default: the variable PICO_HSM_SHARE_PASSWORD, else prompt]
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["part", "ask_parts"])]
    password: Option<Source>,
    /// A file with a part of the password; give as many as are needed
    #[arg(long, value_name = "FILE")]
    part: Vec<PathBuf>,
    /// Ask the custodians for so many parts of the password, one after the other
    #[arg(long, value_name = "COUNT", conflicts_with = "part")]
    ask_parts: Option<u32>,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::CreateShare(create) => create.run(),
            Self::ImportShare(import) => import.run(global),
        }
    }
}

impl Create {
    fn run(&self) -> Result<Report> {
        let file = self.file.display();
        let (Some(parts), Some(needed)) = (self.parts, self.needed) else {
            let password = secret::get_new(self.password.as_ref(), PASSWORD, "--password", "password of the share")?;
            create(&self.file, &password)?;
            let json = json!({ "file": self.file, "parts": 0, "needed": 0 });
            let import = format!("pico-hsm-tool dkek import-share {file}");
            return Ok(Report::line(json, format!("The share is in {file}.")).next(import));
        };
        create_in_parts(&self.file, parts, needed, self.parts_to.as_deref())?;
        let json = json!({ "file": self.file, "parts": parts, "needed": needed });
        let import = format!("pico-hsm-tool dkek import-share {file} --ask-parts {needed}");
        Ok(Report::line(json, format!("The share is in {file}. Any {needed} of {parts} parts open it.")).next(import))
    }
}

/// Makes a share, in a file under a password.
fn create(file: &Path, password: &[u8]) -> Result<Share> {
    let share = Share::generate()?;
    let sealed = with_progress("Encrypting the share", |progress| share::seal(&share, password, progress))?;
    bytes::write_private(file, &sealed)?;
    Ok(share)
}

/// A new share as its file has it, and the parts of its password.
///
/// # Errors
/// [`ErrorKind::Usage`]: numbers that cannot be.
pub(crate) fn seal_in_parts(parts: u32, needed: u32) -> Result<([u8; share::FILE], Vec<Part>)> {
    let password = threshold::password()?;
    let parts = threshold::split(&password, parts, needed)?;
    let share = Share::generate()?;
    let sealed = with_progress("Encrypting the share", |progress| share::seal(&share, password.as_ref(), progress))?;
    Ok((sealed, parts))
}

/// Makes a share in a file, and hands the parts of its password out: on the screen, or into files in a directory.
///
/// # Errors
/// Whatever goes wrong; then the file is gone, because nothing opens it.
pub(crate) fn create_in_parts(file: &Path, parts: u32, needed: u32, parts_to: Option<&Path>) -> Result<Vec<Part>> {
    let _signals = terminal::hold_signals();
    bytes::check_new(file)?;
    let (sealed, made) = seal_in_parts(parts, needed)?;
    // The file first: parts of a password that opens nothing would be worse than none.
    bytes::write_private(file, &sealed)?;
    parts::hand_out(&made, needed, parts_to).map_err(|error| discard(file, error))?;
    Ok(made)
}

/// Removes the file of a share that not all parts were handed out for, and says so.
pub(crate) fn discard(file: &Path, error: Error) -> Error {
    let file_is_gone = fs::remove_file(file).is_ok();
    let file = file.display();
    error.advise_also(&if file_is_gone {
        format!("{file} is removed again. Parts of it that were written down open nothing: destroy them.")
    } else {
        format!("Delete {file}, and destroy the parts of it that were written down.")
    })
}

impl Import {
    fn run(&self, global: &Global) -> Result<Report> {
        let share = self.password.open(&self.file)?;
        let mut device = global.open()?;
        let expected = self.expect_check.as_ref().map(|expected| expected.0.as_slice());
        if expected.is_some() && device.domain(self.domain)?.state == ONE_MISSING {
            // The only share: known before the device takes it.
            let advice =
                "The device took nothing. This is another share, or the check value is that of another ceremony.";
            compare(&share::join(slice::from_ref(&share))?.check_value(), expected, advice)?;
        }
        let status = device.import_share(self.domain, share.as_bytes())?;
        let mut text = format!("Key domain {}: {}", status.domain, domain_text(&status.state));
        match &status.state {
            DomainState::Complete { check_value, .. } => compare(
                check_value,
                expected,
                &format!(
                    "No backup under the DKEK that was expected opens on this device. Let it forget what it has, and import the\n\
                     right shares: pico-hsm-tool domain clear {}",
                    self.domain
                ),
            )?,
            _ if expected.is_some() => {
                text.push_str("\nIts check value is compared when the last share comes: say it again then.")
            }
            _ => {}
        }
        Ok(Report::line(domain_json(&status), text))
    }
}

/// A domain whose DKEK is made of one share, which is missing.
pub(crate) const ONE_MISSING: DomainState = DomainState::Waiting { missing: 1, total: 1 };

/// Compares the check value of a DKEK with the one that somebody expects, if somebody does.
fn compare(found: &[u8], expected: Option<&[u8]>, advice: &str) -> Result<()> {
    match expected {
        Some(expected) if expected != found => {
            let why = format!(
                "THIS IS ANOTHER DKEK: its check value is {}, not {}",
                hex::encode(found),
                hex::encode(expected)
            );
            Err(Error::new(ErrorKind::Verification, "import the share", why).advise(advice.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Offers to make or import the only share of a device that waits for it. What was done, in lines; `None` for nothing.
///
/// # Errors
/// [`ErrorKind::Usage`]: Ctrl-C. Whatever else fails is said, and asked again.
pub(crate) fn offer_share(device: &mut Device) -> Result<Option<String>> {
    loop {
        let file = ask("File of the share: one that is there is imported, else a new share is made (empty: later)")?;
        if file.is_empty() {
            return Ok(None);
        }
        match import_or_make(device, Path::new(&file)) {
            Err(error) if error.why() != STOPPED => eprintln!("{error:#}"),
            result => return result.map(Some),
        }
    }
}

fn import_or_make(device: &mut Device, file: &Path) -> Result<String> {
    let share = if file.exists() {
        Password { password: None, part: Vec::new(), ask_parts: None }.open(file)?
    } else {
        create(file, &secret::get_new(None, PASSWORD, "--password", "new password of the share")?)?
    };
    let status = device.import_share(0, share.as_bytes())?;
    let place = file.display();
    Ok(format!(
        "Key domain 0: {}\nWithout {place} and its password no backup opens: keep both, elsewhere than the backups.\n",
        domain_text(&status.state)
    ))
}

impl Password {
    /// Opens a share's file.
    ///
    /// # Errors
    /// [`ErrorKind::WrongPassword`], [`ErrorKind::BadInput`].
    pub(crate) fn open(&self, path: &Path) -> Result<Share> {
        let file = bytes::read(path)?;
        if !self.part.is_empty() {
            return open_with_parts(&file, &parts::read(&self.part)?);
        }
        if let Some(count) = self.ask_parts {
            return open_with_custodians(&file, count);
        }
        let name = format!("password of {}", path.display());
        let password = secret::get(self.password.as_ref(), PASSWORD, "--password", &name)?;
        with_progress("Opening the share", |progress| share::open(&file, &password, progress))
    }
}

/// Opens a share with parts of its password.
///
/// # Errors
/// [`ErrorKind::WrongPassword`], [`ErrorKind::BadInput`].
pub(crate) fn open_with_parts(file: &[u8], parts: &[Part]) -> Result<Share> {
    let mut last = Error::new(ErrorKind::WrongPassword, "open the DKEK share", "there is no password");
    for candidate in threshold::join(parts)? {
        match with_progress("Opening the share", |progress| share::open(file, &candidate, progress)) {
            Err(error) if error.kind() == ErrorKind::WrongPassword => last = error,
            result => return result,
        }
    }
    Err(last
        .because("the parts do not give its password: one is wrong, or there are too few")
        .advise("Compare the check value of each part, and give as many as were said to be needed."))
}

/// Asks custodians for their parts, until they open a share.
///
/// # Errors
/// [`ErrorKind::Usage`]: this is no terminal, or somebody stopped it.
pub(crate) fn open_with_custodians(file: &[u8], count: u32) -> Result<Share> {
    loop {
        match open_with_parts(file, &parts::ask_all(count)?) {
            Err(error) if matches!(error.kind(), ErrorKind::WrongPassword | ErrorKind::BadInput) => {
                eprintln!("{error:#}");
                ask("Press Enter to begin again with the first custodian, Ctrl-C to stop")?;
            }
            result => return result,
        }
    }
}

/// Shows how much of a password's stretching is done.
pub(crate) fn with_progress<R>(message: &str, work: impl FnOnce(&mut dyn FnMut(u8)) -> R) -> R {
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} %") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    let result = work(&mut |percent| bar.set_position(percent.into()));
    bar.finish_and_clear();
    result
}
