use super::*;
use crate::drbg::Drbg;

fn bytes(text: &str) -> std::vec::Vec<u8> {
    hex::decode(text).unwrap()
}

/// RFC 7748 §6.1 and §6.2: private keys and public keys of both sides, and the shared secret.
#[test]
fn both_sides_agree_on_the_published_secret() {
    for (curve, ours, our_public, theirs, their_public, shared) in [
        (
            Curve::X25519,
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ),
        (
            Curve::X448,
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf5\
             74a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
            "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bb\
             c836647241d953d40c5b12da88120d53177f80e532c41fa0",
            "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120\
             bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
            "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972\
             fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
            "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56\
             fd2464c335543936521c24403085d59a449a5037514a879d",
        ),
    ] {
        let (ours, theirs) = (bytes(ours), bytes(theirs));
        let ours = PrivateKey::from_bytes(curve, &ours).unwrap();
        let theirs = PrivateKey::from_bytes(curve, &theirs).unwrap();
        assert_eq!(hex::encode(ours.public_key().unwrap()), our_public);
        assert_eq!(hex::encode(theirs.public_key().unwrap()), their_public);
        assert_eq!(hex::encode(ours.agree(&bytes(their_public)).unwrap()), shared);
        assert_eq!(hex::encode(theirs.agree(&bytes(our_public)).unwrap()), shared);
    }
}

/// RFC 7748 §6: the points of low order, with which the secret would be zero.
#[test]
fn points_of_low_order_are_refused() {
    let mut rng = Drbg::new(&[1; 32], &[], &[]);
    for curve in Curve::ALL.iter().copied() {
        let key = PrivateKey::generate(curve, &mut rng);
        let mut prime = curve.domain().prime.to_vec();
        prime.reverse();
        let (mut zero, mut one, mut minus_one) = (prime.clone(), prime.clone(), prime.clone());
        zero.fill(0);
        one.fill(0);
        one[0] = 1;
        minus_one[0] -= 1;
        for low in [&zero, &one, &minus_one, &prime] {
            assert_eq!(key.agree(low).err(), Some(Error::BadKey), "{curve:?} {low:?}");
        }
        assert_eq!(key.agree(&zero[1..]).err(), Some(Error::BadLength));
        assert_eq!(PrivateKey::from_bytes(curve, &zero[1..]).err(), Some(Error::BadLength));
    }
}

#[test]
fn a_key_is_stored_and_read_back() {
    let mut rng = Drbg::new(&[2; 32], &[], &[]);
    for curve in Curve::ALL.iter().copied() {
        let key = PrivateKey::generate(curve, &mut rng);
        let mut stored = [0; MAX_KEY];
        let len = key.to_bytes(&mut stored).unwrap();
        let again = PrivateKey::from_bytes(curve, &stored[..len]).unwrap();
        assert_eq!(again.public_key().unwrap().as_ref(), key.public_key().unwrap().as_ref());
    }
}
