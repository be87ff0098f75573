"""X25519 and X448 agree (RFC 7748), Ed25519 and Ed448 sign (RFC 8032): checked by `cryptography`."""

import unittest

from cryptography.hazmat.primitives.asymmetric import x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ferrite import keys, tlv
from ferrite.keys import ED448, ED25519, X448, X25519, MontgomeryKey, OkpCurve
from ferrite.testing import (
    CONDITIONS,
    EXECUTION,
    EXHAUSTED,
    MESSAGE_LENGTHS,
    SECURITY_STATUS,
    WRONG_P1P2,
    WRONG_POINT,
    CardTest,
    counter,
    message,
)

X25519Private, X448Private = x25519.X25519PrivateKey, x448.X448PrivateKey
AGREEING = (X25519, X448)
SIGNING = ((ED25519, 64), (ED448, 114))


def raw(key: x25519.X25519PublicKey | x448.X448PublicKey) -> bytes:
    """The u coordinate, little-endian."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def partner(key: MontgomeryKey) -> tuple[bytes, bytes]:
    """A new key of the host, and what it agrees on with a key of the card."""
    if isinstance(key.key, x25519.X25519PublicKey):
        short = X25519Private.generate()
        return raw(short.public_key()), short.exchange(key.key)
    long = X448Private.generate()
    return raw(long.public_key()), long.exchange(key.key)


def low_order(curve: OkpCurve) -> tuple[tuple[str, int], ...]:
    """u coordinates that make the result zero, whatever the key (RFC 7748 §6; the twist's as well)."""
    prime = curve.prime
    common = (("0", 0), ("1", 1), ("p-1", prime - 1), ("p", prime), ("p+1", prime + 1))
    if curve is X448:
        return common
    eight = 325606250916557431795983626356110631294008115727848805560023387167927233504
    other = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    return *common, ("a point of order 8", eight), ("the other point of order 8", other)


class Montgomery(CardTest):
    def test_80_agrees(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, key = self.montgomery_key(curve)
                for _ in range(8):
                    public, shared = partner(key)
                    self.assertEqual(self.card.decipher(key_id, 0x80, public), b"\x04" + shared)

    def test_80_agrees_with_u_beyond_the_prime(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, _ = self.montgomery_key(curve)
                width = curve.field_length
                # RFC 7748 §5: such values are taken modulo the prime.
                for small in (2, 5, 9, 18):
                    one = self.card.decipher(key_id, 0x80, small.to_bytes(width, "little"))
                    other = self.card.decipher(key_id, 0x80, (curve.prime + small).to_bytes(width, "little"))
                    self.assertEqual(one, other, f"{small} and p + {small}")

    def test_the_base_point_gives_the_public_key(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, key = self.montgomery_key(curve)
                self.assertEqual(self.card.decipher(key_id, 0x80, curve.base), b"\x04" + raw(key.key))

    def test_80_ignores_the_top_bit_of_x25519(self) -> None:
        key_id, key = self.montgomery_key(X25519)
        public, shared = partner(key)
        self.assertEqual(self.card.decipher(key_id, 0x80, public[:-1] + bytes([public[-1] | 0x80])), b"\x04" + shared)

    def test_80_refuses_points_of_low_order(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, _ = self.montgomery_key(curve)
                for what, number in low_order(curve):
                    with self.refused(EXECUTION, what):
                        self.card.decipher(key_id, 0x80, number.to_bytes(curve.field_length, "little"))

    def test_80_refuses_other_lengths(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, key = self.montgomery_key(curve)
                public, _ = partner(key)
                for what, data in (
                    ("nothing", b""),
                    ("one byte", b"\x09"),
                    ("a byte too few", public[:-1]),
                    ("a byte too many", public + b"\x00"),
                    ("prefix 40", b"\x40" + public),
                    ("prefix 04", b"\x04" + public),
                    ("two coordinates", b"\x04" + public + public),
                ):
                    with self.refused(WRONG_POINT, what):
                        self.card.decipher(key_id, 0x80, data)

    def test_counter_and_list_hold(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                template = keys.curve_template(curve)
                counted_id, _ = self.generate(template, counter(1))
                self.card.decipher(counted_id, 0x80, curve.base)
                with self.refused(EXHAUSTED, "a use too many"):
                    self.card.decipher(counted_id, 0x80, curve.base)
                listed_id, _ = self.generate(template, tlv.encode(0x91, b"\x70"))
                with self.refused(CONDITIONS, "an agreement that the list does not have"):
                    self.card.decipher(listed_id, 0x80, curve.base)

    def test_these_keys_do_not_sign_and_do_not_derive(self) -> None:
        for curve in AGREEING:
            with self.subTest(curve=curve.name):
                key_id, _ = self.montgomery_key(curve)
                for algorithm in (0x20, 0x33, 0x70, 0x73):
                    with self.refused(EXECUTION, f"algorithm {algorithm:02X}"):
                        self.card.sign(key_id, algorithm, bytes(32))
                with self.refused(EXECUTION, "a derivation"):
                    self.card.derive(key_id, self.free_id(), b"\x98\x01")


class Edwards(CardTest):
    def test_70_signs_messages(self) -> None:
        for curve, length_of_signature in SIGNING:
            with self.subTest(curve=curve.name):
                key_id, key = self.edwards_key(curve)
                for length in MESSAGE_LENGTHS:
                    signature = self.card.sign(key_id, 0x70, message(length))
                    self.assertEqual(len(signature), length_of_signature)
                    key.key.verify(signature, message(length))
                    with self.invalid("a longer message"):
                        key.key.verify(signature, message(length) + b"\x00")
                self.assertEqual(signature, self.card.sign(key_id, 0x70, message(length)), "not deterministic")

    def test_these_keys_hash_themselves_and_only_sign(self) -> None:
        for curve, _ in SIGNING:
            with self.subTest(curve=curve.name):
                key_id, _ = self.edwards_key(curve)
                for algorithm in range(0x71, 0x76):
                    with self.refused(WRONG_P1P2, f"algorithm {algorithm:02X}"):
                        self.card.sign(key_id, algorithm, b"message")
                for algorithm in (0x20, 0x33, 0x43):
                    with self.refused(EXECUTION, f"algorithm {algorithm:02X}"):
                        self.card.sign(key_id, algorithm, bytes(32))
                with self.refused(EXECUTION, "an agreement"):
                    self.card.decipher(key_id, 0x80, curve.base)
                with self.refused(EXECUTION, "a derivation"):
                    self.card.derive(key_id, self.free_id(), b"\x98\x01")

    def test_counter_and_list_hold(self) -> None:
        for curve, _ in SIGNING:
            with self.subTest(curve=curve.name):
                template = keys.curve_template(curve)
                counted_id, _ = self.generate(template, counter(1))
                self.card.sign(counted_id, 0x70, b"message")
                with self.refused(EXHAUSTED, "a use too many"):
                    self.card.sign(counted_id, 0x70, b"message")
                listed_id, _ = self.generate(template, tlv.encode(0x91, b"\x80"))
                with self.refused(CONDITIONS, "a signature that the list does not have"):
                    self.card.sign(listed_id, 0x70, b"message")

    def test_nothing_is_signed_without_the_pin(self) -> None:
        key_id, _ = self.edwards_key(ED25519)
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "a signature without the PIN"):
                self.card.sign(key_id, 0x70, b"message")
        finally:
            self.card.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
