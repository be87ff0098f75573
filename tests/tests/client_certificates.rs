//! An authority for devices, and what its certificates prove: chains, attestation of keys.

use anyhow::{Context, Result};
use ferrite_client::certificate::attestation::{self, AttestedKey, Origin};
use ferrite_client::certificate::{Authority, chain};
use ferrite_client::key_type::KeyType;
use ferrite_client::proto::fid::{FileId, KeyId};
use ferrite_client::{ErrorKind, Hsm, Initialization, KeyAttributes, PublicKey, SecureChannel, Trust};
use ferrite_tests::client::{INITIALIZATION, PIN, initialized};
use ferrite_tests::in_process::InProcess;

/// Root, issuer, and a device that has its certificate.
fn certified() -> Result<(Authority, Authority, Hsm<InProcess>)> {
    let root = Authority::root("UTMYROOT00001", 20)?;
    let issuer = root.issuer("UTMYISSUE00001", 10)?;
    let mut hsm = initialized(&INITIALIZATION)?;
    let certificate = issuer.issue_device(&hsm.device_request()?, None, 5)?;
    hsm.install_device_certificate(&certificate, &[issuer.certificate(), root.certificate()])?;
    Ok((root, issuer, hsm))
}

fn roots(root: &Authority) -> Vec<Vec<u8>> {
    vec![root.certificate().to_vec()]
}

#[test]
fn a_device_gets_a_certificate_and_its_chain_is_checked_offline() -> Result<()> {
    let (root, _, mut hsm) = certified()?;
    let installed = hsm.device_certificates()?;
    assert!(installed.len() <= 1024);
    let device = chain::verify(&installed, Trust::Roots(&roots(&root)))?;
    assert_eq!(device.serial(), hsm.token()?.serial);
    assert_eq!(device.issuers, [b"UTMYISSUE00001".to_vec(), b"UTMYROOT00001".to_vec()]);
    hsm.prove_device_key(&device.public_key)?;
    // It stays when the device is initialised anew, and opens a channel.
    hsm.initialize(&INITIALIZATION)?;
    assert_eq!(hsm.device_certificates()?, installed);
    let mut inside = Hsm::open(SecureChannel::open(hsm.into_transport(), Trust::Roots(&roots(&root)))?)?;
    inside.login(PIN)?;
    Ok(())
}

#[test]
fn a_chain_with_anything_wrong_is_not_trusted() -> Result<()> {
    let (root, issuer, mut hsm) = certified()?;
    let installed = hsm.device_certificates()?;
    let trusted = roots(&root);
    let kind =
        |bytes: &[u8], roots: &[Vec<u8>]| chain::verify(bytes, Trust::Roots(roots)).err().map(|error| error.kind());
    let expected = |kind| matches!(kind, Some(ErrorKind::Verification | ErrorKind::BadInput | ErrorKind::BadAnswer));
    let device_and_issuer = chain::split(&installed)?.iter().take(2).map(|one| one.encoded.len()).sum();
    for at in 0..device_and_issuer {
        let mut changed = installed.clone();
        changed[at] ^= 0x01;
        assert!(expected(kind(&changed, &trusted)), "byte {at}");
    }
    // Another root with the same name.
    let twin = Authority::root("UTMYROOT00001", 20)?;
    assert!(expected(kind(&installed, &roots(&twin))));
    assert!(expected(kind(&installed, &[])));
    // A root that was changed.
    for at in 0..root.certificate().len() {
        let mut changed = trusted.clone();
        changed[0][at] ^= 0x01;
        assert!(expected(kind(&installed, &changed)), "byte {at} of the root");
    }
    // A device that issues: its certificate is none of an issuer.
    let request = hsm.device_request()?;
    let certificate = issuer.issue_device(&request, Some("UTDEVICE00001"), 5)?;
    let below = Authority::root("UTDEVICE00001", 5)?.issue_device(&request, Some("UTOTHER00001"), 5)?;
    let forged = [&below[..], &certificate, issuer.certificate()].concat();
    assert!(expected(kind(&forged, &trusted)));
    // An issuer in the place of the device, and a chain that goes round.
    assert!(expected(kind(issuer.certificate(), &trusted)));
    let round = [&certificate[..], &certificate].concat();
    assert!(expected(kind(&round, &trusted)));
    // Later than any of them is valid.
    assert!(chain::verify_on(&installed, Trust::Roots(&trusted), [9, 9, 0, 1, 0, 1]).is_err());
    assert!(chain::verify_on(&installed, Trust::Roots(&trusted), [2, 0, 0, 1, 0, 1]).is_err());
    Ok(())
}

