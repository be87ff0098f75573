//! Hierarchical deterministic keys: seeds, paths, and what the selected node does (specification part 2 §1.5, §6).

mod common;

use common::*;
use ferrite_card::Presence;
use ferrite_crypto::ec::{self, Curve};
use ferrite_crypto::hd::{Kind, Node, Step};

/// Curve, seed, path and extended public key: BIP32 and SLIP-10.
const VECTORS: &str = include_str!("../../crypto/src/hd/vectors.txt");
const HARDENED: u32 = 0x8000_0000;
/// Test vector 1 of BIP32 and SLIP-10.
const SEED: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// The seed of SLIP-21's example.
const SYMMETRIC_SEED: &str = "c76c4ac4f4e4a00d6b274d5c39c700bb4a7ddc04fbc6f78e85ca75007b5b495f\
                              74a9043eeb77bdd53aa6fc3a0e31462270316fa04b8c19114c8798706cd02ac8";
const CIPHER: &str = "2b0601040183a878058d6b";
const MESSAGE: &[u8; 16] = b"testing message!";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "")).unwrap()
}

fn create(kind: u8, seed: u8, secret: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x4A, kind, seed, secret, if secret.is_empty() { Some(256) } else { None })
}

fn path(seed: u8, steps: &[u32]) -> Vec<u8> {
    let steps = steps.iter().flat_map(|step| tlv(&[2], &step.to_be_bytes()));
    tlv(&[2], &[seed]).into_iter().chain(steps).collect()
}

fn labels(seed: u8, labels: &[&[u8]]) -> Vec<u8> {
    let labels = labels.iter().flat_map(|label| tlv(&[4], label));
    tlv(&[2], &[seed]).into_iter().chain(labels).collect()
}

fn public(path: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x4A, 0x0A, 0, path, Some(256))
}

fn select(path: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x4A, 0x10, 0, path, None)
}

/// A signature of a digest by the selected node.
fn sign_with_node() -> Vec<u8> {
    sign(0, 0xA0, &[7; 32])
}

/// An encryption by the selected node, with further data objects.
fn encrypt_with_node(further: &[(u8, &[u8])]) -> Vec<u8> {
    node_cipher(0x51, MESSAGE, further)
}

fn node_cipher(p2: u8, data: &[u8], further: &[(u8, &[u8])]) -> Vec<u8> {
    symmetric(0, p2, &extended(CIPHER, &[&[(0x81, data)], further].concat()), Some(256))
}

/// A card with seeds 0 (secp256k1), 1 (P-256) and 2 (symmetric), its user logged in.
fn wallet() -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = Device::initialised();
    device.login();
    device.ok(&create(1, 0, &SEED));
    device.ok(&create(2, 1, &SEED));
    device.ok(&create(3, 2, &bytes(SYMMETRIC_SEED)));
    (device, flash)
}

#[test]
fn published_paths_lead_to_the_published_keys() {
    let (mut device, _) = Device::initialised();
    device.login();
    let mut count = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [curve, seed, steps, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let number = |step: &str| match step.strip_suffix('\'') {
            Some(number) => HARDENED + number.parse::<u32>().unwrap(),
            None => step.parse().unwrap(),
        };
        let steps = steps.split('/').skip(1).map(number).collect::<Vec<_>>();
        device.ok(&create(if curve == "secp256k1" { 1 } else { 2 }, 9, &bytes(seed)));
        assert_eq!(hex::encode(device.ok(&public(&path(9, &steps)))), expected, "{line}");
        count += 1;
    }
    println!("{count} vectors of BIP32 and SLIP-10");
    assert_eq!(count, 32);
}

#[test]
fn symmetric_nodes_are_shown_as_recorded() {
    let (mut device, _) = wallet();
    let recorded: [(&[&[u8]], &str); 3] = [
        (
            &[],
            "0488b21e000000000000000000dba865d907d47cbf81291174ad09de6c2f9cf2b987c9a8569e04be56f2fa8188\
             cfe1a7e46990d5f98ba42a4dafdf3085dde56d143ae5dd087b0b9c96afe8393e",
        ),
        (
            &[b"SLIP-0021"],
            "0488b21e010e521cdd00000000bf01910f8911eaf9f7fdc328741d623c86427f057766b134302040b1f7c8f4a9\
             586bc3c42d0cdd3fcbd3165e776bd0602210afc99b813f44a87320821c581aa7",
        ),
        (
            &[b"SLIP-0021", b"Master encryption key"],
            "0488b21e024a6e721d00000000f779353d78882cea9b66bdf7c5f3122be6cd3cc070ba5e4389ad0c33f3ad47da\
             66993d9495fb0357827b85b8487629bc1a06953f45e8b6dfecab6bc142bd00e1",
        ),
    ];
    for (path, expected) in recorded {
        assert_eq!(hex::encode(device.ok(&public(&labels(2, path)))), expected);
    }
}

