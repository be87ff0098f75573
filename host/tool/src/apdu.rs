//! `apdu`: commands as they are, and what they and their answers mean.

mod explain;

use crate::app::Global;
use crate::bytes::Hex;
use crate::report::Report;
use clap::Args;
use ferrite_client::proto::status::Status;
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::fmt::Write as _;

/// Send commands as they are, and say what the bytes mean
///
/// Sends the commands one after the other in one session and prints command, answer and meaning. A command is given in
/// hexadecimal. PINs written here can be read by everybody on the machine: use --login.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Commands in hexadecimal
    #[arg(required = true)]
    commands: Vec<Hex>,
    /// Log the user in first
    #[arg(long)]
    login: bool,
    /// Say what the commands mean, and send nothing
    #[arg(long, conflicts_with = "login")]
    dry_run: bool,
    /// Fail at the first answer that is not 9000
    #[arg(long)]
    strict: bool,
}

impl Arguments {
    /// Sends them.
    ///
    /// # Errors
    /// Those of the connection; with `--strict`, [`ErrorKind::Refused`].
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        let mut text = String::new();
        let mut exchanges = Vec::new();
        let mut device = match (self.dry_run, self.login) {
            (true, _) => None,
            (false, true) => Some(global.open_and_log_in()?),
            (false, false) => Some(global.open()?),
        };
        for command in &self.commands {
            let meaning = explain::command(&command.0);
            // Writing to a string cannot fail.
            let _ = writeln!(text, ">> {}\n   {meaning}", spaced(&command.0));
            let Some(device) = &mut device else {
                exchanges.push(json!({ "command": hex::encode(&command.0), "meaning": meaning }));
                continue;
            };
            if command.0.is_empty() {
                return Err(Error::new(ErrorKind::Usage, "send a command", "it is empty"));
            }
            let answer = device.raw(&command.0)?;
            let status = answer.status;
            let tree = explain::answer(&answer.data);
            if !answer.data.is_empty() {
                let _ = writeln!(text, "<< {}", spaced(&answer.data));
                for line in &tree {
                    let _ = writeln!(text, "   {line}");
                }
            }
            let _ = writeln!(text, "<< {status}");
            exchanges.push(json!({
                "command": hex::encode(&command.0),
                "meaning": meaning,
                "data": hex::encode(&answer.data),
                "objects": tree,
                "status": format!("{:04X}", status.value()),
                "status_text": status.describe(),
            }));
            if self.strict && status != Status::OK {
                eprint!("{text}");
                return Err(Error::refused(format!("carry out {meaning}"), status));
            }
        }
        Ok(Report::new(json!({ "exchanges": exchanges }), text))
    }
}

/// Bytes in hexadecimal, with blanks between them; of long ones the first and how many there are.
fn spaced(bytes: &[u8]) -> String {
    const SHOWN: usize = 256;
    let shown: Vec<_> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02X}")).collect();
    let rest = bytes.len().saturating_sub(SHOWN);
    let rest = if rest == 0 { String::new() } else { format!(" ... and {rest} more") };
    shown.join(" ") + &rest
}
