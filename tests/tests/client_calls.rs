//! Every typed call of the client library, on a card in the process of the test.

use anyhow::{Context, Result, ensure};
use ferrite_client::hsm::{CipherRequest, DomainState, PinState};
use ferrite_client::key_type::KeyType;
use ferrite_client::proto::command::{
    AeadMode, AlgorithmId, Direction, PathStep, PinReference, Secret, SeedKind, SymmetricOperation,
};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::public_key::raw_ecdsa;
use ferrite_client::{ErrorKind, Initialization, KeyAttributes, PublicKey};
use ferrite_tests::client::{INITIALIZATION, PIN, SO_PIN, cut_power, initialized};

const MESSAGE: &[u8] = b"what is signed";

#[test]
fn the_device_says_what_it_is() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    assert_eq!(hsm.application().version, [6, 6]);
    assert_eq!(hsm.application().options.0, 1);
    assert!(hsm.device_info()?.free > 100_000);
    let token = hsm.token()?;
    assert_eq!((token.label.as_str(), token.manufacturer.as_str()), ("Ferrite HSM", "Ferrite"));
    assert!(token.serial.starts_with("UT") && token.serial.len() == 11, "{}", token.serial);
    assert_eq!(hsm.board()?.platform, 3);
    let (mut one, mut other) = ([0; 2000], [0; 2000]);
    hsm.random(&mut one)?;
    hsm.random(&mut other)?;
    assert_ne!(one, other);
    assert_ne!(one[..1000], one[1000..]);
    Ok(())
}

#[test]
fn pins_are_tried_changed_unblocked_and_their_state_is_told() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    assert_eq!(hsm.pin_state(PinReference::User)?, PinState::LoggedIn);
    hsm.logout()?;
    assert_eq!(hsm.pin_state(PinReference::User)?, PinState::Tries(3));
    for (tries_left, words) in [(2, "2 tries are left"), (1, "1 try is left")] {
        let error = hsm.login(b"wrong pin").expect_err("a wrong PIN");
        assert_eq!(error.kind(), ErrorKind::WrongPin { tries_left });
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(hsm.login(b"wrong pin").is_err());
    assert_eq!(hsm.pin_state(PinReference::User)?, PinState::Blocked);
    assert_eq!(hsm.login(PIN).expect_err("blocked").kind(), ErrorKind::PinBlocked);
    hsm.unblock(SO_PIN, Some(b"another pin"))?;
    hsm.login(b"another pin")?;
    hsm.change_pin(PinReference::User, b"another pin", PIN)?;
    hsm.change_pin(PinReference::SecurityOfficer, SO_PIN, b"87654321")?;
    hsm.logout()?;
    hsm.unblock(b"87654321", None)?;
    hsm.login(PIN)?;
    let error = hsm.initialize(&INITIALIZATION).expect_err("another SO-PIN");
    assert!(matches!(error.kind(), ErrorKind::WrongPin { .. }) && error.to_string().contains("SO-PIN"), "{error}");
    let short = Initialization { user_pin: b"12345", so_pin: b"87654321", ..INITIALIZATION };
    assert_eq!(hsm.initialize(&short).expect_err("a short PIN").kind(), ErrorKind::Usage);
    Ok(())
}

