//! `dkek`: shares of the key that wraps keys, in files under passwords; passwords in n parts of which m give them back.

use crate::app::{Device, Global};
use crate::bytes;
use crate::parts;
use crate::report::Report;
use crate::secret::{self, Secret, Source};
use crate::status::{domain_json, domain_text};
use crate::terminal::{STOPPED, ask};
use clap::{Args, Subcommand};
use ferrite_client::custody::share::{self, Share};
use ferrite_client::custody::threshold::{self, Part};
use ferrite_client::{Error, ErrorKind, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};

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
        let share = Share::generate()?;
        let (password, made) = match (self.parts, self.needed) {
            (Some(total), Some(needed)) => {
                let password = threshold::password()?;
                let made = threshold::split(&password, total, needed)?;
                (Secret::new(password.to_vec()), made)
            }
            _ => {
                (secret::get_new(self.password.as_ref(), PASSWORD, "--password", "password of the share")?, Vec::new())
            }
        };
        let sealed = with_progress("Encrypting the share", |progress| share::seal(&share, &password, progress))?;
        // The file first: parts of a password that opens nothing would be worse than none.
        bytes::write_private(&self.file, &sealed)?;
        let needed = self.needed.unwrap_or_default();
        match &self.parts_to {
            _ if made.is_empty() => {}
            Some(directory) => parts::write(directory, &made, needed)?,
            None => parts::show(&made, needed)?,
        }
        let json = json!({ "file": self.file, "parts": made.len(), "needed": needed });
        let import = match needed {
            0 => format!("pico-hsm-tool dkek import-share {}", self.file.display()),
            _ => format!("pico-hsm-tool dkek import-share {} --ask-parts {needed}", self.file.display()),
        };
        let mut text = format!("The share is in {}.", self.file.display());
        if !made.is_empty() {
            text.push_str(&format!(" Any {needed} of {} parts open it.", made.len()));
        }
        Ok(Report::line(json, text).next(import))
    }
}

impl Import {
    fn run(&self, global: &Global) -> Result<Report> {
        let share = self.password.open(&self.file)?;
        let mut device = global.open()?;
        let status = device.import_share(self.domain, share.as_bytes())?;
        let text = format!("Key domain {}: {}", status.domain, domain_text(&status.state));
        Ok(Report::line(domain_json(&status), text))
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
        let share = Share::generate()?;
        let password = secret::get_new(None, PASSWORD, "--password", "new password of the share")?;
        let sealed = with_progress("Encrypting the share", |progress| share::seal(&share, &password, progress))?;
        bytes::write_private(file, &sealed)?;
        share
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
