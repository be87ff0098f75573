//! Scripts of commands and expected answers, one step a line, for a person to read.
//!
//! ```text
//! # Anything after a hash sign is a comment.
//! > 00 20 00 81 06 "648219"   a command: bytes in hexadecimal, text in quotation marks for its bytes in ASCII
//! < 63 C.                     the expected answer; a dot stands for any digit, so `..` for any byte
//! < 67 ... 90 00              three dots stand for any number of bytes, also none; once in an answer
//!     0A 0B                   an indented line continues the one before
//! reset                       power off and on: the session ends
//! restart                     the device starts anew with what its flash memory holds
//! ```
//!
//! (The remarks at the right are not part of the format; a comment would need its hash sign.)

use anyhow::{Context, Result, bail, ensure};
use std::fmt;

/// What a script can do with a device.
pub trait Device {
    /// Sends a command APDU and returns response data and status word.
    ///
    /// # Errors
    /// The device does not answer.
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>>;
    /// Powers the card off and on.
    ///
    /// # Errors
    /// The device does not answer.
    fn reset(&mut self) -> Result<()>;
    /// Starts the device anew, with what its flash memory holds.
    ///
    /// # Errors
    /// The device does not start.
    fn restart(&mut self) -> Result<()>;
}

/// A script, ready to run any number of times.
#[derive(Debug)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    line: usize,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Exchange { command: Vec<u8>, answer: Pattern },
    Reset,
    Restart,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// A line is not understood, or a command has no answer; the message has its number.
    pub fn parse(text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        let mut command: Option<(usize, Vec<u8>)> = None;
        for (line, text) in logical_lines(text) {
            let step = Self::step(&text, &mut command, line).with_context(|| format!("line {line}: {text}"))?;
            steps.extend(step.map(|action| Step { line, action }));
        }
        if let Some((line, _)) = command {
            bail!("line {line}: the command has no answer");
        }
        Ok(Self { steps })
    }

    fn step(text: &str, command: &mut Option<(usize, Vec<u8>)>, line: usize) -> Result<Option<Action>> {
        if let Some(answer) = text.strip_prefix('<') {
            let (_, command) = command.take().context("an answer without a command")?;
            return Ok(Some(Action::Exchange { command, answer: Pattern::parse(answer)? }));
        }
        ensure!(command.is_none(), "the command before has no answer");
        if let Some(bytes) = text.strip_prefix('>') {
            *command = Some((line, Pattern::parse(bytes)?.literal().context("a command has no dots")?));
            return Ok(None);
        }
        match text {
            "reset" => Ok(Some(Action::Reset)),
            "restart" => Ok(Some(Action::Restart)),
            _ => bail!("neither command, answer, reset nor restart"),
        }
    }

    /// Runs the script.
    ///
    /// # Errors
    /// The device does not answer, or not as expected; the message has the line, the command and both answers.
    pub fn run(&self, device: &mut impl Device) -> Result<()> {
        for Step { line, action } in &self.steps {
            match action {
                Action::Reset => device.reset().with_context(|| format!("line {line}: reset"))?,
                Action::Restart => device.restart().with_context(|| format!("line {line}: restart"))?,
                Action::Exchange { command, answer } => {
                    let got = device.transmit(command).with_context(|| format!("line {line}"))?;
                    ensure!(
                        answer.matches(&got),
                        "line {line}\n  command  {}\n  expected {answer}\n  got      {}",
                        hex::encode_upper(command),
                        hex::encode_upper(&got)
                    );
                }
            }
        }
        Ok(())
    }
}

/// Lines without comments, with their continuations, and with the number of the first one.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, raw) in (1..).zip(text.lines()) {
        let content = raw.split_once('#').map_or(raw, |(content, _)| content).trim_end();
        match (content.starts_with([' ', '\t']), lines.last_mut()) {
            _ if content.is_empty() => {}
            (true, Some((_, line))) => line.push_str(content),
            _ => lines.push((number, content.to_owned())),
        }
    }
    lines
}

/// Expected bytes: `head`, then, if there is a `tail`, anything, then the tail.
#[derive(Debug)]
struct Pattern {
    head: Vec<Nibbles>,
    tail: Option<Vec<Nibbles>>,
}

/// A byte whose digits may be free.
#[derive(Debug, Clone, Copy)]
struct Nibbles {
    mask: u8,
    value: u8,
}

impl Nibbles {
    fn parse(pair: &[char]) -> Result<Self> {
        let digit = |character: char| -> Result<(u8, u8)> {
            match character {
                '.' => Ok((0, 0)),
                _ => Ok((0xF, u8::try_from(character.to_digit(16).context("not a hexadecimal digit")?)?)),
            }
        };
        let [high, low] = pair else { bail!("an odd number of digits") };
        let ((high_mask, high), (low_mask, low)) = (digit(*high)?, digit(*low)?);
        Ok(Self { mask: high_mask << 4 | low_mask, value: high << 4 | low })
    }

