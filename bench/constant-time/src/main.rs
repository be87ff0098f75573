//! Runs an algorithm on secrets that memcheck was told to take for undefined bytes, so that it reports every jump and
//! every address that depends on one. `cargo xtask constant-time` calls this program; see `docs/src/constant-time.md`.
//!
//! Without an argument it lists its subjects, one a line: what memcheck is expected to report, and the name. With the
//! name of a subject it runs that one, under valgrind only.

mod keys;
mod memcheck;
mod subjects;

use anyhow::{Context, Result, ensure};

fn main() -> Result<()> {
    let subjects = subjects::all();
    let Some(name) = std::env::args().nth(1) else {
        for subject in &subjects {
            println!("{} {}", subject.expected.word(), subject.name);
        }
        return Ok(());
    };
    let subject = subjects.iter().find(|subject| subject.name == name).context("there is no such subject")?;
    ensure!(memcheck::is_listening(), "this program shows something only under valgrind, on x86-64");
    (subject.run)()
}
