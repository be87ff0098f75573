"""Public keys on the host's side, and what asks the card for a new key."""

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, utils, x448, x25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ecdsa.ecdsa import Public_key, Signature
from ecdsa.ellipticcurve import PointJacobi

from ferrite import tlv
from ferrite.curves import Curve

HASHES: tuple[hashes.HashAlgorithm, ...] = (
    hashes.SHA1(),
    hashes.SHA224(),
    hashes.SHA256(),
    hashes.SHA384(),
    hashes.SHA512(),
)
TA_RSA_V1_5_SHA_256 = bytes.fromhex("04007F00070202020102")
TA_ECDSA_SHA_256 = bytes.fromhex("04007F00070202020203")
RI_ECDH_SHA_256 = bytes.fromhex("04007F00070202050203")


def digest(algorithm: hashes.HashAlgorithm, message: bytes) -> bytes:
    """The digest of a message."""
    context = hashes.Hash(algorithm)
    context.update(message)
    return context.finalize()


class PublicKey(Protocol):
    """What verifies the signatures in certificates and their requests: SHA-256, or none for Edwards keys."""

    def verify_certificate(self, signature: bytes, body: bytes) -> None:
        """Raises InvalidSignature."""


@dataclass(frozen=True)
class RsaKey:
    """An RSA key."""

    key: rsa.RSAPublicKey

    @property
    def modulus(self) -> int:
        """The modulus."""
        return self.key.public_numbers().n

    @property
    def length(self) -> int:
        """Length of the modulus in bytes."""
        return self.key.key_size // 8

    def power(self, block: bytes) -> bytes:
        """The public operation on a block of the modulus' length."""
        numbers = self.key.public_numbers()
        return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(self.length, "big")

    def verify_certificate(self, signature: bytes, body: bytes) -> None:
        """PKCS#1 v1.5 with SHA-256."""
        self.key.verify(signature, body, PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class EcKey:
    """A key on a curve in Weierstrass form."""

    curve: Curve
    point: PointJacobi

    def known(self) -> ec.EllipticCurvePublicKey | None:
        """The key in `cryptography`, if that knows the curve."""
        if self.curve.known_as is None:
            return None
        return ec.EllipticCurvePublicKey.from_encoded_point(self.curve.known_as, self.curve.encode(self.point))

    def verify(self, signature: bytes, hashed: bytes) -> None:
        """Verifies a signature in DER over a digest: by `ecdsa`, and by `cryptography` if it knows curve and length."""
        r, s = utils.decode_dss_signature(signature)
        if utils.encode_dss_signature(r, s) != signature:
            raise tlv.Malformed(f"not DER: {signature.hex()}")
        excess = max(0, 8 * len(hashed) - self.curve.order.bit_length())
        number = int.from_bytes(hashed, "big") >> excess
        if not Public_key(self.curve.generator, self.point, verify=False).verifies(number, Signature(r, s)):
            raise InvalidSignature
        fitting = [algorithm for algorithm in HASHES if algorithm.digest_size == len(hashed)]
        key = self.known()
        if key and fitting:
            key.verify(signature, hashed, ec.ECDSA(utils.Prehashed(fitting[0])))

    def verify_certificate(self, signature: bytes, body: bytes) -> None:
        """ECDSA with SHA-256, r and s padded to the length of the prime."""
        width = self.curve.field_length
        if len(signature) != 2 * width:
            raise tlv.Malformed(f"a signature of {len(signature)} bytes where {2 * width} should be")
        r, s = (int.from_bytes(half, "big") for half in (signature[:width], signature[width:]))
        self.verify(utils.encode_dss_signature(r, s), digest(hashes.SHA256(), body))


@dataclass(frozen=True)
class MontgomeryKey:
    """An X25519 or X448 key."""

    key: x25519.X25519PublicKey | x448.X448PublicKey

    def verify_certificate(self, signature: bytes, body: bytes) -> None:
        """These keys cannot sign: all zero, twice the length of the field."""
        if signature != bytes(2 * len(self.raw())):
            raise InvalidSignature

    def raw(self) -> bytes:
        """The u coordinate, little-endian."""
        return self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(frozen=True)
class EdwardsKey:
    """An Ed25519 or Ed448 key."""

    key: ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

    def verify_certificate(self, signature: bytes, body: bytes) -> None:
        """EdDSA over the body itself."""
        self.key.verify(signature, body)


@dataclass(frozen=True)
class OkpCurve:
    """Curve 25519 or 448 in one of its forms: its keys are octet strings (RFC 7748, RFC 8032), as its base point is."""

    name: str
    prime: int
    order: int
    base: bytes
    field_length: int

    def domain(self) -> dict[int, bytes]:
        """The domain parameters under their tags in a certificate."""
        return {
            0x81: self.prime.to_bytes(self.field_length, "big"),
            0x82: self.order.to_bytes(self.field_length, "big"),
            0x83: self.base,
        }


_P25519, _L25519 = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_P448 = 2**448 - 2**224 - 1
_L448 = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
X25519 = OkpCurve("X25519", _P25519, _L25519, b"\x09" + bytes(31), 32)
X448 = OkpCurve("X448", _P448, _L448, b"\x05" + bytes(55), 56)
ED25519 = OkpCurve("Ed25519", _P25519, _L25519, b"\x58" + 31 * b"\x66", 32)
ED448 = OkpCurve(
    "Ed448",
    _P448,
    _L448,
    bytes.fromhex(
        "14fa30f25b790898adc8d74e2c13bdfdc4397ce61cffd33ad7c2a0051e9c7887"
        "4098a36c7373ea4b62c7c9563720768824bcb66e71463f6900"
    ),
    56,
)
OKP_CURVES = (X25519, X448, ED25519, ED448)


def rsa_template(bits: int) -> bytes:
    """The template that asks for an RSA key."""
    inside = (
        tlv.encode(0x06, TA_RSA_V1_5_SHA_256)
        + tlv.encode(0x82, b"\x01\x00\x01")
        + tlv.encode(0x02, bits.to_bytes(2, "big"))
    )
    return tlv.encode(0x7F49, inside)


def curve_template(curve: Curve | OkpCurve) -> bytes:
    """The template that asks for a key on a curve."""
    domain = b"".join(tlv.encode(tag, value) for tag, value in curve.domain().items())
    return tlv.encode(0x7F49, tlv.encode(0x06, TA_ECDSA_SHA_256) + domain)
