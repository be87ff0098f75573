//! `option`: the options that can be changed after initialisation.

use crate::app::Global;
use crate::report::{Report, pairs};
use crate::status::option_names;
use clap::{Args, Subcommand};
use ferrite_client::Result;
use ferrite_client::proto::command::{DynamicOptions, Options};
use serde_json::json;

/// Look at the options, and change those that can be changed
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them
    List,
    /// Change one or both
    Set(Set),
}

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// Every use of a key waits for the device's button
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    press_to_confirm: Option<bool>,
    /// Every new key gets a use counter
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    count_every_key: Option<bool>,
}

/// Reads a switch.
///
/// # Errors
/// It is neither on nor off.
pub(crate) fn on_or_off(text: &str) -> std::result::Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("say on or off".into()),
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::List => {
                // The card says them when it is selected.
                Ok(show(global.open()?.application().options))
            }
            Self::Set(set) => {
                let mut device = global.open_and_log_in()?;
                let now = device.options()?;
                device.set_options(DynamicOptions {
                    press_to_confirm: set.press_to_confirm.unwrap_or(now.press_to_confirm()),
                    counts_every_key: set.count_every_key.unwrap_or(now.counts_every_key()),
                })?;
                Ok(show(device.options()?))
            }
        }
    }
}

/// A switch, in words.
pub(crate) fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn show(options: Options) -> Report {
    let names = option_names(options);
    let on = |is_on: bool| on_off(is_on).to_owned();
    let text = pairs(&[
        ("press-to-confirm", on(options.press_to_confirm())),
        ("count-every-key", on(options.counts_every_key())),
        ("all that are on", if names.is_empty() { "none".into() } else { names.join(", ") }),
    ]);
    Report::new(json!({ "options": names, "value": format!("{:04X}", options.0) }), text)
}
