"""Pickles that attack whoever reads them: code to run, lengths to believe, structures to walk.

    for name, content in hostile_pickles().items(): ...

Each would create the file CANARY in the current folder, if anything of it ran.
"""

import builtins
import codecs
import os
import pickle
import struct
from collections import OrderedDict
from typing import Any

import numpy as np

CANARY = "executed"
COMMAND = f"touch {CANARY}"
CODE = f"open({CANARY!r}, 'w')"
GB_10 = 10_000_000_000


class _Calls:
    """Pickles as a call of `function` with these arguments."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self._call, self._state = (function, arguments), state

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call if self._state is None else (*self._call, self._state)


def _short(text: str) -> bytes:
    return pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode()


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _stack_global(module: str, name: str) -> bytes:
    return _short(module) + _short(name) + pickle.STACK_GLOBAL


def _length(opcode: bytes, form: str, claimed: int = GB_10) -> bytes:
    return b"\x80\x05" + opcode + struct.pack(form, claimed) + b"abc."


def _array(
    state: bytes = b"(K\x01(K\x03tNNtb", subtype: bytes = _global("numpy", "ndarray")
) -> bytes:
    """Return an array's opcodes, with these for its type and for its state and BUILD."""
    reconstruct = _global("numpy._core.multiarray", "_reconstruct")
    return reconstruct + subtype + b"K\x00\x85C\x01b\x87R" + state


def _dtype(code: str) -> bytes:
    return _global("numpy", "dtype") + _short(code) + b"\x89\x88\x87R"