    fn matches(self, byte: u8) -> bool {
        byte & self.mask == self.value
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let mut pattern = Self { head: Vec::new(), tail: None };
        // Every second piece is inside quotation marks.
        for (quoted, piece) in [false, true].into_iter().cycle().zip(text.split('"')) {
            if quoted {
                pattern.end().extend(piece.bytes().map(|value| Nibbles { mask: 0xFF, value }));
                continue;
            }
            for word in piece.split_whitespace() {
                if word == "..." {
                    ensure!(pattern.tail.is_none(), "`...` twice");
                    pattern.tail = Some(Vec::new());
                    continue;
                }
                for pair in word.chars().collect::<Vec<_>>().chunks(2) {
                    pattern.end().push(Nibbles::parse(pair).with_context(|| format!("`{word}`"))?);
                }
            }
        }
        ensure!(text.matches('"').count().is_multiple_of(2), "a quotation mark is missing");
        Ok(pattern)
    }

    /// The part that is being read.
    fn end(&mut self) -> &mut Vec<Nibbles> {
        self.tail.as_mut().unwrap_or(&mut self.head)
    }

    /// The bytes, if nothing is free.
    fn literal(&self) -> Option<Vec<u8>> {
        let fixed = self.tail.is_none() && self.head.iter().all(|byte| byte.mask == 0xFF);
        fixed.then(|| self.head.iter().map(|byte| byte.value).collect())
    }

    fn matches(&self, bytes: &[u8]) -> bool {
        let same = |pattern: &[Nibbles], bytes: &[u8]| {
            pattern.len() == bytes.len() && pattern.iter().zip(bytes).all(|(pattern, &byte)| pattern.matches(byte))
        };
        let Some(tail) = &self.tail else { return same(&self.head, bytes) };
        let Some((head, rest)) = bytes.split_at_checked(self.head.len()) else { return false };
        let end = rest.len().checked_sub(tail.len()).and_then(|free| rest.get(free..));
        same(&self.head, head) && end.is_some_and(|end| same(tail, end))
    }
}

impl fmt::Display for Nibbles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mask {
            0xFF => write!(f, "{:02X}", self.value),
            0xF0 => write!(f, "{:X}.", self.value >> 4),
            0x0F => write!(f, ".{:X}", self.value),
            _ => f.write_str(".."),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.iter().try_for_each(|byte| byte.fmt(f))?;
        let Some(tail) = &self.tail else { return Ok(()) };
        f.write_str(" ... ")?;
        tail.iter().try_for_each(|byte| byte.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers a command with its own bytes, and remembers what happened.
    #[derive(Default)]
    struct Echo(Vec<&'static str>);

    impl Device for Echo {
        fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>> {
            self.0.push("transmit");
            Ok(apdu.to_vec())
        }
        fn reset(&mut self) -> Result<()> {
            self.0.push("reset");
            Ok(())
        }
        fn restart(&mut self) -> Result<()> {
            self.0.push("restart");
            Ok(())
        }
    }

    fn run(text: &str) -> Result<()> {
        Script::parse(text)?.run(&mut Echo::default())
    }

    #[test]
    fn an_answer_matches_by_digit_by_byte_and_by_run() {
        for answer in
            ["63 C2 90 00", "63C29000", "63 C. .. 00", "63 ... 00", "...", "63 C2 ... 90\n    00", "\"c\" C2 90 00"]
        {
            run(&format!("> 63 C2\n  9000 # comment\n< {answer}\n")).expect(answer);
        }
        for answer in ["63 C2 90", "63 C2 90 00 00", "63 D. 90 00", "63 ... 01", "63 C2 90 ... 90 00", ""] {
            run(&format!("> 63 C2 90 00\n< {answer}\n")).expect_err(answer);
        }
    }

    #[test]
    fn steps_run_in_order_and_stop_at_the_first_difference() {
        let script = Script::parse("reset\n> 01\n< 01\nrestart\n> 02\n< 03\nreset\n").expect("well formed");
        let mut device = Echo::default();
        let message = script.run(&mut device).expect_err("02 is not 03").to_string();
        assert_eq!(device.0, ["reset", "transmit", "restart", "transmit"]);
        assert!(message.contains("line 5") || message.contains("line 6"), "{message}");
    }

    #[test]
    fn what_is_not_a_script_is_refused_with_its_line() {
        for (text, line) in [
            ("> 00\n> 01\n< 01\n", "line 2"),
            ("\n< 90 00\n", "line 2"),
            ("> 00\n", "line 1"),
            ("> 0\n< 00\n", "line 1"),
            ("> 0.\n< 00\n", "line 1"),
            ("> 00\n< ... 00 ...\n", "line 2"),
            ("> \"a\n< 00\n", "line 1"),
            ("sleep\n", "line 1"),
        ] {
            let message = Script::parse(text).expect_err(text).to_string();
            assert!(message.contains(line), "{text:?}: {message}");
        }
    }
}