#[test]
fn a_node_signs_once() {
    let (mut device, _) = wallet();
    for (seed, kind, curve) in [(0, Kind::Secp256k1, Curve::Secp256k1), (1, Kind::P256, Curve::P256)] {
        let steps = [HARDENED + 44, 7];
        device.ok(&select(&path(seed, &steps)));
        let signature = device.ok(&sign_with_node());
        assert_eq!(device.status(&sign_with_node()), 0x6985);

        let master = Node::master(kind, &SEED).unwrap();
        let node = steps.iter().fold(master, |node, step| node.child(Step::Number(*step)).unwrap());
        let point = node.private_key().unwrap().unwrap().public_key().unwrap();
        assert_eq!(ec::verify(curve, point.as_ref(), &[7; 32], &from_der(&signature)), Ok(()));
    }
}

/// r ‖ s of 32 bytes each.
fn from_der(signature: &[u8]) -> Vec<u8> {
    let mut rest = &signature[2..];
    let mut both = Vec::new();
    for _ in 0..2 {
        let (value, next) = rest[2..].split_at(usize::from(rest[1]));
        let value = &value[value.len().saturating_sub(32)..];
        both.extend(std::iter::repeat_n(0, 32 - value.len()).chain(value.iter().copied()));
        rest = next;
    }
    both
}

#[test]
fn a_node_encrypts_once_as_recorded() {
    let (mut device, _) = wallet();
    let node = select(&labels(2, &[&[1], &[2]]));
    let associated = [(0x83, &b"testE1D1"[..])];
    device.ok(&node);
    let recorded = device.ok(&encrypt_with_node(&associated));
    assert_eq!(hex::encode(&recorded), "dc94c8dd2d637362961e50237531b1b6");
    assert_eq!(device.status(&encrypt_with_node(&associated)), 0x6985);
    // Back again; an empty initialisation vector is as none, and other data separates.
    device.ok(&node);
    assert_eq!(device.ok(&node_cipher(0x52, &recorded, &[associated[0], (0x82, &[])])), MESSAGE);
    device.ok(&node);
    assert_ne!(device.ok(&node_cipher(0x52, &recorded, &[(0x83, b"testE0D1")])), MESSAGE);
    // With a vector of the host's.
    let iv = [associated[0], (0x82, &[0x5A; 16])];
    device.ok(&node);
    let with_iv = device.ok(&encrypt_with_node(&iv));
    assert_ne!(with_iv, recorded);
    device.ok(&node);
    assert_eq!(device.ok(&node_cipher(0x52, &with_iv, &iv)), MESSAGE);
}

#[test]
fn a_node_does_only_what_it_is_for() {
    let (mut device, _) = wallet();
    let (curve, labelled) = (select(&path(0, &[])), select(&labels(2, &[])));
    device.ok(&labelled);
    assert_eq!(device.status(&sign_with_node()), 0x6985);
    // The failure has forgotten the node.
    assert_eq!(device.status(&encrypt_with_node(&[])), 0x6985);
    device.ok(&curve);
    assert_eq!(device.status(&encrypt_with_node(&[])), 0x6A80);
    assert_eq!(device.status(&sign_with_node()), 0x6985);
    device.ok(&labelled);
    assert_eq!(device.status(&node_cipher(0x51, &MESSAGE[1..], &[])), 0x6400);
    // A key of the card takes no part in it.
    device.ok(&generate_p256(1, &[]));
    device.ok(&curve);
    assert_eq!(device.status(&sign(1, 0xA0, &[7; 32])), 0x6A86);
    device.plant(3, &[1; 32]);
    device.ok(&labelled);
    assert_eq!(device.status(&symmetric(3, 0x51, &extended(CIPHER, &[(0x81, MESSAGE)]), Some(256))), 0x6A80);
}

