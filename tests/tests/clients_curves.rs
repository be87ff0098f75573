//! Every curve that OpenSC's driver of this card and the card have in common.

use anyhow::{Context, Result, ensure};
use ferrite_tests::bench::{Bench, PIN, expect};
use ferrite_tests::signatures::{ecdsa, expect_complete, mechanisms, verify_all};

/// A curve.
struct Curve {
    /// As `pkcs11-tool` names it.
    name: &'static str,
    /// As OpenSSL names it.
    openssl: &'static str,
    bits: usize,
    /// Its identifier, with tag and length, in hexadecimal.
    oid: &'static str,
}

const CURVES: [Curve; 9] = [
    Curve { name: "secp192r1", openssl: "prime192v1", bits: 192, oid: "06082a8648ce3d030101" },
    Curve { name: "secp256r1", openssl: "prime256v1", bits: 256, oid: "06082a8648ce3d030107" },
    Curve { name: "secp384r1", openssl: "secp384r1", bits: 384, oid: "06052b81040022" },
    Curve { name: "secp521r1", openssl: "secp521r1", bits: 521, oid: "06052b81040023" },
    Curve { name: "secp192k1", openssl: "secp192k1", bits: 192, oid: "06052b8104001f" },
    Curve { name: "secp256k1", openssl: "secp256k1", bits: 256, oid: "06052b8104000a" },
    Curve { name: "brainpoolP256r1", openssl: "brainpoolP256r1", bits: 256, oid: "06092b2403030208010107" },
    Curve { name: "brainpoolP384r1", openssl: "brainpoolP384r1", bits: 384, oid: "06092b240303020801010b" },
    Curve { name: "brainpoolP512r1", openssl: "brainpoolP512r1", bits: 512, oid: "06092b240303020801010d" },
];

impl Curve {
    /// Length of a coordinate in bytes.
    fn len(&self) -> usize {
        self.bits.div_ceil(8)
    }

    /// What OpenSC takes for the size of a public key: it counts whole bytes, so P-521 has 528 bits.
    fn shown_bits(&self) -> usize {
        self.len() * 8
    }
}

/// The curves with a CKA_ID for each.
fn curves() -> impl Iterator<Item = (&'static Curve, String)> {
    CURVES.iter().zip(0x20_u8..).map(|(curve, id)| (curve, hex::encode([id])))
}

/// A token with a key on every curve, labelled with the curve's name.
fn with_every_curve() -> Result<Bench> {
    let bench = Bench::initialized()?;
    for (curve, id) in curves() {
        bench.generate(&format!("EC:{}", curve.name), &id, curve.name)?;
    }
    Ok(bench)
}

/// The part of a listing that describes one object: from the line that holds `start` to the one before the next object.
fn entry<'a>(listing: &'a str, start: &str, next: &str) -> Result<&'a str> {
    let begin = listing.find(start).with_context(|| format!("{start:?} is missing in:\n{listing}"))?;
    let rest = &listing[begin..];
    Ok(rest.get(start.len()..).and_then(|tail| tail.find(next)).map_or(rest, |end| &rest[..start.len() + end]))
}

/// The point of a public key, which OpenSSL finds on the curve that was asked for.
fn point(bench: &Bench, curve: &Curve, id: &str) -> Result<Vec<u8>> {
    bench.public_key(id, "public.pem")?;
    let read = ["pkey", "-pubin", "-in", "public.pem"];
    let text = bench.run("openssl", &[&read[..], &["-noout", "-text"]].concat())?;
    expect(&text, &[&format!("({} bit)", curve.bits), &format!("ASN1 OID: {}\n", curve.openssl)])?;
    bench.run("openssl", &[&read[..], &["-outform", "DER", "-out", "public.der"]].concat())?;
    // It is the end of the key.
    let der = bench.read("public.der")?;
    let start = der.len().checked_sub(1 + 2 * curve.len()).context("a short public key")?;
    Ok(der[start..].to_vec())
}

/// The octet string of some bytes, in hexadecimal.
fn octet_string(bytes: &[u8]) -> String {
    let long = if bytes.len() < 0x80 { "" } else { "81" };
    format!("04{long}{:02x}{}", bytes.len(), hex::encode(bytes))
}

