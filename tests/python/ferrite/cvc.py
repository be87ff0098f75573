"""Card-verifiable certificates and their requests (BSI TR-03110-3), read strictly: nothing missing, nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa, x448, x25519

from ferrite import keys, tlv
from ferrite.curves import CURVES, Curve
from ferrite.keys import EcKey, EdwardsKey, MontgomeryKey, OkpCurve, PublicKey, RsaKey
from ferrite.tlv import Malformed

C = TypeVar("C", Curve, OkpCurve)


@dataclass(frozen=True)
class Certificate:
    """A certificate: also the inner part of a request."""

    whole: bytes
    body: bytes
    car: bytes
    chr: bytes
    key: PublicKey
    signature: bytes
    #: The templates of the extensions (65); none if there are none.
    extensions: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Request:
    """An authenticated request."""

    whole: bytes
    inner: Certificate
    car: bytes
    signature: bytes

    @property
    def key(self) -> PublicKey:
        """The new key."""
        return self.inner.key

    def outer_body(self) -> bytes:
        """What the outer signature covers."""
        return self.inner.whole + tlv.encode(0x42, self.car)


def parse_request(data: bytes) -> Request:
    """A request, and nothing behind it."""
    [request] = tlv.parse_as(data, 0x67)
    inner, car, signature = tlv.parse_as(request.value, 0x7F21, 0x42, 0x5F37)
    return Request(data, _certificate(inner, ()), car.value, signature.value)


def parse_device_certificate(data: bytes) -> Certificate:
    """The certificate of a device that signed it itself."""
    [certificate] = tlv.parse_as(data, 0x7F21)
    return _certificate(certificate, (0x7F4C, 0x5F25, 0x5F24))


def _certificate(certificate: tlv.Element, further: tuple[int, ...]) -> Certificate:
    body, signature = tlv.parse_as(certificate.value, 0x7F4E, 0x5F37)
    elements = tlv.parse(body.value)
    extensions: tuple[bytes, ...] = ()
    if elements and elements[-1].tag == 0x65:
        extensions = tuple(element.value for element in tlv.parse(elements[-1].value) if element.tag == 0x73)
        further = (*further, 0x65)
    profile, car, key, chr_, *_ = tlv.parse_as(body.value, 0x5F29, 0x42, 0x7F49, 0x5F20, *further)
    if profile.value != b"\x00":
        raise Malformed(f"profile {profile.value.hex()}")
    for reference in (car.value, chr_.value):
        if not reference or not reference.isascii() or not reference.decode().isprintable():
            raise Malformed(f"reference {reference.hex()}")
    public_key = _public_key(key.value)
    return Certificate(
        certificate.whole, body.whole, car.value, chr_.value, public_key, signature.value, extensions
    )


def _public_key(data: bytes) -> PublicKey:
    oid, *rest = tlv.parse(data)
    values = {element.tag: element.value for element in rest}
    order = [element.tag for element in rest]
    if oid.tag != 0x06 or order != sorted(values):
        raise Malformed(f"public key {data.hex()}")
    if oid.value == keys.TA_RSA_V1_5_SHA_256:
        _same_tags(values, {0x81, 0x82})
        if any(value[:1] in (b"", b"\x00") for value in values.values()):
            raise Malformed("a number of an RSA key is not in its shortest form")
        numbers = rsa.RSAPublicNumbers(int.from_bytes(values[0x82], "big"), int.from_bytes(values[0x81], "big"))
        return RsaKey(numbers.public_key())
    if oid.value == keys.TA_ECDSA_SHA_256:
        point = values.pop(0x86, None)
        curve = _with_domain(values, CURVES)
        if point is None:
            raise Malformed("no public point")
        return EcKey(curve, curve.decode(point))
    if oid.value == keys.RI_ECDH_SHA_256:
        raw = values.pop(0x84, None)
        okp_curve = _with_domain(values, keys.OKP_CURVES)
        if raw is None:
            raise Malformed("no public key")
        return _okp_key(okp_curve, raw)
    raise Malformed(f"object identifier {oid.value.hex()}")


def _okp_key(curve: OkpCurve, raw: bytes) -> PublicKey:
    if curve is keys.X25519:
        return MontgomeryKey(x25519.X25519PublicKey.from_public_bytes(raw))
    if curve is keys.X448:
        return MontgomeryKey(x448.X448PublicKey.from_public_bytes(raw))
    if curve is keys.ED25519:
        return EdwardsKey(ed25519.Ed25519PublicKey.from_public_bytes(raw))
    return EdwardsKey(ed448.Ed448PublicKey.from_public_bytes(raw))


def _with_domain(values: dict[int, bytes], curves: Sequence[C]) -> C:
    for curve in curves:
        if curve.domain() == values:
            return curve
    readable = {f"{tag:X}": value.hex() for tag, value in values.items()}
    raise Malformed(f"these are the domain parameters of no curve, or not padded as they should be: {readable}")


def _same_tags(values: dict[int, bytes], tags: set[int]) -> None:
    if set(values) != tags:
        raise Malformed(f"tags {[f'{tag:X}' for tag in values]} in a public key")
