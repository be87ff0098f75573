//! Custody with OpenSC's own `sc-hsm-tool`, and the client library beside it through pcscd: what the one makes the other reads.

use anyhow::{Context, Result, ensure};
use ferrite_client::custody::key::PrivateKey;
use ferrite_client::custody::share::{self, Share};
use ferrite_client::custody::threshold::{self, Part};
use ferrite_client::custody::wrapped::WrappedKey;
use ferrite_client::custody::{Dkek, blob};
use ferrite_client::hsm::DomainState;
use ferrite_client::import::read;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::transport::{Pcsc, readers};
use ferrite_client::{Hsm, PublicKey};
use ferrite_tests::bench::{Bench, PIN, SO_PIN, expect};

const PASSWORD: &str = "test1234";

/// The client library on the device in the reader.
fn client() -> Result<Hsm<Pcsc>> {
    let reader = readers()?.into_iter().find(|reader| reader.has_hsm).context("no reader has the device")?;
    Ok(Hsm::open(Pcsc::connect(&reader.name)?)?)
}

fn initialize(bench: &Bench) -> Result<()> {
    bench.run("sc-hsm-tool", &["--initialize", "--so-pin", SO_PIN, "--pin", PIN, "--dkek-shares", "2"])?;
    Ok(())
}

fn import_by_opensc(bench: &Bench, file: &str) -> Result<String> {
    bench.run("sc-hsm-tool", &["--import-dkek-share", file, "--password", PASSWORD])
}

/// What custodians type when a share's password is put together again.
fn typed(parts: &[Part]) -> String {
    let mut input = format!("{}\n", parts[0].prime_text());
    for part in parts {
        // Enter, for each custodian; OpenSC reads the number in hexadecimal.
        input.push_str(&format!("\n{:X}\n{}\n", part.id, part.value_text().as_str()));
    }
    input
}

/// The parts that `sc-hsm-tool` showed on its screens.
fn shown(screens: &str) -> Result<Vec<Part>> {
    let values = |name: &'static str| -> Vec<&str> {
        screens
            .lines()
            .filter_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix(':'))
            .map(str::trim)
            .collect()
    };
    let (primes, ids, shares) = (values("Prime"), values("Share ID"), values("Share value"));
    ensure!(primes.len() == 5 && ids.len() == 5 && shares.len() == 5, "not five shares in:\n{screens}");
    let part = |at: usize| Ok(Part::parse(primes[at], ids[at], shares[at])?);
    (0..5).map(part).collect()
}

fn open_share(bench: &Bench, file: &str, password: &[u8]) -> Result<Share> {
    Ok(share::open(&bench.read(file)?, password, &mut |_| {})?)
}

/// Signs with the key of this CKA_ID by OpenSC and verifies by OpenSSL with the public key of the file.
fn signs(bench: &Bench, id: &str, public: &str) -> Result<()> {
    bench.write("message", b"signed after all that")?;
    let sign = ["--sign", "--id", id, "--mechanism", "ECDSA-SHA256", "--signature-format", "openssl"];
    bench.pkcs11(&[&sign[..], &["--input-file", "message", "--output-file", "signature"]].concat())?;
    bench.run("openssl", &["dgst", "-sha256", "-verify", public, "-signature", "signature", "message"])?;
    Ok(())
}

