"""Elliptic curves, as the Python packages know them and not as the card does."""

from dataclasses import dataclass

import ecdsa
from cryptography.hazmat.primitives.asymmetric import ec
from ecdsa.ellipticcurve import CurveFp, Point, PointJacobi


@dataclass(frozen=True)
class Curve:
    """A curve in short Weierstrass form: its arithmetic, and its class in `cryptography` if that knows it."""

    name: str
    generator: PointJacobi
    known_as: ec.EllipticCurve | None

    @property
    def field_length(self) -> int:
        """Length of the prime in bytes."""
        return (int(self.generator.curve().p()).bit_length() + 7) // 8

    @property
    def order(self) -> int:
        """The order of the generator."""
        return int(self.generator.order())

    @property
    def order_length(self) -> int:
        """Length of the order in bytes."""
        return (self.order.bit_length() + 7) // 8

    def domain(self) -> dict[int, bytes]:
        """The domain parameters under their tags in a certificate, padded to the length of the prime."""
        curve = self.generator.curve()
        p, a, b = int(curve.p()), int(curve.a()), int(curve.b())
        width = self.field_length
        return {
            0x81: p.to_bytes(width, "big"),
            0x82: (a % p).to_bytes(width, "big"),
            0x83: (b % p).to_bytes(width, "big"),
            0x84: self.encode(self.generator),
            0x85: self.order.to_bytes(max(width, self.order_length), "big"),
            0x87: b"\x01",
        }

    def multiply(self, scalar: int) -> PointJacobi:
        """A multiple of the generator."""
        return self.generator * scalar

    def encode(self, point: PointJacobi) -> bytes:
        """A point, uncompressed."""
        x, y = (int(coordinate).to_bytes(self.field_length, "big") for coordinate in (point.x(), point.y()))
        return b"\x04" + x + y

    def compress(self, point: PointJacobi) -> bytes:
        """A point, compressed."""
        return bytes([2 + int(point.y()) % 2]) + int(point.x()).to_bytes(self.field_length, "big")

    def decode(self, encoded: bytes) -> PointJacobi:
        """An uncompressed point, which must lie on the curve."""
        width = self.field_length
        if len(encoded) != 1 + 2 * width or encoded[0] != 4:
            raise ValueError(f"no uncompressed point on {self.name}: {encoded.hex()}")
        x, y = (int.from_bytes(half, "big") for half in (encoded[1 : 1 + width], encoded[1 + width :]))
        curve = self.generator.curve()
        if max(x, y) >= curve.p() or not curve.contains_point(x, y):
            raise ValueError(f"not on {self.name}: {encoded.hex()}")
        return PointJacobi(curve, x, y, 1, self.order)

    def contains_x(self, x: int) -> bool:
        """Whether there is a point with this x coordinate."""
        curve = self.generator.curve()
        p = int(curve.p())
        square = (x**3 + int(curve.a()) * x + int(curve.b())) % p
        return pow(square, (p - 1) // 2, p) in (0, 1)


def _secp192k1() -> PointJacobi:
    """SEC 2 §2.2.1; neither package knows it."""
    curve = CurveFp(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFEE37, 0, 3)
    x = 0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D
    y = 0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
    # Without a cofactor this constructor checks that the point is on the curve and that the order is its order.
    return PointJacobi.from_affine(Point(curve, x, y, order), generator=True)


CURVES = (
    Curve("secp192r1", ecdsa.NIST192p.generator, ec.SECP192R1()),
    Curve("secp224r1", ecdsa.NIST224p.generator, ec.SECP224R1()),
    Curve("secp256r1", ecdsa.NIST256p.generator, ec.SECP256R1()),
    Curve("secp384r1", ecdsa.NIST384p.generator, ec.SECP384R1()),
    Curve("secp521r1", ecdsa.NIST521p.generator, ec.SECP521R1()),
    Curve("secp192k1", _secp192k1(), None),
    Curve("secp256k1", ecdsa.SECP256k1.generator, ec.SECP256K1()),
    Curve("brainpoolP256r1", ecdsa.BRAINPOOLP256r1.generator, ec.BrainpoolP256R1()),
    Curve("brainpoolP384r1", ecdsa.BRAINPOOLP384r1.generator, ec.BrainpoolP384R1()),
    Curve("brainpoolP512r1", ecdsa.BRAINPOOLP512r1.generator, ec.BrainpoolP512R1()),
)


def named(name: str) -> Curve:
    """The curve with a name."""
    return next(curve for curve in CURVES if curve.name == name)


P256 = named("secp256r1")
