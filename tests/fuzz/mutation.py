"""Changes at random, for where there is no fuzzer that sees which way the program took."""

from __future__ import annotations

_TOKENS = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b"\r", b"\n", b"\r\n\r\n", b"data: ", b":", b",", b"null", b"true", b"-1e999"),
    *(b"\xff", b"\x00", b"\xe2\x80\xa8", b"\\ud800", b"\xef\xbb\xbf", b"<", b">", b"`", b"$$", b"](", b"javascript:", b"&#x"),
)


def mutated(begun, chance):
    """Return one of the inputs with a few changes: tokens put in, pieces cut out, doubled, or taken from another."""
    data = bytearray(chance.choice(begun))
    for _ in range(chance.choice([1, 2, 5, 20])):
        at, length = chance.randrange(len(data) + 1), chance.choice([1, 1, 3, 20])
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(_TOKENS)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                other = chance.choice(begun)
                start = chance.randrange(len(other) + 1)
                data[at:at] = other[start : start + 10 * length]
            case _:
                data[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(data)
