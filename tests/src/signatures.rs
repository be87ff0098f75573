//! Every signature mechanism that `pkcs11-tool` offers for this card, and how OpenSSL verifies what comes of it.

use crate::bench::Bench;
use anyhow::{Context, Result, ensure};

const MESSAGE: &[u8] = b"What the token signs, OpenSSL must verify.";

/// A hash function.
struct Hash {
    /// As mechanisms and OpenSSL name it.
    name: &'static str,
    /// As the options of `pkcs11-tool` name it.
    option: &'static str,
    /// Length in bytes.
    len: usize,
    /// Whether ECDSA, PSS and OAEP come with it; RSA with the old padding always does.
    modern: bool,
}

const HASHES: [Hash; 7] = [
    Hash { name: "MD5", option: "MD5", len: 16, modern: false },
    Hash { name: "RIPEMD160", option: "RIPEMD160", len: 20, modern: false },
    Hash { name: "SHA1", option: "SHA-1", len: 20, modern: true },
    Hash { name: "SHA224", option: "SHA224", len: 28, modern: true },
    Hash { name: "SHA256", option: "SHA256", len: 32, modern: true },
    Hash { name: "SHA384", option: "SHA384", len: 48, modern: true },
    Hash { name: "SHA512", option: "SHA512", len: 64, modern: true },
];

/// The hash functions of the newer mechanisms.
fn modern() -> impl Iterator<Item = &'static Hash> {
    HASHES.iter().filter(|hash| hash.modern)
}

/// One signature to make and to verify.
#[derive(Clone)]
pub struct Signature {
    mechanism: String,
    /// The file that is signed, one of those that [`prepare`] writes.
    input: String,
    /// Arguments of `pkcs11-tool`, without those that all have in common.
    sign: Vec<String>,
    /// The whole command line of OpenSSL.
    verify: Vec<String>,
}

impl Signature {
    /// Of a message, which the token or OpenSC hashes.
    fn of_message(mechanism: String, hash: &Hash, sign: &[&str], options: &[String]) -> Self {
        let digest = format!("-{}", hash.name.to_lowercase());
        let head = ["dgst", &digest, "-verify", "public.pem"];
        let options = options.iter().flat_map(|option| ["-sigopt", option]);
        let verify = head.into_iter().chain(options).chain(["-signature", "signature", "message"]);
        Self { mechanism, input: "message".into(), sign: owned(sign), verify: verify.map(str::to_owned).collect() }
    }

