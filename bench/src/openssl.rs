//! OpenSSL's command line, measured in the same run.

use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// Makes an RSA key.
pub(crate) fn generate(bits: u16) {
    let mut command = Command::new("openssl");
    command.args(["genrsa", &bits.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().is_ok_and(|status| status.success()), "openssl genrsa fails");
}

/// Prints what `openssl speed` measures: time for one signature. OpenSSL uses hand-written assembly for this processor.
pub(crate) fn speed() -> Result<()> {
    let output = Command::new("openssl")
        .args(["speed", "-seconds", "1", "rsa2048", "rsa4096", "ecdsap256"])
        .stderr(Stdio::null())
        .output()
        .context("openssl does not start")?;
    println!("\nopenssl speed, for comparison with the rows above (time for one signature)");
    for line in
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("bits") && line.contains("s "))
    {
        println!("  {}", line.trim());
    }
    Ok(())
}
