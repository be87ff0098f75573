//! `clock`: date and time of the device.

use crate::app::Global;
use crate::report::Report;
use clap::{Args, Subcommand};
use ferrite_client::proto::clock::{Moment, Months};
use ferrite_client::{Error, ErrorKind, Result};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// Read and set the device's date and time
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read it
    Get,
    /// Set it; the device keeps it until the power fails
    Set(Set),
}

#[derive(Args)]
pub(crate) struct Set {
    /// Seconds since 1970 [default: this computer's time]
    #[arg(long, value_name = "SECONDS")]
    unix: Option<u32>,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::Get => match global.open_and_log_in()?.clock()? {
                None => Ok(Report::line(
                    json!({ "unix": null, "utc": null }),
                    "Nobody has set the clock since the device has power.",
                )),
                Some(moment) => Ok(Report::line(json!({ "unix": moment.0, "utc": text(moment) }), text(moment))),
            },
            Self::Set(set) => {
                let now = || {
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
                    since.and_then(|since| u32::try_from(since.as_secs()).ok())
                };
                let seconds = set.unix.or_else(now).ok_or_else(|| {
                    Error::new(ErrorKind::Usage, "set the clock", "this computer's clock is out of reach")
                        .advise("Say the time: --unix SECONDS")
                })?;
                let moment = Moment(seconds);
                global.open_and_log_in()?.set_clock(moment)?;
                let line = format!("The clock is set: {}", text(moment));
                Ok(Report::line(json!({ "unix": moment.0, "utc": text(moment) }), line))
            }
        }
    }
}

/// As RFC 3339 has it.
fn text(moment: Moment) -> String {
    let [high, low, month, day, _, hour, minute, second] = moment.to_bytes(Months::FromOne);
    let year = u16::from_be_bytes([high, low]);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_has_it() {
        // date -u -d @1800000000
        assert_eq!(text(Moment(1_800_000_000)), "2027-01-15T08:00:00Z");
        assert_eq!(text(Moment(0)), "1970-01-01T00:00:00Z");
    }
}
