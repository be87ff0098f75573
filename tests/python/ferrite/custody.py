"""Keys of the host's choice: a DKEK that the host knows, and blobs that carry keys into the card."""

import os

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256

from ferrite.keys import digest

AES = bytes.fromhex("6086480165030401")
AES_KEY = 15


class Dkek:
    """A device key-encryption key: it is the only share of its key domain."""

    def __init__(self, share: bytes) -> None:
        self.share = share

    def _derive(self, number: int) -> bytes:
        return digest(SHA256(), self.share + number.to_bytes(4, "big"))

    def wrap(self, key: bytes, allowed: bytes = b"") -> bytes:
        """A secret key as the card takes it."""
        payload = os.urandom(8) + len(key).to_bytes(2, "big") + key
        if len(payload) % 16:
            payload += b"\x80"
            payload += bytes(-len(payload) % 16)
        encryptor = Cipher(algorithms.AES(self._derive(1)), modes.CBC(bytes(16))).encryptor()
        head = digest(SHA256(), self.share)[:8] + bytes([AES_KEY])
        for field in (AES, allowed, b"", b""):
            head += len(field).to_bytes(2, "big") + field
        blob = head + encryptor.update(payload) + encryptor.finalize()
        mac = cmac.CMAC(algorithms.AES(self._derive(2)))
        mac.update(blob)
        return blob + mac.finalize()

    def unwrap(self, blob: bytes) -> bytes:
        """The secret key in a blob without a list of algorithms."""
        head = digest(SHA256(), self.share)[:8] + bytes([AES_KEY])
        for field in (AES, b"", b"", b""):
            head += len(field).to_bytes(2, "big") + field
        mac = cmac.CMAC(algorithms.AES(self._derive(2)))
        mac.update(blob[:-16])
        mac.verify(blob[-16:])
        if not blob.startswith(head):
            raise ValueError(f"another head than {head.hex()}: {blob.hex()}")
        decryptor = Cipher(algorithms.AES(self._derive(1)), modes.CBC(bytes(16))).decryptor()
        payload = decryptor.update(blob[len(head) : -16]) + decryptor.finalize()
        length = int.from_bytes(payload[8:10], "big")
        return payload[10 : 10 + length]
