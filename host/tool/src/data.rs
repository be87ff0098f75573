//! `data`: data objects.

use crate::app::{Device, Global};
use crate::bytes::{self, Output};
use crate::named::named;
use crate::progress::during;
use crate::report::Report;
use clap::{Args, Subcommand};
use ferrite_client::Result;
use ferrite_client::hsm::DataObject;
use serde_json::json;
use std::path::PathBuf;

/// Store, list, read and delete data
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what is stored
    List,
    /// Store a file
    Put(Put),
    /// Read what is stored
    Get(Get),
    /// Delete what is stored
    Delete(Named),
}

#[derive(Args)]
pub(crate) struct Put {
    /// Label
    label: String,
    /// What to store [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// Who reads it must know the user PIN
    #[arg(long)]
    private: bool,
    /// Name of the application that it is for
    #[arg(long, default_value = "pico-hsm-tool")]
    application: String,
}

#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Named {
    /// The object: its number, or its label
    object: String,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(&self, global: &Global) -> Result<Report> {
        match self {
            Self::List => list(global),
            Self::Put(put) => put.run(global),
            Self::Get(get) => get.run(global),
            Self::Delete(named) => named.delete(global),
        }
    }
}

fn list(global: &Global) -> Result<Report> {
    let objects = global.open()?.objects()?.data;
    let rows: Vec<_> = objects
        .iter()
        .map(|object| {
            let private = if object.is_private { "yes" } else { "" };
            vec![object.number.to_string(), private.into(), object.application.clone(), object.label.clone()]
        })
        .collect();
    let json: Vec<_> = objects
        .iter()
        .map(|object| {
            json!({
                "number": object.number, "label": object.label, "application": object.application,
                "private": object.is_private,
            })
        })
        .collect();
    Ok(Report::table(
        json!({ "data": json }),
        &["NUMBER", "PRIVATE", "APPLICATION", "LABEL"],
        &rows,
        "No data are stored.",
    ))
}

impl Put {
    fn run(&self, global: &Global) -> Result<Report> {
        let content = bytes::read(&self.file)?;
        let mut device = global.open_and_log_in()?;
        let store = || device.store_data(&self.label, &self.application, self.private, &content);
        let number = during("Storing", store)?;
        let json = json!({ "number": number, "label": self.label, "bytes": content.len() });
        Ok(Report::line(json, format!("{} bytes are stored as {number}, {:?}.", content.len(), self.label)))
    }
}

impl Get {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let object = self.named.find(&mut device)?;
        if object.is_private {
            global.log_in(&mut device)?;
        }
        let content = during("Reading", || device.data(object.number))?;
        self.output.deliver("content", &content, json!({ "number": object.number, "label": object.label }))
    }
}

impl Named {
    fn find(&self, device: &mut Device) -> Result<DataObject> {
        let what = format!("find the data {:?}", self.object);
        let missing = ["nothing of this number or label is stored", "List what is: pico-hsm-tool data list"];
        named(device.objects()?.data, &self.object, |object| (object.number, &object.label), what, missing)
    }

    fn delete(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let object = self.find(&mut device)?;
        let loss = format!("The data {} ({:?}) will be deleted, for good.", object.number, object.label);
        global.confirm("delete the data", &loss)?;
        global.log_in(&mut device)?;
        device.delete_data(object.number)?;
        Ok(Report::line(json!({ "deleted": object.number }), format!("The data {} are deleted.", object.number)))
    }
}
