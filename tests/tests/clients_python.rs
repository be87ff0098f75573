//! The card against implementations that have nothing to do with it: PyPI's `cryptography`, `ecdsa` and `pycvc`, through
//! pcscd. One test for each script in `tests/python`.

use anyhow::Result;
use ferrite_tests::bench::Bench;

#[test]
fn rsa_signing() -> Result<()> {
    Bench::blank()?.python("test_rsa_signing.py", &[])
}

#[test]
fn rsa_decryption() -> Result<()> {
    Bench::blank()?.python("test_rsa_decryption.py", &[])
}

#[test]
fn ec_signing() -> Result<()> {
    Bench::blank()?.python("test_ec_signing.py", &[])
}

#[test]
fn ec_agreement() -> Result<()> {
    Bench::blank()?.python("test_ec_agreement.py", &[])
}

#[test]
fn ec_derivation() -> Result<()> {
    Bench::blank()?.python("test_ec_derivation.py", &[])
}

#[test]
fn montgomery_edwards() -> Result<()> {
    Bench::blank()?.python("test_montgomery_edwards.py", &[])
}

#[test]
fn symmetric() -> Result<()> {
    Bench::blank()?.python("test_symmetric.py", &[])
}

#[test]
fn hierarchical_keys() -> Result<()> {
    Bench::blank()?.python("test_hierarchical_keys.py", &[])
}

#[test]
fn attributes() -> Result<()> {
    Bench::blank()?.python("test_attributes.py", &[])
}

#[test]
fn requests() -> Result<()> {
    Bench::blank()?.python("test_requests.py", &[])
}

#[test]
fn authorities() -> Result<()> {
    Bench::blank()?.python("test_authorities.py", &[])
}

#[test]
fn restart() -> Result<()> {
    let mut bench = Bench::blank()?;
    bench.python("test_restart.py", &["before"])?;
    bench.cut_power()?;
    bench.python("test_restart.py", &["after"])
}

#[test]
fn extras_secure_lock_and_rescue() -> Result<()> {
    let mut bench = Bench::blank()?;
    bench.python("test_extras.py", &["before"])?;
    bench.cut_power()?;
    bench.python("test_extras.py", &["after"])
}
