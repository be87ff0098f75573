"""AES, ChaCha20-Poly1305, MACs and key derivation: checked by `cryptography` with keys that the host put into the card, and
by what its results must have to do with each other for keys that never left it."""

import os
import random
import unittest
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers import modes as old_modes
from cryptography.hazmat.primitives import cmac, hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from ferrite import tlv
from ferrite.card import StatusError
from ferrite.custody import Dkek
from ferrite.keys import HASHES
from ferrite.testing import (
    CONDITIONS,
    EXECUTION,
    EXHAUSTED,
    EXISTS,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_ALGORITHM,
    WRONG_LENGTH,
    WRONG_P1P2,
    CardTest,
    counter,
)

CBC_ENCRYPT, CBC_DECRYPT, CMAC, DERIVE, ENCRYPT, DECRYPT = 0x10, 0x11, 0x18, 0x99, 0x51, 0x52
LENGTHS = (0, 1, 15, 16, 17, 31, 32, 33, 127, 128, 129, 130, 255, 256, 1000, 60000)
KEY_LENGTHS = {0xB0: 16, 0xB1: 24, 0xB2: 32, 0xB3: 64}

NIST_AES = "6086480165030401"
MODES = {"ECB": 0x01, "CBC": 0x02, "OFB": 0x03, "CFB": 0x04, "GCM": 0x06, "CCM": 0x07, "CTR": 0x09}
XTS = "2B6F028C530000010"
CHACHA = bytes.fromhex("2A864886F70D0109100312")
HMAC = {name: bytes.fromhex(f"2A864886F70D02{7 + at:02X}") for at, name in enumerate(hash.name for hash in HASHES)}
HKDF_OID = {
    name: bytes.fromhex(f"2A864886F70D01091003{last:02X}")
    for name, last in (("sha256", 0x1D), ("sha384", 0x1E), ("sha512", 0x1F))
}
PBKDF2 = bytes.fromhex("2A864886F70D01050C")
PBES2 = bytes.fromhex("2A864886F70D01050D")
X963 = bytes.fromhex("2B81051086483F")


