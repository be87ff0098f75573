"""EXTRAS: options, clock, secure lock; and the rescue application. Run as `before`, and after a restart as `after`."""

import struct
import sys
import unittest
from datetime import datetime, timezone

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ferrite import keys, tlv
from ferrite.card import DEVICE_CERTIFICATE, Card, StatusError
from ferrite.curves import P256
from ferrite.cvc import parse_device_certificate, parse_request
from ferrite.keys import EcKey, digest
from ferrite.testing import CONDITIONS, SECURITY_STATUS, WRONG_LENGTH, WRONG_P1P2

WRONG_DATA = 0x6A80
NO_AGREEMENT = 0x6986
WRONG_CLA = 0x6E00
WRONG_INS = 0x6D00

OPTIONS, CLOCK, LOCK = 0x06, 0x0A, 0x3A
AGREE, ENABLE, OPEN, DISABLE = 0x01, 0x02, 0x03, 0x04
#: RESET RETRY COUNTER is enabled, which INITIALIZE of these tests says; new keys are counted; the lock is on.
BASE, COUNTS, LOCKED = 0x0001, 0x0200, 0x0400
RESCUE = bytes.fromhex("A0583FC19B7E4F21")

MASK = bytes(range(32))
OTHER_MASK = bytes(range(1, 33))
KEY = 0x21