def _state(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def _shared(levels: int, width: int, start: bytes = b"]", mark: bytes = b"(") -> bytes:
    """Return lists in lists: each level holds the one before `width` times (billion laughs)."""
    content = start + b"\x94"
    for level in range(levels):
        content += b"](" + (b"h" + bytes([level])) * width + b"e\x94"
    return b"\x80\x04" + content


def _calls() -> dict[str, Any]:
    """Things that pickle as calls."""
    system = _Calls(os.system, COMMAND)
    return {
        "os.system": system,
        "eval": _Calls(eval, CODE),
        "exec": _Calls(exec, CODE),
        "__import__": _Calls(__import__, "os"),
        "getattr chain": _Calls(getattr, _Calls(__import__, "os"), "system"),
        "call of what getattr gives": _Calls(
            builtins.map, _Calls(getattr, _Calls(__import__, "os"), "system"), [COMMAND]
        ),
        "open": _Calls(open, CANARY, "w"),
        "bytearray of 10 GB": _Calls(bytearray, GB_10),
        "range of 10 GB": _Calls(list, range(GB_10)),
        "in a dict": {0: [1, 2], 1: {"a": [system]}},
        "as a key": {"0": [1], system: [2]},
        "in a tuple in a list": [[(1, (2, system))]],
        "in an object array": np.array([system], dtype=object),
        "in a dict of object arrays": {0: np.array([1, system], dtype=object)},
        "in a structured array": np.zeros(3, [("a", "i4"), ("b", object)]),
        "codecs.decode": _Calls(codecs.decode, "00", "hex"),
        "codecs.encode to another codec": _Calls(codecs.encode, CODE, "rot13"),
        "state of a call": _Calls(OrderedDict, state={"__reduce__": system}),
        "partial": _Calls(__import__("functools").partial, os.system, COMMAND),
        "operator.methodcaller": _Calls(__import__("operator").methodcaller, "system"),
        "numpy.memmap": _Calls(np.memmap, CANARY, "uint8", "w+", 0, (8,)),
        "numpy.load": _Calls(np.load, CANARY, None, True),
        "numpy.fromfile": _Calls(np.fromfile, CANARY),
        "numpy.full of 10 GB": _Calls(np.full, GB_10, 1),
        "a complex array": np.zeros(3, complex),
        "a date": np.array(["2020-01-01"], "datetime64[D]"),
        "a set": {1, 2},
        "a class": OrderedDict,
        "a function": os.system,
    }


def _opcodes() -> dict[str, bytes]:
    """Pickles that no pickler writes."""
    system, stop = _global("os", "system"), b"."
    uint8 = _dtype("u1")
    return {
        "protocol 0 os.system": system + b"(V" + COMMAND.encode() + b"\ntR.",
        "stack global posix.system": _stack_global("posix", "system") + _short(COMMAND) + b"\x85R.",
        "stack global with dots": _stack_global("numpy", "core.os.system")
        + _short(COMMAND)
        + b"\x85R.",
        "a name of another type": b"K\x01K\x02\x93.",
        "INST": b"(S'" + COMMAND.encode() + b"'\nios\nsystem\n.",
        "INST with text": b"(V" + COMMAND.encode() + b"\nios\nsystem\n.",
        "OBJ": b"(" + system + b"V" + COMMAND.encode() + b"\no.",
        "NEWOBJ": system + _short(COMMAND) + b"\x85\x81.",
        "NEWOBJ_EX": system + _short(COMMAND) + b"\x85}\x92.",
        "persistent id": b"Pos.system\n.",
        "binary persistent id": _short("os.system") + b"Q.",
        "EXT1": b"\x80\x02\x82\x01.",
        "EXT2": b"\x80\x02\x83\x01\x00.",
        "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "out-of-band buffer": b"\x80\x05\x97.",
        "read-only buffer": b"\x80\x05\x97\x98.",
        "call of a number": b"K\x01)R.",
        "call of the array type": _global("numpy", "ndarray") + b"J\x00\xe4\x0bT\x85\x85R.",
        "call with a list": _global("numpy", "dtype") + b"]R.",
        "call with too many": _global("_codecs", "encode")
        + b"(KKKKt".replace(b"K", b"K\x01")
        + b"R.",
        "state of a function": _global("_codecs", "encode")
        + b"N}"
        + _short("__defaults__")
        + b"K\x01s\x86b.",
        "state of a dict": b"}}" + _short("a") + b"K\x01sb.",
        "state of a list": b"]}" + _short("append") + b"K\x01sb.",
        "dtype of objects": _dtype("O8") + stop,
        "dtype by name": _dtype("object") + stop,
        "dtype of records": _dtype("i4,O") + stop,
        "dtype of 10 GB": _dtype("S10000000000") + stop,
        "dtype of a sub-array": _dtype("(100000,100000)f8") + stop,
        "dtype changed to objects": uint8
        + b"(K\x03"
        + _short("|")
        + b"NNNJ\xff\xff\xff\x7fK\x01K\x3ftb"
        b"K\x01.",
        "array of huge shape": _array(_state(b"\x8a\x05\x00\xe4\x0bT\x02\x85", uint8, b"C\x03abc"))
        + stop,
        "array of negative shape": _array(_state(b"J\xff\xff\xff\xff\x85", uint8, b"C\x03abc"))
        + stop,
        "array whose shape overflows": _array(
            _state(
                b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x8a\x08" + b"\xff" * 7 + b"\x7f\x86",
                uint8,
                b"C\x00",
            )
        )
        + stop,
        "array of 1000 dimensions": _array(_state(b"(" + b"K\x01" * 1000 + b"t", uint8, b"C\x01a"))
        + stop,
        "array from a list": _array(_state(b"K\x03\x85", uint8, b"](K\x01K\x02K\x03e")) + stop,
        "array without a type": _array() + stop,
        "array of a subclass": _array(subtype=_global("numpy", "matrix")) + stop,
        "array of a class of its own": _array(subtype=_global("os", "system")) + stop,
        "one buffer, many arrays": b"\x80\x04B"
        + struct.pack("<I", 1 << 16)
        + bytes(1 << 16)
        + b"\x940"
        + uint8
        + b"\x940("
        + _array(_state(b"J\x00\x00\x01\x00\x85", b"h\x01", b"h\x00")) * 20_000
        + b"l.",
        "one text, many bytes": b"\x80\x04X"
        + struct.pack("<I", 1 << 16)
        + b"a" * (1 << 16)
        + b"\x940("
        + (_global("_codecs", "encode") + b"h\x00" + _short("latin1") + b"\x86R") * 20_000
        + b"l.",
        "scalar of objects": _global("numpy._core.multiarray", "scalar")
        + _dtype("O8")
        + b"C\x01a\x86R.",
        "frombuffer of huge shape": _global("numpy._core.numeric", "_frombuffer")
        + b"("
        + b"C\x03abc"
        + uint8
        + b"\x8a\x05\x00\xe4\x0bT\x02\x85"
        + _short("C")
        + b"tR.",
    }


def _lengths() -> dict[str, bytes]:
    """Pickles that claim to be large, or to be deep."""
    tuples = b"\x80\x04)" + b"".join(b"\x94h" + bytes([n]) + b"\x86" for n in range(60))
    return {
        "BINUNICODE8 of 10 GB": _length(pickle.BINUNICODE8, "<Q"),
        "BINBYTES8 of 10 GB": _length(pickle.BINBYTES8, "<Q"),
        "BYTEARRAY8 of 10 GB": _length(pickle.BYTEARRAY8, "<Q"),
        "FRAME of 10 GB": _length(pickle.FRAME, "<Q"),
        "BINUNICODE8 of 2**64 - 1": _length(pickle.BINUNICODE8, "<Q", (1 << 64) - 1),
        "BYTEARRAY8 of 2**63 - 1": _length(pickle.BYTEARRAY8, "<Q", (1 << 63) - 1),
        "BINUNICODE of 4 GB": _length(pickle.BINUNICODE, "<I", (1 << 32) - 1),
        "BINBYTES of 4 GB": _length(pickle.BINBYTES, "<I", (1 << 32) - 1),
        "BINSTRING of 2 GB": _length(pickle.BINSTRING, "<i", (1 << 31) - 1),
        "BINSTRING of less than nothing": _length(pickle.BINSTRING, "<i", -1),
        "LONG4 of 2 GB": _length(pickle.LONG4, "<i", (1 << 31) - 1),
        "LONG4 of less than nothing": _length(pickle.LONG4, "<i", -1),
        "LONG_BINPUT far out": b"\x80\x02}r\xff\xff\xff\x7f.",
        "LONG_BINPUT at the very end": b"\x80\x02]r\xff\xff\xff\xff0K\x01.",
        "PUT far out": b"]p99999999999999999999\n.",
        "PUT of less than nothing": b"]p-1\n.",
        "GET of what is not there": b"\x80\x02j\xff\xff\xff\x7f.",
        "memo abused for a key": b"\x80\x04}" + tuples[2:] + b"K\x01s.",
        "a number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
        "a number of a million digits as INT": b"I" + b"9" * 1_000_000 + b"\n.",
        "a number of a million bytes": b"\x8b"
        + struct.pack("<i", 1_000_000)
        + b"\x7f" * 1_000_000
        + b".",
        "a key of 8,000 bits": b"}\x8a\xff" + b"\x7f" * 255 + b"](K\x01es.",
        "recursion: lists in lists": b"]" * 100_000 + b"a" * 99_999 + b".",
        "recursion: tuples in tuples": b")" + b"\x85" * 200_000 + b".",
        "recursion: tuples as a key": b"})" + b"\x85" * 200_000 + b"K\x01s.",
        "recursion: dicts in dicts": b"}" + b"K\x00}" * 100_000 + b"s" * 100_000 + b".",
        "recursion: a list in itself": b"\x80\x04}K\x00]\x94h\x00as.",
        "recursion: a dict in itself": b"\x80\x04}\x94K\x00h\x00s.",
        "marks only": b"(" * 300_000,
        "marks and an end": b"(" * 300_000 + b".",
        "billion laughs of lists": _shared(60, 10) + b".",
        "billion laughs in a sample": b"\x80\x04}K\x00" + _shared(60, 10)[2:] + b"s.",
        "billion laughs of tuples": tuples + b".",
        "billion laughs in a list of ids": b"\x80\x04}K\x00](" + tuples[2:] + b"es.",
        "one long list, many samples": b"\x80\x04]("
        + b"K\x01" * 300_000
        + b"e\x940}("
        + b"".join(b"J" + struct.pack("<i", n) + b"h\x00" for n in range(100_000))
        + b"u.",
        "keys whose hashes collide": b"\x80\x04}("
        + b"".join(
            b"\x8a\x09" + (n * ((1 << 61) - 1) & (1 << 71) - 1).to_bytes(9, "little") + b"]"
            for n in range(1, 60_000)
        )
        + b"u.",
        "no end": b"\x80\x04}",
        "nothing at all": b"",
        "an end alone": b".",
        "an end too many": b"\x80\x04}.}.",
        "opcodes that there are not": b"\x80\x04\xff\xfe.",
        "protocol 255": b"\x80\xff}.",
        "a pop too many": b"00.",
        "a mark that is not there": b"e.",
        "a value without a key": b"}(K\x01u.",
        "items for a number": b"K\x01(K\x01K\x02u.",
        "a list as a key": b"}]K\x01s.",
        "text that is no UTF-8": b"\x80\x04\x8c\x02\xff\xfe.",
        "a lone surrogate": b"\x80\x04}\x8c\x03\xed\xa0\x80]s.",
        "a name with line breaks and escapes": _stack_global("os\n\x1b[2J", "system\r\nerror: ok")
        + b".",
        "a name of a megabyte": b"c" + b"x" * 1_000_000 + b"\ny\n.",
        "a name of 50,000 letters": b"c" + b"x" * 50_000 + b"\ny\n.",
    }


def hostile_pickles() -> dict[str, bytes]:
    """Return the corpus: what it is -> its bytes."""
    calls = {
        f"{name}, protocol {protocol}": pickle.dumps(thing, protocol)
        for name, thing in _calls().items()
        for protocol in (0, 2, 4, 5)
    }
    return {**calls, **_opcodes(), **_lengths()}