#[test]
fn keys_on_every_curve_are_listed_with_size_and_usage() -> Result<()> {
    let bench = with_every_curve()?;
    let listing = bench.run("pkcs15-tool", &["--dump"])?;
    let private = bench.pkcs11(&["--list-objects", "--type", "privkey"])?;
    let public = bench.run("pkcs11-tool", &["--list-objects", "--type", "pubkey"])?;
    for (curve, id) in curves() {
        let Curve { name, bits, oid, .. } = curve;
        // The size of a private key is in its description, that of a public key follows from the certificate request.
        let (id_line, shown) = (format!("ID             : {id}\n"), curve.shown_bits());
        let key = entry(&listing, &format!("Private EC Key [{name}]"), "\n\n")?;
        expect(key, &[&format!("FieldLength    : {bits}\n"), &id_line, "[0x10C], sign, signRecover, derive\n"])?;
        let key = entry(&listing, &format!("Public EC Key [{name}]"), "\n\n")?;
        expect(key, &[&format!("FieldLength    : {shown}\n"), &id_line, "[0x40], verify\n"])?;

        let key = entry(&private, &format!("label:      {name}\n"), "Key Object")?;
        expect(key, &[&format!("ID:         {id}\n"), "Usage:      sign, derive\n"])?;
        let lines = [
            format!("EC_PARAMS:  {oid}\n  label:      {name}\n  ID:         {id}\n  Usage:      verify\n"),
            // The same point through PKCS#11 as through PKCS#15.
            format!("EC_POINT {shown} bits\n  EC_POINT:   {}\n", octet_string(&point(&bench, curve, &id)?)),
        ];
        expect(&public, &lines.each_ref().map(String::as_str))?;
    }
    Ok(())
}

#[test]
fn keys_on_every_curve_sign_by_every_mechanism() -> Result<()> {
    let bench = with_every_curve()?;
    expect_complete(&bench, "ECDSA", &ecdsa())?;
    for (curve, id) in curves() {
        verify_all(&bench, &id, curve.bits, &ecdsa()).context(curve.name)?;
    }
    Ok(())
}

#[test]
fn keys_on_every_curve_agree_on_secrets() -> Result<()> {
    const MECHANISMS: [&str; 2] = ["ECDH1-COFACTOR-DERIVE", "ECDH1-DERIVE"];
    let bench = with_every_curve()?;
    assert_eq!(mechanisms(&bench, "derive")?, MECHANISMS, "each is used below");
    for (curve, id) in curves() {
        let agree = || -> Result<()> {
            let parameters = format!("ec_paramgen_curve:{}", curve.openssl);
            bench.run("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", &parameters, "-out", "peer.pem"])?;
            bench.run("openssl", &["pkey", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der"])?;
            bench.public_key(&id, "public.pem")?;
            let derive = ["pkeyutl", "-derive", "-inkey", "peer.pem", "-peerkey", "public.pem", "-out", "expected"];
            bench.run("openssl", &derive)?;
            let expected = bench.read("expected")?;
            assert_eq!(expected.len(), curve.len(), "OpenSSL's secret is one coordinate");
            for mechanism in MECHANISMS {
                let output = format!("{mechanism}.secret");
                let derive = ["--derive", "--mechanism", mechanism, "--id", &id, "--input-file", "peer.der"];
                bench.pkcs11(&[&derive[..], &["--output-file", &output]].concat())?;
                let secret = hex::encode(bench.read(&output)?);
                ensure!(secret == hex::encode(&expected), "{mechanism}: {secret}, not {}", hex::encode(&expected));
            }
            Ok(())
        };
        agree().context(curve.name)?;
    }
    Ok(())
}

#[test]
fn the_ec_test_of_pkcs11_tool_succeeds_on_every_curve() -> Result<()> {
    let bench = Bench::initialized()?;
    for curve in &CURVES {
        let kind = format!("EC:{}", curve.name);
        // Without --session-rw the tool asks for a key in a session that it opened to read only.
        let report = bench.pkcs11(&["--session-rw", "--test-ec", "--id", "20", "--key-type", &kind])?;
        expect(&report, &["*** Doing a signature ***", "*** Deleting the private and the public key again ***"])?;
        expect(&report, &["\n==> OK"]).context(curve.name)?;
        // One warning, and not the card's: the tool ends a signature by ECDSA-SHA1 of no bytes at all, and OpenSC does not
        // send a command that returns data but has none.
        let warnings: Vec<_> =
            report.lines().filter(|line| line.contains("warning") || line.contains("rror")).collect();
        let known = "warning: PKCS11 function C_SignFinal failed: rv = CKR_ARGUMENTS_BAD (0x7)";
        assert_eq!(warnings, [known], "{}:\n{report}", curve.name);
        let left = bench.pkcs11(&["--list-objects", "--type", "privkey"])?;
        assert!(!left.contains("ID:         20"), "the key of the test is deleted again:\n{left}");
    }
    Ok(())
}

/// ECDSA-SHA1, -SHA224 and -SHA256 send the message for the card to hash, in one command; the others send a hash.
#[test]
fn messages_of_any_length_are_signed_but_the_empty_one_by_openscs_own_hashes_only() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:secp256r1", "20", "curve")?;
    bench.public_key("20", "public.pem")?;
    let sign = ["--sign", "--id", "20", "--signature-format", "openssl", "--input-file", "message"];
    for (mechanism, digest) in [("ECDSA-SHA1", "-sha1"), ("ECDSA-SHA256", "-sha256"), ("ECDSA-SHA512", "-sha512")] {
        for length in [1, 255, 256, 1025, 5000, 0] {
            let case = || format!("{mechanism} of {length} bytes");
            bench.write("message", &vec![0xA5; length])?;
            let arguments = [&sign[..], &["--mechanism", mechanism, "--output-file", "signature"]].concat();
            if length == 0 && mechanism != "ECDSA-SHA512" {
                let answer = bench.fail("pkcs11-tool", &[&["--login", "--pin", PIN], &arguments[..]].concat())?;
                expect(&answer, &["C_SignFinal failed: rv = CKR_ARGUMENTS_BAD"]).with_context(case)?;
                continue;
            }
            bench.pkcs11(&arguments).with_context(case)?;
            let verify = ["dgst", digest, "-verify", "public.pem", "-signature", "signature", "message"];
            bench.run("openssl", &verify).with_context(case)?;
        }
    }
    Ok(())
}

