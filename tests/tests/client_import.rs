//! Keys that OpenSSL made, in every form it writes them, imported into a card, which then does what OpenSSL does.

use anyhow::{Context, Result, ensure};
use ferrite_client::crypto::dkek::Dkek;
use ferrite_client::custody::key::PrivateKey;
use ferrite_client::custody::share::Share;
use ferrite_client::hsm::DomainState;
use ferrite_client::import::ImportedKey;
use ferrite_client::import::{Imported, is_encrypted, read};
use ferrite_client::proto::command::{AlgorithmId, Secret, SymmetricOperation};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::public_key::raw_ecdsa;
use ferrite_client::{ErrorKind, Hsm, Initialization, PublicKey};
use ferrite_tests::client::{INITIALIZATION, initialized};
use ferrite_tests::files::Files;
use ferrite_tests::in_process::InProcess;

const PASSWORD: &str = "correct_horse";
const MESSAGE: &[u8] = b"what is signed";
/// How OpenSSL makes a key of each kind that a device takes.
const KINDS: [(&str, &str); 16] = [
    ("rsa", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
    ("rsa2048", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ("p192", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime192v1"),
    ("p224", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp224r1"),
    ("p256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("p521", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    ("secp192k1", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp192k1"),
    ("secp256k1", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"),
    ("bp256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1"),
    ("bp384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP384r1"),
    ("bp512", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP512r1"),
    ("ed25519", "genpkey -algorithm ED25519"),
    ("ed448", "genpkey -algorithm ED448"),
    ("x25519", "genpkey -algorithm X25519"),
    ("x448", "genpkey -algorithm X448"),
];

/// A device whose domain 0 has a DKEK, and the DKEK.
fn device() -> Result<(Hsm<InProcess>, Dkek)> {
    let mut hsm = initialized(&Initialization { dkek_shares: Some(2), ..INITIALIZATION })?;
    let shares = [Share::generate()?, Share::generate()?];
    let dkek = hsm.import_shares(0, &shares)?;
    let state = hsm.domain(0)?.state;
    ensure!(state == DomainState::Complete { check_value: dkek.check_value(), total: 2 }, "{state:?}");
    Ok((hsm, dkek))
}

fn one(imported: Imported) -> Result<ImportedKey> {
    ensure!(imported.keys.len() == 1, "{} keys", imported.keys.len());
    imported.keys.into_iter().next().context("no key")
}

/// Imports a key and lets the device use it.
fn check(hsm: &mut Hsm<InProcess>, dkek: &Dkek, key: &ImportedKey, expected: &PublicKey) -> Result<()> {
    let id = hsm.free_key_id()?;
    hsm.import_key(id, dkek, key, &[])?;
    ensure!(hsm.public_key(id)? == *expected, "another public key");
    match expected {
        PublicKey::Rsa { .. } => {
            let signature = hsm.sign(id, AlgorithmId::RSA_PKCS1_SHA256, MESSAGE)?;
            expected.verify_certificate("verify", MESSAGE, &signature)?;
        }
        PublicKey::Ec { curve, .. } => {
            let signature = hsm.sign(id, AlgorithmId::ECDSA_SHA256, MESSAGE)?;
            expected.verify_certificate("verify", MESSAGE, &raw_ecdsa(*curve, &signature)?)?;
        }
        PublicKey::Edwards { .. } => {
            let signature = hsm.sign(id, AlgorithmId::ECDSA, MESSAGE)?;
            expected.verify_certificate("verify", MESSAGE, &signature)?;
        }
        PublicKey::Montgomery { curve, key } => {
            ensure!(hsm.agree(id, curve.domain().base)?.as_slice() == key, "another secret");
        }
    }
    hsm.delete_key(id)?;
    Ok(())
}

#[test]
fn keys_of_every_kind_come_from_pkcs8_and_work() -> Result<()> {
    let files = Files::new()?;
    let (mut hsm, dkek) = device()?;
    for (name, make) in KINDS {
        files.openssl(&format!("{make} -out {name}.pem"))?;
        files.openssl(&format!("pkey -in {name}.pem -outform DER -out {name}.der"))?;
        let spki = files.openssl(&format!("pkey -in {name}.pem -pubout -outform DER"))?;
        let expected = PublicKey::from_spki(&spki).context(name)?;
        assert_eq!(expected.to_spki()?, spki, "{name}");
        assert_eq!(expected.to_pem()?.into_bytes(), files.openssl(&format!("pkey -in {name}.pem -pubout"))?, "{name}");
        for form in ["pem", "der"] {
            let file = files.read(&format!("{name}.{form}"))?;
            assert!(!is_encrypted(&file), "{name}");
            let key = one(read(&file, None).with_context(|| format!("{name}.{form}"))?)?;
            check(&mut hsm, &dkek, &key, &expected).with_context(|| format!("{name}.{form}"))?;
        }
    }
    Ok(())
}

/// Every form and cipher, of an RSA key and of one on a curve.
#[test]
fn every_form_and_cipher_that_openssl_writes_is_read() -> Result<()> {
    let files = Files::new()?;
    for (name, make, old) in [("rsa", KINDS[0].1, "rsa"), ("p256", KINDS[4].1, "ec")] {
        files.openssl(&format!("{make} -out {name}.pem"))?;
        files.openssl(&format!("req -x509 -new -key {name}.pem -subj /CN={name} -days 30 -out {name}.crt"))?;
        files.openssl(&format!("x509 -in {name}.crt -outform DER -out {name}.crt.der"))?;
        let certificate = files.read(&format!("{name}.crt.der"))?;
        let expected = PublicKey::from_spki(&files.openssl(&format!("pkey -in {name}.pem -pubout -outform DER"))?)?;
        let old_form = if old == "rsa" { "rsa -traditional" } else { "ec" };
        let pass = format!("-passout pass:{PASSWORD}");
        let password = PASSWORD.as_bytes();
        for (at, (arguments, encrypted)) in [
            (format!("{old_form} -in {name}.pem"), false),
            (format!("{old_form} -in {name}.pem -outform DER"), false),
            (format!("{old_form} -in {name}.pem -aes256 {pass}"), true),
            (format!("{old_form} -in {name}.pem -aes128 {pass}"), true),
            (format!("{old_form} -in {name}.pem -des3 {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v2 aes-256-cbc {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v2 aes-128-cbc -v2prf hmacWithSHA512 {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v2 aes-192-cbc -v2prf hmacWithSHA1 -outform DER {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v2 des3 {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -scrypt -outform DER {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v1 PBE-SHA1-3DES {pass}"), true),
            (format!("pkcs8 -topk8 -in {name}.pem -v1 PBE-SHA1-2DES -outform DER {pass}"), true),
        ]
        .into_iter()
        .enumerate()
        {
            let out = format!("{name}.{at}");
            files.openssl(&format!("{arguments} -out {out}"))?;
            let file = files.read(&out)?;
            assert_eq!(is_encrypted(&file), encrypted, "{arguments}");
            let key = one(read(&file, encrypted.then_some(password)).with_context(|| arguments.clone())?)?;
            assert_eq!(key.key.public_key()?.as_ref(), Some(&expected), "{arguments}");
            if encrypted {
                for wrong in [None, Some(&b"wrong"[..])] {
                    let kind = read(&file, wrong).err().map(|error| error.kind());
                    assert_eq!(kind, Some(ErrorKind::WrongPassword), "{arguments}");
                }
            }
        }
        let export = format!("pkcs12 -export -inkey {name}.pem -in {name}.crt -name my_{name} {pass}");
        for arguments in [
            export.clone(),
            format!("{export} -legacy"),
            format!("{export} -keypbe AES-128-CBC -certpbe NONE -macalg sha512"),
            format!("{export} -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-128 -provider legacy -provider default"),
            format!("{export} -keypbe NONE -certpbe NONE -nomac"),
        ] {
            files.openssl(&format!("{arguments} -out {name}.p12"))?;
            let file = files.read(&format!("{name}.p12"))?;
            assert!(is_encrypted(&file));
            let imported = read(&file, Some(password)).with_context(|| arguments.clone())?;
            assert!(imported.certificates.is_empty());
            let key = one(imported)?;
            assert_eq!(key.key.public_key()?.as_ref(), Some(&expected), "{arguments}");
            assert_eq!((key.label, key.cka_id.len()), (format!("my_{name}"), 20), "{arguments}");
            assert_eq!(key.certificate.as_ref(), Some(&certificate), "{arguments}");
            if !arguments.contains("nomac") {
                let kind = read(&file, Some(b"wrong")).err().map(|error| error.kind());
                assert_eq!(kind, Some(ErrorKind::WrongPassword), "{arguments}");
            }
        }
        // PEM with the certificate beside the key, as servers keep it.
        let both = [files.read(&format!("{name}.pem"))?, files.read(&format!("{name}.crt"))?].concat();
        assert_eq!(one(read(&both, None)?)?.certificate, Some(certificate));
    }
    Ok(())
}

#[test]
fn a_key_brings_its_certificate_name_and_number_onto_the_device() -> Result<()> {
    let files = Files::new()?;
    files.openssl("req -x509 -newkey rsa:2048 -noenc -keyout key.pem -subj /CN=test -days 30 -out crt.pem")?;
    files.openssl("pkcs12 -export -inkey key.pem -in crt.pem -name server -passout pass:secret -out all.p12")?;
    let (mut hsm, dkek) = device()?;
    let key = one(read(&files.read("all.p12")?, Some(b"secret"))?)?;
    let id = KeyId::new(5);
    hsm.import_key(id, &dkek, &key, &[AlgorithmId::RSA_PKCS1_SHA256.0])?;
    let object = hsm.key_object(id)?;
    assert_eq!((object.label.as_str(), &object.cka_id, object.bits), ("server", &key.cka_id, 2048));
    assert_eq!(hsm.certificate_of_key(id)?, key.certificate);
    assert_eq!(hsm.key_attributes(id)?.algorithms, Some(vec![AlgorithmId::RSA_PKCS1_SHA256.0]));
    assert_eq!(hsm.sign(id, AlgorithmId::RSA_PSS_SHA256, MESSAGE).expect_err("not allowed").kind(), ErrorKind::Refused);
    Ok(())
}

#[test]
fn a_secret_key_is_imported_from_its_bytes() -> Result<()> {
    let (mut hsm, dkek) = device()?;
    // RFC 4493, example 2.
    let key = PrivateKey::secret(&hex::decode("2b7e151628aed2a6abf7158809cf4f3c")?)?;
    hsm.import_key(KeyId::new(1), &dkek, &key.into(), &[])?;
    let message = hex::decode("6bc1bee22e409f96e93d7e117393172a")?;
    let mac = hsm.cipher(KeyId::new(1), &SymmetricOperation::Cmac { message: Secret(&message) }.into())?;
    assert_eq!(hex::encode(mac.as_slice()), "070a16b46b4d4144f79bdd9dd04a287c");
    assert!(PrivateKey::secret(&[1; 17]).is_err());
    Ok(())
}

#[test]
fn a_device_without_the_dkek_takes_nothing_and_says_why() -> Result<()> {
    let (mut hsm, _) = device()?;
    let key = ImportedKey::from(PrivateKey::secret(&[1; 16])?);
    let other = Dkek::from_bytes(&[9; 32]);
    let error = hsm.import_key(KeyId::new(1), &other, &key, &[]).expect_err("another DKEK");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(format!("{error:#}").contains("Key check values of the device"), "{error:#}");
    let mut without = initialized(&INITIALIZATION)?;
    let error = without.import_key(KeyId::new(1), &other, &key, &[]).expect_err("no DKEK");
    assert!(format!("{error:#}").contains("has no DKEK"), "{error:#}");
    assert!(hsm.objects()?.keys.is_empty() && without.objects()?.keys.is_empty());
    Ok(())
}

/// No file, however it is damaged, gives another key than the one it held.
#[test]
fn a_damaged_file_is_an_error_or_the_same_key() -> Result<()> {
    let files = Files::new()?;
    files.openssl(&format!("{} -out key.pem", KINDS[4].1))?;
    files.openssl("req -x509 -new -key key.pem -subj /CN=x -days 30 -out crt.pem")?;
    files.openssl("pkcs12 -export -inkey key.pem -in crt.pem -iter 1 -passout pass:secret -out all.p12")?;
    files.openssl("pkcs8 -topk8 -in key.pem -iter 1 -outform DER -passout pass:secret -out key.p8")?;
    files.openssl("ec -in key.pem -outform DER -out key.der")?;
    let expected = one(read(&files.read("key.pem")?, None)?)?.key.public_key()?;
    for name in ["all.p12", "key.p8", "key.der"] {
        let file = files.read(name)?;
        assert!(one(read(&file, Some(b"secret"))?).is_ok());
        for at in 0..file.len() {
            for flip in [0x01, 0x80] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                let Ok(imported) = read(&damaged, Some(b"secret")) else { continue };
                for key in imported.keys {
                    assert_eq!(key.key.public_key()?, expected, "{name}, byte {at}");
                }
            }
            let _ = read(&file[..at], Some(b"secret"));
        }
    }
    Ok(())
}

#[test]
fn keys_that_no_device_takes_are_named() -> Result<()> {
    let files = Files::new()?;
    for (make, words) in [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:3", "exponent"),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1100", "length"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:sect163k1", "curve is not known"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "by numbers"),
    ] {
        files.openssl(&format!("{make} -out key.pem"))?;
        let error = read(&files.read("key.pem")?, None).err().context(make)?;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{make}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(read(b"nothing", None).err().map(|error| error.kind()), Some(ErrorKind::BadInput));
    Ok(())
}
