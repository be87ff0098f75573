//! The card against implementations that have nothing to do with it: PyPI's `cryptography`, `ecdsa` and `pycvc`, through
//! pcscd. One test for each script in `tests/python`.

use anyhow::Result;
use ferrite_tests::bench::Bench;

#[test]
fn rsa_signing() -> Result<()> {
    Bench::blank()?.python("test_rsa_signing.py", &[])
}

#[test]
fn ec_signing() -> Result<()> {
    Bench::blank()?.python("test_ec_signing.py", &[])
}