fn check_value() -> Result<[u8; 8]> {
    match client()?.domain(0)?.state {
        DomainState::Complete { check_value, .. } => Ok(check_value),
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn sc_hsm_tool_moves_a_key_to_a_second_device_and_the_client_reads_its_files() -> Result<()> {
    let mut bench = Bench::blank()?;
    initialize(&bench)?;
    bench.run("sc-hsm-tool", &["--create-dkek-share", "one.pbe", "--password", PASSWORD])?;
    // Enter, for each screen.
    let create = ["--create-dkek-share", "two.pbe", "--pwd-shares-threshold", "3", "--pwd-shares-total", "5"];
    let screens = bench.run_with_input("sc-hsm-tool", &create, &"\n".repeat(20))?;
    let parts = shown(&screens)?;

    import_by_opensc(&bench, "one.pbe")?;
    let chosen = [parts[4].clone(), parts[0].clone(), parts[2].clone()];
    let import = ["--import-dkek-share", "two.pbe", "--pwd-shares-total", "3"];
    let imported = bench.run_with_input("sc-hsm-tool", &import, &typed(&chosen))?;
    expect(&imported, &["DKEK share imported", "DKEK key check value"])?;

    // The client opens both files, from other parts than those, and comes to the DKEK that the device has.
    let passwords = threshold::join(&parts[1..4])?;
    let second = passwords.iter().find_map(|password| open_share(&bench, "two.pbe", password).ok());
    let shares = [open_share(&bench, "one.pbe", PASSWORD.as_bytes())?, second.context("the second share")?];
    let dkek = share::join(&shares)?;
    assert_eq!(check_value()?, dkek.check_value());

    bench.generate("EC:prime256v1", "11", "travels")?;
    bench.public_key("11", "public.pem")?;
    bench.run("sc-hsm-tool", &["--wrap-key", "key.wrap", "--key-reference", "1", "--pin", PIN])?;
    bench.pkcs11(&["--delete-object", "--type", "privkey", "--id", "11"])?;
    assert!(client()?.objects()?.keys.is_empty());
    bench.run("sc-hsm-tool", &["--unwrap-key", "key.wrap", "--key-reference", "1", "--pin", PIN, "--force"])?;
    signs(&bench, "11", "public.pem")?;

    // What the tool wrapped opens here too, with the public key that OpenSSL knows.
    let wrapped = WrappedKey::parse(&bench.read("key.wrap")?)?;
    assert_eq!(wrapped.label(), "travels");
    let opened = blob::open(&dkek, &wrapped.blob)?;
    bench.run("openssl", &["pkey", "-pubin", "-in", "public.pem", "-outform", "DER", "-out", "public.der"])?;
    assert_eq!(opened.key.public_key()?, Some(PublicKey::from_spki(&bench.read("public.der")?)?));

    // A second device, blank: one share by the tool, the other by the client.
    bench.exchange_device()?;
    initialize(&bench)?;
    import_by_opensc(&bench, "one.pbe")?;
    client()?.import_share(0, shares[1].as_bytes())?;
    assert_eq!(check_value()?, dkek.check_value());
    bench.run("sc-hsm-tool", &["--unwrap-key", "key.wrap", "--key-reference", "1", "--pin", PIN])?;
    signs(&bench, "11", "public.pem")?;
    Ok(())
}

#[test]
fn the_client_makes_shares_and_wrapped_keys_that_sc_hsm_tool_reads() -> Result<()> {
    let bench = Bench::blank()?;
    initialize(&bench)?;
    let shares = [Share::generate()?, Share::generate()?];
    let password = threshold::password()?;
    let parts = threshold::split(&password, 12, 3)?;
    bench.write("one.pbe", &share::seal(&shares[0], PASSWORD.as_bytes(), &mut |_| {})?)?;
    bench.write("two.pbe", &share::seal(&shares[1], password.as_slice(), &mut |_| {})?)?;
    let dkek: Dkek = share::join(&shares)?;

    import_by_opensc(&bench, "one.pbe")?;
    // Part 10 is the one that the tool wants typed in hexadecimal.
    let chosen = [parts[9].clone(), parts[3].clone(), parts[11].clone()];
    let import = ["--import-dkek-share", "two.pbe", "--pwd-shares-total", "3"];
    let imported = bench.run_with_input("sc-hsm-tool", &import, &typed(&chosen))?;
    let value = hex::encode_upper(dkek.check_value());
    ensure!(imported.to_uppercase().contains(&value), "the key check value is not {value}:\n{imported}");
    assert_eq!(check_value()?, dkek.check_value());

    // A key of OpenSSL's, wrapped here, unwrapped by the tool.
    let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"];
    bench.run("openssl", &make)?;
    bench.run("openssl", &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"])?;
    let mut key = read(&bench.read("key.pem")?, None)?.keys.pop().context("a key")?;
    key.label = "made by OpenSSL".into();
    key.cka_id = vec![0x42];
    bench.write("key.wrap", &WrappedKey::new(&dkek, &key, &[])?.to_bytes()?)?;
    bench.run("sc-hsm-tool", &["--unwrap-key", "key.wrap", "--key-reference", "7", "--pin", PIN])?;
    signs(&bench, "42", "public.pem")?;
    expect(&bench.run("pkcs15-tool", &["-D"])?, &["Private EC Key [made by OpenSSL]"])?;

    // Wrapped by the tool again, and restored by the client under another number.
    bench.run("sc-hsm-tool", &["--wrap-key", "again.wrap", "--key-reference", "7", "--pin", PIN])?;
    let mut hsm = client()?;
    hsm.login(PIN.as_bytes())?;
    hsm.delete_key(KeyId::new(7))?;
    hsm.restore_key(KeyId::new(3), &WrappedKey::parse(&bench.read("again.wrap")?)?)?;
    let object = hsm.key_object(KeyId::new(3))?;
    assert_eq!((object.label.as_str(), object.cka_id.as_slice()), ("made by OpenSSL", &[0x42][..]));
    drop(hsm);
    signs(&bench, "42", "public.pem")?;

    // A wrapped secret key, and a key wrapped under another DKEK.
    let secret = PrivateKey::secret(&[7; 32])?.into();
    bench.write("secret.wrap", &WrappedKey::new(&dkek, &secret, &[])?.to_bytes()?)?;
    bench.run("sc-hsm-tool", &["--unwrap-key", "secret.wrap", "--key-reference", "8", "--pin", PIN])?;
    assert_eq!(client()?.key_object(KeyId::new(8))?.bits, 256);
    let other = WrappedKey::new(&Dkek::from_bytes(&[9; 32]), &key, &[])?;
    bench.write("other.wrap", &other.to_bytes()?)?;
    bench.attempt("sc-hsm-tool", &["--unwrap-key", "other.wrap", "--key-reference", "9", "--pin", PIN])?;
    assert!(client()?.objects()?.keys.iter().all(|key| key.id != KeyId::new(9)), "a foreign key was stored");
    Ok(())
}

/// The certificate that an authority issued for a device is one that OpenSC and its tools take.
#[test]
fn opensc_accepts_a_device_certificate_of_an_authority() -> Result<()> {
    use ferrite_client::certificate::{Authority, Trust, chain};
    let bench = Bench::initialized()?;
    let root = Authority::root("UTMYROOT00001", 20)?;
    let issuer = root.issuer("UTMYISSUE00001", 10)?;
    let mut hsm = client()?;
    hsm.login(PIN.as_bytes())?;
    let certificate = issuer.issue_device(&hsm.device_request()?, Some("UTCERTIFY00001"), 5)?;
    hsm.install_device_certificate(&certificate, &[issuer.certificate(), root.certificate()])?;
    let device = chain::verify(&hsm.device_certificates()?, Trust::Roots(&[root.certificate().to_vec()]))?;
    assert_eq!(device.serial(), "UTCERTIFY");
    drop(hsm);
    expect(&bench.run("pkcs15-tool", &["-D"])?, &["UTCERTIFY"])?;
    // Keys are made and used with it, and their requests name it.
    bench.generate("EC:prime256v1", "11", "after")?;
    bench.public_key("11", "public.pem")?;
    signs(&bench, "11", "public.pem")?;
    Ok(())
}
