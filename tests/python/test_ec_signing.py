"""Keys on every curve sign; `cryptography` and `ecdsa` verify."""

import unittest

import ecdsa

from ferrite import keys, tlv
from ferrite.curves import CURVES, P256, Curve
from ferrite.keys import HASHES, digest
from ferrite.testing import (
    EXECUTION,
    FUNCTION_NOT_SUPPORTED,
    MESSAGE_LENGTHS,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_P1P2,
    CardTest,
    message,
)


class EcSigning(CardTest):
    def test_70_digests(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                key_id, key = self.ec_key(curve)
                # Nothing, less than any order, every hash function's length, more than any order, no whole words.
                for length in (0, 1, 3, 20, 21, 24, 28, 31, 32, 33, 48, 63, 64, 65, 66, 67, 100):
                    hashed = bytes([0xFF]) * length
                    key.verify(self.card.sign(key_id, 0x70, hashed), hashed)
                for name in HASHES:
                    hashed = digest(name, b"digested by the host")
                    signature = self.card.sign(key_id, 0x70, hashed)
                    key.verify(signature, hashed)
                    with self.invalid("a changed digest"):
                        key.verify(signature, bytes([hashed[0] ^ 1]) + hashed[1:])
                self.assertNotEqual(signature, self.card.sign(key_id, 0x70, hashed), "the same nonce twice")

    def test_71_to_75_messages(self) -> None:
        for curve in CURVES:
            for algorithm, name in zip(range(0x71, 0x76), HASHES, strict=True):
                with self.subTest(curve=curve.name, hash=name.name):
                    key_id, key = self.ec_key(curve)
                    lengths = MESSAGE_LENGTHS if curve.name == "secp256r1" else (0, 1, 128, 2100)
                    for length in lengths:
                        key.verify(self.card.sign(key_id, algorithm, message(length)), digest(name, message(length)))

    def test_what_is_no_ec_signature(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                key_id, _ = self.ec_key(curve)
                for algorithm in (0x00, 0x10, 0x21, 0x36, 0x46, 0x6F, 0x76, 0x80, 0xFF):
                    with self.refused(WRONG_P1P2, f"algorithm {algorithm:02X}"):
                        self.card.sign(key_id, algorithm, bytes(32))
                for algorithm in (0x20, *range(0x30, 0x36), *range(0x40, 0x46)):
                    with self.refused(EXECUTION, f"algorithm {algorithm:02X}, which is for other keys"):
                        self.card.sign(key_id, algorithm, bytes(32))

    def test_nothing_is_signed_without_key_or_pin(self) -> None:
        key_id, _ = self.ec_key(P256)
        with self.refused(NOT_FOUND, "a key that is not there"):
            self.card.sign(0xEE, 0x73, b"message")
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "a signature without the PIN"):
                self.card.sign(key_id, 0x73, b"message")
        finally:
            self.card.verify()

    def test_no_key_on_an_unknown_curve(self) -> None:
        for name, prime in (
            ("brainpoolP192r1", 0xC302F41D932A36CDA7A3463093D18DB78FCE476DE1A86297),
            ("secp224k1", 2**224 - 2**32 - 0x1A93),
            ("no curve", 2**256 - 189),
        ):
            length = (prime.bit_length() + 7) // 8
            template = tlv.encode(0x06, keys.TA_ECDSA_SHA_256) + tlv.encode(0x81, prime.to_bytes(length, "big"))
            with self.refused(FUNCTION_NOT_SUPPORTED, name):
                self.card.generate(self.free_id(), tlv.encode(0x7F49, template))

    def test_a_twisted_curve_is_not_taken_for_the_one_with_the_same_prime(self) -> None:
        for twisted in (ecdsa.BRAINPOOLP256t1, ecdsa.BRAINPOOLP384t1, ecdsa.BRAINPOOLP512t1):
            with self.refused(FUNCTION_NOT_SUPPORTED, twisted.name):
                self.card.generate(self.free_id(), keys.curve_template(Curve(twisted.name, twisted.generator, None)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
