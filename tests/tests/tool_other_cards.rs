//! `pico-hsm-tool` with cards that it did not grow up with: what every SmartCard-HSM does works, and what a card lacks is named.
//!
//! The cards are ours, with everything taken away that others have not.

use anyhow::{Context, Result};
use ferrite_client::{Hsm, PublicKey};
use ferrite_tests::proxy::{Fate, Proxy};
use ferrite_tests::tool::Tool;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The field of Curve25519, least significant byte first and last, and the length and start of that of Curve448.
const FIELDS: [&[u8]; 3] = [
    &[0x81, 32, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0x81, 56, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    // secp192k1.
    &[0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xEE, 0x37],
];

/// A card as CardContact makes them: no device information, hierarchical keys, options, extended ciphers, session PINs, no
/// curves of RFC 7748 and 8032, no padding of RSA ciphertexts, few hash functions, no rescue application. What describes a key
/// is written by the host.
fn smart_card_hsm(command: &[u8]) -> Fate {
    match command {
        [_, 0x50, _, _] | [_, 0x50, _, _, 0] | [_, 0x4A | 0x64, ..] => Fate::Refuse(0x6D00),
        [_, 0x78, _, 0x51 | 0x52, ..] | [_, 0x48, _, 0xB3, ..] => Fate::Refuse(0x6A86),
        [_, 0x62, _, 0x22..=0x27, ..] => Fate::Refuse(0x6A86),
        [_, 0x68, _, 0x32 | 0x34 | 0x35 | 0x42 | 0x44 | 0x45 | 0x74 | 0x75, ..] => Fate::Refuse(0x6A86),
        [_, 0x46, ..] if FIELDS.iter().any(|field| command.windows(field.len()).any(|part| part == *field)) => {
            Fate::Refuse(0x6A80)
        }
        // Another application is not there.
        [_, 0xA4, 0x04, _, 0x08, 0xA0, ..] => Fate::Refuse(0x6A82),
        [_, 0x46 | 0x48 | 0x74, key, ..] | [_, 0x76, _, key, ..] => {
            let delete = |prefix| vec![0x00, 0xE4, 0x02, 0x00, 0x02, prefix, *key];
            Fate::PassThen(vec![delete(0xC4), delete(0xCE)])
        }
        _ => Fate::Pass,
    }
}

/// An old one: RSA and elliptic curves only, one key domain, no public-key authentication, no secure channel.
fn old_card(command: &[u8]) -> Fate {
    match command {
        [_, 0x48 | 0x54 | 0x76 | 0x78 | 0x86, ..] | [_, 0x52, 1..=4, ..] => Fate::Refuse(0x6D00),
        [_, 0x52, 0, 1..=15, ..] => Fate::Refuse(0x6A86),
        [_, 0x22, ..] => Fate::Refuse(0x6A81),
        _ => smart_card_hsm(command),
    }
}

/// The page on other cards, in which every message of such a card is.
fn documented(message: &str) -> Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/other-cards.md");
    anyhow::ensure!(fs::read_to_string(page)?.contains(message), "{message:?} is not in the table");
    Ok(())
}

/// Each command line ends with exit code 6, and says this.
fn lacks(tool: &Tool, message: &str, commands: &[&str]) -> Result<()> {
    documented(message)?;
    for command in commands {
        let run = |more: &[&str]| {
            let mut tool = tool.command(&[more, command.split(' ').collect::<Vec<_>>().as_slice()].concat());
            ferrite_tests::tool::run(tool.env("PICO_HSM_CA_PASSWORD", "a password"))
        };
        let outcome = run(&[])?;
        assert_eq!(outcome.code, 6, "{command}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{command}: {message:?} is missing in: {}", outcome.stderr);
        // What to do about it is in a line of its own.
        assert!(outcome.stderr.trim_end().lines().count() >= 2, "{command}: {}", outcome.stderr);
        let json = run(&["--json"])?;
        assert!(json.stderr.contains("\"unsupported\""), "{command}: {}", json.stderr);
    }
    Ok(())
}