#[test]
fn other_algorithms_do_not_see_the_selected_node() {
    let (mut device, _) = wallet();
    let (hmac, aes_256_cbc) =
        (extended("2a864886f70d0209", &[(0x81, MESSAGE)]), extended("60864801650304012a", &[(0x81, MESSAGE)]));
    let plain = MESSAGE.to_vec();
    for (p2, data) in [(0x51, &hmac), (0x51, &aes_256_cbc), (0x10, &plain), (0x18, &plain), (0x99, &plain)] {
        let command = symmetric(0, p2, data, Some(256));
        let without = device.status(&command);
        device.ok(&select(&labels(2, &[])));
        assert_eq!((device.status(&command), without), (0x6985, 0x6985), "{p2:02X} {}", hex::encode(data));
    }
}

/// Whatever ends or changes a session, and whatever goes wrong, forgets the node.
#[test]
fn a_selected_node_does_not_stay() {
    // After these the user is logged in, so that it is not a missing login that refuses.
    let commands: [(&str, &[Vec<u8>]); 5] = [
        ("another login", &[verify(0x81, USER_PIN)]),
        ("a reset and a login", &[apdu(0x00, 0xA4, 0x04, 0x00, AID, Some(256)), verify(0x81, USER_PIN)]),
        ("the SO, then the user", &[verify(0x88, SO_PIN), verify(0x81, USER_PIN)]),
        ("a key that is not there", &[sign(77, 0x73, b"message")]),
        ("an unknown instruction", &[bytes("80FF0000")]),
    ];
    for (what, commands) in commands {
        let (mut device, _) = wallet();
        device.ok(&select(&path(0, &[])));
        for command in commands {
            device.send(command);
        }
        assert_eq!(device.status(&sign_with_node()), 0x6985, "{what}");
    }
    let (mut device, _) = wallet();
    device.ok(&select(&path(0, &[])));
    device.ok(&initialize(&[0x00, 0x01], USER_PIN, SO_PIN));
    assert_eq!(device.status(&sign_with_node()), 0x6985);
    // What goes well and has nothing to do with it does not forget.
    let (mut device, _) = wallet();
    device.ok(&select(&path(0, &[])));
    device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536)));
    device.ok(&sign_with_node());
}

#[test]
fn only_the_user_has_a_wallet() {
    let (mut device, _) = wallet();
    device.select();
    for so in [false, true] {
        if so {
            device.ok(&verify(0x88, SO_PIN));
        }
        for command in [create(1, 0, &[1; 16]), create(1, 5, &[]), public(&path(0, &[])), select(&path(0, &[]))] {
            assert_eq!(device.status(&command), 0x6982, "SO {so}");
        }
        assert_eq!(device.status(&sign_with_node()), 0x6982);
        assert_eq!(device.status(&encrypt_with_node(&[])), 0x6982);
    }
    device.login();
    let recorded = VECTORS.lines().find(|line| line.starts_with("secp256k1")).unwrap();
    assert!(recorded.ends_with(&hex::encode(device.ok(&public(&path(0, &[]))))));
}

#[test]
fn what_is_no_path_of_the_seed_is_refused() {
    let (mut device, _) = wallet();
    for (path, expected) in [
        (path(3, &[]), 0x6400),
        (path(10, &[]), 0x6A80),
        (path(0x12, &[]), 0x6A80),
        (labels(0, &[b"label"]), 0x6A80),
        (labels(1, &[b"label"]), 0x6A80),
        (path(2, &[0]), 0x6A80),
        (path(2, &[HARDENED]), 0x6A80),
        (bytes("020100 0201 00"), 0x6A80),
        (bytes("020100 0504 00000000"), 0x6A80),
        (bytes("0401 00"), 0x6A80),
    ] {
        assert_eq!(device.status(&public(&path)), expected, "{}", hex::encode(&path));
        assert_eq!(device.status(&select(&path)), expected, "{}", hex::encode(&path));
        assert_eq!(device.status(&sign_with_node()), 0x6985);
    }
    assert_eq!(device.status(&public(&[])), 0x6700);
    assert_eq!(device.status(&select(&[])), 0x6A80);
}

