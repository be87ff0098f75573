"""What certificate requests say beyond what is checked whenever a key is made: references and sizes."""

import unittest

from ferrite import keys, tlv
from ferrite.curves import CURVES, P256
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
