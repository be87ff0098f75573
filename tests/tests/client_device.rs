//! Options, clock, memory, configuration, secure lock and the rescue application, through the client library.

use anyhow::{Context, Result};
use ferrite_client::crypto::lock::Mask;
use ferrite_client::proto::clock::Moment;
use ferrite_client::proto::command::{AlgorithmId, DynamicOptions};
use ferrite_client::proto::configuration::Configuration;
use ferrite_client::proto::configuration::Product;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::rescue::Which;
use ferrite_client::{ErrorKind, KeyAttributes, PublicKey};
use ferrite_tests::client::{INITIALIZATION, PIN, cut_power, initialized};

const KEY: KeyId = KeyId::new(1);

#[test]
fn options_and_clock_are_read_and_set() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    assert_eq!(hsm.options()?.0, 0x0001);
    hsm.set_options(DynamicOptions { press_to_confirm: false, counts_every_key: true })?;
    assert_eq!(hsm.options()?.0, 0x0201);
    hsm.generate_key(KEY, "p256".parse()?, "", &KeyAttributes::default())?;
    assert_eq!(hsm.key_attributes(KEY)?.counter, Some(u32::MAX - 1));
    assert_eq!(hsm.clock()?, None);
    hsm.set_clock(Moment(1_800_000_000))?;
    let now = hsm.clock()?.context("it was set")?;
    assert!((1_800_000_000..1_800_000_060).contains(&now.0));
    let memory = hsm.memory()?;
    assert_eq!(memory.free + memory.used, memory.total);
    assert_eq!(memory.free, hsm.device_info()?.free);
    assert!(memory.records > 0 && memory.flash >= memory.total);
    hsm.logout()?;
    let error = hsm.set_options(DynamicOptions::default()).expect_err("nobody is logged in");
    assert_eq!(error.kind(), ErrorKind::NotLoggedIn, "{error}");
    Ok(())
}

#[test]
fn a_locked_device_opens_with_the_mask_only_and_only_until_the_power_fails() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    hsm.generate_key(KEY, "p256".parse()?, "", &KeyAttributes::default())?;
    let (mask, wrong) = (Mask::from_bytes(&[7; 32]), Mask::from_bytes(&[8; 32]));
    hsm.enable_lock(&mask)?;
    let mut hsm = cut_power(hsm)?;
    assert!(hsm.application().options.secure_lock());
    hsm.login(PIN)?;
    assert!(hsm.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m").is_err());
    assert_eq!(hsm.open_lock(&wrong).expect_err("another mask").kind(), ErrorKind::Verification);
    assert!(hsm.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m").is_err());
    hsm.open_lock(&mask)?;
    hsm.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m")?;
    let mut hsm = cut_power(hsm)?;
    hsm.login(PIN)?;
    assert!(hsm.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m").is_err());
    hsm.open_lock(&mask)?;
    hsm.disable_lock(&mask)?;
    let mut hsm = cut_power(hsm)?;
    hsm.login(PIN)?;
    hsm.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m")?;
    Ok(())
}

#[test]
fn the_configuration_is_written_and_read_through_the_rescue_application() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    assert_eq!(hsm.configuration(Which::Stored)?, Configuration::default());
    let mine = Configuration { product: Product::new(b"My HSM"), ..Configuration::default() };
    hsm.set_configuration(&mine)?;
    assert_eq!(hsm.configuration(Which::Stored)?, mine);
    assert_eq!(hsm.configuration(Which::Effective)?.product, mine.product);
    hsm.set_configuration(&Configuration::default())?;
    assert_ne!(hsm.configuration(Which::Effective)?.product, mine.product);
    assert!(!hsm.secure_boot()?.enabled);
    hsm.set_clock_in_rescue(Moment(1_800_000_000))?;
    hsm.login(PIN)?;
    assert!(hsm.clock()?.is_some());
    Ok(())
}

#[test]
fn a_factory_reset_leaves_a_blank_device() -> Result<()> {
    let mut hsm = initialized(&INITIALIZATION)?;
    hsm.generate_key(KEY, "p256".parse()?, "", &KeyAttributes::default())?;
    let key = PublicKey::from_certificate(&hsm.device_certificates()?)?;
    hsm.prove_device_key(&key)?;
    hsm.factory_reset()?;
    assert!(hsm.objects()?.keys.is_empty());
    assert_eq!(hsm.login(PIN).expect_err("blank").kind(), ErrorKind::NotFound);
    hsm.initialize(&INITIALIZATION)?;
    let new = PublicKey::from_certificate(&hsm.device_certificates()?)?;
    assert_ne!(new, key);
    assert_eq!(hsm.prove_device_key(&key).expect_err("the old key").kind(), ErrorKind::Verification);
    hsm.prove_device_key(&new)?;
    Ok(())
}
