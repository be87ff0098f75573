use super::*;
use crate::drbg::Drbg;
use crate::hash::Hash;
use num_bigint::BigUint;
use std::vec::Vec;

fn key(curve: Curve, seed: u8) -> PrivateKey {
    PrivateKey::generate(curve, &mut Drbg::new(&[seed; 32], &[], &[]))
}

fn public(key: &PrivateKey) -> Vec<u8> {
    key.public_key().unwrap().as_ref().to_vec()
}

fn raw(signature: Signature) -> Vec<u8> {
    let mut raw = [0; 2 * MAX_FIELD];
    let len = signature.to_raw(&mut raw).unwrap();
    raw[..len].to_vec()
}

/// RFC 6979 appendix A.2.3 to A.2.7, message "sample", the hash that the curve's row names: without hedging.
#[test]
fn signatures_without_hedge_are_the_published_ones() {
    for (curve, hash, scalar, expected) in [
        (
            Curve::P192,
            Hash::Sha256,
            "6FAB034934E4C0FC9AE67F5B5659A9D7D1FEFD187EE09FD4",
            "4B0B8CE98A92866A2820E20AA6B75B56382E0F9BFD5ECB55CCDB006926EA9565CBADC840829D8C384E06DE1F1E381B85",
        ),
        (
            Curve::P224,
            Hash::Sha256,
            "F220266E1105BFE3083E03EC7A3A654651F45E37167E88600BF257C1",
            "61AA3DA010E8E8406C656BC477A7A7189895E7E840CDFE8FF42307BABC814050DAB5D23770879494F9E0A680DC1AF716\
             1991BDE692B10101",
        ),
        (
            Curve::P256,
            Hash::Sha256,
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65\
             F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            Curve::P384,
            Hash::Sha384,
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            Curve::P521,
            Hash::Sha512,
            "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC\
             1466F6D8FBEC67DB89EC0C08B0E996B83538",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B53\
             4931D7D4E8455CC91F9B15BF05EC36E377FA00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B\
             68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
        ),
    ] {
        let scalar = hex::decode(scalar).unwrap();
        let digest = hash.digest(&[b"sample"]);
        let signature = curve.operations().sign(&scalar, digest.as_ref(), &[]).unwrap();
        assert_eq!(hex::encode_upper(raw(signature)), expected, "{curve:?}");
    }
}

/// The definitions of the crates and our own table tell the same curve: base point, order, equation.
#[test]
fn every_curve_is_the_one_its_domain_parameters_describe() {
    for curve in Curve::ALL.iter().copied() {
        let domain = curve.domain();
        let len = domain.order.len();
        let mut scalar = std::vec![0; len];
        scalar[len - 1] = 1;
        assert_eq!(public(&PrivateKey::from_bytes(curve, &scalar).unwrap()), domain.generator, "{curve:?}");

        let order = BigUint::from_bytes_be(domain.order);
        let below = (&order - 1u8).to_bytes_be();
        let mut negated = domain.generator.to_vec();
        let (x, y) = negated[1..].split_at_mut(domain.prime.len());
        let prime = BigUint::from_bytes_be(domain.prime);
        let right = BigUint::from_bytes_be(x).pow(3)
            + BigUint::from_bytes_be(domain.a) * BigUint::from_bytes_be(x)
            + BigUint::from_bytes_be(domain.b);
        assert_eq!(BigUint::from_bytes_be(y).pow(2) % &prime, right % &prime, "{curve:?}");
        let minus_y = (&prime - BigUint::from_bytes_be(y)).to_bytes_be();
        y.fill(0);
        y[domain.prime.len() - minus_y.len()..].copy_from_slice(&minus_y);
        assert_eq!(public(&PrivateKey::from_bytes(curve, &below).unwrap()), negated, "{curve:?}");
        for bad in [order.to_bytes_be(), std::vec![0; len], std::vec![0xFF; len]] {
            assert_eq!(PrivateKey::from_bytes(curve, &bad).err(), Some(Error::BadKey), "{curve:?}");
        }
        assert_eq!(PrivateKey::from_bytes(curve, &scalar[1..]).err(), Some(Error::BadLength));
        assert_eq!(Curve::from_id(curve.id()), Some(curve));
    }
}

