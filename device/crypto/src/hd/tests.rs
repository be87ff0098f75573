use super::*;
use std::string::String;
use std::vec::Vec;

const VECTORS: &str = include_str!("vectors.txt");
/// The seed of SLIP-21's example: "all all all …" without passphrase (BIP39).
const SLIP_21: &str = "c76c4ac4f4e4a00d6b274d5c39c700bb4a7ddc04fbc6f78e85ca75007b5b495f\
                       74a9043eeb77bdd53aa6fc3a0e31462270316fa04b8c19114c8798706cd02ac8";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn number(step: &str) -> Step<'static> {
    let (number, first) = step.strip_suffix('\'').map_or((step, 0), |number| (number, HARDENED));
    Step::Number(first + number.parse::<u32>().unwrap())
}

fn slip_21(path: &[&str]) -> Node {
    let master = Node::master(Kind::Symmetric, &bytes(SLIP_21)).unwrap();
    path.iter().fold(master, |node, label| node.child(Step::Label(label.as_bytes())).unwrap())
}

#[test]
fn published_paths_lead_to_the_published_keys() {
    let mut counts = [0; 2];
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [curve, seed, path, expected] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (kind, count) = match curve {
            "secp256k1" => (Kind::Secp256k1, &mut counts[0]),
            _ => (Kind::P256, &mut counts[1]),
        };
        let mut node = Node::master(kind, &bytes(seed)).unwrap();
        for step in path.split('/').skip(1) {
            node = node.child(number(step)).unwrap();
        }
        assert_eq!(hex::encode(node.public().unwrap()), expected, "{curve} {path}");
        *count += 1;
    }
    std::println!("{} vectors of BIP32, {} of SLIP-10", counts[0], counts[1]);
    assert_eq!(counts, [17, 15]);
}

#[test]
fn published_labels_lead_to_the_published_symmetric_keys() {
    let keys: [(&[&str], &str); 4] = [
        (&[], "dbf12b44133eaab506a740f6565cc117228cbf1dd70635cfa8ddfdc9af734756"),
        (&["SLIP-0021"], "1d065e3ac1bbe5c7fad32cf2305f7d709dc070d672044a19e610c77cdf33de0d"),
        (&["SLIP-0021", "Master encryption key"], "ea163130e35bbafdf5ddee97a17b39cef2be4b4f390180d65b54cf05c6a82fde"),
        (&["SLIP-0021", "Authentication key"], "47194e938ab24cc82bfa25f6486ed54bebe79c40ae2a5a32ea6db294d81861a6"),
    ];
    for (path, key) in keys {
        assert_eq!(hex::encode(slip_21(path).right.as_ref()), key, "{path:?}");
    }
}

#[test]
fn symmetric_nodes_are_shown_as_recorded() {
    let shown: [(&[&str], &str); 3] = [
        (
            &[],
            "0488b21e000000000000000000dba865d907d47cbf81291174ad09de6c2f9cf2b987c9a8569e04be56f2fa8188\
             cfe1a7e46990d5f98ba42a4dafdf3085dde56d143ae5dd087b0b9c96afe8393e",
        ),
        (
            &["SLIP-0021"],
            "0488b21e010e521cdd00000000bf01910f8911eaf9f7fdc328741d623c86427f057766b134302040b1f7c8f4a9\
             586bc3c42d0cdd3fcbd3165e776bd0602210afc99b813f44a87320821c581aa7",
        ),
        (
            &["SLIP-0021", "Master encryption key"],
            "0488b21e024a6e721d00000000f779353d78882cea9b66bdf7c5f3122be6cd3cc070ba5e4389ad0c33f3ad47da\
             66993d9495fb0357827b85b8487629bc1a06953f45e8b6dfecab6bc142bd00e1",
        ),
    ];
    for (path, expected) in shown {
        assert_eq!(hex::encode(slip_21(path).public().unwrap()), expected, "{path:?}");
    }
}

#[test]
fn a_public_node_does_not_show_what_its_children_derive_from() {
    for kind in Kind::ALL {
        let node = Node::master(kind, &[7; 64]).unwrap();
        let public = hex::encode(node.public().unwrap());
        assert!(!public.contains(&hex::encode(node.left.as_ref())), "{kind:?}");
        // The chain code of a curve's node is public by design; a symmetric node's right half is its key.
        assert_eq!(public.contains(&hex::encode(node.right.as_ref())), kind != Kind::Symmetric, "{kind:?}");
    }
}

#[test]
fn a_stored_master_is_the_same_node() {
    for kind in Kind::ALL {
        let node = Node::master(kind, &[1; 16]).unwrap();
        let stored = node.to_bytes();
        let again = Node::from_bytes(&stored).unwrap();
        assert_eq!(again.public().unwrap().as_ref(), node.public().unwrap().as_ref());
        assert_eq!((again.kind(), again.to_bytes()), (kind, stored));
    }
    assert!(matches!(Node::from_bytes(&[0; STORED]), Err(Error::BadKey)));
    assert!(matches!(Node::from_bytes(&[4; STORED]), Err(Error::BadKey)));
}

#[test]
fn seeds_have_sixteen_to_sixty_four_bytes() {
    for len in [0, 15, 65, 256] {
        let seed = std::vec![1; len];
        assert!(Kind::ALL.iter().all(|kind| matches!(Node::master(*kind, &seed), Err(Error::BadLength))), "{len}");
    }
}

#[test]
fn a_step_of_the_other_kind_is_refused() {
    let curve = Node::master(Kind::P256, &[1; 16]).unwrap();
    assert!(matches!(curve.child(Step::Label(b"SLIP-0021")), Err(Error::BadKey)));
    assert!(curve.cipher_key(b"").is_none());
    let symmetric = Node::master(Kind::Symmetric, &[1; 16]).unwrap();
    assert!(matches!(symmetric.child(Step::Number(0)), Err(Error::BadKey)));
    assert!(symmetric.private_key().unwrap().is_none());
}

#[test]
fn a_path_ends_at_depth_255() {
    let mut node = Node::master(Kind::Symmetric, &[1; 16]).unwrap();
    for _ in 0..255 {
        node = node.child(Step::Label(b"")).unwrap();
    }
    assert!(matches!(node.child(Step::Label(b"")), Err(Error::BadKey)));
}

#[test]
fn the_key_of_the_cipher_is_the_recorded_one() {
    use crate::cipher::{Direction, Mode, apply};
    let secret = slip_21(&["\u{1}", "\u{2}"]).cipher_key(b"testE1D1").unwrap();
    let (key, iv) = secret.as_ref().split_at(32);
    let mut data = *b"testing message!";
    apply(Mode::Cbc, Direction::Encrypt, key, iv.try_into().unwrap(), &mut data).unwrap();
    let shown: String = hex::encode(data);
    assert_eq!(shown, "dc94c8dd2d637362961e50237531b1b6");
}