#[test]
fn a_seed_that_is_refused_leaves_the_one_that_is_there() {
    let (mut device, _) = wallet();
    let before = device.ok(&public(&path(0, &[])));
    for len in [1, 15, 65, 256] {
        assert_eq!(device.status(&create(1, 0, &vec![1; len])), 0x6700, "{len}");
    }
    for (kind, seed) in [(1, 10), (1, 0x10), (3, 0xFF), (0, 0), (4, 0)] {
        assert_eq!(device.status(&create(kind, seed, &[1; 16])), 0x6A86, "{kind} {seed}");
    }
    assert_eq!(device.ok(&public(&path(0, &[]))), before);
}

#[test]
fn a_seed_is_replaced_only_by_somebody_who_is_there() {
    let (mut device, _) = wallet();
    let asked = device.card.platform().asked;
    // A number that is free needs nobody.
    device.card.platform().presence = Presence::TimedOut;
    device.ok(&create(1, 5, &[]));
    assert_eq!(device.card.platform().asked, asked);
    let before = device.ok(&public(&path(0, &[])));
    assert_eq!(device.status(&create(2, 0, &[])), 0x6600);
    assert_eq!(device.ok(&public(&path(0, &[]))), before);
    device.card.platform().presence = Presence::Confirmed;
    device.ok(&create(2, 0, &[]));
    assert_ne!(device.ok(&public(&path(0, &[]))), before);
}

#[test]
fn with_press_to_confirm_every_use_of_a_node_asks() {
    let (mut device, _) = Device::blank();
    device.ok(&initialize(&[0x01, 0x01], USER_PIN, SO_PIN));
    device.ok(&create(1, 0, &SEED));
    device.ok(&create(3, 2, &bytes(SYMMETRIC_SEED)));
    let uses = [(select(&path(0, &[])), sign_with_node()), (select(&labels(2, &[])), encrypt_with_node(&[]))];
    for (select, use_it) in uses {
        device.ok(&select);
        device.card.platform().presence = Presence::TimedOut;
        assert_eq!(device.status(&use_it), 0x6600);
        device.card.platform().presence = Presence::Confirmed;
        assert_eq!(device.status(&use_it), 0x6985);
        device.ok(&select);
        let asked = device.card.platform().asked;
        device.ok(&use_it);
        assert_eq!(device.card.platform().asked, asked + 1);
    }
    device.card.platform().presence = Presence::TimedOut;
    assert_eq!(device.status(&create(1, 1, &SEED)), 0x6600);
    assert_eq!(device.status(&public(&path(1, &[]))), 0x6400);
}

#[test]
fn seeds_made_here_differ_and_last_until_the_device_is_initialised() {
    let (mut device, flash) = Device::initialised();
    device.login();
    let mut nodes = Vec::new();
    for (kind, seed) in [(1, 0), (1, 1), (2, 2), (2, 3), (3, 4), (3, 5)] {
        device.ok(&create(kind, seed, &[]));
        nodes.push(device.ok(&public(&path(seed, &[]))));
    }
    let mut different = nodes.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), nodes.len());
    drop(device);

    let mut device = Device::start(&flash);
    device.select();
    device.login();
    for (seed, node) in nodes.iter().enumerate() {
        assert_eq!(device.ok(&public(&path(seed as u8, &[]))), *node);
    }
    device.ok(&initialize(&[0x00, 0x01], USER_PIN, SO_PIN));
    for seed in 0..10 {
        assert_eq!(device.status(&public(&path(seed, &[]))), 0x6400, "{seed}");
    }
}

#[test]
fn seeds_are_no_objects_of_the_card() {
    let (mut device, flash) = wallet();
    let listed = device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536)));
    assert!(!listed.chunks(2).any(|file| file[0] == 0xE0));
    for seed in 0..3 {
        let file = 0xE0A0 + seed;
        assert_eq!(device.status(&read(file, 0)), 0x6A82);
        assert_eq!(device.status(&delete(file)), 0x6A82);
    }
    // In the flash there is neither a seed nor a node in the clear.
    let image = flash.lock().bytes().to_vec();
    let master = Node::master(Kind::Secp256k1, &SEED).unwrap();
    for secret in [&SEED[..], &bytes(SYMMETRIC_SEED)[..16], &master.to_bytes()[1..17], &master.to_bytes()[33..49]] {
        assert!(!image.windows(16).any(|window| window == secret));
    }
}
