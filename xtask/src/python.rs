//! The Python environment of the tests with independent implementations: `target/python`.

use crate::install::{self, Consent, PYSCARD, PYTHON_VENV};
use crate::run::{headline, root, run};
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::process::Command;

/// Debian's Python: the one that sees Debian's pyscard, whatever else comes first on the path.
const PYTHON: &str = "/usr/bin/python3";

/// Whether Debian's Python has a module.
pub(crate) fn knows(module: &str) -> bool {
    let found = Command::new(PYTHON).args(["-c", &format!("import {module}")]).output();
    found.is_ok_and(|output| output.status.success())
}

/// Makes the environment, unless it is there with exactly the packages wanted.
pub(crate) fn prepare(consent: Consent) -> Result<()> {
    install::ensure(&[PYTHON_VENV, PYSCARD], consent)?;
    // target/<profile>/xtask
    let program = env::current_exe()?;
    let folder = program.ancestors().nth(2).context("this program is not in a target directory")?.join("python");
    let requirements = root().join("tests/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("tests/python/requirements.txt cannot be read")?;
    // Written last: what was interrupted is made again.
    let made_from = folder.join("made-from.txt");
    let python = folder.join("bin/python");
    if python.exists() && fs::read_to_string(&made_from).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    headline("Python packages for the tests");
    run(Command::new(PYTHON).args(["-m", "venv", "--clear", "--system-site-packages"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps"];
    run(Command::new(&python).args(pip).arg("-r").arg(&requirements))?;
    fs::write(&made_from, wanted).context("the Python environment cannot be marked as complete")
}
