"""RSA keys decipher what `cryptography` and plain arithmetic enciphered."""

import os
import unittest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15

from ferrite import keys
from ferrite.curves import P256
from ferrite.keys import RsaKey, digest
from ferrite.testing import (
    EXECUTION,
    NOT_FOUND,
    SECURITY_STATUS,
    WRONG_ALGORITHM,
    WRONG_LENGTH,
    CardTest,
    counter,
    message,
)

SIZES = (1024, 2048, 3072, 4096)
OAEP_HASHES: tuple[tuple[int, hashes.HashAlgorithm], ...] = (
    (0x23, hashes.SHA256()),
    (0x24, hashes.SHA1()),
    (0x25, hashes.SHA224()),
    (0x26, hashes.SHA384()),
    (0x27, hashes.SHA512()),
)
ALGORITHMS = range(0x21, 0x28)


def non_zero(length: int) -> bytes:
    """Random bytes other than zero."""
    return bytes(1 + byte % 255 for byte in os.urandom(length))


class RsaDecryption(CardTest):
    def test_21_raw(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                last = (key.modulus - 1).to_bytes(key.length, "big")
                for block in (
                    bytes(key.length),
                    bytes(key.length - 1) + b"\x02",
                    b"\x00" + os.urandom(key.length - 1),
                    last,
                ):
                    self.assertEqual(self.card.decipher(key_id, 0x21, key.power(block)), block)

    def test_no_cryptogram_of_another_length_or_beyond_the_modulus(self) -> None:
        for bits in SIZES:
            for algorithm in ALGORITHMS:
                with self.subTest(bits=bits, algorithm=f"{algorithm:02X}"):
                    key_id, key = self.rsa_key(bits)
                    for length in (0, 1, key.length - 1, key.length + 1, 2 * key.length):
                        with self.refused(WRONG_LENGTH, f"{length} bytes"):
                            self.card.decipher(key_id, algorithm, bytes(length))
                    for number in (key.modulus, key.modulus + 1, 2**bits - 1):
                        with self.refused(EXECUTION, "a cryptogram not below the modulus"):
                            self.card.decipher(key_id, algorithm, number.to_bytes(key.length, "big"))

    def test_22_pkcs1(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                for length in (0, 1, 16, 32, 48, key.length // 2, key.length - 12, key.length - 11):
                    cryptogram = key.key.encrypt(message(length), PKCS1v15())
                    self.assertEqual(self.card.decipher(key_id, 0x22, cryptogram), message(length), f"{length} bytes")
                zeros = bytes(10)
                self.assertEqual(self.card.decipher(key_id, 0x22, key.key.encrypt(zeros, PKCS1v15())), zeros)

    def test_22_refuses_wrong_paddings(self) -> None:
        for bits in SIZES:
            with self.subTest(bits=bits):
                key_id, key = self.rsa_key(bits)
                long = non_zero(key.length - 7)
                for what, block in (
                    ("zero", bytes(key.length)),
                    ("block type 0", b"\x00\x00" + long + b"\x00text"),
                    ("block type 1", b"\x00\x01" + b"\xff" * (key.length - 7) + b"\x00text"),
                    ("block type 3", b"\x00\x03" + long + b"\x00text"),
                    ("a first byte that is not zero", b"\x01\x02" + long + b"\x00text"),
                    ("no end of the padding", b"\x00\x02" + non_zero(key.length - 2)),
                    ("no padding", b"\x00\x02\x00" + non_zero(key.length - 3)),
                    ("seven bytes of padding", b"\x00\x02" + non_zero(7) + b"\x00" + non_zero(key.length - 10)),
                ):
                    with self.refused(EXECUTION, what):
                        self.card.decipher(key_id, 0x22, key.power(block))
                # One byte more, and it is a padding.
                text = non_zero(key.length - 11)
                block = b"\x00\x02" + non_zero(8) + b"\x00" + text
                self.assertEqual(self.card.decipher(key_id, 0x22, key.power(block)), text)

    def test_23_to_27_oaep(self) -> None:
        for bits in SIZES:
            for algorithm, name in OAEP_HASHES:
                with self.subTest(bits=bits, hash=name.name):
                    key_id, key = self.rsa_key(bits)
                    longest = key.length - 2 * name.digest_size - 2
                    if longest < 0:
                        with self.refused(EXECUTION, "a key too short for this hash"):
                            self.card.decipher(key_id, algorithm, key.power(b"\x00" + os.urandom(key.length - 1)))
                        continue
                    for length in sorted(
                        {0, min(1, longest), min(16, longest), min(32, longest), longest - 1, longest}
                    ):
                        if length >= 0:
                            self.check_oaep(key_id, key, algorithm, name, message(length))
                    self.check_oaep(key_id, key, algorithm, name, bytes(min(8, longest)))
                    self.check_oaep(key_id, key, algorithm, name, b"\x01" * min(8, longest))

    def check_oaep(self, key_id: int, key: RsaKey, algorithm: int, name: hashes.HashAlgorithm, text: bytes) -> None:
        cryptogram = key.key.encrypt(text, OAEP(MGF1(name), name, None))
        self.assertEqual(self.card.decipher(key_id, algorithm, cryptogram), text, f"{len(text)} bytes")

    def test_23_to_27_refuse_wrong_paddings(self) -> None:
        for bits in SIZES:
            for algorithm, name in OAEP_HASHES:
                with self.subTest(bits=bits, hash=name.name):
                    key_id, key = self.rsa_key(bits)
                    if key.length < 2 * name.digest_size + 2:
                        continue
                    other = hashes.SHA256() if name.name == "sha1" else hashes.SHA1()
                    right = key.key.encrypt(b"", OAEP(MGF1(name), name, None))
                    for what, cryptogram in (
                        ("a label", key.key.encrypt(b"", OAEP(MGF1(name), name, b"label"))),
                        ("another mask", key.key.encrypt(b"", OAEP(MGF1(other), name, None))),
                        ("another hash", key.key.encrypt(b"", OAEP(MGF1(name), other, None))),
                        ("PKCS#1 v1.5", key.key.encrypt(b"", PKCS1v15())),
                        ("a changed cryptogram", right[:-1] + bytes([right[-1] ^ 1])),
                        ("zero", bytes(key.length)),
                    ):
                        with self.refused(EXECUTION, what):
                            self.card.decipher(key_id, algorithm, cryptogram)
                    for what, first, between in (
                        ("a first byte that is not zero", 1, b"\x01"),
                        ("nothing but zeros behind the label's hash", 0, b"\x00"),
                        ("something else before the text", 0, b"\x02"),
                    ):
                        with self.refused(EXECUTION, what):
                            self.card.decipher(key_id, algorithm, key.power(oaep_block(key, name, first, between)))
                    self.assertEqual(
                        self.card.decipher(key_id, algorithm, key.power(oaep_block(key, name, 0, b"\x01"))), b""
                    )

    def test_a_wrong_padding_costs_a_use_and_no_other_refusal_does(self) -> None:
        key_id, made = self.generate(keys.rsa_template(1024), counter(9))
        assert isinstance(made, RsaKey)
        for algorithm in (0x22, 0x23, 0x24):
            left = self.card.attributes(key_id)
            for refusal, data in ((WRONG_LENGTH, bytes(127)), (WRONG_LENGTH, bytes(129)), (WRONG_LENGTH, b"")):
                with self.refused(refusal, f"{len(data)} bytes"):
                    self.card.decipher(key_id, algorithm, data)
            self.assertEqual(self.card.attributes(key_id), left, "a wrong length costs a use")
            with self.refused(EXECUTION, "a wrong padding"):
                self.card.decipher(key_id, algorithm, made.power(b"\x00" + b"\x01" * 127))
            self.assertNotEqual(self.card.attributes(key_id), left, "a wrong padding costs nothing")
        self.assertEqual(self.card.attributes(key_id), counter(6))
        with self.refused(EXECUTION, "a block not below the modulus"):
            self.card.decipher(key_id, 0x21, b"\xff" * 128)
        with self.refused(WRONG_ALGORITHM, "an unknown algorithm"):
            self.card.decipher(key_id, 0x28, bytes(128))
        self.assertEqual(self.card.attributes(key_id), counter(6))
        self.assertEqual(self.card.decipher(key_id, 0x22, made.key.encrypt(b"text", PKCS1v15())), b"text")
        self.assertEqual(self.card.attributes(key_id), counter(5))

    def test_a_long_answer_comes_in_parts(self) -> None:
        key_id, key = self.rsa_key(1024)
        block = b"\x00" + os.urandom(127)
        command = bytes([0x80, 0x62, key_id, 0x21, 0x00, 0x00, 0x80]) + key.power(block)
        for le, first in ((b"", 0), (b"\x00\x10", 16), (b"\x00\x7f", 127)):
            data, status = self.card.transmit(command + le)
            self.assertEqual((data, f"{status:04X}"), (block[:first], f"{0x6100 + 128 - first:04X}"))
            rest, status = self.card.transmit(bytes.fromhex("00C0000000"))
            self.assertEqual((rest, f"{status:04X}"), (block[first:], "9000"))

    def test_what_is_no_decryption(self) -> None:
        key_id, key = self.rsa_key(SIZES[0])
        for algorithm in (0x00, 0x20, 0x28, 0x2F, 0x33, 0x70, 0x81, 0x83, 0xFF):
            with self.refused(WRONG_ALGORITHM, f"algorithm {algorithm:02X}"):
                self.card.decipher(key_id, algorithm, bytes(key.length))

    def test_an_rsa_key_does_not_agree(self) -> None:
        key_id, key = self.rsa_key(SIZES[0])
        for data in (P256.encode(P256.multiply(5)), bytes(32), bytes(key.length)):
            with self.refused(EXECUTION, f"an agreement with an RSA key over {len(data)} bytes"):
                self.card.decipher(key_id, 0x80, data)

    def test_both_classes_that_clients_use(self) -> None:
        key_id, key = self.rsa_key(SIZES[0])
        cryptogram = key.key.encrypt(b"text", PKCS1v15())
        for cla in (0x00, 0x80):
            self.assertEqual(self.card.command(cla, 0x62, key_id, 0x22, cryptogram), b"text", f"class {cla:02X}")

    def test_nothing_is_deciphered_without_key_or_pin(self) -> None:
        key_id, key = self.rsa_key(SIZES[0])
        cryptogram = key.key.encrypt(b"text", PKCS1v15())
        with self.refused(NOT_FOUND, "a key that is not there"):
            self.card.decipher(0xEE, 0x22, cryptogram)
        self.card.select()
        try:
            with self.refused(SECURITY_STATUS, "a decryption without the PIN"):
                self.card.decipher(key_id, 0x22, cryptogram)
        finally:
            self.card.verify()


def oaep_block(key: RsaKey, name: hashes.HashAlgorithm, first: int, between: bytes) -> bytes:
    """EME-OAEP of an empty text with an empty label (RFC 8017 §7.1.1), with a choice of its fixed bytes."""

    def mask(seed: bytes, length: int) -> bytes:
        count = -(-length // name.digest_size)
        return b"".join(digest(name, seed + index.to_bytes(4, "big")) for index in range(count))[:length]

    def xor(one: bytes, other: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(one, other, strict=True))

    label = digest(name, b"")
    block = label + bytes(key.length - 2 * name.digest_size - 2) + between
    seed = os.urandom(name.digest_size)
    masked = xor(block, mask(seed, len(block)))
    return bytes([first]) + xor(seed, mask(masked, len(seed))) + masked


if __name__ == "__main__":
    unittest.main(verbosity=2)
