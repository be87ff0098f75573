//! Keys of other devices, through the client library: keys that log in, and groups whose devices agree on a DKEK.

use anyhow::{Context, Result};
use ferrite_client::certificate::Authority;
use ferrite_client::custody::group::{Group, GroupMembership};
use ferrite_client::hsm::{DomainState, Introduction, KeySlot, PublicKeyLogin};
use ferrite_client::proto::command::{AlgorithmId, PublicKeyAuthentication};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{ErrorKind, Hsm, Initialization, KeyAttributes, KeyType};
use ferrite_tests::client::{INITIALIZATION, PIN, initialized};
use ferrite_tests::in_process::InProcess;

const KEY: KeyId = KeyId::new(1);

/// Root and issuer of the devices.
struct Makers {
    root: Authority,
    issuer: Authority,
}

impl Makers {
    fn new() -> Result<Self> {
        let root = Authority::root("UTMYROOT00001", 20)?;
        let issuer = root.issuer("UTMYISSUE00001", 10)?;
        Ok(Self { root, issuer })
    }

    /// A device with a certificate of theirs.
    fn device(&self, with: &Initialization<'_>) -> Result<Hsm<InProcess>> {
        let mut hsm = initialized(with)?;
        let certificate = self.issuer.issue_device(&hsm.device_request()?, None, 5)?;
        hsm.install_device_certificate(&certificate, &[self.issuer.certificate(), self.root.certificate()])?;
        Ok(hsm)
    }

    /// A device with a key, which is introduced.
    fn holder(&self, kind: &str) -> Result<(Hsm<InProcess>, Introduction)> {
        let mut hsm = self.device(&INITIALIZATION)?;
        hsm.generate_key(KEY, kind.parse()?, "login", &KeyAttributes::default())?;
        let introduction = hsm.introduce_key(KEY)?;
        Ok((hsm, Introduction::parse(&introduction.to_bytes()?)?))
    }
}

const TWO_OF_THREE: Initialization<'static> =
    Initialization { pka: Some(PublicKeyAuthentication { total: 3, required: 2 }), ..INITIALIZATION };

#[test]
fn two_of_three_keys_of_other_devices_log_in() -> Result<()> {
    let makers = Makers::new()?;
    assert_eq!(initialized(&INITIALIZATION)?.public_key_login()?, None);
    let mut holders = Vec::new();
    for kind in ["p256", "rsa:2048", "p384"] {
        holders.push(makers.holder(kind)?);
    }
    let mut guarded = prepared(&makers)?;
    guarded.login(PIN)?;
    for (at, (_, introduction)) in holders.iter().enumerate() {
        let state = guarded.register_key(introduction, None)?;
        let missing = 2 - u8::try_from(at)?;
        assert_eq!(state, PublicKeyLogin { total: 3, missing, required: 2, authenticated: 0 });
    }
    guarded.logout()?;
    guarded.login(PIN)?;
    let kind: KeyType = "p256".parse()?;
    assert!(guarded.generate_key(KEY, kind, "", &KeyAttributes::default()).is_err(), "a PIN alone is not enough");
    for (at, (holder, introduction)) in holders.iter_mut().take(2).enumerate() {
        let name = introduction.holder()?;
        let challenge = guarded.login_challenge()?;
        let answer = holder.answer_challenge(KEY, &challenge)?;
        let mut wrong = answer.clone();
        wrong[5] ^= 1;
        assert_eq!(guarded.login_with_answer(&name, &wrong).expect_err("wrong").kind(), ErrorKind::Verification);
        let challenge = guarded.login_challenge()?;
        let answer = holder.answer_challenge(KEY, &challenge)?;
        guarded.login_with_answer(&name, &answer)?;
        let slot = guarded.key_slot(u8::try_from(at)?)?;
        assert_eq!(slot, KeySlot::Registered { holder: name, authenticated: true });
    }
    guarded.generate_key(KEY, kind, "", &KeyAttributes::default())?;
    guarded.sign(KEY, AlgorithmId::ECDSA_SHA256, b"m")?;
    assert!(matches!(guarded.key_slot(2)?, KeySlot::Registered { authenticated: false, .. }));
    let unknown = guarded.login_with_answer(b"UTNOBODY00001", &[1; 64]).expect_err("nobody's");
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    Ok(())
}

