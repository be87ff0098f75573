"""Keys on every curve agree with keys of `cryptography`, or of plain arithmetic where that does not know the curve."""

import secrets
import unittest

from cryptography.hazmat.primitives.asymmetric import ec

from ferrite import keys, tlv
from ferrite.curves import CURVES, P256, Curve
from ferrite.keys import EcKey
from ferrite.testing import (
    CONDITIONS,
    EXECUTION,
    EXHAUSTED,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_ALGORITHM,
    WRONG_POINT,
    CardTest,
    counter,
)


def shared_secret(curve: Curve, private: int, key: EcKey) -> bytes:
    """The x coordinate of the product, as the host computes it."""
    by_hand = int((key.point * private).x()).to_bytes(curve.field_length, "big")
    known = key.known()
    if known is None or curve.known_as is None:
        return by_hand
    by_library = ec.derive_private_key(private, curve.known_as).exchange(ec.ECDH(), known)
    assert by_library == by_hand, "cryptography and ecdsa disagree"
    return by_library


class EcAgreement(CardTest):
    def test_80_agrees_with_both_forms_of_a_point(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                key_id, key = self.ec_key(curve)
                for private in (1, 2, 3, curve.order - 1, *(1 + secrets.randbelow(curve.order - 1) for _ in range(4))):
                    point = curve.multiply(private)
                    expected = b"\x04" + shared_secret(curve, private, key)
                    self.assertEqual(self.card.decipher(key_id, 0x80, curve.encode(point)), expected, "uncompressed")
                    self.assertEqual(self.card.decipher(key_id, 0x80, curve.compress(point)), expected, "compressed")

    def test_two_keys_of_the_card_agree(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                one_id, one = self.ec_key(curve)
                other_id, other = self.generate(keys.curve_template(curve))
                assert isinstance(other, EcKey)
                self.assertEqual(
                    self.card.decipher(one_id, 0x80, curve.encode(other.point)),
                    self.card.decipher(other_id, 0x80, curve.encode(one.point)),
                )

    def test_80_refuses_points_not_on_the_curve(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                key_id, _ = self.ec_key(curve)
                width = curve.field_length
                prime = int(curve.generator.curve().p())
                point = curve.encode(curve.multiply(7))
                missing = next(x for x in range(1, 1000) if not curve.contains_x(x))
                for what, data in (
                    ("another y", point[:-1] + bytes([point[-1] ^ 1])),
                    ("another x", point[:width] + bytes([point[width] ^ 1]) + point[width + 1 :]),
                    ("x and y zero", b"\x04" + bytes(2 * width)),
                    ("an x that no point has, compressed", b"\x02" + missing.to_bytes(width, "big")),
                    ("an x that no point has, compressed", b"\x03" + missing.to_bytes(width, "big")),
                    ("x as large as the prime", b"\x04" + prime.to_bytes(width, "big") + point[1 + width :]),
                    ("x as large as the prime, compressed", b"\x02" + prime.to_bytes(width, "big")),
                    ("all ones", b"\x04" + b"\xff" * (2 * width)),
                    ("infinity", b"\x00"),
                ):
                    with self.refused(EXECUTION, what):
                        self.card.decipher(key_id, 0x80, data)

    def test_80_refuses_what_is_no_point(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                key_id, _ = self.ec_key(curve)
                point, compressed = curve.encode(curve.multiply(7)), curve.compress(curve.multiply(7))
                for what, data in (
                    ("nothing", b""),
                    ("a prefix alone", b"\x04"),
                    ("a byte too few", point[:-1]),
                    ("a byte too many", point + b"\x00"),
                    ("a compressed point with a byte too few", compressed[:-1]),
                    ("a compressed point with a byte too many", compressed + b"\x00"),
                    ("no prefix", point[1:]),
                    ("a compressed point with the wrong prefix", b"\x04" + compressed[1:]),
                    ("an uncompressed point with the wrong prefix", b"\x02" + point[1:]),
                    ("prefix 05", b"\x05" + point[1:]),
                    ("a hybrid form", bytes([6 + point[-1] % 2]) + point[1:]),
                    ("the length of infinity with another byte", b"\x01"),
                ):
                    with self.refused(WRONG_POINT, what):
                        self.card.decipher(key_id, 0x80, data)

    def test_the_counter_counts_agreements(self) -> None:
        point = P256.encode(P256.multiply(7))
        key_id, _ = self.p256_key_with(counter(3))
        self.card.decipher(key_id, 0x80, point)
        self.assertEqual(self.card.attributes(key_id), counter(2))
        with self.refused(EXECUTION, "a point not on the curve"):
            self.card.decipher(key_id, 0x80, point[:-1] + bytes([point[-1] ^ 1]))
        for algorithm in range(0x21, 0x28):
            with self.refused(EXECUTION, f"RSA decryption {algorithm:02X} with another key"):
                self.card.decipher(key_id, algorithm, bytes(256))
        self.assertEqual(self.card.attributes(key_id), counter(2), "a failure counts")
        self.card.sign(key_id, 0x73, b"message")
        self.card.decipher(key_id, 0x80, point)
        for algorithm, what in ((0x80, "a use too many"), (0x20, "an unknown algorithm")):
            with self.refused(EXHAUSTED, what):
                self.card.decipher(key_id, algorithm, point)

    def test_the_list_holds_for_agreements(self) -> None:
        point = P256.encode(P256.multiply(7))
        signing_id, _ = self.p256_key_with(tlv.encode(0x91, b"\x73"))
        agreeing_id, _ = self.p256_key_with(tlv.encode(0x91, b"\x80"))
        for algorithm in (0x80, 0x81, 0x21):
            with self.refused(CONDITIONS, f"algorithm {algorithm:02X}"):
                self.card.decipher(signing_id, algorithm, point)
        self.card.decipher(agreeing_id, 0x80, point)
        with self.refused(CONDITIONS, "a signature with a key that agrees only"):
            self.card.sign(agreeing_id, 0x73, b"message")

    def test_what_is_no_agreement(self) -> None:
        key_id, _ = self.ec_key(P256)
        point = P256.encode(P256.multiply(7))
        for algorithm in (0x00, 0x20, 0x28, 0x70, 0x81, 0x83, 0xFF):
            with self.refused(WRONG_ALGORITHM, f"algorithm {algorithm:02X}"):
                self.card.decipher(key_id, algorithm, point)
        for algorithm in range(0x21, 0x28):
            with self.refused(EXECUTION, f"RSA decryption {algorithm:02X} with another key"):
                self.card.decipher(key_id, algorithm, bytes(256))

    def test_no_agreement_without_key_or_pin(self) -> None:
        key_id, _ = self.ec_key(P256)
        point = P256.encode(P256.multiply(7))
        with self.refused(NOT_FOUND, "a key that is not there"):
            self.card.decipher(0xEE, 0x80, point)
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "an agreement without the PIN"):
                self.card.decipher(key_id, 0x80, point)
        finally:
            self.card.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
