//! Message authentication: CMAC with AES (SP 800-38B, RFC 4493) and HMAC (RFC 2104).

use crate::Error;
use crate::aes::{Aes, BLOCK};
use crate::hash::{Digest, Hash, with_hash};
use aes::cipher::common::InnerInit as _;
use cmac::Cmac;
use hmac::{Hmac, KeyInit as _, Mac as _};

/// AES-CMAC of the parts, one after the other. The key has 16, 24 or 32 bytes: [`Error::BadKey`] for another length.
pub fn cmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; BLOCK], Error> {
    let mut mac = Cmac::inner_init(Aes::new(key)?);
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().into())
}

/// HMAC of the parts, one after the other, as long as a digest. The key may have any length.
pub fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Digest {
    with_hash!(hash, D => {
        // HMAC takes keys of any length: the error of this constructor cannot occur.
        let Ok(mut mac) = Hmac::<D>::new_from_slice(key) else { return Digest::filled(&[]) };
        parts.iter().for_each(|part| mac.update(part));
        Digest::filled(&mac.finalize().into_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4493 §4: messages of 0, 16 and 40 bytes.
    #[test]
    fn cmac_gives_the_published_output() {
        let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
        let message =
            hex::decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411").unwrap();
        for (len, expected) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
        ] {
            let (first, second) = message[..len].split_at(len / 3);
            assert_eq!(hex::encode(cmac(&key, &[first, second]).unwrap()), expected);
        }
        assert_eq!(cmac(&[0; 64], &[]), Err(Error::BadKey));
    }

    /// RFC 2202 §3 and RFC 4231 §4.3: key "Jefe".
    #[test]
    fn hmac_gives_the_published_output() {
        for (hash, expected) in [
            (Hash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Hash::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
            (Hash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Hash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Hash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let mac = hmac(hash, b"Jefe", &[b"what do ya want ", b"for nothing?"]);
            assert_eq!(hex::encode(mac), expected);
        }
    }
}
