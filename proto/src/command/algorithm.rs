//! Algorithm bytes: P2 of the key operations and the entries of a key's list of allowed algorithms (specification part 1
//! §5.2, part 2 §1.1).

/// An algorithm byte, as in P2 of the key operations and in a key's list of allowed algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmId(pub u8);

macro_rules! algorithms {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl AlgorithmId {
            $(
                #[doc = $text]
                pub const $name: Self = Self($value);
            )*

            /// Every algorithm that has a name.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name of the algorithm for people; `None` if the byte stands for none.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

algorithms! {
    AES_CBC_ENCRYPT = 0x10, "AES-CBC encryption";
    AES_CBC_DECRYPT = 0x11, "AES-CBC decryption";
    AES_CMAC = 0x18, "AES-CMAC";
    RSA_RAW = 0x20, "RSA signature, padded by the host";
    RSA_DECRYPT_RAW = 0x21, "RSA decryption, raw";
    RSA_DECRYPT_PKCS1 = 0x22, "RSA decryption, PKCS#1 v1.5";
    RSA_DECRYPT_OAEP = 0x23, "RSA decryption, OAEP with SHA-256";
    RSA_DECRYPT_OAEP_SHA1 = 0x24, "RSA decryption, OAEP with SHA-1";
    RSA_DECRYPT_OAEP_SHA224 = 0x25, "RSA decryption, OAEP with SHA-224";
    RSA_DECRYPT_OAEP_SHA384 = 0x26, "RSA decryption, OAEP with SHA-384";
    RSA_DECRYPT_OAEP_SHA512 = 0x27, "RSA decryption, OAEP with SHA-512";
    RSA_PKCS1 = 0x30, "RSA signature, PKCS#1 v1.5 of a DigestInfo";
    RSA_PKCS1_SHA1 = 0x31, "RSA signature, PKCS#1 v1.5 with SHA-1";
    RSA_PKCS1_SHA224 = 0x32, "RSA signature, PKCS#1 v1.5 with SHA-224";
    RSA_PKCS1_SHA256 = 0x33, "RSA signature, PKCS#1 v1.5 with SHA-256";
    RSA_PKCS1_SHA384 = 0x34, "RSA signature, PKCS#1 v1.5 with SHA-384";
    RSA_PKCS1_SHA512 = 0x35, "RSA signature, PKCS#1 v1.5 with SHA-512";
    RSA_PSS = 0x40, "RSA signature, PSS of a digest";
    RSA_PSS_SHA1 = 0x41, "RSA signature, PSS with SHA-1";
    RSA_PSS_SHA224 = 0x42, "RSA signature, PSS with SHA-224";
    RSA_PSS_SHA256 = 0x43, "RSA signature, PSS with SHA-256";
    RSA_PSS_SHA384 = 0x44, "RSA signature, PSS with SHA-384";
    RSA_PSS_SHA512 = 0x45, "RSA signature, PSS with SHA-512";
    CIPHER_ENCRYPT = 0x51, "extended cipher, encryption";
    CIPHER_DECRYPT = 0x52, "extended cipher, decryption";
    ECDSA = 0x70, "ECDSA of a digest, or EdDSA of a message";
    ECDSA_SHA1 = 0x71, "ECDSA with SHA-1";
    ECDSA_SHA224 = 0x72, "ECDSA with SHA-224";
    ECDSA_SHA256 = 0x73, "ECDSA with SHA-256";
    ECDSA_SHA384 = 0x74, "ECDSA with SHA-384";
    ECDSA_SHA512 = 0x75, "ECDSA with SHA-512";
    ECDH = 0x80, "ECDH";
    ECDH_AUTHENTICATED = 0x83, "ECDH with an authenticated public key";
    ECDH_XKEK = 0x84, "ECDH for an exchange key-encryption key";
    WRAP = 0x92, "wrapping of the key";
    UNWRAP = 0x93, "unwrapping of the key";
    REPLACE = 0x94, "replacement of the key";
    EC_DERIVE = 0x98, "derivation of an EC key";
    AES_DERIVE = 0x99, "derivation from an AES key";
    HD_SIGN = 0xA0, "signature by a hierarchical deterministic node";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_byte_has_one_name() {
        for (at, algorithm) in AlgorithmId::ALL.iter().enumerate() {
            let twin = AlgorithmId::ALL.iter().position(|other| other.name() == algorithm.name());
            assert_eq!(twin, Some(at), "{algorithm:?}");
        }
        for unknown in [0x00, 0x36, 0x46, 0x6F, 0x76, 0xFF] {
            assert_eq!(AlgorithmId(unknown).name(), None);
        }
    }
}