#[test]
fn only_the_key_that_a_device_shows_is_certified_and_only_in_that_device() -> Result<()> {
    let (root, issuer, _) = certified()?;
    let mut hsm = initialized(&INITIALIZATION)?;
    let request = hsm.device_request()?;
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 0x01;
        assert!(issuer.issue_device(&changed, Some("UTDEVICE00001"), 5).is_err(), "byte {at}");
    }
    let certificate = issuer.issue_device(&request, None, 5)?;
    let mut other = initialized(&INITIALIZATION)?;
    let issuers = [issuer.certificate(), root.certificate()];
    let error = other.install_device_certificate(&certificate, &issuers).expect_err("another device's");
    assert_eq!(error.kind(), ErrorKind::Verification);
    hsm.logout()?;
    let error = hsm.install_device_certificate(&certificate, &issuers).expect_err("nobody is logged in");
    assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
    for name in ["short", "utlower00001", "UTwith space01", "UTMUCHTOOLONG00001"] {
        assert_eq!(Authority::root(name, 5).err().map(|error| error.kind()), Some(ErrorKind::Usage), "{name}");
    }
    assert!(Authority::root("UTMYROOT00001", 80).is_err());
    Ok(())
}

#[test]
fn an_authority_is_kept_in_files_under_a_password() -> Result<()> {
    let root = Authority::root("UTMYROOT00001", 20)?;
    let file = root.key_file(b"a password")?;
    assert!(file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let again = Authority::open(root.certificate(), file.as_bytes(), Some(b"a password"))?;
    let issuer = again.issuer("UTMYISSUE00001", 10)?;
    let mut hsm = initialized(&INITIALIZATION)?;
    let certificate = issuer.issue_device(&hsm.device_request()?, None, 5)?;
    hsm.install_device_certificate(&certificate, &[issuer.certificate(), root.certificate()])?;
    let kind = |result: ferrite_client::Result<Authority>| result.err().map(|error| error.kind());
    assert_eq!(
        kind(Authority::open(root.certificate(), file.as_bytes(), Some(b"wrong"))),
        Some(ErrorKind::WrongPassword)
    );
    assert_eq!(
        kind(Authority::open(issuer.certificate(), file.as_bytes(), Some(b"a password"))),
        Some(ErrorKind::Verification)
    );
    assert!(root.key_file(b"").is_err());
    // OpenSSL reads the key.
    let files = ferrite_tests::files::Files::new()?;
    files.write("root.pem", file.as_bytes())?;
    files.write("password", b"a password")?;
    let spki = files.openssl("pkey -in root.pem -passin file:password -pubout -outform DER")?;
    assert_eq!(PublicKey::from_spki(&spki)?, PublicKey::from_certificate(root.certificate())?);
    Ok(())
}

/// A report says what limits a key, and that a key which came in a blob may be elsewhere too.
#[test]
fn a_report_tells_limits_and_where_a_key_comes_from() -> Result<()> {
    let root = Authority::root("UTMYROOT00001", 20)?;
    let issuer = root.issuer("UTMYISSUE00001", 10)?;
    let mut hsm = initialized(&Initialization { dkek_shares: Some(1), ..INITIALIZATION })?;
    hsm.import_share(0, &[1; 32])?;
    let certificate = issuer.issue_device(&hsm.device_request()?, None, 5)?;
    hsm.install_device_certificate(&certificate, &[issuer.certificate(), root.certificate()])?;
    let limits = KeyAttributes { counter: Some(9), algorithms: Some(vec![0x73]), domain: Some(0) };
    hsm.generate_key(KeyId::new(1), "p256".parse()?, "", &limits)?;
    let attested = attestation::verify(&hsm.attest(KeyId::new(1))?, Trust::Roots(&roots(&root)))?;
    assert_eq!((attested.origin, attested.attributes), (Origin::Generated, limits));
    hsm.generate_key(KeyId::new(2), "p256".parse()?, "", &KeyAttributes::default())?;
    let wrapped = hsm.export_key(KeyId::new(2))?;
    hsm.restore_key(KeyId::new(3), &wrapped)?;
    let attested = attestation::verify(&hsm.attest(KeyId::new(3))?, Trust::Roots(&roots(&root)))?;
    assert_eq!(attested.origin, Origin::Imported);
    assert_eq!(attested.key, AttestedKey::Public(hsm.public_key(KeyId::new(2))?));
    // What is derived takes after its source.
    for (source, target, origin) in [(2, 4, Origin::Derived), (3, 5, Origin::Imported)] {
        hsm.derive_key(KeyId::new(source), KeyId::new(target), &[7])?;
        let attested = attestation::verify(&hsm.attest(KeyId::new(target))?, Trust::Roots(&roots(&root)))?;
        assert_eq!((attested.origin, attested.may_be_wrapped()), (origin, true));
        assert_eq!(attested.key, AttestedKey::Public(hsm.public_key(KeyId::new(target))?));
    }
    Ok(())
}

/// A report of a secret key names it by what the device derives from it, unless the key came from elsewhere.
#[test]
fn a_secret_key_is_told_from_another_in_its_place() -> Result<()> {
    let (root, _, mut hsm) = certified()?;
    let trusted = roots(&root);
    let id = KeyId::new(1);
    for (name, kind) in KeyType::all().filter(|(_, kind)| !kind.has_public_key()) {
        let limits = KeyAttributes { counter: Some(3), algorithms: Some(vec![0x99]), domain: None };
        let made = hsm.generate_key(id, kind, "", &limits)?;
        assert_eq!((made.request.as_slice(), made.public_key), (&[][..], None));
        let report = hsm.attest(id)?;
        let attested = attestation::verify(&report, Trust::Roots(&trusted)).context(name)?;
        let AttestedKey::Secret { identifier: Some(identifier), .. } = attested.key else {
            panic!("{:?}", attested.key)
        };
        assert_eq!(attested.key, AttestedKey::Secret { kind, id, identifier: Some(identifier) });
        assert_eq!((attested.origin, &attested.attributes), (Origin::Generated, &limits));
        assert!(!attested.may_be_wrapped());
        assert!(hsm.is_key(id, &identifier)?);
        assert_eq!(hsm.key_attributes(id)?.counter, Some(2));
        // Another takes its place, and the user puts the report back.
        hsm.delete_key(id)?;
        hsm.generate_key(id, kind, "", &KeyAttributes::default())?;
        let request = first(&report);
        hsm.write_file(id.certificate(), request)?;
        assert_eq!(hsm.attest(id)?, report);
        assert!(!hsm.is_key(id, &identifier)?);
        assert_eq!(hsm.public_key(id).expect_err("a secret key").kind(), ErrorKind::NotFound);
        hsm.delete_key(id)?;
    }
    // Every byte counts.
    hsm.generate_key(id, "aes:256".parse()?, "", &KeyAttributes::default())?;
    let report = hsm.attest(id)?;
    for at in 0..first(&report).len() {
        let mut changed = report.clone();
        changed[at] ^= 0x01;
        assert!(attestation::verify(&changed, Trust::Roots(&trusted)).is_err(), "byte {at}");
    }
    Ok(())
}

/// The request in a report.
fn first(report: &[u8]) -> &[u8] {
    ferrite_client::proto::tlv::split(report).expect("an object").encoded
}

#[test]
fn an_imported_secret_key_has_no_identifier() -> Result<()> {
    let mut hsm = initialized(&Initialization { dkek_shares: Some(1), ..INITIALIZATION })?;
    hsm.import_share(0, &[1; 32])?;
    hsm.generate_key(KeyId::new(1), "aes:256".parse()?, "", &KeyAttributes::default())?;
    let wrapped = hsm.export_key(KeyId::new(1))?;
    hsm.restore_key(KeyId::new(2), &wrapped)?;
    let device = PublicKey::from_certificate(&hsm.device_certificates()?)?;
    let attested = attestation::verify(&hsm.attest(KeyId::new(2))?, Trust::Key(&device))?;
    assert_eq!(attested.origin, Origin::Imported);
    let kind = "aes:256".parse()?;
    assert_eq!(attested.key, AttestedKey::Secret { kind, id: KeyId::new(2), identifier: None });
    // The first one still has its own.
    let attested = attestation::verify(&hsm.attest(KeyId::new(1))?, Trust::Key(&device))?;
    assert!(matches!(attested.key, AttestedKey::Secret { identifier: Some(_), .. }) && attested.may_be_wrapped());
    Ok(())
}

#[test]
fn a_request_that_outlived_its_key_attests_nothing() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    let id = KeyId::new(1);
    hsm.generate_key(id, "p256".parse()?, "", &KeyAttributes::default())?;
    hsm.delete_file(id.key())?;
    assert!(hsm.key_request(id).is_ok(), "the request is still there");
    assert_eq!(hsm.attest(id).expect_err("the key is gone").kind(), ErrorKind::NotFound);
    Ok(())
}

