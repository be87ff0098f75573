//! `label`: the name of the token.

use crate::app::Global;
use crate::report::Report;
use clap::Args;
use ferrite_client::Result;
use serde_json::json;

/// Give the token a name
#[derive(Args)]
pub(crate) struct Arguments {
    /// The name, up to 32 bytes
    label: String,
}

impl Arguments {
    /// Names it.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        global.open_and_log_in()?.set_label(&self.label)?;
        Ok(Report::line(json!({ "label": self.label }), format!("The token is now {:?}.", self.label)))
    }
}
