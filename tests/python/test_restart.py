"""What is said of a key before a loss of power is true after it. Run as `before`, and after the restart as `after`."""

import sys
import unittest

from cryptography.hazmat.primitives.hashes import SHA256

from ferrite import keys, tlv
from ferrite.card import DEVICE_CERTIFICATE, Card, StatusError
from ferrite.curves import P256
from ferrite.cvc import parse_device_certificate, parse_request
from ferrite.keys import EcKey, digest
from ferrite.testing import CAR, CHR, EXHAUSTED

KEY = 0x21
TEMPLATE = tlv.encode(0x42, CAR) + keys.curve_template(P256) + tlv.encode(0x5F20, CHR)


def attributes(counter: int) -> bytes:
    """A counter and a list."""
    return tlv.encode(0x90, counter.to_bytes(4, "big")) + tlv.encode(0x91, b"\x73")


class Restart(unittest.TestCase):
    def use(self, card: Card) -> None:
        """Signs with the key of the request that the card keeps."""
        request = parse_request(card.read_file(0xCE00 | KEY))
        key = request.key
        assert isinstance(key, EcKey)
        key.verify(card.sign(KEY, 0x73, b"message"), digest(SHA256(), b"message"))
        device = parse_device_certificate(card.read_file(DEVICE_CERTIFICATE))
        device.key.verify_certificate(request.signature, request.outer_body())

    def before(self) -> None:
        card = Card()
        self.addCleanup(card.close)
        card.select()
        card.initialize()
        card.verify()
        card.generate(KEY, TEMPLATE + attributes(4))
        self.use(card)
        self.use(card)
        self.assertEqual(card.attributes(KEY), attributes(2))

    def after(self) -> None:
        card = Card()
        self.addCleanup(card.close)
        card.select()
        self.assertEqual(card.attributes(KEY), attributes(2), "the attributes after the restart")
        card.verify()
        self.use(card)
        self.use(card)
        self.assertEqual(card.attributes(KEY), attributes(0))
        with self.assertRaises(StatusError) as raised:
            card.sign(KEY, 0x73, b"message")
        self.assertEqual(f"{raised.exception.status:04X}", f"{EXHAUSTED:04X}", "a use too many")


if __name__ == "__main__":
    name = sys.argv[1]
    result = unittest.TextTestRunner(verbosity=2).run(Restart(name))
    sys.exit(not result.wasSuccessful())
