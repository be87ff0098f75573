//! Guides of the documentation, run as they are written.
//!
//! Every block that starts with ```` ```console ```` is run in one shell, in a directory of its own. A line that starts with
//! `$ ` is a command; one that ends in a backslash goes on in the next line. Lines that follow are what the command must
//! print, on both streams: `...` alone in a line stands for any lines, within a line for any characters. Without such
//! lines it only has to succeed. A command that has to fail ends with a comment, `# exit code 3`.

use crate::sim::{self, Sim};
use crate::temp::TempDir;
use crate::tool;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command of a guide.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
    code: i32,
}

/// Runs a guide, a path below `docs/src`, against a fresh virtual device behind a socket.
///
/// # Errors
/// A command ends or prints otherwise than the guide says.
pub fn run(page: &str) -> Result<()> {
    let dir = TempDir::new()?;
    let socket = dir.path().join("socket");
    let arguments = [OsStr::new("--no-vpcd"), OsStr::new("--socket"), socket.as_os_str()];
    let _sim = Sim::start(&sim::program()?, &dir.path().join("state"), &arguments)?;
    run_in(page, dir.path(), Some(&socket))
}

/// Runs a guide in a directory, with the device that is at `socket`, or else the one in the reader.
///
/// # Errors
/// As [`run`].
pub fn run_in(page: &str, dir: &Path, socket: Option<&Path>) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src").join(page);
    let text = fs::read_to_string(&source).with_context(|| format!("{} cannot be read", source.display()))?;
    let steps = steps(&text);
    ensure!(!steps.is_empty(), "{page} has no command");
    let work = dir.join("work");
    fs::create_dir_all(&work)?;
    // What a guide left running ends with it.
    let mut script = String::from("exec 2>&1 </dev/null\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
    for (at, step) in steps.iter().enumerate() {
        // The end of a command's output may lack its line end.
        script.push_str(&format!("echo '<<<{at}'\n{}\nx=$?; echo; echo \">>>{at} $x\"\n", step.command));
    }
    fs::write(dir.join("script"), &script)?;
    let programs = [tool::program()?, sim::program()?];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = programs
        .iter()
        .filter_map(|program| program.parent().map(Path::to_path_buf))
        .chain(std::env::split_paths(&paths));
    let mut shell = Command::new("bash");
    shell.arg(dir.join("script")).current_dir(&work).stdin(Stdio::null()).env("PATH", std::env::join_paths(paths)?);
    shell.env("HOME", &work).env_remove("PICO_HSM_PIN").env_remove("PICO_HSM_SO_PIN").env_remove("PICO_HSM_DEVICE");
    if let Some(socket) = socket {
        shell.env("PICO_HSM_DEVICE", socket);
        // Other tests use the reader meanwhile; this guide is not to see it.
        shell.env(tool::PCSCD_SOCKET, dir.join("no-pcscd"));
    }
    let output = String::from_utf8_lossy(&shell.output().context("bash does not start")?.stdout).into_owned();
    for (at, step) in steps.iter().enumerate() {
        check(page, step, at, &output)?;
    }
    Ok(())
}

/// The commands of a page.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut is_console, mut goes_on) = (false, false);
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            is_console = line == "```console";
            goes_on = false;
        } else if is_console {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (_, Some(last)) if goes_on => {
                    last.command.push_str(&format!("\n{line}"));
                    last.code = exit_code(line);
                }
                (Some(command), _) => {
                    let code = exit_code(command);
                    steps.push(Step { line: at + 1, command: command.to_owned(), expected: Vec::new(), code });
                }
                (None, Some(last)) => last.expected.push(line.trim_end().to_owned()),
                (None, None) => {}
            }
            goes_on = line.ends_with('\\');
        }
    }
    steps
}

/// The exit code that the comment at the end of a line says.
fn exit_code(line: &str) -> i32 {
    line.split_once("# exit code ").and_then(|(_, code)| code.trim().parse().ok()).unwrap_or_default()
}

fn check(page: &str, step: &Step, at: usize, output: &str) -> Result<()> {
    let place = format!("{page}, line {}: {}", step.line, step.command);
    let begun = output.split_once(&format!("<<<{at}\n")).map(|(_, rest)| rest);
    let parts = begun.and_then(|rest| rest.split_once(&format!("\n>>>{at} ")));
    let Some((printed, rest)) = parts else { bail!("{place}\nthe shell did not come so far:\n{output}") };
    let code = rest.lines().next().unwrap_or_default();
    ensure!(code == step.code.to_string(), "{place}\nended with {code} instead of {}:\n{printed}", step.code);
    let printed: Vec<_> = printed.trim_end().lines().map(str::trim_end).collect();
    let expected: Vec<_> = step.expected.iter().map(String::as_str).collect();
    if !expected.is_empty() && !lines_fit(&expected, &printed) {
        bail!("{place}\nprinted\n{}\ninstead of\n{}", printed.join("\n"), expected.join("\n"));
    }
    Ok(())
}

/// Whether lines are as expected; `...` alone stands for any lines.
fn lines_fit(expected: &[&str], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|at| printed.get(at..).is_some_and(|tail| lines_fit(rest, tail))),
        [first, rest @ ..] => match printed {
            [line, tail @ ..] => line_fits(first, line) && lines_fit(rest, tail),
            [] => false,
        },
    }
}

/// Whether a line is as expected; `...` in it stands for any characters.
fn line_fits(expected: &str, line: &str) -> bool {
    match expected.split_once("...") {
        None => expected == line,
        Some((head, rest)) => line.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| line_fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_anything_and_nothing_else_does() {
        assert!(line_fits("a...c", "abbc") && line_fits("a...", "a") && line_fits("...", "x"));
        assert!(!line_fits("a...c", "abb") && !line_fits("abc", "abcd"));
        assert!(lines_fit(&["a", "...", "z"], &["a", "b", "c", "z"]) && lines_fit(&["..."], &[]));
        assert!(!lines_fit(&["a", "..."], &["b"]) && !lines_fit(&["a"], &["a", "b"]));
    }

    #[test]
    fn commands_are_found_in_console_blocks_only() {
        let text =
            "```console\n$ one \\\n   two # exit code 5\nout\n$ three # exit code 4\n```\n```text\n$ four\n```\n";
        let steps = steps(text);
        assert_eq!(steps.len(), 2);
        assert_eq!(
            (steps[0].command.as_str(), steps[0].expected.as_slice()),
            ("one \\\n   two # exit code 5", &["out".to_owned()][..])
        );
        assert_eq!((steps[0].code, steps[1].code, steps[1].line), (5, 4, 5));
    }

    #[test]
    fn a_command_that_prints_or_ends_otherwise_is_found() {
        let step = |expected: &[&str], code| Step {
            line: 1,
            command: "x".into(),
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
            code,
        };
        let output = "<<<0\nhello\n\n>>>0 3\n";
        check("page", &step(&["hello"], 3), 0, output).expect("as said");
        check("page", &step(&[], 3), 0, output).expect("as said");
        check("page", &step(&["hallo"], 3), 0, output).expect_err("prints otherwise");
        check("page", &step(&["hello"], 0), 0, output).expect_err("ends otherwise");
        check("page", &step(&[], 0), 1, output).expect_err("never came so far");
    }
}
