//! PINs and passwords: asked for on the terminal, or read from a file, a file descriptor or the environment. Never an
//! argument, because everybody on the machine can read those.

use crate::terminal;
use ferrite_client::{Error, ErrorKind, Result};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use zeroize::Zeroizing;

/// A secret as text; it wipes itself.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The terminal.
    Prompt,
    /// A variable of the environment.
    Env(String),
    /// The first line of a file.
    File(PathBuf),
    /// The first line of an open file descriptor.
    Descriptor(u32),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.into())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("fd", number)) => {
                number.parse().map(Self::Descriptor).map_err(|_| "a file descriptor is a number, as in fd:3".into())
            }
            // What was written may be the secret itself: it is not repeated.
            _ => Err("say where the secret is, not what it is: prompt, env:NAME, file:PATH or fd:NUMBER".into()),
        }
    }
}

impl Source {
    /// Reads the secret. `name` says what it is, as in "user PIN".
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Usage`] if nothing is there.
    pub(crate) fn read(&self, name: &str) -> Result<Secret> {
        let what = format!("read the {name}");
        let read = |path: PathBuf| {
            fs::read(&path).map(Zeroizing::new).map_err(|error| {
                Error::new(ErrorKind::Io, what.clone(), format!("{}: {error}", path.display())).caused_by(error)
            })
        };
        let secret = match self {
            Self::Prompt => return prompt(name),
            Self::Env(variable) => {
                let value = env::var(variable).map_err(|_| {
                    let why = format!("the variable {variable} of the environment is not set");
                    Error::new(ErrorKind::Usage, what.clone(), why).advise(format!("Set it: export {variable}"))
                })?;
                Zeroizing::new(value.into_bytes())
            }
            Self::File(path) => read(path.clone())?,
            Self::Descriptor(number) => read(format!("/dev/fd/{number}").into())?,
        };
        let line = secret.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(Error::new(ErrorKind::Usage, what, "there is nothing"));
        }
        Ok(Zeroizing::new(line.to_vec()))
    }
}

/// The secret that a source was given for, or that a variable holds, or that is asked for.
///
/// # Errors
/// As [`Source::read`]; [`ErrorKind::Usage`] if there is nobody to ask.
pub(crate) fn get(source: Option<&Source>, variable: &str, option: &str, name: &str) -> Result<Secret> {
    match source {
        Some(source) => source.read(name),
        None if env::var_os(variable).is_some() => Source::Env(variable.into()).read(name),
        None if terminal::is_interactive() => prompt(name),
        None => Err(Error::new(ErrorKind::Usage, format!("ask for the {name}"), "this is no terminal")
            .advise(format!("Say where it is: {option} env:NAME, file:PATH or fd:NUMBER, or set {variable}."))),
    }
}

/// As [`get`], for a secret that is made now: on the terminal it is asked for twice.
///
/// # Errors
/// As [`get`].
pub(crate) fn get_new(source: Option<&Source>, variable: &str, option: &str, name: &str) -> Result<Secret> {
    get_checked(source, variable, option, name, true, &|_| Ok(()))
}

/// As [`get`], or [`get_new`] if it is new, for a secret that has to have a form: on the terminal it is asked for until it has.
///
/// # Errors
/// As [`get`], and those of `check`.
pub(crate) fn get_checked(
    source: Option<&Source>,
    variable: &str,
    option: &str,
    name: &str,
    is_new: bool,
    check: &dyn Fn(&Secret) -> Result<()>,
) -> Result<Secret> {
    let asks = match source {
        Some(source) => *source == Source::Prompt,
        None => env::var_os(variable).is_none(),
    };
    if !asks || source.is_none() && !terminal::is_interactive() {
        let secret = get(source, variable, option, name)?;
        return check(&secret).map(|()| secret);
    }
    loop {
        let secret = typed(name)?;
        if secret.is_empty() {
            eprintln!("Nothing was typed. Once more; Ctrl-C stops.");
            continue;
        }
        if let Err(error) = check(&secret) {
            let advice = error.advice().map_or_else(String::new, |advice| format!(" {advice}"));
            eprintln!("Not so: {}.{advice} Once more.", error.why());
            continue;
        }
        if !is_new || *typed("the same again")? == *secret {
            return Ok(secret);
        }
        eprintln!("The two are not the same. Once more.");
    }
}

fn prompt(name: &str) -> Result<Secret> {
    let typed = typed(name)?;
    if typed.is_empty() {
        return Err(Error::new(ErrorKind::Usage, format!("ask for the {name}"), "nothing was typed"));
    }
    Ok(typed)
}

fn typed(name: &str) -> Result<Secret> {
    terminal::ask_unseen(&capitalised(name)).map_err(|error| match error.kind() {
        ErrorKind::Usage if error.why() != terminal::STOPPED => {
            Error::new(ErrorKind::Usage, format!("ask for the {name}"), "there is no terminal")
        }
        _ => error,
    })
}

/// Checks the length of a PIN, which is `least` to 16 characters.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn check_length(what: &'static str, name: &str, pin: &[u8], least: usize) -> Result<()> {
    if (least..=16).contains(&pin.len()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, what, format!("the {name} has {} characters", pin.len()))
        .advise(format!("It must have {least} to 16.")))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// An SO-PIN as it goes to the device: sixteen hexadecimal digits are eight bytes, as OpenSC has it; anything else is meant
/// literally.
pub(crate) fn so_pin(typed: &Secret) -> Secret {
    let from_hex = (typed.len() == 16).then(|| hex::decode(typed.as_slice()).ok()).flatten();
    from_hex.map_or_else(|| typed.clone(), Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        for text in ["648219", "envPIN", "env:", "", "fd:x", "pin:648219"] {
            let error = text.parse::<Source>().expect_err("no source");
            assert!(text.is_empty() || !error.contains("648219"), "{error}");
        }
        assert_eq!("fd:3".parse(), Ok(Source::Descriptor(3)));
        assert_eq!("file:a:b".parse(), Ok(Source::File("a:b".into())));
    }

    #[test]
    fn sixteen_hexadecimal_digits_are_eight_bytes() {
        let read = |text: &[u8]| so_pin(&Zeroizing::new(text.to_vec())).to_vec();
        assert_eq!(read(b"3537363231383830"), b"57621880");
        assert_eq!(read(b"57621880"), b"57621880");
        assert_eq!(read(b"correct horse ba"), b"correct horse ba");
    }
}