/// Signs or agrees with a key of each kind, and checks the result with the public half that the device showed.
#[test]
fn keys_of_every_kind_are_made_listed_used_and_deleted() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    let mut count = 0;
    for (name, kind) in KeyType::all().filter(|(_, kind)| !matches!(kind, KeyType::Rsa(3072 | 4096))) {
        count += 1;
        let id = hsm.free_key_id()?;
        assert_eq!(id.value(), count);
        let label = format!("key of kind {name}");
        let key = hsm.generate_key(id, kind, &label, &KeyAttributes::default()).context(name)?;
        let listed = hsm.key_object(id)?;
        assert_eq!((listed.label, listed.bits, listed.cka_id), (label, kind.bits(), count.to_string().into_bytes()));
        let Some(public) = key.public_key else {
            let mac = hsm.cipher(id, &SymmetricOperation::Cmac { message: Secret(MESSAGE) }.into());
            ensure!(kind.bits() == 512 || mac?.len() == 16);
            continue;
        };
        assert_eq!((hsm.public_key(id)?, public.key_type()), (public.clone(), kind));
        assert_eq!(PublicKey::from_spki(&public.to_spki()?)?, public);
        match &public {
            PublicKey::Rsa { .. } => {
                let signature = hsm.sign(id, AlgorithmId::RSA_PKCS1_SHA256, MESSAGE)?;
                public.verify_certificate("check", MESSAGE, &signature)?;
            }
            PublicKey::Ec { curve, .. } => {
                let signature = hsm.sign(id, AlgorithmId::ECDSA_SHA256, MESSAGE)?;
                public.verify_certificate("check", MESSAGE, &raw_ecdsa(*curve, &signature)?)?;
                let ephemeral =
                    ferrite_client::crypto::ec::PrivateKey::from_bytes(*curve, &one(curve.domain().order.len()));
                let ephemeral = ephemeral.ok().context("the scalar 1")?;
                let PublicKey::Ec { point, .. } = &public else { continue };
                let expected = ephemeral.agree(point).ok().context("agreement")?;
                assert_eq!(*hsm.agree(id, curve.domain().generator)?, expected.as_ref());
            }
            PublicKey::Edwards { .. } => {
                let signature = hsm.sign(id, AlgorithmId::ECDSA, MESSAGE)?;
                public.verify_certificate("check", MESSAGE, &signature)?;
            }
            PublicKey::Montgomery { curve, key } => {
                assert_eq!(hsm.agree(id, curve.domain().base)?.as_slice(), key);
            }
        }
    }
    assert_eq!(hsm.objects()?.keys.len(), usize::from(count));
    for id in 1..=count {
        hsm.delete_key(KeyId::new(id))?;
    }
    assert!(hsm.objects()?.keys.is_empty());
    assert_eq!(hsm.public_key(KeyId::new(1)).expect_err("it is gone").kind(), ErrorKind::NotFound);
    Ok(())
}

fn one(len: usize) -> Vec<u8> {
    let mut scalar = vec![0; len];
    scalar.iter_mut().last().into_iter().for_each(|last| *last = 1);
    scalar
}

#[test]
fn attributes_limit_a_key_and_are_shown() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    let id = KeyId::new(7);
    let attributes =
        KeyAttributes { counter: Some(2), algorithms: Some(vec![AlgorithmId::ECDSA_SHA256.0]), domain: Some(0) };
    hsm.generate_key(id, "p256".parse()?, "", &attributes)?;
    assert_eq!(hsm.key_attributes(id)?, attributes);
    assert_eq!(hsm.sign(id, AlgorithmId::ECDSA, &[1; 32]).expect_err("not allowed").kind(), ErrorKind::Refused);
    hsm.sign(id, AlgorithmId::ECDSA_SHA256, MESSAGE)?;
    assert_eq!(hsm.key_attributes(id)?.counter, Some(1));
    let twin = hsm.generate_key(id, "p256".parse()?, "", &attributes).expect_err("taken");
    assert_eq!(twin.kind(), ErrorKind::Exists);
    let foreign = KeyAttributes { domain: Some(9), ..KeyAttributes::default() };
    let error = hsm.generate_key(KeyId::new(8), "p256".parse()?, "", &foreign).expect_err("no such domain");
    assert!(error.to_string().contains("no such key domain"), "{error}");
    Ok(())
}

#[test]
fn data_and_certificates_are_kept_and_private_ones_hidden() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    let long = vec![7; 5000];
    let public = hsm.store_data("public thing", "test", false, &long)?;
    let private = hsm.store_data("private thing", "test", true, b"secret")?;
    let certificate = hsm.store_certificate("an authority", &[0x99], &[0x30, 3, 1, 2, 3])?;
    hsm.logout()?;
    let objects = hsm.objects()?;
    assert_eq!(objects.data.iter().map(|data| data.is_private).collect::<Vec<_>>(), [false, true]);
    assert_eq!(
        (objects.certificates[0].label.as_str(), objects.certificates[0].cka_id.as_slice()),
        ("an authority", &[0x99][..])
    );
    assert_eq!(*hsm.data(public)?, long);
    assert_eq!(hsm.certificate(certificate)?, [0x30, 3, 1, 2, 3]);
    assert_eq!(hsm.data(private).expect_err("private").kind(), ErrorKind::NotLoggedIn);
    hsm.login(PIN)?;
    assert_eq!(hsm.data(private)?.as_slice(), b"secret");
    hsm.delete_data(private)?;
    hsm.delete_data(public)?;
    hsm.delete_certificate(certificate)?;
    let objects = hsm.objects()?;
    assert!(objects.data.is_empty() && objects.certificates.is_empty());
    Ok(())
}

fn gcm(direction: Direction, data: &[u8]) -> SymmetricOperation<'_> {
    let (nonce, aad, data) = (&[1; 12], b"header", Secret(data));
    SymmetricOperation::Aead { mode: AeadMode::Gcm, key_len: 32, direction, nonce, aad, data }
}