    /// Of a hash or any other bytes, which the token takes as they are.
    fn of_bytes(mechanism: &str, input: &str, sign: &[&str], options: &[String]) -> Self {
        let head = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem"];
        let options = options.iter().flat_map(|option| ["-pkeyopt", option]);
        let verify = head.into_iter().chain(options).chain(["-in", input, "-sigfile", "signature"]);
        Self {
            mechanism: mechanism.into(),
            input: input.into(),
            sign: owned(sign),
            verify: verify.map(str::to_owned).collect(),
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

/// The signatures of an elliptic curve: by each mechanism, and each length of hash unhashed.
#[must_use]
pub fn ecdsa() -> Vec<Signature> {
    let format = ["--signature-format", "openssl"];
    let hashed = modern().map(|hash| Signature::of_message(format!("ECDSA-{}", hash.name), hash, &format, &[]));
    hashed.chain(modern().map(|hash| Signature::of_bytes("ECDSA", hash.name, &format, &[]))).collect()
}

/// The signatures of an RSA key: by each mechanism, and PSS with each hash on either side.
#[must_use]
pub fn rsa(bits: usize) -> Vec<Signature> {
    let padding = |mode: &str| format!("rsa_padding_mode:{mode}");
    let plain = Signature::of_bytes("RSA-PKCS", "message", &[], &[padding("pkcs1")]);
    // The test pads; OpenSSL cannot tell who did.
    let padded = Signature { mechanism: "RSA-X-509".into(), input: "padded".into(), ..plain.clone() };
    let mut signatures = vec![plain, padded];
    for hash in &HASHES {
        signatures.push(Signature::of_message(format!("{}-RSA-PKCS", hash.name), hash, &[], &[]));
    }
    for hash in modern() {
        // The salt is as long as the hash, or as there is room for: RSA-1024 with SHA-512 has room for 62 bytes.
        let salt = format!("rsa_pss_saltlen:{}", hash.len.min(bits / 8 - hash.len - 2));
        let mask = format!("MGF1-{}", hash.name);
        let digest = format!("digest:{}", hash.name);
        let options = [padding("pss"), salt];
        signatures.push(Signature::of_message(format!("{}-RSA-PKCS-PSS", hash.name), hash, &[], &options));
        let [padding, salt] = options;
        let sign = ["--hash-algorithm", hash.option, "--mgf", &mask];
        signatures.push(Signature::of_bytes("RSA-PKCS-PSS", hash.name, &sign, &[padding, digest, salt]));
    }
    signatures
}

/// The arguments of `pkcs11-tool` and OpenSSL for OAEP with each hash that leaves room for `len` bytes.
#[must_use]
pub fn oaep(bits: usize, len: usize) -> Vec<([String; 4], [String; 3])> {
    let fitting = modern().filter(|hash| 2 * hash.len + 2 + len <= bits / 8);
    let arguments = fitting.map(|hash| {
        (
            ["--hash-algorithm".into(), hash.option.into(), "--mgf".into(), format!("MGF1-{}", hash.name)],
            [
                "rsa_padding_mode:oaep".into(),
                format!("rsa_oaep_md:{}", hash.name),
                format!("rsa_mgf1_md:{}", hash.name),
            ],
        )
    });
    arguments.collect()
}

/// Writes what is signed: `message`, its hash by every function under the function's name, and `padded`, the message
/// in a block of PKCS#1 as long as a key of `bits` bits.
fn prepare(bench: &Bench, bits: usize) -> Result<()> {
    bench.write("message", MESSAGE)?;
    let padding = (bits / 8).saturating_sub(3 + MESSAGE.len());
    bench.write("padded", &[&[0, 1], &*vec![0xFF; padding], &[0], MESSAGE].concat())?;
    for Hash { name, .. } in modern() {
        let digest = format!("-{}", name.to_lowercase());
        bench.run("openssl", &["dgst", &digest, "-binary", "-out", name, "message"])?;
    }
    Ok(())
}

/// Makes each signature with the key `id` of `bits` bits and verifies it; then verifies that a changed one is refused, so
/// that the check is one.
///
/// # Errors
/// The token does not sign, or OpenSSL does not agree; the message names the mechanism.
pub fn verify_all(bench: &Bench, id: &str, bits: usize, signatures: &[Signature]) -> Result<()> {
    prepare(bench, bits)?;
    bench.public_key(id, "public.pem")?;
    for Signature { mechanism, input, sign, verify } in signatures {
        let context = || format!("{mechanism} of {input}");
        let verify: Vec<_> = verify.iter().map(String::as_str).collect();
        let head =
            ["--sign", "--id", id, "--mechanism", mechanism, "--input-file", input, "--output-file", "signature"];
        let arguments = head.into_iter().chain(sign.iter().map(String::as_str));
        bench.pkcs11(&arguments.collect::<Vec<_>>()).with_context(context)?;
        bench.run("openssl", &verify).with_context(context)?;
        let mut signature = bench.read("signature")?;
        *signature.last_mut().context("an empty signature")? ^= 1;
        bench.write("signature", &signature)?;
        bench.fail("openssl", &verify).with_context(context)?;
    }
    Ok(())
}

/// Fails unless each mechanism whose name holds `family` and that the token offers for signing is in `signatures`.
///
/// # Errors
/// One is missing.
pub fn expect_complete(bench: &Bench, family: &str, signatures: &[Signature]) -> Result<()> {
    let offered = mechanisms(bench, "sign")?;
    let mut offered = offered.iter().filter(|name| name.contains(family)).peekable();
    ensure!(offered.peek().is_some(), "the token offers no signature by {family}");
    let missing: Vec<_> =
        offered.filter(|name| !signatures.iter().any(|signature| signature.mechanism == **name)).collect();
    ensure!(missing.is_empty(), "the token offers what no test uses: {missing:?}");
    Ok(())
}

/// The names of the mechanisms that the token offers for a use.
///
/// # Errors
/// They cannot be listed.
pub fn mechanisms(bench: &Bench, usage: &str) -> Result<Vec<String>> {
    let listing = bench.run("pkcs11-tool", &["--list-mechanisms"])?;
    let lines = listing.lines().map(|line| line.trim().split(", ").collect::<Vec<_>>());
    let offered = lines.filter(|words| words.iter().skip(1).any(|word| *word == usage));
    Ok(offered.filter_map(|words| words.first().map(|&name| name.to_owned())).collect())
}
