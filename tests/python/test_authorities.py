"""An authority made with `pycvc`: certificates of devices, login by registered keys, membership in a group.

Everything on the host's side is done by `pycvc` and `cryptography`.
"""

import os
import tempfile
import unittest
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cvc import oid
from cvc.certificates import CVC
from cvc.terminal import Type, TypeIS

from ferrite import keys, tlv
from ferrite.card import PIN, SO_PIN
from ferrite.curves import CURVES, P256
from ferrite.cvc import parse_request
from ferrite.keys import EcKey, digest
from ferrite.testing import CONDITIONS, SECURITY_STATUS, CardTest

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ECDSA = oid.ID_TA_ECDSA_SHA_256
NOT_KNOWN = 0x6A88
KEY_DOMAIN = bytes.fromhex("2B0601040181C31F030202")


def ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A new key on P-256, or on another curve."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ECDSA with SHA-256, r and s side by side."""
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    width = (key.curve.key_size + 7) // 8
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


@dataclass
class Authority:
    """Somebody who issues certificates."""

    name: bytes
    key: PrivateKey
    scheme: bytes
    certificate: bytes

    @classmethod
    def root(cls, name: bytes, key: PrivateKey, scheme: bytes = ECDSA) -> "Authority":
        """One that certifies itself."""
        made = CVC().cert(key.public_key(), scheme, key, scheme, name, name, TypeIS(Type.CVCA), days=3650)
        return cls(name, key, scheme, bytes(made.encode()))

    def issue(self, name: bytes, key: object, scheme: bytes = ECDSA, role: int = Type.Terminal) -> bytes:
        """A certificate for a public key."""
        made = CVC().cert(key, scheme, self.key, self.scheme, self.name, name, TypeIS(role), days=365)
        return bytes(made.encode())

    def authority(self, name: bytes) -> "Authority":
        """An authority below this one."""
        key = ec_key()
        return Authority(name, key, ECDSA, self.issue(name, key.public_key(), role=Type.DV_domestic))


def content(element: bytes) -> bytes:
    """The value of a data object that stands alone."""
    [parsed] = tlv.parse(element)
    return parsed.value


class AuthorityTest(CardTest):
    """What the tests here have in common."""

    def initialize(self, *fields: bytes) -> None:
        """INITIALIZE DEVICE with further fields."""
        data = tlv.encode(0x80, b"\x00\x09") + tlv.encode(0x81, PIN) + tlv.encode(0x82, SO_PIN) + b"".join(fields)
        self.card.command(0x80, 0x50, 0x00, 0x00, data, answer=False)

    def write(self, file: int, data: bytes) -> None:
        """UPDATE BINARY of a whole file."""
        body = tlv.encode(0x54, b"\x00\x00") + tlv.encode(0x53, data)
        self.card.command(0x00, 0xD7, file >> 8, file & 0xFF, body, answer=False)

    def choose(self, template: int, name: bytes) -> int:
        """MANAGE SECURITY ENVIRONMENT: its status."""
        data = tlv.encode(0x83, name)
        return self.card.transmit(bytes([0x00, 0x22, 0x81, template, len(data)]) + data)[1]

    def believe(self, certificate: bytes) -> None:
        """VERIFY CERTIFICATE, as clients do it: without the outer tag, if the card does not know it."""
        decoded = CVC().decode(certificate)
        if self.choose(0xB6, bytes(decoded.chr())) != 0x9000:
            self.assertEqual(self.choose(0xB6, bytes(CVC().decode(certificate).car())), 0x9000, "the issuer")
            self.card.command(0x00, 0x2A, 0x00, 0xBE, content(certificate), answer=False)

    def device_point(self) -> ec.EllipticCurvePublicKey:
        """The device's public key, from its request, whose signatures are checked."""
        request = parse_request(self.card.read_file(0xCE00))
        request.inner.key.verify_certificate(request.inner.signature, request.inner.body)
        request.inner.key.verify_certificate(request.signature, request.outer_body())
        assert isinstance(request.inner.key, EcKey)
        known = request.inner.key.known()
        assert known is not None
        return known