fn openssl(tool: &Tool, arguments: &str) -> Result<()> {
    let status = Command::new("openssl").args(arguments.split(' ')).current_dir(tool.dir()).status()?;
    anyhow::ensure!(status.success(), "openssl {arguments}");
    Ok(())
}

/// Runs the tool, which must succeed, with a password for shares and for the keys of groups.
fn with_password(tool: &Tool, arguments: &[&str]) -> Result<()> {
    let mut command = tool.command(arguments);
    command.env("PICO_HSM_SHARE_PASSWORD", "a password").env("PICO_HSM_CA_PASSWORD", "a password");
    let outcome = ferrite_tests::tool::run(&mut command)?;
    anyhow::ensure!(outcome.code == 0, "{arguments:?}: {}", outcome.stderr);
    Ok(())
}

/// A card with a key and a message; the tool before it.
fn initialized(proxy: &Proxy, arguments: &[&str]) -> Result<Tool> {
    let tool = Tool::behind(&proxy.socket())?;
    fs::write(tool.file("message"), "hello")?;
    tool.succeed(&[&["initialize", "--label", "Other"], arguments].concat())?;
    tool.succeed(&["key", "generate", "p256", "--label", "key"])?;
    Ok(tool)
}

/// With a DKEK, and more keys.
fn prepared(proxy: &Proxy) -> Result<Tool> {
    let tool = initialized(proxy, &["--dkek-shares", "1"])?;
    with_password(&tool, &["dkek", "create-share", "share"])?;
    with_password(&tool, &["dkek", "import-share", "share"])?;
    for (kind, label) in [("rsa:1536", "rsa"), ("p521", "large"), ("brainpoolp256r1", "brainpool")] {
        tool.succeed(&["key", "generate", kind, "--label", label])?;
    }
    for label in ["key", "rsa", "large", "brainpool"] {
        tool.succeed(&["key", "public-key", label, "-o", &format!("{label}.pem")])?;
    }
    fs::write(tool.file("wrong"), "good-bye")?;
    Ok(tool)
}

/// Signs and verifies with every scheme that the kinds of keys have.
fn sign(tool: &Tool) -> Result<()> {
    let hashes = ["sha1", "sha224", "sha256", "sha384", "sha512"];
    let named = |prefix: &'static str| hashes.map(|hash| format!("{prefix}-{hash}"));
    for (key, schemes) in
        [("key", vec![named("ecdsa")]), ("large", vec![named("ecdsa")]), ("rsa", vec![named("rsa"), named("rsa-pss")])]
    {
        for scheme in schemes.iter().flatten() {
            tool.succeed(&["sign", key, "message", "-a", scheme, "-o", "signature"]).with_context(|| scheme.clone())?;
            let verify = |file| tool.run(&["verify", key, file, "-a", scheme, "-s", "signature"]);
            assert_eq!((verify("message")?.code, verify("wrong")?.code), (0, 8), "{key} {scheme}");
        }
    }
    Ok(())
}

fn decrypt(tool: &Tool) -> Result<()> {
    for (padding, options) in [
        ("pkcs1", "-pkeyopt rsa_padding_mode:pkcs1"),
        ("oaep-sha1", "-pkeyopt rsa_padding_mode:oaep"),
        ("oaep-sha256", "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"),
        ("oaep-sha512", "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha512"),
    ] {
        openssl(tool, &format!("pkeyutl -encrypt -pubin -inkey rsa.pem -in message -out sealed {options}"))?;
        assert_eq!(tool.succeed(&["decrypt", "rsa", "sealed", "--padding", padding])?, "hello");
    }
    let outcome = tool.run(&["decrypt", "rsa", "sealed"])?;
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("not padded by oaep-sha256"), "{}", outcome.stderr);
    Ok(())
}

