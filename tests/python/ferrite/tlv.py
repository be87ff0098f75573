"""BER-TLV as the card uses it: tags of one or two bytes, definite lengths in their shortest form. Reading is strict."""

from dataclasses import dataclass


class Malformed(Exception):
    """These bytes are not what they should be."""


@dataclass(frozen=True)
class Element:
    """A data object: its tag, its value, and all of its bytes."""

    tag: int
    value: bytes
    whole: bytes


def encode(tag: int, value: bytes) -> bytes:
    """A data object with the shortest length."""
    tag_bytes = tag.to_bytes(1 if tag < 0x100 else 2, "big")
    size = len(value)
    if size < 0x80:
        length = bytes([size])
    elif size < 0x100:
        length = bytes([0x81, size])
    else:
        length = b"\x82" + size.to_bytes(2, "big")
    return tag_bytes + length + value


def parse(data: bytes, shortest: bool = True) -> list[Element]:
    """All the data objects in `data`, which must hold nothing else; with lengths in their shortest form, or any."""
    elements = []
    rest = data
    while rest:
        element = _first(rest, shortest)
        elements.append(element)
        rest = rest[len(element.whole) :]
    return elements


def parse_as(data: bytes, *tags: int) -> list[Element]:
    """The data objects in `data`, which must have exactly these tags in this order."""
    elements = parse(data)
    found = [element.tag for element in elements]
    if found != list(tags):
        raise Malformed(f"tags {_names(found)} where {_names(tags)} should be, in {data.hex()}")
    return elements


def _first(data: bytes, shortest: bool) -> Element:
    two = data[0] & 0x1F == 0x1F
    at = 2 if two else 1
    tag = int.from_bytes(data[:at], "big")
    if len(data) <= at:
        raise Malformed(f"no length after tag {tag:X}")
    size, header = data[at], at + 1
    if size >= 0x80:
        count = size & 0x7F
        header += count
        if count not in (1, 2) or len(data) < header:
            raise Malformed(f"length {data[at:].hex()[:10]} after tag {tag:X}")
        size = int.from_bytes(data[at + 1 : header], "big")
        if shortest and size < (0x80 if count == 1 else 0x100):
            raise Malformed(f"length of tag {tag:X} is not in its shortest form: {data[at:header].hex()}")
    whole = data[: header + size]
    if len(whole) != header + size:
        raise Malformed(f"tag {tag:X} announces {size} bytes and has {len(data) - header}")
    return Element(tag, whole[header:], whole)


def _names(tags: list[int] | tuple[int, ...]) -> str:
    return " ".join(f"{tag:X}" for tag in tags)