def oid(mode: str, key_length: int) -> bytes:
    """The object identifier of a mode for keys of a length."""
    if mode == "XTS":
        return bytes.fromhex(f"{XTS}{key_length // 32}")
    return bytes.fromhex(NIST_AES) + bytes([MODES[mode] + (key_length - 16) // 8 * 20])


def integer(number: int) -> bytes:
    """A DER INTEGER."""
    return tlv.encode(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def pbkdf2_parameters(salt: bytes, iterations: int, prf: str, length: int | None = None) -> bytes:
    """The contents of PBKDF2-params."""
    key_length = b"" if length is None else integer(length)
    algorithm = tlv.encode(0x30, tlv.encode(0x06, HMAC[prf]) + b"\x05\x00")
    return tlv.encode(0x04, salt) + integer(iterations) + key_length + algorithm


def reference(mode: str, key: bytes, iv: bytes, data: bytes, direction: int) -> bytes:
    """What `cryptography` makes of it."""
    kinds = {
        "ECB": lambda: modes.ECB(),
        "CBC": lambda: modes.CBC(iv),
        "OFB": lambda: old_modes.OFB(iv),
        "CFB": lambda: old_modes.CFB(iv),
        "CTR": lambda: modes.CTR(iv),
        "XTS": lambda: modes.XTS(iv),
    }
    cipher = Cipher(algorithms.AES(key), kinds[mode]())
    context = cipher.encryptor() if direction == ENCRYPT else cipher.decryptor()
    return context.update(data) + context.finalize()


class SymmetricTest(CardTest):
    """A card whose key domain 0 has a DKEK that the host knows."""

    dkek: Dkek

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.card.initialize(dkek_shares=1)
        cls.dkek = Dkek(os.urandom(32))
        cls.card.import_share(0, cls.dkek.share)
        cls._known: dict[int, tuple[int, bytes]] = {}
        cls._unknown: dict[int, int] = {}

    def known(self, length: int) -> tuple[int, bytes]:
        """A key that the host put into the card."""
        if length not in self._known:
            key, key_id = os.urandom(length), self.free_id()
            self.card.unwrap(key_id, self.dkek.wrap(key))
            self._known[length] = key_id, key
        return self._known[length]

    def unknown(self, kind: int) -> int:
        """A key that the card made."""
        if kind not in self._unknown:
            self._unknown[kind] = self.free_id()
            self.card.generate_secret(self._unknown[kind], kind)
        return self._unknown[kind]

    def run_oid(self, key_id: int, algorithm: int, identifier: bytes, length: int = 0, **objects: bytes | None) -> bytes:
        """The extended interface: data, iv and aad are its data objects, in a random order."""
        tags = {"data": 0x81, "iv": 0x82, "aad": 0x83}
        parts = [tlv.encode(tags[name], value) for name, value in objects.items() if value is not None]
        parts.append(tlv.encode(0x06, identifier))
        random.shuffle(parts)
        return self.card.symmetric(key_id, algorithm, b"".join(parts), length)


class KnownKeys(SymmetricTest):
    """Everything against `cryptography`."""

    def ciphers(self) -> Iterator[tuple[str, int]]:
        for mode in ("ECB", "CBC", "OFB", "CFB", "CTR"):
            for key_length in (16, 24, 32):
                yield mode, key_length
        yield "XTS", 32
        yield "XTS", 64

    def test_ciphers(self) -> None:
        for mode, key_length in self.ciphers():
            key_id, key = self.known(key_length)
            for length in LENGTHS:
                if mode == "ECB" and length != 16 or mode == "CBC" and length % 16 or mode == "XTS" and length < 16:
                    continue
                data, iv = os.urandom(length), os.urandom(16)
                with self.subTest(mode=mode, key=key_length, length=length):
                    for direction in (ENCRYPT, DECRYPT):
                        expected = reference(mode, key, iv, data, direction)
                        found = self.run_oid(key_id, direction, oid(mode, key_length), data=data, iv=iv)
                        self.assertEqual(found, expected)
                    without = self.run_oid(key_id, ENCRYPT, oid(mode, key_length), data=data)
                    self.assertEqual(without, reference(mode, key, bytes(16), data, ENCRYPT))

    def test_counters_that_overflow(self) -> None:
        key_id, key = self.known(16)
        for iv in (b"\xff" * 16, b"\x00" * 12 + b"\xff" * 4, b"\xff" * 15 + b"\xfe"):
            data = os.urandom(100)
            found = self.run_oid(key_id, ENCRYPT, oid("CTR", 16), data=data, iv=iv)
            self.assertEqual(found, reference("CTR", key, iv, data, ENCRYPT))

    def test_basic_cbc(self) -> None:
        for key_length in (16, 24, 32):
            key_id, key = self.known(key_length)
            for length in (0, 16, 32, 1008, 60000):
                data = os.urandom(length)
                for algorithm, direction in ((CBC_ENCRYPT, ENCRYPT), (CBC_DECRYPT, DECRYPT)):
                    expected = reference("CBC", key, bytes(16), data, direction)
                    self.assertEqual(self.card.symmetric(key_id, algorithm, data), expected)

    def aead(self, mode: str, key: bytes, nonce: bytes, aad: bytes, data: bytes) -> bytes:
        """What `cryptography` seals."""
        if mode == "GCM":
            # Nonces of any length from 8 bytes on; those below are in the tests of the card in its process.
            return AESGCM(key).encrypt(nonce, data, aad)
        if mode == "CCM":
            return AESCCM(key).encrypt(nonce, data, aad)
        return ChaCha20Poly1305(key).encrypt(nonce, data, aad)

    def test_authenticated_encryption(self) -> None:
        nonces = {"GCM": (8, 11, 12, 13, 16, 60, 128), "CCM": range(7, 14), "ChaCha": (12,)}
        for mode, nonce_lengths in nonces.items():
            for key_length in (32,) if mode == "ChaCha" else (16, 24, 32):
                key_id, key = self.known(key_length)
                identifier = CHACHA if mode == "ChaCha" else oid(mode, key_length)
                for nonce_length in nonce_lengths:
                    for length in LENGTHS if nonce_length == 12 else (0, 1, 16, 17, 100):
                        aad, nonce, data = (os.urandom(size) for size in (random.choice(LENGTHS[:-1]), nonce_length, length))
                        with self.subTest(mode=mode, key=key_length, nonce=nonce_length, length=length, aad=len(aad)):
                            expected = self.aead(mode, key, nonce, aad, data)
                            present = aad or None
                            sealed = self.run_oid(key_id, ENCRYPT, identifier, data=data, iv=nonce, aad=present)
                            self.assertEqual(sealed, expected)
                            opened = self.run_oid(key_id, DECRYPT, identifier, data=sealed, iv=nonce, aad=present)
                            self.assertEqual(opened, data)

    def test_what_the_card_refuses_cryptography_refuses_too(self) -> None:
        key_id, key = self.known(32)
        sealed = bytearray(AESGCM(key).encrypt(bytes(12), b"a secret message", b"header"))
        for at in range(len(sealed)):
            sealed[at] ^= 0x80
            with self.refused(EXECUTION, f"byte {at}"):
                self.run_oid(key_id, DECRYPT, oid("GCM", 32), data=bytes(sealed), iv=bytes(12), aad=b"header")
            with self.assertRaises(InvalidTag):
                AESGCM(key).decrypt(bytes(12), bytes(sealed), b"header")
            sealed[at] ^= 0x80

    def test_cmac(self) -> None:
        for key_length in (16, 24, 32):
            key_id, key = self.known(key_length)
            for length in LENGTHS:
                data = os.urandom(length)
                mac = cmac.CMAC(algorithms.AES(key))
                mac.update(data)
                mac.verify(self.card.symmetric(key_id, CMAC, data))

    def test_hmac(self) -> None:
        for key_length in (16, 24, 32, 64):
            key_id, key = self.known(key_length)
            for algorithm in HASHES:
                for length in LENGTHS:
                    data = os.urandom(length)
                    mac = hmac.HMAC(key, algorithm)
                    mac.update(data)
                    mac.verify(self.run_oid(key_id, ENCRYPT, HMAC[algorithm.name], data=data))

    def test_hkdf(self) -> None:
        for key_length in (16, 24, 32, 64):
            key_id, key = self.known(key_length)
            for algorithm in HASHES[2:]:
                for length in (1, algorithm.digest_size, 100, 255 * algorithm.digest_size):
                    salt, info = os.urandom(random.randrange(1, 200)), os.urandom(random.randrange(200))
                    expected = HKDF(algorithm, length, salt, info).derive(key)
                    found = self.run_oid(key_id, ENCRYPT, HKDF_OID[algorithm.name], length, iv=salt, data=info)
                    self.assertEqual(found, expected)
                default = self.run_oid(key_id, DECRYPT, HKDF_OID[algorithm.name])
                self.assertEqual(default, HKDF(algorithm, algorithm.digest_size, None, b"").derive(key))
            for length in (1, 32, 33, 8160):
                parameter = os.urandom(length)
                expected = HKDF(hashes.SHA256(), length, None, parameter).derive(key)
                self.assertEqual(self.card.symmetric(key_id, DERIVE, parameter), expected)

    def test_pbkdf2(self) -> None:
        for key_length in (16, 24, 32, 64):
            key_id, key = self.known(key_length)
            for algorithm in HASHES:
                salt, iterations, length = os.urandom(random.randrange(1, 300)), random.randrange(1, 300), random.randrange(1, 200)
                expected = PBKDF2HMAC(algorithm, length, salt, iterations).derive(key)
                named = pbkdf2_parameters(salt, iterations, algorithm.name, length)
                self.assertEqual(self.run_oid(key_id, ENCRYPT, PBKDF2, data=named), expected)
                unnamed = pbkdf2_parameters(salt, iterations, algorithm.name)
                self.assertEqual(self.run_oid(key_id, ENCRYPT, PBKDF2, length, data=unnamed), expected)

    def test_pbes2(self) -> None:
        for algorithm in HASHES:
            for aes_length in (16, 24, 32):
                key_id, key = self.known(random.choice((16, 24, 32, 64)))
                for length in (0, 1, 15, 16, 17, 1000):
                    salt, iv, data = os.urandom(16), os.urandom(16), os.urandom(length)
                    kdf = tlv.encode(0x06, PBKDF2) + tlv.encode(0x30, pbkdf2_parameters(salt, 7, algorithm.name))
                    scheme = tlv.encode(0x06, oid("CBC", aes_length)) + tlv.encode(0x04, iv)
                    parameters = tlv.encode(0x30, kdf) + tlv.encode(0x30, scheme)
                    derived = PBKDF2HMAC(algorithm, aes_length, salt, 7).derive(key)
                    padder = padding.PKCS7(128).padder()
                    expected = reference("CBC", derived, iv, padder.update(data) + padder.finalize(), ENCRYPT)
                    sealed = self.run_oid(key_id, ENCRYPT, PBES2, data=data, aad=parameters)
                    self.assertEqual(sealed, expected)
                    self.assertEqual(self.run_oid(key_id, DECRYPT, PBES2, data=sealed, aad=parameters), data)

    def test_x963(self) -> None:
        for key_length in (16, 24, 32, 64):
            key_id, key = self.known(key_length)
            for algorithm in HASHES:
                for length in (1, 32, 200, 10000):
                    info = os.urandom(random.randrange(1, 100))
                    expected = X963KDF(algorithm, length, info).derive(key)
                    selector = HMAC[algorithm.name]
                    self.assertEqual(self.run_oid(key_id, ENCRYPT, X963, length, data=selector, aad=info), expected)


class UnknownKeys(SymmetricTest):
    """Keys that the card made: what it says must fit together."""

    def test_every_cipher_takes_back_what_it_gave(self) -> None:
        for kind, key_length in KEY_LENGTHS.items():
            key_id = self.unknown(kind)
            candidates = ["XTS"] if key_length == 64 else ["CBC", "OFB", "CFB", "CTR"] + (["XTS"] if key_length == 32 else [])
            for mode in candidates:
                data, iv = os.urandom(1008), os.urandom(16)
                sealed = self.run_oid(key_id, ENCRYPT, oid(mode, key_length), data=data, iv=iv)
                self.assertNotEqual(sealed, data)
                self.assertEqual(self.run_oid(key_id, DECRYPT, oid(mode, key_length), data=sealed, iv=iv), data)

    def test_the_modes_are_those_of_one_block_cipher(self) -> None:
        for kind in (0xB0, 0xB1, 0xB2):
            key_id, length = self.unknown(kind), KEY_LENGTHS[kind]
            block = os.urandom(16)
            one = self.run_oid(key_id, ENCRYPT, oid("ECB", length), data=block)
            self.assertEqual(self.card.symmetric(key_id, CBC_ENCRYPT, block), one)
            for mode in ("OFB", "CFB", "CTR"):
                self.assertEqual(self.run_oid(key_id, ENCRYPT, oid(mode, length), data=bytes(16), iv=block), one, mode)
            # CMAC of one block is its encryption after the exclusive or with twice the encryption of zeros.
            zero = int.from_bytes(self.card.symmetric(key_id, CBC_ENCRYPT, bytes(16)), "big")
            subkey = zero << 1 ^ (0x87 if zero >> 127 else 0)
            masked = (int.from_bytes(block, "big") ^ subkey) & (1 << 128) - 1
            expected = self.card.symmetric(key_id, CBC_ENCRYPT, masked.to_bytes(16, "big"))
            self.assertEqual(self.card.symmetric(key_id, CMAC, block), expected)

    def test_no_two_keys_are_the_same(self) -> None:
        derived = {self.card.symmetric(self.unknown(kind), DERIVE, bytes(32)) for kind in KEY_LENGTHS}
        self.assertEqual(len(derived), 4)

    def test_descriptions_name_the_size(self) -> None:
        for kind, length in KEY_LENGTHS.items():
            key_id = self.unknown(kind)
            description = self.card.read_file(0xC400 | key_id)
            name = str(key_id).encode()
            size = tlv.encode(0x30, b"\x02\x02" + (8 * length).to_bytes(2, "big"))
            usage = tlv.encode(0x30, tlv.encode(0x04, name) + bytes.fromhex("030307C080"))
            expected = bytes.fromhex("30020C00") + usage + tlv.encode(0xA0, size) + bytes.fromhex("A106300430020400")
            self.assertEqual(description, tlv.encode(0xA8, expected))


class Refusals(SymmetricTest):
    """What is refused, and with which status."""

    def test_making_keys(self) -> None:
        key_id = self.unknown(0xB0)
        for where, kind, attributes, status in (
            (key_id, 0xB0, b"", EXISTS),
            (0, 0xB0, b"", WRONG_P1P2),
            (250, 0xAF, b"", WRONG_P1P2),
            (250, 0xB4, b"", WRONG_P1P2),
            (250, 0xB0, b"\x90\x01\x00", 0x6A80),
        ):
            with self.refused(status, f"key {where}, {kind:02X}, {attributes.hex()}"):
                self.card.generate_secret(where, kind, attributes)
        with self.refused(NOT_FOUND, "a key that was refused"):
            self.card.symmetric(250, CMAC, b"")

    def test_lists_and_counters(self) -> None:
        key_id = self.free_id()
        self.card.generate_secret(key_id, 0xB0, counter(2) + tlv.encode(0x91, bytes([CMAC, CBC_ENCRYPT])))
        for algorithm in (CBC_DECRYPT, DERIVE, ENCRYPT, DECRYPT, 0x12):
            with self.refused(CONDITIONS, f"algorithm {algorithm:02X}"):
                self.card.symmetric(key_id, algorithm, bytes(16))
        with self.refused(WRONG_LENGTH, "half a block"):
            self.card.symmetric(key_id, CBC_ENCRYPT, bytes(8))
        self.card.symmetric(key_id, CMAC, b"message")
        self.card.symmetric(key_id, CBC_ENCRYPT, bytes(16))
        for algorithm in (CMAC, CBC_DECRYPT, 0x12):
            with self.refused(EXHAUSTED, "a use too many"):
                self.card.symmetric(key_id, algorithm, b"")

    def test_malformed_commands(self) -> None:
        key_id, _ = self.known(32)
        iv = bytes(16)
        for what, status, call in (
            ("an unknown algorithm", WRONG_ALGORITHM, lambda: self.card.symmetric(key_id, 0x12, b"")),
            ("an unknown identifier", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, b"\x2a", data=iv)),
            ("no identifier", WRONG_LENGTH, lambda: self.card.symmetric(key_id, ENCRYPT, tlv.encode(0x81, iv))),
            ("another key length", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, oid("CBC", 16), data=iv)),
            ("half a block", EXECUTION, lambda: self.run_oid(key_id, ENCRYPT, oid("CBC", 32), data=iv[1:])),
            ("a short vector", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, oid("CTR", 32), data=iv, iv=iv[1:])),
            ("two blocks", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, oid("ECB", 32), data=iv + iv)),
            ("less than a block", EXECUTION, lambda: self.run_oid(key_id, ENCRYPT, oid("XTS", 32), data=iv[1:])),
            ("no nonce", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, oid("GCM", 32), data=iv)),
            ("a short nonce", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, oid("CCM", 32), data=iv, iv=bytes(6))),
            ("half a tag", WRONG_LENGTH, lambda: self.run_oid(key_id, DECRYPT, oid("GCM", 32), data=iv[1:], iv=iv)),
            ("a wrong tag", EXECUTION, lambda: self.run_oid(key_id, DECRYPT, oid("CCM", 32), data=iv, iv=bytes(12))),
            ("a wrong tag", WRONG_LENGTH, lambda: self.run_oid(key_id, DECRYPT, CHACHA, data=iv, iv=bytes(12))),
            ("iterations", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, PBKDF2, data=pbkdf2_parameters(b"", 1_000_001, "sha1"))),
            ("too much", WRONG_LENGTH, lambda: self.run_oid(key_id, ENCRYPT, HKDF_OID["sha256"], 8161)),
            ("a key of the card's own", CONDITIONS, lambda: self.card.symmetric(0, CMAC, b"")),
            ("no key", NOT_FOUND, lambda: self.card.symmetric(251, 0x12, b"")),
        ):
            with self.refused(status, what):
                call()

    def test_other_kinds_of_keys_and_commands(self) -> None:
        pair, _ = self.p256_key_with(b"")
        secret, _ = self.known(16)
        for algorithm in (CBC_ENCRYPT, CMAC, ENCRYPT, DERIVE):
            with self.refused(WRONG_LENGTH, "a key on a curve"):
                self.card.symmetric(pair, algorithm, bytes(16))
        for what, call in (
            ("SIGN", lambda: self.card.sign(secret, 0x73, b"message")),
            ("DECIPHER", lambda: self.card.decipher(secret, 0x80, bytes(65))),
            ("DERIVE", lambda: self.card.derive(secret, 252, b"\x98\x01")),
        ):
            with self.refused(EXECUTION, what):
                call()

    def test_nobody_uses_secret_keys_without_the_pin(self) -> None:
        key_id = self.unknown(0xB2)
        self.card.select()
        try:
            for call in (
                lambda: self.card.symmetric(key_id, CMAC, b""),
                lambda: self.card.symmetric(key_id, 0x12, b""),
                lambda: self.card.generate_secret(253, 0xB0),
            ):
                with self.refused(SECURITY_STATUS, "a secret key without the PIN"):
                    call()
            with self.assertRaises(StatusError):
                self.card.read_file(0xCC00 | key_id)
        finally:
            self.card.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
