"""RSA keys sign; `cryptography` and plain arithmetic verify."""

import os
import unittest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

from ferrite import tlv
from ferrite.keys import HASHES, RsaKey, digest
from ferrite.testing import (
    EXECUTION,
    MESSAGE_LENGTHS,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_LENGTH,
    WRONG_P1P2,
    CardTest,
    message,
)

SIZES = (1024, 2048, 3072, 4096)
OIDS = {
    "sha1": "2B0E03021A",
    "sha224": "608648016503040204",
    "sha256": "608648016503040201",
    "sha384": "608648016503040202",
    "sha512": "608648016503040203",
}


def digest_info(algorithm: hashes.HashAlgorithm, hashed: bytes) -> bytes:
    """A DigestInfo (RFC 8017 §9.2)."""
    identifier = tlv.encode(0x06, bytes.fromhex(OIDS[algorithm.name])) + tlv.encode(0x05, b"")
    return tlv.encode(0x30, tlv.encode(0x30, identifier) + tlv.encode(0x04, hashed))


def pkcs1_block(content: bytes, length: int) -> bytes:
    """EMSA-PKCS1-v1_5 around some content (RFC 8017 §9.2)."""
    return b"\x00\x01" + b"\xff" * (length - len(content) - 3) + b"\x00" + content


def pss(algorithm: hashes.HashAlgorithm, length: int) -> PSS:
    """The card's salt is as long as the digest; or as long as fits."""
    return PSS(MGF1(algorithm), min(algorithm.digest_size, length - algorithm.digest_size - 2))


class RsaSigning(CardTest):
    def test_20_blocks_padded_by_the_host(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                hashed = digest(hashes.SHA256(), b"padded by the host")
                signature = self.card.sign(key_id, 0x20, pkcs1_block(digest_info(hashes.SHA256(), hashed), key.length))
                key.key.verify(signature, b"padded by the host", PKCS1v15(), hashes.SHA256())
                last = (key.modulus - 1).to_bytes(key.length, "big")
                for block in (
                    bytes(key.length),
                    bytes(key.length - 1) + b"\x01",
                    b"\x00" + os.urandom(key.length - 1),
                    last,
                ):
                    self.assertEqual(key.power(self.card.sign(key_id, 0x20, block)), block)

    def test_20_refuses_blocks_it_cannot_sign(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                for number in (key.modulus, key.modulus + 1, 2**bits - 1):
                    with self.refused(EXECUTION, "a block not below the modulus"):
                        self.card.sign(key_id, 0x20, number.to_bytes(key.length, "big"))
                for length in (0, 1, 20, key.length - 1, key.length + 1):
                    with self.refused(WRONG_LENGTH, f"{length} bytes"):
                        self.card.sign(key_id, 0x20, bytes(length))

    def test_20_digest_infos(self) -> None:
        for bits in SIZES:
            for algorithm in HASHES:
                with self.subTest(bits=bits, hash=algorithm.name):
                    key_id, key = self.rsa_key(bits)
                    hashed = digest(algorithm, b"digested by the host")
                    signature = self.card.sign(key_id, 0x20, digest_info(algorithm, hashed))
                    key.key.verify(signature, hashed, PKCS1v15(), utils.Prehashed(algorithm))

    def test_30_prepared_contents(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                for algorithm in HASHES:
                    info = digest_info(algorithm, digest(algorithm, b"prepared"))
                    key.key.verify(self.card.sign(key_id, 0x30, info), b"prepared", PKCS1v15(), algorithm)
                for length in (1, 16, 34, 36, key.length - 11):
                    signature = self.card.sign(key_id, 0x30, message(length))
                    self.assertEqual(key.power(signature), pkcs1_block(message(length), key.length), f"{length} bytes")
                for length in (key.length - 10, key.length, key.length + 1):
                    with self.refused(WRONG_LENGTH, f"{length} bytes"):
                        self.card.sign(key_id, 0x30, message(length))

    def test_31_to_35_messages(self) -> None:
        for bits in SIZES:
            for algorithm, name in zip(range(0x31, 0x36), HASHES, strict=True):
                with self.subTest(bits=bits, hash=name.name):
                    key_id, key = self.rsa_key(bits)
                    for length in MESSAGE_LENGTHS:
                        signature = self.card.sign(key_id, algorithm, message(length))
                        key.key.verify(signature, message(length), PKCS1v15(), name)
                    self.assertEqual(signature, self.card.sign(key_id, algorithm, message(length)), "not deterministic")
                    with self.invalid("a changed message"):
                        key.key.verify(signature, message(length + 1), PKCS1v15(), name)

    def test_40_digests(self) -> None:
        for bits in SIZES:
            for name in HASHES:
                with self.subTest(bits=bits, hash=name.name):
                    key_id, key = self.rsa_key(bits)
                    hashed = digest(name, b"digested by the host")
                    for data in (hashed, digest_info(name, hashed)):
                        self.check_pss(key, self.card.sign(key_id, 0x40, data), hashed, name)

    def test_40_refuses_what_is_no_digest(self) -> None:
        key_id, key = self.rsa_key(SIZES[0])
        for length in (0, 19, 21, 31, 33, 47, 49, 63, 65, key.length - 1, key.length, key.length + 1):
            with self.refused(WRONG_LENGTH, f"{length} bytes"):
                self.card.sign(key_id, 0x40, bytes(length))

    def test_41_to_45_messages(self) -> None:
        for bits in SIZES:
            for algorithm, name in zip(range(0x41, 0x46), HASHES, strict=True):
                with self.subTest(bits=bits, hash=name.name):
                    key_id, key = self.rsa_key(bits)
                    signatures = set()
                    for length in (0, 1, 64, 2100, 2100):
                        signature = self.card.sign(key_id, algorithm, message(length))
                        self.check_pss(key, signature, digest(name, message(length)), name)
                        signatures.add(signature)
                    self.assertEqual(len(signatures), 5, "the same salt twice")

    def check_pss(self, key: RsaKey, signature: bytes, hashed: bytes, name: hashes.HashAlgorithm) -> None:
        key.key.verify(signature, hashed, pss(name, key.length), utils.Prehashed(name))
        with self.invalid("a changed digest"):
            key.key.verify(signature, bytes(len(hashed)), pss(name, key.length), utils.Prehashed(name))

    def test_what_is_no_rsa_signature(self) -> None:
        key_id, _ = self.rsa_key(SIZES[0])
        for algorithm in (0x00, 0x10, 0x21, 0x2F, 0x36, 0x3F, 0x46, 0x6F, 0x76, 0x80, 0xFF):
            with self.refused(WRONG_P1P2, f"algorithm {algorithm:02X}"):
                self.card.sign(key_id, algorithm, bytes(32))
        for algorithm in range(0x70, 0x76):
            with self.refused(EXECUTION, f"algorithm {algorithm:02X}, which is for other keys"):
                self.card.sign(key_id, algorithm, bytes(32))

    def test_nothing_is_signed_without_key_or_pin(self) -> None:
        key_id, _ = self.rsa_key(SIZES[0])
        with self.refused(NOT_FOUND, "a key that is not there"):
            self.card.sign(0xEE, 0x33, b"message")
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "a signature without the PIN"):
                self.card.sign(key_id, 0x33, b"message")
        finally:
            self.card.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
