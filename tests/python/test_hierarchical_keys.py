"""Wallets: nodes of random seeds and paths against BIP32, SLIP-10 and SLIP-21 computed here, their signatures and their
encryption against `cryptography`."""

import hashlib
import hmac
import os
import random
import unittest
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ferrite import tlv
from ferrite.curves import P256, Curve, named
from ferrite.keys import EcKey
from ferrite.testing import CONDITIONS, EXECUTION, SECURITY_STATUS, WRONG_LENGTH, CardTest

SECP256K1 = named("secp256k1")
HARDENED = 1 << 31
CIPHER = bytes.fromhex("2B0601040183A878058D6B")
ENCRYPT, DECRYPT = 0x51, 0x52
SIGN = 0xA0


def keyed(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-512."""
    return hmac.new(key, b"".join(parts), hashlib.sha512).digest()


def fingerprint(data: bytes) -> bytes:
    """The first bytes of RIPEMD-160(SHA-256(data))."""
    return hashlib.new("ripemd160", hashlib.sha256(data).digest()).digest()[:4]


@dataclass(frozen=True)
class Node:
    """A node of a hierarchy; `curve` is None for symmetric keys."""

    curve: Curve | None
    halves: bytes
    depth: int = 0
    parent: bytes = bytes(4)
    number: int = 0

    @property
    def secret(self) -> int:
        return int.from_bytes(self.halves[:32], "big")

    @property
    def key(self) -> EcKey:
        return EcKey(self.curve, self.curve.multiply(self.secret))

    def public(self) -> bytes:
        head = bytes.fromhex("0488B21E") + bytes([self.depth]) + self.parent + self.number.to_bytes(4, "big")
        if self.curve is not None:
            return head + self.halves[32:] + self.curve.compress(self.key.point)
        return head + b"".join(
            hashlib.sha256(hashlib.sha256(half).digest()).digest() for half in (self.halves[:32], self.halves[32:])
        )

    def child(self, step: int | bytes) -> "Node":
        if isinstance(step, bytes):
            halves = keyed(self.halves[:32], b"\x00", step)
            return Node(None, halves, self.depth + 1, fingerprint(self.halves[32:]))
        point = self.curve.compress(self.key.point)
        data = b"\x00" + self.halves[:32] if step >= HARDENED else point
        derived = keyed(self.halves[32:], data, step.to_bytes(4, "big"))
        # What SLIP-10 tries again comes once in 2^32 paths on P-256; the published vectors have such a path.
        scalar = (int.from_bytes(derived[:32], "big") + self.secret) % self.curve.order
        halves = scalar.to_bytes(32, "big") + derived[32:]
        return Node(self.curve, halves, self.depth + 1, fingerprint(point), step)


@dataclass(frozen=True)
class Kind:
    """P1 of the command that makes a master, and what it makes."""

    p1: int
    salt: bytes
    curve: Curve | None

    def master(self, seed: bytes) -> Node:
        return Node(self.curve, keyed(self.salt, seed))

    def step(self) -> int | bytes:
        """Some step from a node of this kind."""
        if self.curve is None:
            return os.urandom(random.choice((0, 1, 20, 127, 200)))
        return random.choice((0, HARDENED)) + random.choice((0, 1, random.randrange(HARDENED), HARDENED - 1))


KINDS = (
    Kind(1, b"Bitcoin seed", SECP256K1),
    Kind(2, b"Nist256p1 seed", P256),
    Kind(3, b"Symmetric key seed", None),
)
SYMMETRIC = KINDS[2]


class HierarchicalKeys(CardTest):
    def create(self, kind: int, seed: int, secret: bytes = b"") -> None:
        self.card.command(0x80, 0x4A, kind, seed, secret, answer=False)

    def public(self, seed: int, steps: list[int | bytes]) -> bytes:
        return self.card.command(0x80, 0x4A, 0x0A, 0, self.path(seed, steps))

    def choose(self, seed: int, steps: list[int | bytes]) -> None:
        self.card.command(0x80, 0x4A, 0x10, 0, self.path(seed, steps), answer=False)

    @staticmethod
    def path(seed: int, steps: list[int | bytes]) -> bytes:
        objects = (
            tlv.encode(0x04, step) if isinstance(step, bytes) else tlv.encode(0x02, step.to_bytes(4, "big"))
            for step in steps
        )
        return tlv.encode(0x02, bytes([seed])) + b"".join(objects)

    def wallet(self, kind: Kind, depth: int) -> tuple[int, list[int | bytes], Node]:
        """A random seed on the card, a random path, and the node at its end."""
        seed, secret = random.randrange(10), os.urandom(random.choice((16, 32, 33, 64)))
        steps = [kind.step() for _ in range(depth)]
        self.create(kind.p1, seed, secret)
        node = kind.master(secret)
        for step in steps:
            node = node.child(step)
        return seed, steps, node

    def test_public_nodes_are_the_computed_ones(self) -> None:
        for kind in KINDS:
            for depth in (0, 1, 2, 3, 5, 10):
                with self.subTest(kind=kind.p1, depth=depth):
                    seed, steps, node = self.wallet(kind, depth)
                    self.assertEqual(self.public(seed, steps).hex(), node.public().hex())

    def test_nodes_sign(self) -> None:
        for kind in KINDS[:2]:
            for depth in (0, 1, 4):
                for length in (20, 32, 48, 64):
                    with self.subTest(kind=kind.p1, depth=depth, digest=length):
                        seed, steps, node = self.wallet(kind, depth)
                        digest = os.urandom(length)
                        self.choose(seed, steps)
                        signature = self.card.sign(0, SIGN, digest)
                        node.key.verify(signature, digest)
                        with self.invalid("a signature by another node"):
                            node.child(0).key.verify(signature, digest)
                        with self.refused(CONDITIONS, "a second signature"):
                            self.card.sign(0, SIGN, digest)

    def test_nodes_encrypt(self) -> None:
        for length in (0, 16, 32, 1024, 60000):
            for iv in (None, os.urandom(16)):
                with self.subTest(length=length, iv=iv is not None):
                    seed, steps, node = self.wallet(SYMMETRIC, 2)
                    plain, associated = os.urandom(length), os.urandom(random.choice((0, 8, 100)))
                    secret = keyed(node.halves[32:], associated)
                    further = tlv.encode(0x83, associated) + (tlv.encode(0x82, iv) if iv else b"")
                    mode = modes.CBC(iv or secret[32:48])
                    encryptor = Cipher(algorithms.AES(secret[:32]), mode).encryptor()
                    expected = encryptor.update(plain) + encryptor.finalize()
                    for algorithm, given, wanted in ((ENCRYPT, plain, expected), (DECRYPT, expected, plain)):
                        self.choose(seed, steps)
                        data = tlv.encode(0x06, CIPHER) + tlv.encode(0x81, given) + further
                        self.assertEqual(self.card.symmetric(0, algorithm, data), wanted)

    def test_seeds_made_on_the_card_differ(self) -> None:
        for kind in KINDS:
            self.create(kind.p1, 0)
            first = self.public(0, [])
            self.create(kind.p1, 0)
            self.assertNotEqual(first, self.public(0, []))

    def test_what_is_refused_changes_nothing(self) -> None:
        seed, steps, node = self.wallet(KINDS[0], 1)
        for length in (1, 15, 65):
            with self.refused(WRONG_LENGTH, f"a seed of {length} bytes"):
                self.create(1, seed, bytes(length))
        self.card.select()
        for what, attempt in (
            ("a seed", lambda: self.create(1, seed, bytes(16))),
            ("a public node", lambda: self.public(seed, steps)),
            ("a selection", lambda: self.choose(seed, steps)),
        ):
            with self.refused(SECURITY_STATUS, f"{what} without login"):
                attempt()
        self.card.verify()
        self.assertEqual(self.public(seed, steps), node.public())
        self.card.initialize()
        self.card.verify()
        with self.refused(EXECUTION, "a seed from before INITIALIZE"):
            self.public(seed, steps)


if __name__ == "__main__":
    unittest.main()
