"""Attributes of keys: use counter (90), allowed algorithms (91), key domain (92), and how everybody sees them."""

import unittest

from cryptography.hazmat.primitives.hashes import SHA256

from ferrite import tlv
from ferrite.curves import P256
from ferrite.keys import digest, rsa_template
from ferrite.testing import CONDITIONS, EXECUTION, EXHAUSTED, NOT_FOUND, WRONG_P1P2, CardTest, counter


class Attributes(CardTest):
    def test_attributes_are_seen_in_the_order_of_their_tags(self) -> None:
        algorithms, domain = tlv.encode(0x91, b"\x73\x70"), tlv.encode(0x92, b"\x00")
        key_id, _ = self.p256_key_with(domain + algorithms + counter(5))
        self.assertEqual(self.card.attributes(key_id), counter(5) + algorithms + domain)

    def test_a_key_without_attributes_shows_none(self) -> None:
        key_id, _ = self.ec_key(P256)
        self.assertIsNone(self.card.attributes(key_id))

    def test_attributes_are_seen_without_the_pin(self) -> None:
        key_id, _ = self.p256_key_with(counter(9))
        self.card.select()
        try:
            self.assertEqual(self.card.attributes(key_id), counter(9))
        finally:
            self.card.verify()

    def test_the_counter_goes_down_to_zero_and_stays_there(self) -> None:
        key_id, key = self.p256_key_with(counter(3))
        for left in (2, 1, 0):
            key.verify(self.card.sign(key_id, 0x73, b"message"), digest(SHA256(), b"message"))
            self.assertEqual(self.card.attributes(key_id), counter(left))
        for algorithm, what in ((0x73, "a use too many"), (0x70, "another"), (0x46, "an unknown algorithm")):
            with self.refused(EXHAUSTED, what):
                self.card.sign(key_id, algorithm, bytes(32))
        self.assertEqual(self.card.attributes(key_id), counter(0))

    def test_a_key_can_be_made_exhausted(self) -> None:
        key_id, _ = self.p256_key_with(counter(0))
        with self.refused(EXHAUSTED, "a use too many"):
            self.card.sign(key_id, 0x73, b"message")

    def test_the_largest_counter_counts_as_well(self) -> None:
        key_id, _ = self.p256_key_with(counter(0xFFFFFFFF))
        self.card.sign(key_id, 0x73, b"message")
        self.assertEqual(self.card.attributes(key_id), counter(0xFFFFFFFE))

    def test_failures_do_not_count(self) -> None:
        key_id, _ = self.p256_key_with(counter(7))
        with self.refused(EXECUTION, "an RSA signature"):
            self.card.sign(key_id, 0x33, b"message")
        with self.refused(WRONG_P1P2, "an unknown algorithm"):
            self.card.sign(key_id, 0x46, b"message")
        self.assertEqual(self.card.attributes(key_id), counter(7))

    def test_only_listed_algorithms_are_allowed(self) -> None:
        key_id, key = self.p256_key_with(tlv.encode(0x91, b"\x73\x75"))
        key.verify(self.card.sign(key_id, 0x73, b"message"), digest(SHA256(), b"message"))
        self.card.sign(key_id, 0x75, b"message")
        for algorithm in (0x20, 0x33, 0x46, 0x70, 0x71, 0x72, 0x74, 0x76, 0xA0):
            with self.refused(CONDITIONS, f"algorithm {algorithm:02X}"):
                self.card.sign(key_id, algorithm, bytes(32))

    def test_an_empty_list_allows_everything(self) -> None:
        key_id, _ = self.p256_key_with(tlv.encode(0x91, b""))
        for algorithm in range(0x70, 0x76):
            self.card.sign(key_id, algorithm, bytes(32))

    def test_an_rsa_key_obeys_its_list(self) -> None:
        key_id, _ = self.generate(rsa_template(1024), tlv.encode(0x91, b"\x33"))
        self.card.sign(key_id, 0x33, b"message")
        for algorithm in (0x20, 0x30, 0x31, 0x34, 0x40, 0x43):
            with self.refused(CONDITIONS, f"algorithm {algorithm:02X}"):
                self.card.sign(key_id, algorithm, bytes(32))

    def test_attributes_end_with_the_key(self) -> None:
        key_id, _ = self.p256_key_with(counter(1))
        self.card.delete_file(0xCC00 | key_id)
        with self.refused(NOT_FOUND, "the attributes of a deleted key"):
            self.card.attributes(key_id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