#[test]
fn a_key_of_a_device_that_is_not_trusted_is_not_registered() -> Result<()> {
    let makers = Makers::new()?;
    let mut guarded = prepared(&makers)?;
    guarded.login(PIN)?;
    let strangers = Makers::new()?;
    let (_, introduction) = strangers.holder("p256")?;
    let refused = guarded.register_key(&introduction, None).expect_err("another authority");
    assert_eq!(refused.kind(), ErrorKind::Verification, "{refused}");
    // A key of one device under the certificates of another.
    let ((_, one), (_, other)) = (makers.holder("p256")?, makers.holder("p256")?);
    let mixed = Introduction { request: one.request, certificates: other.certificates };
    assert_eq!(guarded.register_key(&mixed, None).expect_err("mixed").kind(), ErrorKind::Verification);
    let state = guarded.public_key_login()?.context("public-key authentication")?;
    assert_eq!(state.missing, 3);
    Ok(())
}

/// A device that needs two of three keys, with a key of its own and the root that it trusts; nobody is logged in.
fn prepared(makers: &Makers) -> Result<Hsm<InProcess>> {
    let mut guarded = Hsm::open(InProcess::blank()?)?;
    guarded.initialize_trusting(&TWO_OF_THREE, &[makers.root.certificate()])?;
    Ok(guarded)
}

#[test]
fn members_of_a_group_agree_and_keys_go_from_one_to_the_other() -> Result<()> {
    let group = Group::new("UTGROUP00001")?;
    let file = group.key_file(b"a password")?;
    let group = Group::open(group.certificate(), file.as_bytes(), Some(b"a password"))?;
    let with = Initialization { key_domains: Some(2), ..INITIALIZATION };
    let makers = Makers::new()?;
    for certified in [false, true] {
        let device = || if certified { makers.device(&with) } else { initialized(&with) };
        let (mut ours, mut theirs) = (device()?, device()?);
        for (hsm, domain) in [(&mut ours, 0), (&mut theirs, 1)] {
            let membership = group.admit(&hsm.device_certificates()?)?;
            let membership = GroupMembership::parse(&membership.to_bytes()?)?;
            let state = hsm.join_group(domain, &membership)?.state;
            assert!(matches!(state, DomainState::Group { check_value: None, .. }), "{state:?}");
            hsm.generate_exchange_key(KEY, domain)?;
        }
        let (a, b) = (ours.introduce_key(KEY)?, theirs.introduce_key(KEY)?);
        ours.agree_on_dkek(KEY, &b)?;
        theirs.agree_on_dkek(KEY, &a)?;
        let value = |state| match state {
            DomainState::Group { check_value, .. } => check_value,
            _ => None,
        };
        let agreed = value(ours.domain(0)?.state).context("a DKEK")?;
        assert_eq!(value(theirs.domain(1)?.state), Some(agreed));
        let id = KeyId::new(5);
        ours.generate_key(
            id,
            "p384".parse()?,
            "travels",
            &KeyAttributes { domain: Some(0), ..KeyAttributes::default() },
        )?;
        let wrapped = ours.export_key(id)?;
        theirs.restore_key(id, &wrapped)?;
        assert_eq!(theirs.public_key(id)?, ours.public_key(id)?);
        theirs.sign(id, AlgorithmId::ECDSA_SHA256, b"m")?;
        // A membership is one device's only, and nobody joins without logging in.
        let other = group.admit(&ours.device_certificates()?)?;
        assert_eq!(theirs.join_group(0, &other).expect_err("another's").kind(), ErrorKind::Refused);
        theirs.logout()?;
        let own = group.admit(&theirs.device_certificates()?)?;
        assert!(theirs.join_group(0, &own).is_err());
        theirs.login(PIN)?;
        theirs.join_group(0, &own)?;
    }
    Ok(())
}

#[test]
fn an_introduction_is_read_in_both_forms() -> Result<()> {
    let makers = Makers::new()?;
    let (_, introduction) = makers.holder("p256")?;
    let certificates = ferrite_client::certificate::chain::split(&introduction.certificates)?;
    let (device, issuers) = (certificates[0].encoded, certificates[1].encoded);
    let newer = tlv(
        0x30,
        &[
            tlv(0x06, &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x04, 0x03, 0x01]),
            tlv(0x61, issuers),
            tlv(0x62, device),
            tlv(0x63, &introduction.request),
        ]
        .concat(),
    );
    let read = Introduction::parse(&newer)?;
    assert_eq!((read.request, read.certificates), (introduction.request.clone(), [device, issuers].concat()));
    let file = introduction.to_bytes()?;
    for len in 0..file.len() {
        assert!(Introduction::parse(&file[..len]).is_err(), "{len}");
    }
    Ok(())
}

fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0; value.len() + 8];
    let len = ferrite_client::proto::tlv::Writer::new(&mut out).put(tag, value).finish();
    out.truncate(len.unwrap_or_default());
    out
}