/// OpenSC infers the field from the length of a signature, and would take one of P-521 in sixteen for one of 512 bits.
#[test]
fn a_p521_key_signs_every_time() -> Result<()> {
    let bench = Bench::initialized()?;
    bench.generate("EC:secp521r1", "20", "curve")?;
    bench.public_key("20", "public.pem")?;
    bench.write("digest", &[0x5A; 64])?;
    // Through PKCS#11 it would only show once in 256: OpenSC tries twice.
    let sign = ["--sign", "--key", "20", "--pin", PIN, "--sha-512", "--signature-format", "openssl"];
    for attempt in 0..32 {
        let case = || format!("signature {attempt}");
        let files = ["--raw", "--input", "digest", "--output", "signature"];
        bench.run("pkcs15-crypt", &[&sign[..], &files].concat()).with_context(case)?;
        let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile", "signature"];
        bench.run("openssl", &verify).with_context(case)?;
    }
    Ok(())
}

#[test]
fn a_curve_that_either_side_lacks_is_refused_and_nothing_stays() -> Result<()> {
    let bench = Bench::initialized()?;
    let before = bench.run("pkcs15-tool", &["--dump"])?;
    for (curve, answer) in [
        // OpenSC sends the parameters; the card does not know the curve.
        ("brainpoolP192r1", "C_GenerateKeyPair failed: rv = CKR_TOKEN_NOT_RECOGNIZED"),
        ("brainpoolP224r1", "C_GenerateKeyPair failed: rv = CKR_TOKEN_NOT_RECOGNIZED"),
        ("brainpoolP320r1", "C_GenerateKeyPair failed: rv = CKR_TOKEN_NOT_RECOGNIZED"),
        // OpenSC's driver does not know the curve, and sends nothing.
        ("secp224r1", "C_GenerateKeyPair failed: rv = CKR_DATA_INVALID"),
        ("curve25519", "mechanism 1056 not supported"),
    ] {
        let arguments = ["--login", "--pin", PIN, "--keypairgen", "--id", "20", "--key-type", &format!("EC:{curve}")];
        expect(&bench.fail("pkcs11-tool", &arguments)?, &[answer]).context(curve)?;
    }
    assert_eq!(bench.run("pkcs15-tool", &["--dump"])?, before, "the same objects as before");
    Ok(())
}

/// OpenSC replaces the description of a key that it generates; this one it reads as the card wrote it.
#[test]
fn a_p521_key_as_the_card_describes_it_has_521_bits() -> Result<()> {
    let bench = Bench::initialized()?;
    let prime = format!("01FF{}", "FF".repeat(64));
    let coefficient = format!("01FF{}FC", "FF".repeat(63));
    let key = format!("060A04007F00070202020203 8142{prime} 8242{coefficient}");
    let body = format!("5F290100 4209{} 7F498194{key} 5F200C{}", hex::encode("UTCA00001"), hex::encode("UTDUMMY00000"));
    let body: String = body.split(' ').collect();
    let generate = format!("00460100 00{:04X}{body}0000", body.len() / 2).replace(' ', "");
    let verify = format!("00200081{:02X}{}", PIN.len(), hex::encode(PIN));
    let exchange =
        bench.run("opensc-tool", &["-s", "00A404000BE82B0601040181C31F020100", "-s", &verify, "-s", &generate])?;
    ensure!(exchange.matches("(SW1=0x90, SW2=0x00)").count() == 3, "{exchange}");
    let listing = bench.run("pkcs15-tool", &["--dump"])?;
    let key = entry(&listing, "Private EC Key []", "\n\n")?;
    // The identifier is the key's number in decimal digits: "1".
    expect(key, &["FieldLength    : 521\n", "[0x104], sign, derive\n", "ID             : 31\n"])?;

    verify_all(&bench, "31", 521, &ecdsa())
}
