//! Programs on a terminal of their own, and a person who reads the screen and types.
//!
//! The terminal is that of `script` (util-linux): what it shows comes through a pipe, and what is typed goes through another.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that something may take to appear: a way out of a test that fails, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);
/// What clears screen and scrollback.
const CLEAR: &str = "\x1b[3J\x1b[H\x1b[2J";
/// Ctrl-C, as a terminal sends it.
pub const CTRL_C: &str = "\x03";
/// Ctrl-D.
pub const CTRL_D: &str = "\x04";

/// A terminal with a shell.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
    seen: usize,
}

/// The prompt of the shell.
const PROMPT: &str = "ready> ";

impl Terminal {
    /// A shell on a terminal, with the environment and the directory of `like`. It leaves the modes of the terminal alone, as
    /// shells with a line editor do not: what a program leaves behind stays.
    ///
    /// # Errors
    /// `script` does not start.
    pub fn shell(like: &Command) -> Result<Self> {
        let mut command = Command::new("script");
        command.args(["-qefc", "dash -i", "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null()).env("TERM", "xterm").env_remove("ENV");
        if let Some(dir) = like.get_current_dir() {
            command.current_dir(dir);
        }
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.spawn().context("script (util-linux) does not start")?;
        let keyboard = child.stdin.take().context("no keyboard")?;
        let mut output = child.stdout.take().context("no screen")?;
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(len @ 1..) = output.read(&mut part) {
                if sender.send(part[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self { child, keyboard, screen, shown: String::new(), seen: 0 };
        // Split, so that the command is not taken for the prompt that it sets.
        let (head, tail) = PROMPT.split_at(3);
        terminal.press(&format!("PS1='{head}''{tail}'\n"))?;
        terminal.wait_for(PROMPT)?;
        Ok(terminal)
    }

    /// Waits until a text appears after what was waited for before; returns what came before it.
    ///
    /// # Errors
    /// It does not appear.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                let before = self.shown[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return Ok(before);
            }
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.shown.push_str(&String::from_utf8_lossy(&more)),
                Err(RecvTimeoutError::Timeout) => bail!("{text:?} does not appear in {:?}", &self.shown[self.seen..]),
                Err(RecvTimeoutError::Disconnected) => bail!("the terminal closed before {text:?}: {:?}", self.shown),
            }
        }
    }

    /// Types keys, without Enter.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits for a question and types its answer.
    ///
    /// # Errors
    /// The question does not appear.
    pub fn answer(&mut self, question: &str, answer: &str) -> Result<()> {
        self.wait_for(question)?;
        self.press(&format!("{answer}\n"))
    }

    /// Begins a command at the shell's prompt.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn begin(&mut self, command: &str) -> Result<()> {
        self.press(&format!("{command}\n"))?;
        // The shell shows it.
        self.wait_for(command.get(..20).unwrap_or(command)).map(drop)
    }

    /// Waits until the command ends, which must be with this exit code; returns what it showed since.
    ///
    /// # Errors
    /// It ends otherwise.
    pub fn ends_with(&mut self, code: i32) -> Result<String> {
        let shown = self.wait_for(PROMPT)?;
        self.press("echo code=$?.\n")?;
        self.wait_for("code=$?.")?;
        self.wait_for("code=")?;
        let ended = self.wait_for(".")?;
        self.wait_for(PROMPT)?;
        ensure!(ended == code.to_string(), "ended with {ended} instead of {code}: {shown}");
        Ok(shown)
    }

    /// Runs a command that asks nothing.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&mut self, command: &str) -> Result<String> {
        self.begin(command)?;
        self.ends_with(0)
    }

    /// The terminal shows what is typed, and Ctrl-C ends programs: as it was at first.
    ///
    /// # Errors
    /// It does not.
    pub fn is_usable(&mut self) -> Result<()> {
        let modes = self.run("stty -a")?;
        let has = |mode| modes.split([' ', ';', '\r', '\n']).any(|word| word == mode);
        ensure!(has("echo") && has("isig") && has("icanon") && modes.contains("eol = <undef>"), "{modes}");
        Ok(())
    }

    /// What is still to be read: everything since the screen was cleared last.
    pub fn visible(&self) -> &str {
        self.shown.rsplit(CLEAR).next().unwrap_or_default()
    }

    /// Everything that was ever shown.
    pub fn everything(&self) -> &str {
        &self.shown
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