class DeviceCertificates(AuthorityTest):
    def test_a_device_is_certified_and_vouches_for_keys_in_its_new_name(self) -> None:
        self.initialize()
        own = self.card.read_file(0x2F02)
        root = Authority.root(b"UTROOT00001", ec_key())
        issuer = root.authority(b"UTISSU00001")
        name = b"UTFERRITE00001"
        certificate = issuer.issue(name, self.device_point())
        self.write(0x2F02, certificate + issuer.certificate + root.certificate)
        self.assertLessEqual(len(certificate + issuer.certificate + root.certificate), 1024, "what OpenSC reads")
        self.card.select()
        self.card.verify()
        answer = self.card.generate(self.free_id(), keys.curve_template(P256))
        request = CVC().decode(answer)
        self.assertEqual(bytes(request.outer_car()), name)
        self.assertEqual(bytes(request.car()), name)
        with tempfile.TemporaryDirectory() as folder:
            for holder, what in ((name, certificate), (issuer.name, issuer.certificate), (root.name, root.certificate)):
                with open(os.path.join(folder.encode(), holder), "wb") as file:
                    file.write(what)
            path = folder.encode()
            self.assertTrue(CVC().decode(answer).verify(outer=True, cert_dir=path), "by the device")
            self.assertTrue(CVC().decode(certificate).verify(cert_dir=path), "by the issuer")
            self.assertTrue(CVC().decode(issuer.certificate).verify(cert_dir=path), "by the root")
            changed = answer[:-1] + bytes([answer[-1] ^ 1])
            self.assertFalse(CVC().decode(changed).verify(outer=True, cert_dir=path), "a changed signature")
        # It stays.
        self.initialize()
        self.card.select()
        self.assertEqual(self.card.read_file(0x2F02), certificate + issuer.certificate + root.certificate)
        # For the other tests it is nobody's again.
        self.card.verify()
        self.write(0x2F02, own)

    def test_certificates_with_every_scheme_are_believed_and_changed_ones_are_not(self) -> None:
        self.initialize()
        rsa_key = rsa.generate_private_key(65537, 2048)
        schemes: list[tuple[bytes, Callable[[], PrivateKey]]] = [
            (scheme, lambda: rsa_key)
            for scheme in (
                oid.ID_TA_RSA_V1_5_SHA_1,
                oid.ID_TA_RSA_V1_5_SHA_256,
                oid.ID_TA_RSA_V1_5_SHA_512,
                oid.ID_TA_RSA_PSS_SHA_1,
                oid.ID_TA_RSA_PSS_SHA_256,
                oid.ID_TA_RSA_PSS_SHA_512,
            )
        ]
        for scheme in (
            oid.ID_TA_ECDSA_SHA_1,
            oid.ID_TA_ECDSA_SHA_224,
            oid.ID_TA_ECDSA_SHA_256,
            oid.ID_TA_ECDSA_SHA_384,
            oid.ID_TA_ECDSA_SHA_512,
        ):
            schemes += [(scheme, lambda: ec_key(ec.BrainpoolP384R1())), (scheme, lambda: ec_key(ec.SECP521R1()))]
        for number, (scheme, make) in enumerate(schemes):
            with self.subTest(scheme=scheme.hex(), number=number):
                self.card.select()
                self.card.verify()
                root = Authority.root(b"UTROOT00001", make(), scheme)
                self.write(0xCA00, root.certificate)
                certificate = root.issue(b"UTDEVI00001", ec_key(ec.SECP521R1()).public_key())
                if isinstance(root.key, rsa.RSAPrivateKey):
                    # Without a curve to inherit an RSA authority certifies RSA keys.
                    certificate = root.issue(b"UTDEVI00001", rsa_key.public_key(), scheme)
                elif root.key.curve.name != "secp521r1":
                    certificate = root.issue(b"UTDEVI00001", ec_key(root.key.curve).public_key())
                changed = certificate[:-1] + bytes([certificate[-1] ^ 1])
                with self.refused(CONDITIONS, "a changed certificate"):
                    self.believe(changed)
                self.assertEqual(self.choose(0xB6, b"UTDEVI00001"), NOT_KNOWN)
                self.believe(certificate)
                self.assertEqual(self.choose(0xB6, b"UTDEVI00001"), 0x9000)


