"""Unpickling a stranger's file: builtin values only, no code run, and no more memory than the file warrants.

Python's C unpickler takes memory before it looks at the data: nine bytes with a memo index of 2**27 cost it 2 GB. The
opcodes are therefore read once before it starts, without building anything.
"""

import io
import pickle
import pickletools

BYTES_PER_CONTAINER = 20  # an empty list or dict is one byte in the file and 70 in memory
CONTAINERS_ALWAYS = 100_000
MAX_TUPLES = 20_000  # hash() of nested tuples calls itself in C, without a limit of its own

STRING, MEMOIZE, STOP = pickle.SHORT_BINUNICODE[0], pickle.MEMOIZE[0], pickle.STOP[0]
SIZES = {  # opcode → its size with its argument
    **dict.fromkeys(b"()]}ldt0N1aesu\x85\x86\x87\x88\x89", 1),
    **dict.fromkeys(b"Kh\x80", 2),
    **dict.fromkeys(b"M", 3),
    **dict.fromkeys(b"Jj", 5),
    **dict.fromkeys(b"G", 9),
}
LENGTH_SIZES = {  # opcode whose argument begins with its own length → the size of that length
    **dict.fromkeys(b"CU\x8a\x8c", 1),
    **dict.fromkeys(b"BTX\x8b", 4),
    **dict.fromkeys(b"\x8d\x8e", 8),
}
LINES = frozenset(b"ILFSVg")  # the argument is a line of text
CONTAINERS, TUPLES = frozenset(b"]}ld"), frozenset(b"t\x85\x86\x87")
CODE = frozenset(b"ciRoPQ\x81\x82\x83\x84\x92\x93")  # the unpickler fails there: it finds no class and no function


class CodeRefusedError(Exception):
    """The pickle refers to a class, a function or an external object."""


def load_builtins(content: bytes) -> tuple[object, int]:
    """Return (the value of a pickle of builtins without sets, the length of the pickle, which other bytes may follow).

    CodeRefusedError, before anything is imported, where it needs more than builtins. A damaged pickle can raise almost
    any exception.
    """
    length = _check_opcodes(content)
    return _BuiltinsUnpickler(io.BytesIO(content)).load(), length


def _check_opcodes(content: bytes) -> int:
    """Return the length of the pickle.

    ValueError where an opcode is none that builtins need, or asks for more memory than the file warrants.
    """
    position = memoized = containers = tuples = 0
    while position < len(content):
        opcode = content[position]
        if opcode == STRING:
            position += 2 + content[position + 1]
        elif opcode == MEMOIZE:
            memoized += 1
            position += 1
        elif opcode in SIZES:
            position += SIZES[opcode]
            containers += opcode in CONTAINERS
            tuples += opcode in TUPLES
        elif opcode in LENGTH_SIZES:
            start = position + 1 + LENGTH_SIZES[opcode]
            position = start + int.from_bytes(content[position + 1 : start], "little")
        elif opcode == STOP or opcode in CODE:
            break
        else:
            position = _after_rare_opcode(content, position, memoized)
            memoized += opcode in b"pqr"
    if position >= len(content):
        raise ValueError("pickle data was truncated")
    if containers > CONTAINERS_ALWAYS + len(content) // BYTES_PER_CONTAINER or tuples > MAX_TUPLES:
        raise ValueError(f"it has {containers:,} lists and dicts, and {tuples:,} tuples")
    return position + 1


def _after_rare_opcode(content: bytes, position: int, memoized: int) -> int:
    """Return the position after a frame's header, or after an opcode that protocol 4 no longer writes."""
    opcode, start = content[position : position + 1], position + 1
    line_end = content.find(b"\n", start)
    if opcode[0] in LINES and line_end >= 0:
        return line_end + 1
    if opcode == pickle.FRAME and start + 8 + int.from_bytes(content[start : start + 8], "little") <= len(content):
        return start + 8
    if opcode == pickle.BINPUT:
        return start + 1
    if opcode == pickle.LONG_BINPUT and int.from_bytes(content[start : start + 4], "little") <= memoized:
        return start + 4
    if opcode == pickle.PUT and line_end >= 0 and int(content[start:line_end]) <= memoized:
        return line_end + 1
    known = pickletools.code2op.get(chr(opcode[0]))
    raise ValueError(f"unexpected {known.name if known else opcode!r} at byte {position}")


class _BuiltinsUnpickler(pickle.Unpickler):
    """An unpickler of builtin values, which refuses everything else before it is imported."""

    def find_class(self, module, name):
        raise CodeRefusedError(f"{module}.{name}")

    def persistent_load(self, pid):
        raise CodeRefusedError(f"persistent id {pid!r}")
