"""Ways to damage a file, each by a seeded random generator."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_MOST_BYTES = 400_000
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{2,}")
_NUMBERS = (
    b"", b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999999999999", b"9" * 5000, b"0x10",
    b"1,5", b"null", b"true", b'"1"', b"[]", b"{}", b"[[[[]]]]",
)  # fmt: skip
_WORDS = (
    b"", b"../../x", b"/dev/null", b"\x00", b"\xff\xfe", b"\x1b[31m", b"[/u]", b"x" * 200_000,
    b"\xed\xa0\x80", "ä\u202e".encode(), b"\\ud800", b"null", b"!!python/name:os.system", b"*a",
    b"&a", b"\r", b"\n", b"'", b'"', b",,,,", b"__class__",
)  # fmt: skip
_WHOLE = (
    b"", b"\x00" * 1000, b"\n", b"null", b"[]", b"{}", b"7", b'"text"', b"[" * 100_000,
    b'{"a":' * 100_000, b"\xff" * 100, b"\x80\x04\x95", b"PK\x03\x04", b"a: &a [*a]",
    b"\xef\xbb\xbf",
    b"- " * 5000, b"9" * 10_000, b"x," * 100_000,
)  # fmt: skip


def damaged(data: bytes, number: int, seed: str) -> bytes:
    """Returns the damage of a number to a file's content; the same for the same seed."""
    rng = random.Random(f"{seed}/{number}")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_WAYS)(data, rng)[:_MOST_BYTES]
    return data


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _beheaded(data: bytes, rng: random.Random) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _header_overwritten(data: bytes, rng: random.Random) -> bytes:
    """Lengths, counts and versions stand at the beginning."""
    changed = bytearray(data)
    for _ in range(3 if changed else 0):
        changed[rng.randrange(min(len(changed), 64))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def _hole(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.randrange(1, 200))
    return data[:begin] + rng.choice((b"", bytes(end - begin))) + data[end:]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.randrange(1, 200))
    return data[:end] + data[begin:end] * rng.choice((1, 2, 100)) + data[end:]


def _inserted(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_WORDS + _NUMBERS) + data[place:]


def _lines_mixed(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 1:
        rng.shuffle(lines)
        del lines[rng.randrange(len(lines))]
    return rng.choice((b"", b"\n", b"\r")).join(lines)


def _replaced(data: bytes, rng: random.Random, what: re.Pattern[bytes], by: tuple) -> bytes:
    found = list(what.finditer(data[:_MOST_BYTES]))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(by) + data[match.end() :]


def _number_replaced(data: bytes, rng: random.Random) -> bytes:
    return _replaced(data, rng, _NUMBER, _NUMBERS)


def _word_replaced(data: bytes, rng: random.Random) -> bytes:
    return _replaced(data, rng, _WORD, _WORDS)


def _whole_replaced(data: bytes, rng: random.Random) -> bytes:
    del data
    return rng.choice(_WHOLE) if rng.random() < 0.9 else rng.randbytes(rng.randrange(2000))


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut, _beheaded, _flipped, _header_overwritten, _hole, _repeated, _inserted, _lines_mixed,
    _number_replaced, _number_replaced, _word_replaced, _word_replaced, _whole_replaced,
)  # fmt: skip
