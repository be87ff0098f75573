//! Programs that make files, in a directory of their own.

use crate::temp::TempDir;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A directory in which programs run.
pub struct Files(TempDir);

impl Files {
    /// An empty directory.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn new() -> Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.path(name)).with_context(|| format!("the file {name}"))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        fs::write(self.path(name), content).with_context(|| format!("the file {name}"))
    }

    /// Runs OpenSSL with arguments that are separated by spaces; it must succeed.
    ///
    /// # Errors
    /// It is missing, or fails.
    pub fn openssl(&self, arguments: &str) -> Result<Vec<u8>> {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .context("openssl does not start: `cargo xtask test` installs it")?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "openssl {arguments} fails:\n{text}");
        Ok(output.stdout)
    }
}
