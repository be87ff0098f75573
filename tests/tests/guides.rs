//! Every command of the guides that need no reader, against a fresh virtual device.

use anyhow::Result;
use ferrite_tests::guide::run;

macro_rules! guides {
    ($($name:ident = $page:literal;)*) => {
        $(
            #[test]
            fn $name() -> Result<()> {
                run($page)
            }
        )*

        /// The guides that this file runs.
        const PAGES: &[&str] = &[$($page),*];
    };
}

guides! {
    quick_start = "guides/first-steps.md";
    initialize = "guides/initialize.md";
    sign_and_verify = "guides/sign.md";
    encrypt_and_decrypt = "guides/encrypt.md";
    aes = "guides/aes.md";
    backup_and_restore = "guides/backup.md";
    ceremony = "guides/ceremony.md";
    data = "guides/data.md";
    certificate_authority = "guides/certificates.md";
    wallets = "guides/wallets.md";
    attestation = "guides/attestation.md";
    device_authority = "guides/device-authority.md";
    key_login = "guides/key-login.md";
    groups = "guides/groups.md";
    secure_channel = "guides/secure-channel.md";
    secure_lock = "guides/lock.md";
    board = "guides/board.md";
    troubleshooting = "guides/troubleshooting.md";
}

/// Guides that need the reader, which `clients_guides.rs` runs.
const IN_THE_READER: [&str; 2] = ["guides/openssl.md", "guides/openssh.md"];

#[test]
fn every_guide_is_run_and_listed() -> Result<()> {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md"))?;
    for entry in std::fs::read_dir(docs.join("guides"))? {
        let page = format!("guides/{}", entry?.file_name().to_string_lossy());
        assert!(PAGES.contains(&page.as_str()) || IN_THE_READER.contains(&page.as_str()), "{page} is not run");
        assert!(summary.contains(&page), "{page} is not listed");
    }
    Ok(())
}
