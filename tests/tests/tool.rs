//! `pico-hsm-tool` against a virtual device.

use anyhow::Result;
use ferrite_tests::tool::Tool;
use std::fs;

#[test]
fn every_kind_of_key_that_signs_does_and_its_signature_is_checked_without_the_device() -> Result<()> {
    let tool = Tool::initialized(&["--label", "Test"])?;
    fs::write(tool.file("message"), "hello")?;
    fs::write(tool.file("other"), "hallo")?;
    let curves = ["p256", "p384", "p521", "secp256k1", "brainpoolp256r1", "p192"];
    let kinds = curves.iter().chain(&["ed25519", "ed448", "rsa:1024"]);
    for kind in kinds {
        tool.succeed(&["key", "generate", kind, "--label", kind])?;
        tool.succeed(&["key", "public-key", kind, "-o", "public"])?;
        let schemes: &[&str] = match *kind {
            "ed25519" | "ed448" => &["eddsa"],
            "rsa:1024" => &["rsa-sha1", "rsa-sha512", "rsa-pss-sha1", "rsa-pss-sha256", "rsa-pss-sha384"],
            _ => &["ecdsa-sha1", "ecdsa-sha256", "ecdsa-sha512"],
        };
        for scheme in schemes {
            tool.succeed(&["sign", kind, "message", "-a", scheme, "-o", "signature"])?;
            let check = |key, file| tool.run(&["verify", key, file, "-a", scheme, "-s", "signature"]);
            assert_eq!(check(kind, "message")?.code, 0, "{kind} {scheme}");
            assert_eq!(check("file:public", "message")?.code, 0, "{kind} {scheme}");
            assert_eq!(check(kind, "other")?.code, 8, "{kind} {scheme}");
        }
    }
    Ok(())
}

#[test]
fn a_long_message_is_hashed_before_it_is_sent_and_a_digest_is_taken_as_it_is() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    fs::write(tool.file("long"), vec![7; 200_000])?;
    for kind in ["p256", "rsa:2048"] {
        tool.succeed(&["key", "generate", kind, "--label", kind])?;
        tool.succeed(&["sign", kind, "long", "-o", "signature"])?;
        tool.succeed(&["verify", kind, "long", "-s", "signature"])?;
        let digest = std::process::Command::new("openssl")
            .args(["dgst", "-sha256", "-binary", "-out", "digest", "long"])
            .current_dir(tool.dir())
            .status()?;
        assert!(digest.success());
        tool.succeed(&["sign", kind, "digest", "--digest", "-o", "signature"])?;
        tool.succeed(&["verify", kind, "long", "-s", "signature"])?;
    }
    Ok(())
}
