//! Key derivation: HKDF (RFC 5869), PBKDF2 (RFC 8018 §5.2), the KDF of ANS X9.63 (SEC 1 §3.6.1); and HMAC-SHA-256
//! (RFC 2104), on which much of this device rests.

use crate::Error;
use crate::hash::{Hash, with_hash};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// HMAC-SHA-256 of the parts, one after the other.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length: the error of this constructor cannot occur.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HKDF-SHA-256: fills `out` from input key material. The parts of `info` are taken one after the other.
///
/// `N` is at most 255 × 32; a longer output does not compile.
pub fn hkdf_sha256<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]], out: &mut [u8; N]) {
    const { assert!(N <= 255 * 32) };
    let expanded = Hkdf::<Sha256>::new(Some(salt), ikm).expand_multi_info(info, out);
    debug_assert!(expanded.is_ok(), "the length was checked at compile time");
}

/// HKDF: fills `out` from input key material, at most 255 digests ([`Error::BadLength`]). An empty salt is one of zeros, as
/// long as a digest.
pub fn hkdf(hash: Hash, salt: &[u8], ikm: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
    with_hash!(hash, D => Hkdf::<D>::new(Some(salt), ikm).expand(info, out).map_err(|_| Error::BadLength))
}

/// PBKDF2 with HMAC: fills `out` from a password. The time it takes grows with `iterations` times the length of `out` in
/// digests. No iterations are an error ([`Error::OutOfRange`]).
pub fn pbkdf2(hash: Hash, password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) -> Result<(), Error> {
    if iterations == 0 {
        return Err(Error::OutOfRange);
    }
    with_hash!(hash, D => {
        // HMAC takes passwords of any length.
        pbkdf2::pbkdf2::<Hmac<D>>(password, salt, iterations, out).map_err(|_| Error::BadLength)
    })
}

/// The KDF of ANS X9.63: H(Z ‖ 00000001 ‖ SharedInfo) ‖ H(Z ‖ 00000002 ‖ SharedInfo) ‖ …, as much as `out` takes.
pub fn x963(hash: Hash, z: &[u8], shared_info: &[u8], out: &mut [u8]) {
    for (counter, chunk) in (1u32..).zip(out.chunks_mut(hash.digest_len())) {
        let digest = hash.digest(&[z, &counter.to_be_bytes(), shared_info]);
        chunk.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869 appendix A.1.
    #[test]
    fn hkdf_gives_the_published_output() {
        let mut okm = [0; 42];
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        hkdf_sha256(&salt, &[0x0B; 22], &[&info[..3], &info[3..]], &mut okm);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex::encode(okm), expected);
    }

    /// RFC 4231 test case 2.
    #[test]
    fn hmac_gives_the_published_output() {
        assert_eq!(
            hex::encode(hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    /// RFC 6070 and RFC 7914 §11, the latter with a part of the second block.
    #[test]
    fn pbkdf2_gives_the_published_output() {
        for (hash, password, salt, iterations, expected) in [
            (Hash::Sha1, "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
            (
                Hash::Sha256,
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                 49ca9cccf179b645991664b39d77ef317c71b845",
            ),
        ] {
            let mut out = std::vec![0; expected.len() / 2];
            pbkdf2(hash, password.as_bytes(), salt.as_bytes(), iterations, &mut out).unwrap();
            assert_eq!(hex::encode(out), expected);
        }
        assert_eq!(pbkdf2(Hash::Sha1, b"", b"", 0, &mut []), Err(Error::OutOfRange));
    }

    /// CAVP, ANS X9.63-2001: SHA-1 and SHA-256, shared secrets of 192 bits.
    #[test]
    fn x963_gives_the_published_output() {
        for (hash, z, expected) in [
            (Hash::Sha1, "1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd", "bf71dffd8f4d99223936beb46fee8ccc"),
            (Hash::Sha256, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "443024c3dae66b95e6f5670601558f71"),
        ] {
            let mut out = [0; 16];
            x963(hash, &hex::decode(z).unwrap(), &[], &mut out);
            assert_eq!(hex::encode(out), expected);
        }
    }

    #[test]
    fn hkdf_stops_at_255_digests() {
        for hash in Hash::ALL {
            let mut out = std::vec![0; 255 * hash.digest_len() + 1];
            assert_eq!(hkdf(hash, &[], &[1; 32], &[], &mut out), Err(Error::BadLength));
            assert_eq!(hkdf(hash, &[], &[1; 32], &[], &mut out[1..]), Ok(()));
        }
    }
}
