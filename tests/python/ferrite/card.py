"""The card through PC/SC: one method for each command."""

import time

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.System import readers

from ferrite import tlv

PIN = b"648219"
SO_PIN = b"57621880"
READER = "Virtual PCD 00 00"
APPLICATION = bytes.fromhex("E82B0601040181C31F0201")
DEVICE_CERTIFICATE = 0x2F02

OK = 0x9000


class StatusError(Exception):
    """The card answered with another status than 9000."""

    def __init__(self, status: int, command: str) -> None:
        super().__init__(f"{status:04X} to {command}")
        self.status = status


class Card:
    """The card in the virtual reader."""

    def __init__(self) -> None:
        names = readers()
        reader = next((reader for reader in names if READER in str(reader)), None)
        if reader is None:
            raise RuntimeError(f"no reader {READER}, only {names}")
        self._connection = reader.createConnection()
        for attempt in range(50):
            try:
                self._connection.connect(CardConnection.T1_protocol)
                return
            except (NoCardException, CardConnectionException):
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        """Leaves the card; it forgets the session."""
        self._connection.disconnect()

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Sends a command as it is; returns data and status."""
        data, sw1, sw2 = self._connection.transmit(list(apdu))
        return bytes(data), sw1 << 8 | sw2

    def command(
        self, cla: int, ins: int, p1: int, p2: int, data: bytes = b"", answer: bool = True, length: int = 0
    ) -> bytes:
        """Sends a command with extended lengths, Le being `length`; returns the data if the status is 9000."""
        header = bytes([cla, ins, p1, p2])
        body = b"\x00" + len(data).to_bytes(2, "big") + data if data else b""
        le = (b"" if data else b"\x00") + length.to_bytes(2, "big") if answer else b""
        received, status = self.transmit(header + body + le)
        if status != OK:
            raise StatusError(status, f"{header.hex(' ')} with {len(data)} bytes: {data[:40].hex()}")
        return received

    def select(self) -> bytes:
        """SELECT of the application, which logs out."""
        return self.command(0x00, 0xA4, 0x04, 0x00, APPLICATION)

    def initialize(self, dkek_shares: int | None = None) -> None:
        """INITIALIZE DEVICE: every key is gone; the session goes on as if the user had logged in."""
        data = (
            tlv.encode(0x80, b"\x00\x01") + tlv.encode(0x81, PIN) + tlv.encode(0x82, SO_PIN) + tlv.encode(0x91, b"\x03")
        )
        if dkek_shares is not None:
            data += tlv.encode(0x92, bytes([dkek_shares]))
        self.command(0x80, 0x50, 0x00, 0x00, data, answer=False)

    def verify(self, pin: bytes = PIN) -> None:
        """VERIFY of the user PIN."""
        self.command(0x00, 0x20, 0x00, 0x81, pin, answer=False)

    def select_file(self, fid: int) -> bytes:
        """SELECT of a file: its control parameters."""
        return self.command(0x00, 0xA4, 0x00, 0x00, fid.to_bytes(2, "big"))

    def read_file(self, fid: int) -> bytes:
        """READ BINARY of a whole file."""
        return self.command(0x00, 0xB1, fid >> 8, fid & 0xFF, bytes.fromhex("54020000"))

    def delete_file(self, fid: int) -> None:
        """DELETE FILE."""
        self.command(0x00, 0xE4, 0x02, 0x00, fid.to_bytes(2, "big"), answer=False)

    def generate(self, key_id: int, data: bytes) -> bytes:
        """GENERATE ASYMMETRIC KEY PAIR: the certificate request."""
        return self.command(0x00, 0x46, key_id, 0x00, data)

    def sign(self, key_id: int, algorithm: int, data: bytes) -> bytes:
        """SIGN."""
        return self.command(0x80, 0x68, key_id, algorithm, data)

    def decipher(self, key_id: int, algorithm: int, data: bytes) -> bytes:
        """DECIPHER."""
        return self.command(0x80, 0x62, key_id, algorithm, data)

    def derive(self, source: int, target: int, data: bytes) -> bytes:
        """DERIVE ASYMMETRIC KEY."""
        return self.command(0x80, 0x76, source, target, data)

    def generate_secret(self, key_id: int, length: int, attributes: bytes = b"") -> None:
        """GENERATE SYMMETRIC KEY; the length is B0 to B3."""
        self.command(0x00, 0x48, key_id, length, attributes, answer=False)

    def symmetric(self, key_id: int, algorithm: int, data: bytes, length: int = 0) -> bytes:
        """SYMMETRIC CIPHER; a length of 0 lets the card choose how much it derives."""
        return self.command(0x80, 0x78, key_id, algorithm, data, length=length)

    def import_share(self, domain: int, share: bytes) -> bytes:
        """KEY DOMAIN: import of a DKEK share; the state of the domain."""
        return self.command(0x80, 0x52, 0x00, domain, share)

    def wrap(self, key_id: int) -> bytes:
        """WRAP KEY: the blob."""
        return self.command(0x80, 0x72, key_id, 0x92, b"")

    def unwrap(self, key_id: int, blob: bytes) -> None:
        """UNWRAP KEY."""
        self.command(0x80, 0x74, key_id, 0x93, blob, answer=False)

    def attributes(self, key_id: int) -> bytes | None:
        """The attributes of a key (A5 in the control parameters of its file), if it has any."""
        # The reference always writes the length of A5 as 81 xx; both ways are BER.
        [template] = tlv.parse(self.select_file(0xCC00 | key_id), shortest=False)
        values = [element.value for element in tlv.parse(template.value, shortest=False) if element.tag == 0xA5]
        return values[0] if values else None
