"""The base of all tests: an initialised card, the user logged in, and keys whose requests were looked at."""

import contextlib
import os
import tempfile
import unittest
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cvc.certificates import CVC

from ferrite import keys, tlv
from ferrite.card import DEVICE_CERTIFICATE, Card, StatusError
from ferrite.curves import P256, Curve
from ferrite.cvc import Certificate, Request, parse_device_certificate, parse_request
from ferrite.keys import EcKey, EdwardsKey, MontgomeryKey, OkpCurve, PublicKey, RsaKey

WRONG_LENGTH = 0x6700
EXECUTION = 0x6400
SECURITY_STATUS = 0x6982
WRONG_POINT = 0x6984
CONDITIONS = 0x6985
FUNCTION_NOT_SUPPORTED = 0x6A81
NOT_FOUND = 0x6A82
EXHAUSTED = 0x6A84
WRONG_P1P2 = 0x6A86
EXISTS = 0x6A89
WRONG_ALGORITHM = 0x6B00

CAR = b"UTCA00001"
CHR = b"UTFERRITE0001"
# Lengths around the blocks of the hash functions, and more than fits into short commands.
MESSAGE_LENGTHS = (0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 255, 256, 2100, 20000)


def message(length: int) -> bytes:
    """A message of some length."""
    return bytes(range(256)) * (length // 256) + bytes(range(length % 256))


def counter(uses: int) -> bytes:
    """The attribute that limits the uses of a key."""
    return tlv.encode(0x90, uses.to_bytes(4, "big"))


class CardTest(unittest.TestCase):
    """Tests that share one initialised card, the user logged in."""

    card: Card
    device: Certificate
    _next_id: int
    _made: dict[str, tuple[int, PublicKey]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.card = Card()
        cls.addClassCleanup(cls.card.close)
        cls.card.select()
        cls.card.initialize()
        cls.card.verify()
        cls.device = parse_device_certificate(cls.card.read_file(DEVICE_CERTIFICATE))
        cls._next_id = 1
        cls._made = {}

    @contextlib.contextmanager
    def refused(self, status: int, what: str) -> Iterator[None]:
        """What happens in here must be refused with a status."""
        try:
            yield
        except StatusError as error:
            self.assertEqual(f"{error.status:04X}", f"{status:04X}", f"{what}: {error}")
        else:
            self.fail(f"{what} was not refused with {status:04X}")

    @contextlib.contextmanager
    def invalid(self, what: str) -> Iterator[None]:
        """What happens in here must find a signature invalid."""
        with self.assertRaises(InvalidSignature, msg=f"{what} passes for valid"):
            yield

    def free_id(self) -> int:
        """A key id that no key has had."""
        kind = type(self)
        kind._next_id += 1
        return kind._next_id - 1

    def generate(self, template: bytes, attributes: bytes = b"") -> tuple[int, PublicKey]:
        """A new key; everything its certificate request says is checked."""
        key_id = self.free_id()
        data = tlv.encode(0x5F29, b"\x00") + tlv.encode(0x42, CAR) + template + tlv.encode(0x5F20, CHR) + attributes
        answer = self.card.generate(key_id, data)
        self.assertEqual(answer, self.card.read_file(0xCE00 | key_id), "the request in the file is another one")
        request = parse_request(answer)
        self.assertEqual((request.inner.car, request.inner.chr), (CAR, CHR), "references")
        self.check_request(request)
        return key_id, request.key

    def check_request(self, request: Request) -> None:
        """Both signatures of a request, as `cryptography` and `pycvc` see them."""
        inner = request.inner
        inner.key.verify_certificate(inner.signature, inner.body)
        self.assertEqual(request.car, self.device.chr, "the outer authority reference is not the device's name")
        self.device.key.verify_certificate(request.signature, request.outer_body())
        with self.invalid("an outer signature over something else"):
            self.device.key.verify_certificate(request.signature, inner.whole)
        if not isinstance(inner.key, MontgomeryKey):
            with self.invalid("an inner signature over something else"):
                inner.key.verify_certificate(inner.signature, inner.body + b"\x00")
        self._check_with_pycvc(request)

    def _check_with_pycvc(self, request: Request) -> None:
        decoded = CVC().decode(request.whole)
        self.assertTrue(decoded.is_req(), "pycvc takes the request for something else")
        self.assertEqual(bytes(decoded.car()), request.inner.car, "pycvc: authority reference")
        self.assertEqual(bytes(decoded.chr()), request.inner.chr, "pycvc: holder reference")
        self.assertEqual(bytes(decoded.outer_car()), request.car, "pycvc: outer authority reference")
        self.assertEqual(bytes(decoded.signature()), request.inner.signature, "pycvc: inner signature")
        self.assertEqual(bytes(decoded.outer_signature()), request.signature, "pycvc: outer signature")
        # It finds the issuer of the outer signature as a file with the issuer's name.
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder.encode(), request.car), "wb") as file:
                file.write(self.device.whole)
            self.assertTrue(CVC().decode(request.whole).verify(outer=True, cert_dir=folder.encode()), "pycvc: outer")
            changed = request.whole[:-1] + bytes([request.whole[-1] ^ 1])
            self.assertFalse(
                CVC().decode(changed).verify(outer=True, cert_dir=folder.encode()),
                "pycvc takes a changed outer signature for valid",
            )
        # It does not know secp192k1, and takes X25519 and X448 for the Edwards curves.
        key = request.key
        if isinstance(key, MontgomeryKey) or (isinstance(key, EcKey) and key.known() is None):
            return
        self.assertTrue(decoded.verify(dica=request.whole), "pycvc: inner signature is invalid")
        at = request.whole.index(request.inner.chr)
        changed = request.whole[:at] + b"X" + request.whole[at + 1 :]
        self.assertFalse(CVC().decode(changed).verify(dica=request.whole), "pycvc takes a changed request for valid")

    def rsa_key(self, bits: int) -> tuple[int, RsaKey]:
        """An RSA key, made when it is asked for the first time."""
        key_id, key = self._once(f"RSA-{bits}", keys.rsa_template(bits))
        self.assertIsInstance(key, RsaKey)
        assert isinstance(key, RsaKey)
        self.assertEqual(key.key.key_size, bits, "size of the modulus")
        self.assertEqual(key.key.public_numbers().e, 65537, "public exponent")
        return key_id, key

    def ec_key(self, curve: Curve) -> tuple[int, EcKey]:
        """A key on a curve, made when it is asked for the first time."""
        key_id, key = self._once(curve.name, keys.curve_template(curve))
        assert isinstance(key, EcKey), key
        self.assertEqual(key.curve, curve)
        return key_id, key

    def montgomery_key(self, curve: OkpCurve) -> tuple[int, MontgomeryKey]:
        """An X25519 or X448 key, made when it is asked for the first time."""
        key_id, key = self._once(curve.name, keys.curve_template(curve))
        assert isinstance(key, MontgomeryKey), key
        return key_id, key

    def edwards_key(self, curve: OkpCurve) -> tuple[int, EdwardsKey]:
        """An Ed25519 or Ed448 key, made when it is asked for the first time."""
        key_id, key = self._once(curve.name, keys.curve_template(curve))
        assert isinstance(key, EdwardsKey), key
        return key_id, key

    def p256_key_with(self, attributes: bytes) -> tuple[int, EcKey]:
        """A new P-256 key with attributes."""
        key_id, key = self.generate(keys.curve_template(P256), attributes)
        assert isinstance(key, EcKey), key
        return key_id, key

    def _once(self, name: str, template: bytes) -> tuple[int, PublicKey]:
        if name not in self._made:
            self._made[name] = self.generate(template)
        return self._made[name]