class RegisteredKeys(AuthorityTest):
    def test_keys_of_any_kind_log_in(self) -> None:
        self.initialize(tlv.encode(0x93, b"\x03\x02"))
        root = Authority.root(b"UTROOT00001", ec_key())
        self.write(0xCA00, root.certificate)
        self.card.select()
        self.card.verify()
        with self.refused(SECURITY_STATUS, "a file without registered keys"):
            self.write(0xCF01, b"x")
        # A device in software that attests keys.
        device = ec_key()
        self.believe(root.issue(b"UTHOLD00001", device.public_key()))
        pss = PSS(mgf=MGF1(SHA256()), salt_length=32)
        p521, rsa_1, rsa_2 = ec_key(ec.SECP521R1()), *(rsa.generate_private_key(65537, 2048) for _ in range(2))
        holders: list[tuple[bytes, PrivateKey, bytes, Callable[[bytes], bytes]]] = [
            (b"UTKEYA00001", p521, ECDSA, lambda message: raw(p521, message)),
            (b"UTKEYB00001", rsa_1, oid.ID_TA_RSA_V1_5_SHA_256, lambda m: rsa_1.sign(m, PKCS1v15(), SHA256())),
            (b"UTKEYC00001", rsa_2, oid.ID_TA_RSA_PSS_SHA_256, lambda m: rsa_2.sign(m, pss, SHA256())),
        ]
        for left, (name, key, scheme, _) in zip((2, 1, 0), holders, strict=True):
            request = CVC().req(
                key.public_key(), scheme, key, scheme, name, name, b"UTHOLD00001", device, ECDSA
            )
            self.assertEqual(self.choose(0xB6, b"UTHOLD00001"), 0x9000)
            state = self.card.command(0x80, 0x54, 0x00, 0x00, content(bytes(request.encode())))
            self.assertEqual(state, bytes([3, left, 2, 0]))
        for pair in ((0, 1), (1, 2), (2, 0)):
            self.card.select()
            self.card.verify()
            own = bytes(CVC().decode(self.card.read_file(0x2F02)).chr())
            for number in pair:
                with self.refused(SECURITY_STATUS, "before the second key"):
                    self.write(0xCF01, b"x")
                name, _, _, sign = holders[number]
                self.assertEqual(self.choose(0xA4, name), 0x9000)
                challenge = self.card.command(0x00, 0x84, 0x00, 0x00, length=8)
                with self.refused(CONDITIONS, "the answer for another device"):
                    self.card.command(0x00, 0x82, 0x00, 0x00, sign(b"X" + own[1:] + challenge), answer=False)
                challenge = self.card.command(0x00, 0x84, 0x00, 0x00, length=8)
                self.card.command(0x00, 0x82, 0x00, 0x00, sign(own + challenge), answer=False)
                self.assertEqual(self.choose(0xA4, name), CONDITIONS, "it is authenticated")
            self.write(0xCF01, b"x")
            self.card.generate(self.free_id(), keys.curve_template(P256))
        # Back to a device that its PIN opens.
        self.initialize()


class Groups(AuthorityTest):
    def test_a_peer_in_software_agrees_on_the_same_key(self) -> None:
        self.initialize(tlv.encode(0x97, b"\x01"))
        group = ec_key(ec.BrainpoolP256R1())
        signer = Authority.root(b"UTGRUP00001", group)
        numbers = self.device_point().public_numbers()
        signature = raw(group, b"\x54" + numbers.x.to_bytes(32, "big"))
        public = group.public_key().public_numbers()
        uid = public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big")
        membership = signer.certificate + tlv.encode(0x54, signature)
        state = self.card.command(0x80, 0x52, 0x02, 0x00, membership)
        self.assertEqual(state, b"\xff" + bytes(9) + uid)
        domain = tlv.encode(0x92, b"\x00")
        exchange_id = self.free_id()
        template = keys.curve_template(next(curve for curve in CURVES if curve.name == "brainpoolP256r1"))
        answer = self.card.generate(exchange_id, template + tlv.encode(0x91, b"\x84") + domain)
        request = parse_request(answer)
        self.check_request(request)
        expected = tlv.encode(0x06, KEY_DOMAIN) + tlv.encode(0x80, uid)
        self.assertEqual(request.inner.extensions[0], expected)
        # As pycvc reads it.
        found = CVC().decode(answer).extensions().find(0x73).find(0x80)
        self.assertEqual(bytes(found.data()), uid)
        peer = ec_key(ec.BrainpoolP256R1())
        extensions = [{"tag": 0x73, "oid": KEY_DOMAIN, "contexts": {0: uid}}]
        theirs = CVC().req(
            peer.public_key(), ECDSA, peer, ECDSA, b"UTPEER00001", b"UTPEER00001", extensions=extensions
        )
        self.card.command(0x80, 0x62, exchange_id, 0x84, bytes(theirs.encode()))
        assert isinstance(request.key, EcKey)
        ours = request.key.known()
        assert ours is not None
        agreed = peer.exchange(ec.ECDH(), ours)
        state = self.card.command(0x80, 0x52, 0x00, 0x00)
        self.assertEqual(state, b"\xff\x00" + digest(SHA256(), agreed)[:8] + uid)


if __name__ == "__main__":
    unittest.main(verbosity=2)
