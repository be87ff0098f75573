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
    #[arg(long, value_name = "SECONDS", conflicts_with = "utc")]
    unix: Option<u32>,
    /// Date and time in UTC, as in 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse)]
    utc: Option<Moment>,
}

/// A date and time as RFC 3339 has it, in UTC.
fn parse(text: &str) -> std::result::Result<Moment, String> {
    let bytes = || {
        let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once(['T', ' '])?;
        let numbers = date.split('-').chain(time.split(':')).map(|digits| digits.parse::<u16>().ok());
        let [year, rest @ ..] = <[u16; 6]>::try_from(numbers.collect::<Option<Vec<_>>>()?).ok()?;
        let [high, low] = year.to_be_bytes();
        let [month, day, hour, minute, second] = rest.map(|number| u8::try_from(number).unwrap_or(u8::MAX));
        Some([high, low, month, day, 0, hour, minute, second])
    };
    let moment = bytes().and_then(|bytes| Moment::from_bytes(&bytes, Months::FromOne).ok());
    moment.ok_or_else(|| "write it as in 2027-01-15T08:00:00Z".into())
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
                let moment = set.unix.map(Moment).or(set.utc).or_else(now).ok_or_else(|| {
                    Error::new(ErrorKind::Usage, "set the clock", "this computer's clock is out of reach")
                        .advise("Say the time: --unix SECONDS")
                })?;
                global.open_and_log_in()?.set_clock(moment)?;
                let line = format!("The clock is set: {}", text(moment));
                Ok(Report::line(json!({ "unix": moment.0, "utc": text(moment) }), line))
            }
        }
    }
}

/// This computer's time.
pub(crate) fn now() -> Option<Moment> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u32::try_from(since.as_secs()).ok().map(Moment)
}

/// As RFC 3339 has it.
pub(crate) fn text(moment: Moment) -> String {
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

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        for moment in [0, 1_800_000_000, u32::MAX].map(Moment) {
            assert_eq!(parse(&text(moment)), Ok(moment));
        }
        assert_eq!(parse("2027-01-15 08:00:00"), Ok(Moment(1_800_000_000)));
        for wrong in ["", "2027-01-15", "2027-02-29T08:00:00Z", "2027-01-15T24:00:00Z", "2027-01-15T08:00:00+01:00"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