/// Backs one key up, and everything; loses everything; gets it back.
fn back_up_and_restore(tool: &Tool) -> Result<()> {
    tool.succeed(&["backup", "all"])?;
    tool.succeed(&["backup", "--key", "rsa", "one"])?;
    tool.succeed(&["initialize", "--yes", "--dkek-shares", "1"])?;
    with_password(tool, &["dkek", "import-share", "share"])?;
    tool.succeed(&["restore", "one"])?;
    tool.succeed(&["key", "delete", "rsa", "--yes"])?;
    tool.succeed(&["restore", "all"])?;
    for label in ["key", "rsa", "large", "brainpool"] {
        let file = format!("file:{label}.pem");
        tool.succeed(&["sign", label, "message", "-o", "signature"])?;
        tool.succeed(&["verify", &file, "message", "-s", "signature"])?;
        let again = tool.succeed(&["key", "public-key", label])?;
        assert_eq!(again, fs::read_to_string(tool.file(&format!("{label}.pem")))?);
    }
    assert_eq!(tool.succeed(&["data", "get", "note"])?, "hello");
    Ok(())
}

#[test]
fn what_every_smart_card_hsm_does_works_with_a_newer_card() -> Result<()> {
    everything_basic(smart_card_hsm)
}

#[test]
fn what_every_smart_card_hsm_does_works_with_an_old_card() -> Result<()> {
    everything_basic(old_card)
}