#[test]
fn secret_keys_encrypt_and_a_wrong_tag_is_told() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    let id = KeyId::new(1);
    hsm.generate_key(id, "aes:256".parse()?, "box", &KeyAttributes::default())?;
    let mut sealed = hsm.cipher(id, &gcm(Direction::Encrypt, MESSAGE).into())?;
    assert_eq!(hsm.cipher(id, &gcm(Direction::Decrypt, &sealed).into())?.as_slice(), MESSAGE);
    sealed[0] ^= 1;
    let error = hsm.cipher(id, &gcm(Direction::Decrypt, &sealed).into()).expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    let derive = CipherRequest { operation: SymmetricOperation::Derive { parameter: &[1; 32] }, len: None };
    assert_eq!(hsm.cipher(id, &derive)?.len(), 32);
    Ok(())
}

#[test]
fn wallets_show_sign_and_encrypt() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    // BIP32, test vector 1.
    let seed: Vec<u8> = (0..16).collect();
    hsm.create_seed(0, SeedKind::Secp256k1, Some(&seed))?;
    let node = hsm.public_node(0, &[PathStep::Number(0x8000_0000)])?;
    let key = hex::encode(&node[node.len() - 33..]);
    assert_eq!(key, "035a784662a4a20a65bf6aab9ae98a6c068a81c52e4b032c0fb5400c706cfccc56");
    let signature = hsm.sign_with_node(0, &[PathStep::Number(1)], &[5; 32])?;
    assert_eq!(signature[0], 0x30);
    hsm.create_seed(1, SeedKind::Symmetric, None)?;
    let steps = [PathStep::Label(b"files")];
    let sealed = hsm.cipher_with_node(1, &steps, Direction::Encrypt, b"name", None, &[9; 32])?;
    assert_eq!(hsm.cipher_with_node(1, &steps, Direction::Decrypt, b"name", None, &sealed)?.as_slice(), [9; 32]);
    assert_eq!(hsm.public_node(5, &steps).expect_err("no such wallet").kind(), ErrorKind::NotFound);
    assert_eq!(hsm.public_node(10, &steps).expect_err("no such wallet").kind(), ErrorKind::Usage);
    Ok(())
}

#[test]
fn domains_are_set_up_filled_cleared_and_deleted() -> Result<()> {
    let mut hsm = initialized(&Initialization { key_domains: Some(3), ..INITIALIZATION })?;
    assert_eq!(hsm.domains()?.len(), 3);
    hsm.create_domain(1, 2)?;
    assert_eq!(hsm.create_domain(1, 2).expect_err("twice").kind(), ErrorKind::Exists);
    assert_eq!(hsm.import_share(1, &[1; 32])?.state, DomainState::Waiting { missing: 1, total: 2 });
    let mut hsm = cut_power(hsm)?;
    let check_value = [0x64, 0x8A, 0xA5, 0xC5, 0x79, 0xFB, 0x30, 0xF3];
    assert_eq!(hsm.import_share(1, &[2; 32])?.state, DomainState::Complete { check_value, total: 2 });
    assert!(hsm.import_share(1, &[2; 32]).expect_err("complete").to_string().contains("waits for no share"));
    assert_eq!(hsm.delete_domain(1).expect_err("nobody").kind(), ErrorKind::NotLoggedIn);
    hsm.login(PIN)?;
    let attributes = KeyAttributes { domain: Some(1), ..KeyAttributes::default() };
    hsm.generate_key(KeyId::new(1), "p384".parse()?, "", &attributes)?;
    let blob = hsm.wrap_key(KeyId::new(1))?;
    assert_eq!(blob[..8], check_value);
    hsm.unwrap_key(KeyId::new(2), &blob)?;
    assert_eq!(hsm.public_key(KeyId::new(2))?, hsm.public_key(KeyId::new(1))?);
    assert_eq!(hsm.unwrap_key(KeyId::new(2), &blob).expect_err("taken").kind(), ErrorKind::Exists);
    assert_eq!(hsm.delete_domain(1).expect_err("it has keys").kind(), ErrorKind::Exists);
    hsm.clear_domain(1)?;
    assert_eq!(hsm.wrap_key(KeyId::new(1)).expect_err("no DKEK").kind(), ErrorKind::NotFound);
    assert_eq!(hsm.unwrap_key(KeyId::new(3), &blob).expect_err("no DKEK").kind(), ErrorKind::Verification);
    hsm.delete_key(KeyId::new(1))?;
    hsm.delete_key(KeyId::new(2))?;
    hsm.delete_domain(1)?;
    assert_eq!(hsm.domain(1)?.state, DomainState::Empty);
    Ok(())
}
