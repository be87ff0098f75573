//! Running other programs, and writing to a terminal.

use anyhow::{Context, Result, bail};
use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo, run at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a program with its output on the terminal; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = describe(command);
    let status = command.status().with_context(|| format!("`{name}` does not start"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}");
    }
    Ok(())
}

/// Runs a program and keeps its output; if it fails the error shows that output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let Output { status, stdout, stderr } = command.output().with_context(|| format!("`{name}` does not start"))?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        bail!("`{name}` ended with {status}\n{stdout}{stderr}");
    }
    Ok(stdout)
}

/// Whether a program can be found and started.
pub(crate) fn exists(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).chain(["/usr/sbin".into(), "/sbin".into()]).any(|dir| dir.join(program).is_file())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Prints a headline.
pub(crate) fn headline(text: &str) {
    println!("\n{}", paint("1", text));
}

/// Text in green, on a terminal.
pub(crate) fn green(text: &str) -> String {
    paint("32", text)
}

/// Text in red, on a terminal.
pub(crate) fn red(text: &str) -> String {
    paint("31", text)
}

/// Text in grey, on a terminal.
pub(crate) fn grey(text: &str) -> String {
    paint("90", text)
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