#[test]
fn keys_of_every_kind_are_attested_and_no_other_key_is() -> Result<()> {
    let (root, _, mut hsm) = certified()?;
    let trusted = roots(&root);
    for (name, kind) in KeyType::all().filter(|(_, kind)| kind.has_public_key()) {
        if matches!(kind, KeyType::Rsa(bits) if bits > 2048) {
            continue;
        }
        let id = hsm.free_key_id()?;
        let key = hsm.generate_key(id, kind, "", &KeyAttributes::default())?;
        let report = hsm.attest(id)?;
        let attested = attestation::verify(&report, Trust::Roots(&trusted)).context(name)?;
        assert_eq!(Some(attested.key), key.public_key.map(AttestedKey::Public), "{name}");
        assert_eq!((attested.origin, attested.attributes), (Origin::Generated, KeyAttributes::default()));
        assert_eq!(attested.device.serial(), hsm.token()?.serial);
        hsm.delete_key(id)?;
    }
    // Every byte of a report counts.
    let id = KeyId::new(1);
    hsm.generate_key(id, "p256".parse()?, "", &KeyAttributes::default())?;
    let report = hsm.attest(id)?;
    let root_starts = report.len() - root.certificate().len();
    for at in 0..root_starts {
        let mut changed = report.clone();
        changed[at] ^= 0x01;
        assert!(attestation::verify(&changed, Trust::Roots(&trusted)).is_err(), "byte {at}");
    }
    // A device without a certificate of this authority cannot borrow one.
    let mut other = initialized(&INITIALIZATION)?;
    other.generate_key(id, "p256".parse()?, "", &KeyAttributes::default())?;
    let request = other.key_request(id)?;
    let borrowed = [&request[..], &hsm.device_certificates()?].concat();
    let error = attestation::verify(&borrowed, Trust::Roots(&trusted)).expect_err("borrowed");
    assert_eq!(error.kind(), ErrorKind::Verification);
    other.write_file(FileId::DEVICE_CERTIFICATE, &hsm.device_certificates()?)?;
    assert!(attestation::verify(&other.attest(id)?, Trust::Roots(&trusted)).is_err());
    // A key that an X.509 certificate has replaced the request of has no report any more.
    hsm.store_certificate_of_key(id, &[0x30, 0])?;
    assert_eq!(hsm.attest(id).expect_err("no request").kind(), ErrorKind::NotFound);
    Ok(())
}