#[test]
fn hedged_signatures_differ_and_verify() {
    let mut rng = Drbg::new(&[1; 32], &[], &[]);
    for curve in Curve::ALL.iter().copied() {
        let key = key(curve, 1);
        let point = public(&key);
        let mut last = Vec::new();
        for digest in [&[][..], &[7], &[9; 20], &[3; 32], &[5; 64], &[8; 90]] {
            for _ in 0..2 {
                let signature = raw(key.sign(digest, &mut rng).unwrap());
                assert_eq!(verify(curve, &point, digest, &signature), Ok(()), "{curve:?}");
                assert_eq!(verify(curve, &point, b"another digest", &signature), Err(Error::BadSignature));
                assert_ne!(signature, last);
                last = signature;
            }
        }
    }
}

#[test]
fn both_sides_agree_in_either_form_of_the_point() {
    for curve in Curve::ALL.iter().copied() {
        let (ours, theirs) = (key(curve, 2), key(curve, 3));
        let point = public(&theirs);
        let field = curve.domain().prime.len();
        let sign = 2 + (point[2 * field] & 1);
        let compressed = [&[sign][..], &point[1..=field]].concat();
        let expected = theirs.agree(&public(&ours)).unwrap();
        for form in [&point, &compressed] {
            assert_eq!(ours.agree(form).unwrap().as_ref(), expected.as_ref(), "{curve:?}");
        }
        assert_eq!(expected.as_ref().len(), field);
    }
}

#[test]
fn points_that_are_none_are_refused() {
    for curve in Curve::ALL.iter().copied() {
        let key = key(curve, 4);
        let point = public(&key);
        let mut elsewhere = point.clone();
        *elsewhere.last_mut().unwrap() ^= 1;
        let above = [&[4][..], curve.domain().prime, &point[1 + curve.domain().prime.len()..]].concat();
        for bad in [&elsewhere[..], &above, &[0]] {
            assert_eq!(key.agree(bad).err(), Some(Error::BadKey), "{curve:?}");
        }
        let wrong_prefix = [&[5][..], &point[1..]].concat();
        let hybrid = [&[6 + (point[point.len() - 1] & 1)][..], &point[1..]].concat();
        for bad in [&[][..], &point[..point.len() - 1], &point[1..], &wrong_prefix, &hybrid, &[0; 2]] {
            assert_eq!(key.agree(bad).err(), Some(Error::BadLength), "{curve:?}");
        }
    }
}

#[test]
fn a_tweak_is_added_modulo_the_order() {
    for curve in Curve::ALL.iter().copied() {
        let order = BigUint::from_bytes_be(curve.domain().order);
        let key = key(curve, 5);
        let value = |key: &PrivateKey| BigUint::from_bytes_be(key.scalar());
        let len = curve.domain().order.len();
        let longest = std::vec![0xFF; len];
        for tweak in [&[][..], &[1], &[0xFF; 16], curve.domain().order, &longest] {
            let expected = (value(&key) + BigUint::from_bytes_be(tweak)) % &order;
            assert_eq!(value(&key.add(tweak).unwrap()), expected, "{curve:?} {tweak:?}");
        }
        let mut negated = (&order - value(&key)).to_bytes_be();
        while negated.len() < len {
            negated.insert(0, 0);
        }
        assert_eq!(key.add(&negated).err(), Some(Error::BadKey));
        assert_eq!(key.add(&std::vec![0; len + 1]).err(), Some(Error::BadLength));
    }
}

#[test]
fn curves_are_recognised_by_prime_and_coefficients() {
    for curve in Curve::ALL.iter().copied() {
        let domain = curve.domain();
        assert_eq!(Curve::from_domain(domain.prime, Some(domain.a), Some(domain.b)), Some(curve));
        assert_eq!(Curve::from_domain(domain.prime, None, None), Some(curve));
        assert_eq!(Curve::from_domain(domain.prime, Some(domain.b), None), None);
        assert_eq!(Curve::from_domain(domain.prime, None, Some(domain.a)), None);
        assert_eq!(Curve::from_domain(&domain.prime[1..], None, None), None);
    }
    // A client that leaves leading zeros out.
    let domain = Curve::Secp256k1.domain();
    assert_eq!(Curve::from_domain(domain.prime, Some(&[0]), Some(&[7])), Some(Curve::Secp256k1));
}
