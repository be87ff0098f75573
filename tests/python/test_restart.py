"""What is said of a key before a loss of power is true after it. Run as `before`, and after the restart as `after`."""

import sys
import unittest

from cryptography.hazmat.primitives.hashes import SHA256

from ferrite import keys, tlv
from ferrite.card import DEVICE_CERTIFICATE, Card, StatusError
from ferrite.curves import CURVES, P256
from ferrite.cvc import parse_device_certificate, parse_request
from ferrite.keys import EcKey, EdwardsKey, MontgomeryKey, RsaKey, digest
from ferrite.testing import CAR, CHR, EXHAUSTED, counter

COUNTED = 0x21
TEMPLATES = (
    keys.rsa_template(1024),
    *(keys.curve_template(curve) for curve in CURVES),
    *(keys.curve_template(curve) for curve in keys.OKP_CURVES),
)
OTHERS = dict(enumerate(TEMPLATES, start=0x30))


def attributes(uses: int) -> bytes:
    """A counter and a list."""
    return counter(uses) + tlv.encode(0x91, b"\x73")


def generate(card: Card, key_id: int, template: bytes, more: bytes = b"") -> None:
    """A new key."""
    card.generate(key_id, tlv.encode(0x42, CAR) + template + tlv.encode(0x5F20, CHR) + more)


class Restart(unittest.TestCase):
    def use(self, card: Card, key_id: int) -> None:
        """Uses a key as the request that the card keeps says it can be used."""
        request = parse_request(card.read_file(0xCE00 | key_id))
        device = parse_device_certificate(card.read_file(DEVICE_CERTIFICATE))
        device.key.verify_certificate(request.signature, request.outer_body())
        key, message = request.key, b"message"
        if isinstance(key, RsaKey):
            key.verify_certificate(card.sign(key_id, 0x33, message), message)
        elif isinstance(key, EcKey):
            key.verify(card.sign(key_id, 0x73, message), digest(SHA256(), message))
        elif isinstance(key, EdwardsKey):
            key.verify_certificate(card.sign(key_id, 0x70, message), message)
        elif isinstance(key, MontgomeryKey):
            public = key.raw()
            base = next(curve.base for curve in (keys.X25519, keys.X448) if curve.field_length == len(public))
            self.assertEqual(card.decipher(key_id, 0x80, base), b"\x04" + public)

    def before(self) -> None:
        card = Card()
        self.addCleanup(card.close)
        card.select()
        card.initialize()
        card.verify()
        generate(card, COUNTED, keys.curve_template(P256), attributes(4))
        self.use(card, COUNTED)
        self.use(card, COUNTED)
        self.assertEqual(card.attributes(COUNTED), attributes(2))
        for key_id, template in OTHERS.items():
            generate(card, key_id, template)

    def after(self) -> None:
        card = Card()
        self.addCleanup(card.close)
        card.select()
        self.assertEqual(card.attributes(COUNTED), attributes(2), "the attributes after the restart")
        card.verify()
        self.use(card, COUNTED)
        self.use(card, COUNTED)
        self.assertEqual(card.attributes(COUNTED), attributes(0))
        with self.assertRaises(StatusError) as raised:
            card.sign(COUNTED, 0x73, b"message")
        self.assertEqual(f"{raised.exception.status:04X}", f"{EXHAUSTED:04X}", "a use too many")
        for key_id in OTHERS:
            with self.subTest(key=f"{key_id:02X}"):
                self.use(card, key_id)


if __name__ == "__main__":
    name = sys.argv[1]
    result = unittest.TextTestRunner(verbosity=2).run(Restart(name))
    sys.exit(not result.wasSuccessful())