fn everything_basic(card: fn(&[u8]) -> Fate) -> Result<()> {
    let proxy = Proxy::serve(card)?;
    let tool = prepared(&proxy)?;
    let status = tool.succeed(&["status"])?;
    assert!(status.contains("Other") && status.contains("a card that does not say"), "{status}");
    let list = tool.succeed(&["key", "list"])?;
    assert!(list.contains("p256") && list.contains("rsa:1536") && list.contains("p521"), "{list}");
    sign(&tool)?;
    decrypt(&tool)?;
    openssl(&tool, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out peer")?;
    openssl(&tool, "pkey -in peer -pubout -out peer.pem")?;
    openssl(&tool, "pkeyutl -derive -inkey peer -peerkey key.pem -out secret")?;
    tool.succeed(&["agree", "key", "peer.pem", "-o", "agreed"])?;
    assert_eq!(fs::read(tool.file("agreed"))?, fs::read(tool.file("secret"))?);
    tool.succeed(&["cert", "self-signed", "key", "--subject", "CN=test", "-o", "certificate"])?;
    tool.succeed(&["cert", "put", "certificate", "--label", "theirs"])?;
    openssl(&tool, "verify -CAfile certificate certificate")?;
    tool.succeed(&["cert", "get", "theirs"])?;
    tool.succeed(&["cert", "request", "rsa", "--subject", "CN=test", "-o", "request"])?;
    openssl(&tool, "req -in request -verify -noout")?;
    tool.succeed(&["cert", "delete", "theirs", "--yes"])?;
    tool.succeed(&["data", "put", "note", "message"])?;
    tool.succeed(&["data", "put", "secret", "message", "--private"])?;
    assert_eq!(tool.succeed(&["data", "get", "secret"])?, "hello");
    tool.succeed(&["data", "delete", "secret", "--yes"])?;
    for quiet in
        ["pin status", "option list", "domain list", "data list", "cert list", "key show key", "random 8 --format hex"]
    {
        tool.succeed(&quiet.split(' ').collect::<Vec<_>>())?;
    }
    back_up_and_restore(&tool)?;
    openssl(&tool, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out import.pem")?;
    with_password(&tool, &["key", "import", "import.pem", "--share", "share", "--label", "imported"])?;
    tool.succeed(&["sign", "imported", "message", "-o", "signature", "-a", "ecdsa-sha384"])?;
    openssl(&tool, "dgst -sha384 -prverify import.pem -signature signature message")?;
    tool.succeed(&["key", "label", "imported", "other"])?;
    tool.succeed(&["label", "Mine"])?;
    for (change, variable, new) in
        [("pin", "PICO_HSM_NEW_PIN", "111222"), ("so-pin", "PICO_HSM_NEW_SO_PIN", "11223344")]
    {
        let mut change = tool.command(&[change, "change"]);
        let outcome = ferrite_tests::tool::run(change.env(variable, new))?;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    }
    let mut unblock = tool.command(&["pin", "unblock"]);
    let unblock = unblock.env("PICO_HSM_SO_PIN", "11223344").env("PICO_HSM_NEW_PIN", "648219");
    assert_eq!(ferrite_tests::tool::run(unblock)?.code, 0);
    tool.succeed(&["key", "delete", "other", "--yes"])?;
    Ok(())
}

#[test]
fn a_newer_card_has_secret_keys_groups_and_a_channel_too() -> Result<()> {
    let proxy = Proxy::serve(smart_card_hsm)?;
    let tool = initialized(&proxy, &[])?;
    tool.succeed(&["key", "generate", "aes:256", "--label", "box"])?;
    assert!(tool.succeed(&["key", "list"])?.contains("aes:256"));
    // CBC with any vector, out of CBC without: OpenSSL checks it by the code of the same key over one block.
    tool.succeed(&["cipher", "encrypt", "box", "message", "--mode", "cbc", "-o", "sealed"])?;
    assert_eq!(tool.succeed(&["cipher", "decrypt", "box", "sealed", "--mode", "cbc"])?, "hello");
    let iv = "000102030405060708090a0b0c0d0e0f";
    let two = ["30313233343536373839414243444546", "30313233343536373839414243444546"].concat();
    fs::write(tool.file("blocks"), hex::decode(&two)?)?;
    let cbc = |arguments: &[&str]| tool.succeed(&[&["cipher"], arguments, &["--mode", "cbc", "--no-padding"]].concat());
    cbc(&["encrypt", "box", "blocks", "--iv", iv, "-o", "chained"])?;
    let chained = fs::read(tool.file("chained"))?;
    // The second block is the first one's ciphertext added to it, without a vector.
    fs::write(
        tool.file("second"),
        chained[..16].iter().zip(b"0123456789ABCDEF").map(|(a, b)| a ^ b).collect::<Vec<_>>(),
    )?;
    let zeros = "00".repeat(16);
    cbc(&["encrypt", "box", "second", "--iv", &zeros, "-o", "expected"])?;
    assert_eq!(&chained[16..], fs::read(tool.file("expected"))?);
    assert_eq!(cbc(&["decrypt", "box", "chained", "--iv", iv])?, "0123456789ABCDEF0123456789ABCDEF");
    tool.succeed(&["mac", "box", "message"])?;
    assert_eq!(tool.succeed(&["kdf", "box", "-a", "card", "--info", "000102", "--format", "hex"])?.trim().len(), 6);
    tool.succeed(&["key", "derive", "key", "01", "--label", "child"])?;
    tool.succeed(&["sign", "child", "message"])?;
    // Without a rescue application the device proves its key by a secure channel.
    tool.succeed(&["ca", "device-key", "-o", "device.pem"])?;
    tool.succeed(&["--channel", "key:device.pem", "sign", "key", "message", "-o", "signature"])?;
    tool.succeed(&["attest", "key", "key", "-o", "report"])?;
    assert!(
        tool.succeed(&["attest", "check", "report", "--device-key", "device.pem"])?.contains("this device made it")
    );
    // Groups of such cards agree on a DKEK.
    let other = Proxy::serve(smart_card_hsm)?;
    let other = Tool::behind(&other.socket())?;
    with_password(&tool, &["group", "create", "group"])?;
    let group = tool.file("group");
    let members = [&tool, &other];
    for member in members {
        member.succeed(&["initialize", "--yes", "--key-domains", "2"])?;
        with_password(member, &["group", "join", group.to_str().context("a path")?])?;
        member.succeed(&["group", "offer", "offer"])?;
    }
    for (member, peer) in [(&tool, &other), (&other, &tool)] {
        member.succeed(&["group", "agree", "1", peer.file("offer").to_str().context("a path")?])?;
    }
    let domains = members.map(|member| member.succeed(&["domain", "list"]));
    let [one, two] = domains;
    let one = one?;
    assert!(one.contains("agreed on a DKEK"), "{one}");
    assert_eq!(one, two?);
    tool.succeed(&["key", "generate", "aes:256", "--label", "box"])?;
    let outcome = tool.run(&["attest", "key", "box"])?;
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the device has made no request for it"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn what_a_card_lacks_is_named() -> Result<()> {
    let proxy = Proxy::serve(smart_card_hsm)?;
    let tool = initialized(&proxy, &[])?;
    tool.succeed(&["key", "generate", "aes:256", "--label", "box"])?;
    tool.succeed(&["ca", "device-key", "-o", "device.pem"])?;
    let serial = tool.succeed(&["--json", "status"])?;
    let serial: serde_json::Value = serde_json::from_str(&serial)?;
    let serial = serial["serial"].as_str().context("a serial number")?;
    let secure_boot = format!("secure-boot enable {serial} --yes");
    let factory_reset = format!("factory-reset {serial} --yes");
    for (message, commands) in [
        (
            "this card has no rescue application",
            &[
                "config show",
                "config set --led-brightness 3",
                "config clear --yes",
                "reboot",
                "reboot --bootloader",
                "secure-boot status",
                &secure_boot,
                &factory_reset,
            ][..],
        ),
        ("this card has no clock", &["clock get", "clock set"]),
        (
            "the options of this card stay as they were set when it was initialised",
            &["option set --press-to-confirm on", "option set --count-every-key off"],
        ),
        ("this card has no secure lock", &["lock enable secret --yes", "lock open secret", "lock disable secret"]),
        (
            "this card has no wallets",
            &[
                "wallet create 0 --yes",
                "wallet xpub 0 m/1",
                "wallet sign 0 m -i message",
                "wallet encrypt 0 m -i message",
                "wallet decrypt 0 m -i message",
            ],
        ),
        (
            "this card has no such cipher",
            &[
                "cipher encrypt box message",
                "cipher encrypt box message --mode ccm",
                "cipher encrypt box message --mode chacha20-poly1305",
                "cipher encrypt box message --mode ctr",
                "cipher encrypt box message --mode cfb",
                "cipher encrypt box message --mode ofb",
                "cipher encrypt box message --mode ecb",
                "cipher encrypt box message --mode xts --iv 00000000000000000000000000000000",
                "cipher encrypt box message --mode pbes2",
                "cipher decrypt box certificate --mode ctr",
            ],
        ),
        ("this card computes no HMAC", &["mac box message -a hmac-sha256"]),
        (
            "this card has no such operation with secret keys",
            &["kdf box", "kdf box -a pbkdf2-sha256", "kdf box -a x963-sha256"],
        ),
        (
            "this card makes no keys of this kind, or none with these limits",
            &[
                "key generate ed25519",
                "key generate ed448",
                "key generate x25519",
                "key generate x448",
                "key generate secp192k1",
                "key generate aes:512",
            ],
        ),
        (
            "this device was initialised without session PINs",
            &["--channel key:device.pem pin session make", "--channel key:device.pem pin session clear"],
        ),
    ] {
        // Something to decrypt, and to open a lock with.
        fs::write(tool.file("certificate"), [7; 64])?;
        if !message.contains("lock") {
            fs::write(tool.file("secret"), "00".repeat(32))?;
        }
        lacks(&tool, message, commands)?;
    }
    // A card that has none of it is none that is broken.
    assert!(tool.succeed(&["pka", "status"])?.contains("without public-key authentication"));
    tool.succeed(&["sign", "key", "message"])?;
    Ok(())
}

#[test]
fn what_an_old_card_lacks_is_named() -> Result<()> {
    // Another device introduces a key, and shows its certificate.
    let other = Tool::initialized(&[])?;
    other.succeed(&["key", "generate", "p256", "--label", "login"])?;
    other.succeed(&["pka", "introduce", "login", "-o", "introduction"])?;
    let proxy = Proxy::serve(old_card)?;
    let tool = initialized(&proxy, &[])?;
    fs::copy(other.file("introduction"), tool.file("introduction"))?;
    let mut card = Hsm::open(ferrite_client::open(proxy.socket().to_str())?)?;
    fs::write(tool.file("device.pem"), PublicKey::from_certificate(&card.device_certificates()?)?.to_pem()?)?;
    drop(card);
    with_password(&tool, &["group", "create", "group"])?;
    for (message, commands) in [
        ("this card has no secure channel", &["--channel key:device.pem status"][..]),
        ("this card has neither a rescue application nor a secure channel", &["ca device-key", "group join group"]),
        ("this card has no public-key authentication", &["pka register introduction"]),
        (
            "this card makes no keys of this kind, or none with these limits",
            &["key generate aes:128", "key generate aes:256", "key generate ed25519"],
        ),
        ("this card derives no keys", &["key derive key 01"]),
        (
            "this card has one key domain, set up when it is initialised",
            &["domain create 1 --shares 1", "domain delete 0 --yes", "domain clear 0 --yes"],
        ),
    ] {
        lacks(&tool, message, commands)?;
    }
    Ok(())
}

/// One that knows no groups, agrees by no key, and deletes nothing.
fn lesser_card(command: &[u8]) -> Fate {
    match command {
        [_, 0x52, 2, ..] | [_, 0xE4, ..] => Fate::Refuse(0x6D00),
        [_, 0x62, _, 0x80, ..] => Fate::Refuse(0x6A81),
        _ => Fate::Pass,
    }
}

#[test]
fn what_a_lesser_card_lacks_is_named() -> Result<()> {
    let proxy = Proxy::serve(lesser_card)?;
    let tool = initialized(&proxy, &["--key-domains", "2"])?;
    with_password(&tool, &["group", "create", "group"])?;
    tool.succeed(&["key", "public-key", "key", "-o", "key.pem"])?;
    for (message, command) in [
        ("this card knows no groups of devices", "group join group"),
        ("this card has no such algorithm, or not for keys of this kind", "agree key key.pem"),
        ("this card does not know how", "key delete key --yes"),
    ] {
        lacks(&tool, message, &[command])?;
    }
    Ok(())
}

/// A board whose firmware tells clock and memory in the rescue application only, keeps one configuration, and starts no loader.
fn other_firmware(command: &[u8]) -> Fate {
    match command {
        [_, 0x64, 0x05 | 0x0A, ..] | [_, 0x1E, 1, 1, ..] => Fate::Refuse(0x6A86),
        [_, 0x1F, 1, ..] => Fate::Refuse(0x6D00),
        _ => Fate::Pass,
    }
}

#[test]
fn a_board_with_another_firmware_is_used_as_far_as_it_goes() -> Result<()> {
    let proxy = Proxy::serve(other_firmware)?;
    let tool = initialized(&proxy, &[])?;
    assert!(tool.succeed(&["clock", "get"])?.contains("Nobody has set the clock"));
    tool.succeed(&["clock", "set", "--utc", "2027-01-15T08:00:00Z"])?;
    assert!(tool.succeed(&["clock", "get"])?.contains("2027-01-15T08:00:"));
    assert!(tool.succeed(&["status"])?.contains("virtual device"));
    lacks(&tool, "the firmware of this board does not do that", &["config show", "config set --led-brightness 3"])?;
    lacks(&tool, "this device has no boot loader that it can start", &["reboot --bootloader"])
}