class Agreement:
    """The host's side of a key agreement."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.private = private
        self.point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def seal(self, device: bytes, mask: bytes) -> bytes:
        """The mask, for the device that answered this point."""
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device)
        secret = self.private.exchange(ec.ECDH(), peer)
        material = HKDF(SHA256(), 44, None, self.point).derive(secret)
        return ChaCha20Poly1305(material[12:]).encrypt(material[:12], mask, self.point)


class Extras(unittest.TestCase):
    def setUp(self) -> None:
        self.card = Card()
        self.addCleanup(self.card.close)
        self.card.select()

    def refused(self, status: int, p1: int, p2: int, data: bytes = b"") -> None:
        """EXTRAS must be refused with a status."""
        with self.assertRaises(StatusError) as raised:
            self.extras(p1, p2, data)
        self.assertEqual(f"{raised.exception.status:04X}", f"{status:04X}", f"{p1:02X} {p2:02X} {data.hex()}")

    def extras(self, p1: int, p2: int = 0, data: bytes = b"") -> bytes:
        """EXTRAS."""
        return self.card.command(0x80, 0x64, p1, p2, data)

    def options(self) -> int:
        """The option word."""
        return int.from_bytes(self.extras(OPTIONS), "big")

    def message(self, mask: bytes) -> bytes:
        """A fresh agreement, and the mask under it."""
        agreement = Agreement(ec.generate_private_key(ec.SECP256R1()))
        return agreement.seal(self.extras(LOCK, AGREE, agreement.point), mask)

    def use(self) -> None:
        """Signs with the key, as its request says it can."""
        key = parse_request(self.card.read_file(0xCE00 | KEY)).key
        assert isinstance(key, EcKey)
        key.verify(self.card.sign(KEY, 0x73, b"message"), digest(SHA256(), b"message"))

    def shut(self) -> None:
        """The key cannot be used."""
        with self.assertRaises(StatusError) as raised:
            self.card.sign(KEY, 0x73, b"message")
        self.assertEqual(f"{raised.exception.status:04X}", f"{CONDITIONS:04X}")

    def before(self) -> None:
        """What a device does until the power fails; it is locked then."""
        self.vector()
        self.card.initialize()
        self.card.select()
        for p1 in (OPTIONS, CLOCK, LOCK):
            self.refused(SECURITY_STATUS, p1, 0)
        self.card.verify()
        self.refused(WRONG_P1P2, 0x07, 0)
        self.check_options()
        self.check_clock()
        self.card.generate(KEY, keys.curve_template(P256))
        self.check_lock()

    def vector(self) -> None:
        """The host's side is right: specification part 3 §1.4."""
        agreement = Agreement(ec.derive_private_key(int.from_bytes(b"\x11" * 32, "big"), ec.SECP256R1()))
        device = bytes.fromhex(
            "04d65a93977caa3d1b081852ff57a79e465f1660577304baead505dd3a48589cf3"
            "50185e895372df6221ea3a137557e473fddb6755f05bd507c3c533fce9c91285"
        )
        sealed = "aaa68f0fa7ccaa895d640b710c435df872fdf4d50fec1f7bc4c57405c17eaacf20b94dad03ae16958131ab5295e814e6"
        self.assertEqual(agreement.seal(device, MASK).hex(), sealed)

    def check_options(self) -> None:
        self.assertEqual(self.options(), BASE)
        self.extras(OPTIONS, 0, b"\x02")
        self.assertEqual(self.options(), BASE | COUNTS)
        self.card.generate(KEY + 1, keys.curve_template(P256))
        self.assertEqual(self.card.attributes(KEY + 1), tlv.encode(0x90, bytes.fromhex("FFFFFFFE")))
        # The lock is not switched by hand: in the first case it would be on, in the second off.
        self.extras(OPTIONS, 0, b"\x06")
        self.assertEqual(self.options(), BASE | COUNTS)
        self.extras(OPTIONS, 0, b"\x00")
        self.assertEqual(self.options(), BASE)
        self.refused(WRONG_DATA, OPTIONS, 0, b"\x08")
        self.refused(WRONG_LENGTH, OPTIONS, 0, b"\x01\x01")
        self.refused(WRONG_P1P2, OPTIONS, 1, b"\x01")
        self.assertEqual(self.options(), BASE)

    def check_clock(self) -> None:
        self.refused(CONDITIONS, CLOCK, 0)
        # 2024-02-29 was a Thursday; the weekday that is sent does not count.
        self.extras(CLOCK, 0, struct.pack(">HBBBBBB", 2024, 2, 29, 0, 23, 59, 30))
        year, month, day, weekday, hour, minute, second = struct.unpack(">HBBBBBB", self.extras(CLOCK))
        self.assertEqual((year, month, day, weekday, hour, minute), (2024, 2, 29, 4, 23, 59))
        self.assertIn(second, range(30, 60))
        for what in ((2026, 13, 1, 0, 0, 0, 0), (2026, 0, 1, 0, 0, 0, 0), (2025, 2, 29, 0, 0, 0, 0)):
            self.refused(WRONG_DATA, CLOCK, 0, struct.pack(">HBBBBBB", *what))
        self.refused(WRONG_LENGTH, CLOCK, 0, bytes(7))
        self.refused(WRONG_P1P2, CLOCK, 1)

    def check_lock(self) -> None:
        self.refused(WRONG_LENGTH, LOCK, AGREE)
        self.refused(WRONG_LENGTH, LOCK, AGREE, b"\x04" + bytes(64))
        for operation in (ENABLE, OPEN, DISABLE):
            self.refused(NO_AGREEMENT, LOCK, operation, bytes(48))
        # A message is good for its own agreement, and as it was made.
        old = self.message(MASK)
        self.message(MASK)
        self.refused(WRONG_LENGTH, LOCK, ENABLE, old)
        changed = self.message(MASK)
        self.refused(WRONG_LENGTH, LOCK, ENABLE, changed[:-1] + bytes([changed[-1] ^ 1]))
        self.assertEqual(self.options(), BASE)
        self.use()
        message = self.message(MASK)
        self.extras(LOCK, ENABLE, message)
        self.assertEqual(self.options(), BASE | LOCKED)
        self.refused(NO_AGREEMENT, LOCK, OPEN, message)
        # Switched by hand it stays on.
        self.extras(OPTIONS, 0, b"\x00")
        self.assertEqual(self.options(), BASE | LOCKED)
        self.use()

    def after(self) -> None:
        """What the device does after the power failed."""
        self.card.verify()
        self.shut()
        self.refused(NO_AGREEMENT, LOCK, OPEN, bytes(48))
        self.refused(WRONG_DATA, LOCK, OPEN, self.message(OTHER_MASK))
        self.refused(WRONG_DATA, LOCK, DISABLE, self.message(OTHER_MASK))
        self.shut()
        self.extras(LOCK, OPEN, self.message(MASK))
        self.assertEqual(self.options(), BASE | LOCKED)
        self.use()
        # Another program selects the application again, and logs in.
        self.card.select()
        self.card.verify()
        self.use()
        self.refused(WRONG_DATA, LOCK, DISABLE, self.message(OTHER_MASK))
        self.use()
        self.extras(LOCK, DISABLE, self.message(MASK))
        self.assertEqual(self.options(), BASE)
        self.card.select()
        self.card.verify()
        self.use()
        self.check_rescue()

    def check_rescue(self) -> None:
        device = parse_device_certificate(self.card.read_file(DEVICE_CERTIFICATE))
        answer = self.rescue(0x00, 0xA4, 0x04, 0x04, RESCUE)
        platform, product, _, _ = answer[:4]
        serial = answer[4:]
        # An emulation of an HSM, with the number of its chip.
        self.assertEqual((platform, product, len(serial)), (0x03, 0x01, 8))
        self.assertEqual(self.rescue(0x80, 0x1E, 0x03, 0x00), bytes.fromhex("0000FF"))
        free, used, total, _, chip = struct.unpack(">5I", self.rescue(0x80, 0x1E, 0x02, 0x00))
        self.assertTrue(0 < used and free + used <= total <= chip, (free, used, total, chip))
        self.rescue_refused(CONDITIONS, 0x80, 0x1E, 0x04, 0x01)
        self.rescue_refused(WRONG_P1P2, 0x80, 0x1E, 0x04, 0x03)
        self.rescue_refused(WRONG_P1P2, 0x80, 0x1E, 0x77, 0x00)
        self.rescue_refused(WRONG_LENGTH, 0x80, 0x1E, 0x03, 0x00, b"\x00")
        self.rescue_refused(WRONG_CLA, 0x00, 0x1E, 0x03, 0x00)
        self.rescue_refused(WRONG_INS, 0x80, 0x20, 0x00, 0x00)
        # Seconds are set; the date is that of UTC, with months from 0 and Sunday 0.
        moment = datetime(2026, 12, 31, 12, 0, 0, tzinfo=timezone.utc)
        self.rescue(0x80, 0x1C, 0x02, 0x02, struct.pack(">I", int(moment.timestamp())))
        date = struct.unpack(">HBBBBBB", self.rescue(0x80, 0x1E, 0x04, 0x01))
        self.assertEqual(date[:6], (2026, 11, 31, 4, 12, 0))
        # The device key signs only what says what it is.
        point = self.rescue(0x80, 0x10, 0x02, 0x00)
        assert isinstance(device.key, EcKey)
        self.assertEqual(point, P256.encode(device.key.point))
        challenge = bytes(range(16))
        signature = self.rescue(0x80, 0x10, 0x04, 0x00, challenge)
        device.key.verify_certificate(signature, b"rescue-pop" + serial + challenge)
        self.rescue_refused(WRONG_P1P2, 0x80, 0x10, 0x01, 0x00, digest(SHA256(), b"anything"))

    def rescue(self, cla: int, ins: int, p1: int, p2: int, data: bytes = b"") -> bytes:
        """A command of the rescue application."""
        return self.card.command(cla, ins, p1, p2, data)

    def rescue_refused(self, status: int, cla: int, ins: int, p1: int, p2: int, data: bytes = b"") -> None:
        """A command that the rescue application must refuse with a status."""
        with self.assertRaises(StatusError) as raised:
            self.rescue(cla, ins, p1, p2, data)
        self.assertEqual(f"{raised.exception.status:04X}", f"{status:04X}", f"{ins:02X} {p1:02X} {p2:02X}")


if __name__ == "__main__":
    name = sys.argv[1]
    result = unittest.TextTestRunner(verbosity=2).run(Extras(name))
    sys.exit(not result.wasSuccessful())
