//! Backups of a whole device and of one key, restored onto another device.

use anyhow::{Context, Result};
use ferrite_client::archive::Archive;
use ferrite_client::custody::share::Share;
use ferrite_client::key_type::KeyType;
use ferrite_client::proto::command::{AlgorithmId, Secret, SymmetricOperation};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{ErrorKind, Hsm, Initialization, KeyAttributes};
use ferrite_tests::client::{INITIALIZATION, initialized};
use ferrite_tests::in_process::InProcess;

const PASSWORD: &[u8] = b"a password for archives";

fn device(shares: &[[u8; 32]]) -> Result<Hsm<InProcess>> {
    let mut hsm = initialized(&Initialization { dkek_shares: Some(2), ..INITIALIZATION })?;
    let shares: Vec<Share> = shares.iter().map(Share::from_bytes).collect();
    hsm.import_shares(0, &shares)?;
    Ok(hsm)
}

#[test]
fn everything_comes_back_on_another_device() -> Result<()> {
    let shares = [[1; 32], [2; 32]];
    let mut ours = device(&shares)?;
    let mut ids = Vec::new();
    for (name, kind) in KeyType::all().filter(|(_, kind)| !matches!(kind, KeyType::Rsa(3072 | 4096))) {
        let id = ours.free_key_id()?;
        ours.generate_key(id, kind, name, &KeyAttributes::default())?;
        ids.push((id, kind));
    }
    let limited = KeyAttributes {
        algorithms: Some(vec![AlgorithmId::WRAP.0, AlgorithmId::ECDSA_SHA256.0]),
        ..KeyAttributes::default()
    };
    let last = ours.free_key_id()?;
    ours.generate_key(last, "p256".parse()?, "limited", &limited)?;
    ours.store_certificate_of_key(last, &[0x30, 3, 1, 2, 3])?;
    let counted = ours.free_key_id()?;
    ours.generate_key(
        counted,
        "p256".parse()?,
        "counted",
        &KeyAttributes { counter: Some(5), ..KeyAttributes::default() },
    )?;
    ours.store_data("note", "app", true, b"secret")?;
    ours.store_data("open", "app", false, &vec![5; 9000])?;
    ours.store_certificate("authority", &[9], &[0x30, 1, 0])?;

    let mut steps = Vec::new();
    let backup = ours.back_up(None, &mut |done, all| steps.push((done, all)))?;
    assert_eq!(steps.last(), Some(&(ids.len() + 2 + 3, ids.len() + 2 + 3)));
    let left_out: Vec<KeyId> = backup.left_out.iter().map(|(id, _)| *id).collect();
    assert_eq!(left_out, [counted], "a key with a counter stays");
    let file = backup.archive.seal(PASSWORD)?;

    let mut theirs = device(&shares)?;
    let archive = Archive::open(&file, PASSWORD)?;
    assert_eq!(archive.serial, ours.token()?.serial);
    let restored = theirs.restore(&archive, &mut |_, _| {})?;
    assert!(restored.iter().all(|key| key.was == key.is) && restored.len() == ids.len() + 1);
    for (id, kind) in ids {
        let (mine, yours) = (ours.key_object(id)?, theirs.key_object(id)?);
        assert_eq!((mine.label, mine.cka_id, mine.bits), (yours.label, yours.cka_id, yours.bits));
        if kind.has_public_key() {
            assert_eq!(ours.public_key(id)?, theirs.public_key(id)?, "{kind}");
        } else {
            let derive = SymmetricOperation::Derive { parameter: &[7; 32] }.into();
            assert_eq!(ours.cipher(id, &derive)?, theirs.cipher(id, &derive)?, "{kind}");
        }
    }
    assert_eq!(theirs.key_attributes(last)?.algorithms, limited.algorithms);
    assert_eq!(theirs.certificate_of_key(last)?.context("a certificate")?, [0x30, 3, 1, 2, 3]);
    theirs.sign(last, AlgorithmId::ECDSA_SHA256, b"m")?;
    let objects = theirs.objects()?;
    assert_eq!(objects.data, ours.objects()?.data);
    assert_eq!(theirs.data(objects.data[0].number)?.as_slice(), b"secret");
    assert_eq!(theirs.data(objects.data[1].number)?.len(), 9000);
    assert_eq!(theirs.certificate(objects.certificates[0].number)?, [0x30, 1, 0]);

    // Once more: the identifiers are taken, so the keys get others.
    let again = theirs.restore(&archive, &mut |_, _| {})?;
    assert!(again.iter().all(|key| key.was != key.is));
    let mac = SymmetricOperation::Cmac { message: Secret(b"m") };
    let aes = again.iter().find(|key| theirs.cipher(key.is, &mac.into()).is_ok()).context("a secret key")?;
    assert_eq!(theirs.cipher(aes.is, &mac.into())?, ours.cipher(aes.was, &mac.into())?);
    Ok(())
}

#[test]
fn one_key_is_backed_up_by_itself() -> Result<()> {
    let mut hsm = device(&[[1; 32], [2; 32]])?;
    for id in 1..=2 {
        hsm.generate_key(KeyId::new(id), "ed25519".parse()?, "", &KeyAttributes::default())?;
    }
    hsm.store_data("note", "app", false, b"x")?;
    let archive = hsm.back_up(Some(KeyId::new(2)), &mut |_, _| {})?.archive;
    assert_eq!((archive.keys.len(), archive.data.len()), (1, 0));
    let public = hsm.public_key(KeyId::new(2))?;
    hsm.delete_key(KeyId::new(2))?;
    hsm.restore(&Archive::open(&archive.seal(PASSWORD)?, PASSWORD)?, &mut |_, _| {})?;
    assert_eq!(hsm.public_key(KeyId::new(2))?, public);
    assert_eq!(
        hsm.back_up(Some(KeyId::new(9)), &mut |_, _| {}).err().map(|error| error.kind()),
        Some(ErrorKind::NotFound)
    );
    Ok(())
}

#[test]
fn nothing_is_stored_without_the_dkek_of_every_key() -> Result<()> {
    let mut ours = device(&[[1; 32], [2; 32]])?;
    ours.generate_key(KeyId::new(1), "p256".parse()?, "", &KeyAttributes::default())?;
    ours.store_data("note", "app", false, b"x")?;
    let archive = ours.back_up(None, &mut |_, _| {})?.archive;
    let mut other = device(&[[1; 32], [3; 32]])?;
    let error = other.restore(&archive, &mut |_, _| {}).expect_err("another DKEK");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(format!("{error:#}").contains("Import the DKEK shares"), "{error:#}");
    let objects = other.objects()?;
    assert!(objects.keys.is_empty() && objects.data.is_empty());
    // A device from which nothing can leave: the backup says so, key by key.
    let mut closed = initialized(&INITIALIZATION)?;
    closed.generate_key(KeyId::new(1), "p256".parse()?, "", &KeyAttributes::default())?;
    let backup = closed.back_up(None, &mut |_, _| {})?;
    assert!(backup.archive.keys.is_empty() && backup.left_out.len() == 1);
    assert!(backup.left_out[0].1.to_string().contains("no DKEK"), "{}", backup.left_out[0].1);
    Ok(())
}
