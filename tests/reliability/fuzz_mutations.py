"""Damage to the bytes of a file, drawn at random, as by disks, transfers, editors and attackers."""

import json
import random
import re
from collections.abc import Sequence

HUGE = (0, 1, 0x7F, 0x80, 0xFF, 1 << 15, (1 << 16) - 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 62, -1)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp1252", "shift_jis", "utf-7", "cp037")
PIECES = (
    *(b'"', b"'", b"\n", b"\r", b"\0", b",", b";", b"\t", b"\\", b"{", b"}", b"[", b"]", b":", b"&", b"<", b"@", b"#"),
    *(b"\xff", b"\xc3", b"\xf0\x9f", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud83d", b"\\u0000", b"null", b"NaN", b"-1"),
    *(b"true", b"1e999", b"[[", b'{"a":', b"99999999999999999999", b"\xe2\x80\xae", b"\x1b[31m", b"\r\n", b"b'", b"()"),
)
TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[\w.+-]+|[^\w\s]')
LONGEST = 1 << 18


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Return the data with one to four changes; `others` are files that pieces may come from."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice(CHANGES)(data, chance, others)[:LONGEST]
    return data


def _flip(data: bytes, chance: random.Random, _) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20)) if data else 0):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random, _) -> bytes:
    start, end = _span(data, chance)
    return data[:end] if chance.random() < 0.5 else data[:start] + data[end:]


def _splice(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    start, end = _span(other, chance)
    place = chance.randint(0, len(data))
    return data[:place] + other[start:end] + data[place if chance.random() < 0.5 else place + end - start :]


def _insert(data: bytes, chance: random.Random, _) -> bytes:
    place = chance.randint(0, len(data))
    return data[:place] + chance.choice(PIECES) + data[place:]


def _repeat(data: bytes, chance: random.Random, _) -> bytes:
    start, end = _span(data, chance, longest=40)
    piece = data[start:end] if chance.random() < 0.7 else chance.choice(PIECES)
    return data[:end] + piece * chance.choice((2, 10, 1000, 20_000)) + data[end:]


def _number(data: bytes, chance: random.Random, _) -> bytes:
    """Set a binary number, a length perhaps, to one that it hardly is."""
    size, place = chance.choice((1, 2, 4, 8)), chance.randint(0, len(data))
    number = chance.choice(HUGE) % (1 << 8 * size)
    return data[:place] + number.to_bytes(size, chance.choice(("little", "big"))) + data[place + size :]


def _swap(data: bytes, chance: random.Random, _) -> bytes:
    """Exchange two tokens, or put a value of another kind in a token's place."""
    tokens = list(TOKEN.finditer(data[:20_000]))
    if len(tokens) < 2:
        return data
    one, two = sorted(chance.sample(tokens, 2), key=re.Match.start)
    if chance.random() < 0.5:
        return data[: one.start()] + _any_value(chance) + data[one.end() :]
    return data[: one.start()] + two[0] + data[one.end() : two.start()] + one[0] + data[two.end() :]


def _any_value(chance: random.Random) -> bytes:
    values = (
        None,
        True,
        -1,
        0,
        1.5,
        1 << 63,
        1 << 70,
        "",
        "a",
        "\ud800",
        [],
        {},
        [[]],
        {"a": []},
        ["a", 1],
        "x" * 5000,
    )
    return json.dumps(chance.choice(values)).encode()


def _encode(data: bytes, chance: random.Random, _) -> bytes:
    return data.decode("utf-8", "replace").encode(chance.choice(ENCODINGS), "replace")


def _span(data: bytes, chance: random.Random, longest: int = LONGEST) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, chance.randint(start, min(len(data), start + longest))


CHANGES = (_flip, _flip, _cut, _splice, _insert, _insert, _repeat, _number, _swap, _swap, _encode)
