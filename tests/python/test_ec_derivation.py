"""DERIVE ASYMMETRIC KEY adds a tweak to a key: the new key must sign as Q + a*G, which is computed here."""

import secrets
import unittest

from ferrite import tlv
from ferrite.curves import CURVES, P256, Curve
from ferrite.cvc import parse_request
from ferrite.keys import EcKey
from ferrite.testing import (
    CONDITIONS,
    EXECUTION,
    EXISTS,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_LENGTH,
    WRONG_P1P2,
    CardTest,
    counter,
)


class EcDerivation(CardTest):
    def check_sum(self, curve: Curve, tweak: bytes, source_id: int, source: EcKey) -> int:
        """Derives, and checks that the new key is the sum. Returns its id."""
        target_id = self.free_id()
        self.assertEqual(self.card.derive(source_id, target_id, b"\x98" + tweak), b"", "an answer with data")
        number = int.from_bytes(tweak, "big") % curve.order
        expected = EcKey(curve, source.point + curve.multiply(number) if number else source.point)
        digest = bytes(range(32))
        expected.verify(self.card.sign(target_id, 0x70, digest), digest)
        # The source stays what it was.
        source.verify(self.card.sign(source_id, 0x70, digest), digest)
        if number:
            with self.invalid("a signature with the source as one with the new key"):
                expected.verify(self.card.sign(source_id, 0x70, digest), digest)
        return target_id

    def test_the_new_key_is_the_sum(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                source_id, source = self.ec_key(curve)
                width = curve.order_length
                for tweak in (
                    b"\x01",
                    secrets.randbelow(curve.order).to_bytes(width, "big"),
                    # One of these carries the sum past the order, whatever the key is.
                    (curve.order // 2).to_bytes(width, "big"),
                    (curve.order - 1).to_bytes(width, "big"),
                    # As long as the order and not below it: reduced.
                    curve.order.to_bytes(width, "big"),
                    (curve.order + 5).to_bytes(width, "big"),
                    (2 ** (8 * width) - 1).to_bytes(width, "big"),
                    b"",
                    bytes(width),
                    bytes(width - 1) + b"\x02",
                ):
                    target_id = self.check_sum(curve, tweak, source_id, source)
                    self.card.delete_file(0xCC00 | target_id)
                    self.card.delete_file(0xC400 | target_id)

    def test_a_new_key_can_be_the_source_of_another(self) -> None:
        source_id, source = self.ec_key(P256)
        middle_id = self.check_sum(P256, b"\x05", source_id, source)
        middle = EcKey(P256, source.point + P256.multiply(5))
        self.check_sum(P256, b"\x06", middle_id, middle)

    def test_the_new_key_has_a_description_and_a_request(self) -> None:
        source_id, source = self.ec_key(P256)
        target_id = self.check_sum(P256, b"\x07", source_id, source)
        # An empty label; the id in decimal digits, usage sign and derive; 256 bits.
        common = tlv.encode(0x30, tlv.encode(0x0C, b""))
        of_key = tlv.encode(0x30, tlv.encode(0x04, str(target_id).encode()) + bytes.fromhex("0303072080"))
        of_type = bytes.fromhex("A10A30083002040002020100")
        self.assertEqual(self.card.read_file(0xC400 | target_id), tlv.encode(0xA0, common + of_key + of_type))
        request = parse_request(self.card.read_file(0xCE00 | target_id))
        self.check_request(request)
        self.assertEqual((request.inner.car, request.inner.chr), (self.device.chr, self.device.chr), "references")
        self.assertEqual(request.key, EcKey(P256, source.point + P256.multiply(7)), "the key in the request")
        self.assertEqual([tlv.parse(it)[1:] for it in request.inner.extensions], [tlv.parse(b"\x80\x01\x02")])

    def test_the_request_of_a_deleted_key_does_not_vouch_for_a_derived_one(self) -> None:
        source_id, source = self.ec_key(P256)
        target_id, _ = self.p256_key_with(b"")
        # Deleting a key leaves its request: clients delete that separately.
        self.card.delete_file(0xCC00 | target_id)
        self.card.derive(source_id, target_id, b"\x98\x05")
        digest = bytes(range(32))
        EcKey(P256, source.point + P256.multiply(5)).verify(self.card.sign(target_id, 0x70, digest), digest)
        request = parse_request(self.card.read_file(0xCE00 | target_id))
        self.assertEqual(request.key, EcKey(P256, source.point + P256.multiply(5)), "the key in the request")

    def test_the_new_key_inherits_its_attributes(self) -> None:
        attributes = tlv.encode(0x91, b"\x70\x98") + tlv.encode(0x92, b"\x00")
        source_id, source = self.p256_key_with(attributes)
        target_id = self.check_sum(P256, b"\x08", source_id, source)
        self.assertEqual(self.card.attributes(target_id), attributes)
        with self.refused(CONDITIONS, "an algorithm not on the source's list"):
            self.card.sign(target_id, 0x73, b"message")

    def test_refusals(self) -> None:
        for curve in CURVES:
            with self.subTest(curve=curve.name):
                source_id, _ = self.ec_key(curve)
                target_id = self.free_id()
                long = curve.order_length + 1
                for what, data in (
                    ("no data", b""),
                    ("another first byte", b"\x99\x01"),
                    ("a tweak longer than the order", b"\x98" + b"\x01" * long),
                    ("a small tweak longer than the order", b"\x98" + bytes(long - 1) + b"\x01"),
                    ("a very long tweak", b"\x98" + b"\x01" * 1000),
                ):
                    with self.refused(WRONG_LENGTH, what):
                        self.card.derive(source_id, target_id, data)
                with self.refused(NOT_FOUND, "a key made by a refused command"):
                    self.card.select_file(0xCC00 | target_id)
                with self.refused(WRONG_P1P2, "target 00"):
                    self.card.derive(source_id, 0x00, b"\x98\x01")
                with self.refused(EXISTS, "an occupied target"):
                    self.card.derive(source_id, source_id, b"\x98\x01")

    def test_a_counter_and_a_list_refuse(self) -> None:
        counted_id, _ = self.p256_key_with(counter(5))
        with self.refused(CONDITIONS, "a key with a counter"):
            self.card.derive(counted_id, self.free_id(), b"\x98\x01")
        self.assertEqual(self.card.attributes(counted_id), counter(5))
        listed_id, _ = self.p256_key_with(tlv.encode(0x91, b"\x70\x73"))
        with self.refused(CONDITIONS, "a key whose list lacks 98"):
            self.card.derive(listed_id, self.free_id(), b"\x98\x01")

    def test_only_ec_keys_with_key_and_pin(self) -> None:
        rsa_id, _ = self.rsa_key(1024)
        with self.refused(EXECUTION, "an RSA key"):
            self.card.derive(rsa_id, self.free_id(), b"\x98\x01")
        with self.refused(NOT_FOUND, "a key that is not there"):
            self.card.derive(0xEE, self.free_id(), b"\x98\x01")
        source_id, _ = self.ec_key(P256)
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "a derivation without the PIN"):
                self.card.derive(source_id, self.free_id(), b"\x98\x01")
        finally:
            self.card.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
