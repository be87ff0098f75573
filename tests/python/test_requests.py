"""What certificate requests say beyond what is checked whenever a key is made: references, sizes, secret keys."""

import os
import unittest
import uuid

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ferrite import keys, tlv
from ferrite.curves import CURVES, P256
from ferrite.custody import Dkek
from ferrite.cvc import parse_request
from ferrite.testing import CAR, CHR, EXISTS, WRONG_P1P2, CardTest

# Recorded with an authority of 9, a holder of 13 and a device name of 16 characters.
SIZES = {
    "secp192r1": 406,
    "secp256r1": 487,
    "secp384r1": 647,
    "brainpoolP512r1": 810,
    "secp521r1": 830,
    "X25519": 347,
    "X448": 493,
}
RSA_SIZES = {1024: 413, 2048: 673, 3072: 929}
LABEL = b"ferrite key id 1"
GENERATED, IMPORTED = b"\x00", b"\x01"
DOMAIN_0 = tlv.encode(0x92, b"\x00")


def uuid_oid(text: str) -> bytes:
    """The object identifier 2.25 and a UUID (ITU-T X.667): seven bits a byte, the highest first."""
    number = uuid.UUID(text).int
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes([2 * 40 + 25, *reversed(groups)])


SECRET_KEY = uuid_oid("6bdd16cb-1fce-4aa1-b623-4c35658851a8")
LIMITS = uuid_oid("8414c2c5-9e1d-49a3-a69e-06a5aac019c7")


class Requests(CardTest):
    def check_size(self, template: bytes, recorded: int) -> None:
        key_id, _ = self.generate(template)
        self.assertEqual((len(CAR), len(CHR)), (9, 13))
        self.assertEqual(len(self.device.chr), 16, "the device's name has another length than in the records")
        self.assertEqual(len(self.card.read_file(0xCE00 | key_id)), recorded)

    def test_sizes_of_rsa_requests(self) -> None:
        for bits, recorded in RSA_SIZES.items():
            with self.subTest(bits=bits):
                self.check_size(keys.rsa_template(bits), recorded)

    def test_sizes_of_ec_requests(self) -> None:
        for curve in CURVES:
            if curve.name in SIZES:
                with self.subTest(curve=curve.name):
                    self.check_size(keys.curve_template(curve), SIZES[curve.name])

    def test_sizes_of_x25519_and_x448_requests(self) -> None:
        for curve in (keys.X25519, keys.X448):
            with self.subTest(curve=curve.name):
                self.check_size(keys.curve_template(curve), SIZES[curve.name])

    def test_references_are_the_devices_name_by_default(self) -> None:
        for what, empty in (("absent", b""), ("empty", tlv.encode(0x42, b"") + tlv.encode(0x5F20, b""))):
            with self.subTest(references=what):
                request = parse_request(self.card.generate(self.free_id(), keys.curve_template(P256) + empty))
                self.assertEqual(request.inner.car, self.device.chr, "authority reference")
                self.assertEqual(request.inner.chr, self.device.chr, "holder reference")
                self.check_request(request)

    def test_the_device_certificate_is_signed_by_its_own_key(self) -> None:
        self.device.key.verify_certificate(self.device.signature, self.device.body)
        self.assertEqual(self.device.car, self.device.chr)

    def test_no_key_replaces_another(self) -> None:
        key_id, _ = self.ec_key(P256)
        with self.refused(EXISTS, "an occupied key id"):
            self.card.generate(key_id, keys.curve_template(P256))
        with self.refused(WRONG_P1P2, "the id of the device key"):
            self.card.generate(0x00, keys.curve_template(P256))


class SecretKeys(CardTest):
    """Requests of secret keys, as docs/src/trust.md describes them."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.card.initialize(dkek_shares=1)
        cls.dkek = Dkek(os.urandom(32))
        cls.card.import_share(0, cls.dkek.share)

    def check(self, key_id: int, bits: int, origin: bytes, attributes: bytes) -> bytes | None:
        """Everything that the request says; the identifier, if there is one."""
        [request] = tlv.parse_as(self.card.read_file(0xCE00 | key_id), 0x67)
        inner, car, signature = tlv.parse_as(request.value, 0x7F21, 0x42, 0x5F37)
        self.assertEqual(car.value, self.device.chr, "the outer authority reference")
        self.device.key.verify_certificate(signature.value, inner.whole + car.whole)
        body, zeros = tlv.parse_as(inner.value, 0x7F4E, 0x5F37)
        self.assertEqual(zeros.value, bytes(bits // 4), "in the place of the inner signature")
        profile, authority, key, holder, extensions = tlv.parse_as(body.value, 0x5F29, 0x42, 0x7F49, 0x5F20, 0x65)
        self.assertEqual(
            (profile.value, authority.value, holder.value), (b"\x00", self.device.chr, self.device.chr)
        )
        [template] = tlv.parse_as(extensions.value, 0x73)
        limits = tlv.encode(0x06, LIMITS) + tlv.encode(0x80, origin) + tlv.encode(0x81, bytes([key_id])) + attributes
        self.assertEqual(template.value, limits)
        oid, size, *identifier = tlv.parse(key.value)
        self.assertEqual((oid.tag, oid.value, size.tag), (0x06, SECRET_KEY, 0x81))
        self.assertEqual(int.from_bytes(size.value, "big"), bits)
        if not identifier:
            return None
        [only] = identifier
        self.assertEqual((only.tag, len(only.value)), (0x82, 16))
        return only.value

    def test_a_key_made_on_the_card_is_named_by_what_hkdf_makes_of_it(self) -> None:
        for length, bits in ((0xB0, 128), (0xB1, 192), (0xB2, 256), (0xB3, 512)):
            with self.subTest(bits=bits):
                key_id = self.free_id()
                self.card.generate_secret(key_id, length)
                identifier = self.check(key_id, bits, GENERATED, b"")
                key = self.dkek.unwrap(self.card.wrap(key_id))
                self.assertEqual(8 * len(key), bits)
                self.assertEqual(identifier, HKDF(SHA256(), 16, None, LABEL).derive(key))
                self.assertEqual(identifier, self.card.symmetric(key_id, 0x99, LABEL))

    def test_a_key_that_came_has_no_identifier(self) -> None:
        for size in (16, 24, 32, 64):
            key_id = self.free_id()
            self.card.unwrap(key_id, self.dkek.wrap(b"password".ljust(size, b"\0")))
            self.assertIsNone(self.check(key_id, 8 * size, IMPORTED, DOMAIN_0))

    def test_limits_are_told(self) -> None:
        key_id = self.free_id()
        attributes = tlv.encode(0x90, bytes(3) + b"\x05") + tlv.encode(0x91, b"\x10\x11") + DOMAIN_0
        self.card.generate_secret(key_id, 0xB2, attributes)
        self.assertIsNotNone(self.check(key_id, 256, GENERATED, attributes))


if __name__ == "__main__":
    unittest.main(verbosity=2)
