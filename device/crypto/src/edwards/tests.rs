use super::*;
use crate::drbg::Drbg;

fn bytes(text: &str) -> std::vec::Vec<u8> {
    hex::decode(text).unwrap()
}

/// RFC 8032 §7.1 (TEST 2) and §7.4 ("1 octet").
#[test]
fn signatures_are_the_published_ones() {
    for (curve, seed, public, message, signature) in [
        (
            Curve::Ed25519,
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            Curve::Ed448,
            "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a\
             fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
            "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c086\
             6aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
            "03",
            "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f435\
             2541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cb\
             cee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0f\
             f3348ab21aa4adafd1d234441cf807c03a00",
        ),
    ] {
        let key = PrivateKey::from_bytes(curve, &bytes(seed)).unwrap();
        assert_eq!(hex::encode(key.public_key().unwrap()), public);
        assert_eq!(hex::encode(key.sign(&bytes(message)).unwrap()), signature);
        let (public, signature) = (bytes(public), bytes(signature));
        assert_eq!(verify(curve, &public, &bytes(message), &signature), Ok(()));
        assert_eq!(verify(curve, &public, b"another", &signature), Err(Error::BadSignature));
        assert_eq!(verify(curve, &public, &bytes(message), &signature[1..]), Err(Error::BadSignature));
        assert_eq!(verify(curve, &public[1..], &bytes(message), &signature), Err(Error::BadLength));
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
        assert_eq!(again.sign(b"message").unwrap().as_ref(), key.sign(b"message").unwrap().as_ref());
        assert_eq!(PrivateKey::from_bytes(curve, &stored[1..len]).err(), Some(Error::BadLength));
    }
}
