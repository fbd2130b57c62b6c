"""Reading pickles that come from other people.

`load(file)` admits dict, list, tuple, int, float, str and NumPy arrays of numbers, and refuses
anything else by name.

It is an interpreter of its own. Python's, even with `find_class` replaced, hashes, allocates and
calls as the file says: a memo index takes gigabytes, a tuple of tuples as a key takes for ever to
hash, BUILD writes into whatever was found. Here nothing is called but the functions below, no key
but a number or a text is hashed, and no length is believed beyond the end of the file: time and
memory are proportional to its size.
"""

import math
import pickle
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

_NUMBER_TYPE = re.compile(r"[<>=|]?([biuf])([0-9]{1,2})")
_LONGEST_LINE = 1 << 16
_LONGEST_NUMBER = 400  # characters
_WIDEST_INT = 9  # bytes, those of the largest uint64
_LARGEST_KEY = 1 << 63  # hashes of larger numbers can be made to collide
_MOST_DIMENSIONS = 32
_SHOWN = 80


class _NumberType:
    """What stands for a NumPy dtype while a pickle is read, and changes nobody else's."""

    def __init__(self, code: Any) -> None:
        match = _NUMBER_TYPE.fullmatch(code) if isinstance(code, str) else None
        if match is None:
            _refuse(f"a NumPy dtype {_shown(code)}")
        try:
            self.dtype: np.dtype[Any] = np.dtype(f"{match[1]}{match[2]}")
        except TypeError:
            _refuse(f"a NumPy dtype {_shown(code)}")

    def set_state(self, state: Any) -> None:
        """Take the byte order of NumPy's own state, (version, byte order, ...)."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("a NumPy dtype without a byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Marker:
    """A name that stands in a pickle and is called by nobody: the array type itself."""


_ARRAY_TYPE = _Marker()


def _refuse(what: str) -> NoReturn:
    raise pickle.UnpicklingError(what)


def _shown(value: Any) -> str:
    """Return a short text of something of the file: one line, whatever it holds."""
    if not isinstance(value, (str, int)):
        return f"given as {type(value).__name__}"
    shown = ascii(value if isinstance(value, str) else int(value))
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _new_array(spend: Callable[[int], None], subtype: Any, shape: Any, code: Any) -> Any:
    """Do what numpy's `_reconstruct` does for plain arrays: an empty one, which BUILD fills."""
    if subtype is not _ARRAY_TYPE:
        _refuse("an array of another type than numpy.ndarray")
    return np.empty(0, np.uint8)


def _fill_array(spend: Callable[[int], None], array: NDArray[Any], state: Any) -> None:
    """Do what `ndarray.__setstate__` does, once shape, type and bytes have been found to fit."""
    *_, shape, number_type, by_columns, data = state
    shape = _checked_shape(shape)
    if not isinstance(number_type, _NumberType) or not isinstance(data, bytes):
        _refuse("an array of something else than numbers")
    if len(data) != math.prod(shape) * number_type.dtype.itemsize:
        raise ValueError(f"an array of shape {shape} in {len(data)} bytes")
    spend(len(data))
    how: Any = bool(by_columns)  # NumPy's stubs want a NumPy bool, NumPy a plain one
    array.__setstate__((1, shape, number_type.dtype, how, data))


def _checked_shape(shape: Any) -> tuple[int, ...]:
    sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not sizes or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("an array whose shape is no list of sizes")
    return tuple(shape)


def _number_type(spend: Callable[[int], None], code: Any, *how: Any) -> _NumberType:
    """Do what `numpy.dtype` does, for numbers alone."""
    return _NumberType(code)


def _scalar(spend: Callable[[int], None], number_type: Any, data: Any) -> int | float:
    """Do what numpy's `scalar` does; a NumPy number becomes a plain one."""
    if not isinstance(number_type, _NumberType) or not isinstance(data, bytes):
        _refuse("a NumPy number of another type")
    (number,) = np.frombuffer(data, number_type.dtype).tolist()
    assert isinstance(number, (int, float))
    return number


def _from_buffer(
    spend: Callable[[int], None], data: Any, number_type: Any, shape: Any, order: Any
) -> NDArray[Any]:
    """Do what numpy's `_frombuffer` does, which protocol 5 uses for contiguous arrays."""
    if not isinstance(number_type, _NumberType) or not isinstance(data, bytes):
        _refuse("an array of something else than numbers")
    array: NDArray[Any] = np.frombuffer(data, number_type.dtype)
    return array.reshape(_checked_shape(shape), order="F" if order == "F" else "C")


def _latin1(spend: Callable[[int], None], text: Any, encoding: Any) -> bytes:
    """Do what `_codecs.encode` does for latin1, by which protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        _refuse(f"the codec {_shown(encoding)}")
    spend(len(text))
    return text.encode("latin1")


def _no_bytes(spend: Callable[[int], None]) -> bytes:
    """Do what `bytes()` does, by which protocols 0 to 2 write no bytes at all."""
    return b""


# NumPy 1 and 2 name the same functions by different modules.
_ARRAY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray", "numpy")
_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _new_array for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
    **{(module, "ndarray"): _ARRAY_TYPE for module in _ARRAY_MODULES},
    **{(module, "dtype"): _number_type for module in _ARRAY_MODULES},
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
}
_FUNCTIONS = {id(found) for found in _ADMITTED.values() if found is not _ARRAY_TYPE}

_NOT_ADMITTED = {
    pickle.PERSID: "a persistent id",
    pickle.BINPERSID: "a persistent id",
    pickle.EXT1: "the extension registry",
    pickle.EXT2: "the extension registry",
    pickle.EXT4: "the extension registry",
    pickle.INST: "an instance of a class (INST)",
    pickle.OBJ: "an instance of a class (OBJ)",
    pickle.NEWOBJ: "an instance of a class (NEWOBJ)",
    pickle.NEWOBJ_EX: "an instance of a class (NEWOBJ_EX)",
    pickle.EMPTY_SET: "a set",
    pickle.ADDITEMS: "a set",
    pickle.FROZENSET: "a set",
    pickle.STRING: "bytes of Python 2",
    pickle.BINSTRING: "bytes of Python 2",
    pickle.SHORT_BINSTRING: "bytes of Python 2",
    pickle.NEXT_BUFFER: "a buffer outside the file",
    pickle.READONLY_BUFFER: "a buffer outside the file",
}
_CONSTANTS = {pickle.NONE: None, pickle.NEWTRUE: True, pickle.NEWFALSE: False}
_FIXED_NUMBERS = {
    pickle.BININT: struct.Struct("<i"),
    pickle.BININT1: struct.Struct("<B"),
    pickle.BININT2: struct.Struct("<H"),
    pickle.BINFLOAT: struct.Struct(">d"),
}
_COUNTED = {  # opcode: (width of the length, whether it is text)
    pickle.BINBYTES: (4, False),
    pickle.SHORT_BINBYTES: (1, False),
    pickle.BINBYTES8: (8, False),
    pickle.BYTEARRAY8: (8, False),
    pickle.BINUNICODE: (4, True),
    pickle.SHORT_BINUNICODE: (1, True),
    pickle.BINUNICODE8: (8, True),
}
_TUPLES = {pickle.EMPTY_TUPLE: 0, pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}
# Almost all of an activations file is runs of whole numbers; these are taken at once.
_RUNS = {
    opcode: (
        re.compile(b"(?:" + opcode + b"." * np.dtype(kind).itemsize + b"){8,}+", re.DOTALL),
        np.dtype([("opcode", "S1"), ("value", kind)]),
    )
    for opcode, kind in ((pickle.BININT1, "u1"), (pickle.BININT2, "<u2"), (pickle.BININT, "<i4"))
}


class _Machine:
    """One pickle being read: the bytes, the place in them, the stack and the memo."""

    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        # Bytes that may still be copied: honest arrays are copied out of the file once.
        self._budget = len(data)

    def run(self) -> Any:
        """Return what the pickle holds."""
        while (opcode := self._take(1)) != pickle.STOP:
            step = _STEPS.get(opcode)
            if step is None:
                if opcode in _NOT_ADMITTED:
                    _refuse(_NOT_ADMITTED[opcode])
                raise ValueError(f"{opcode!r} is no opcode")
            step(self, opcode)
        if self.place != len(self._data):
            raise ValueError("it goes on after its end")
        return self._pop()

    def _take(self, count: int) -> bytes:
        piece = self._data[self.place : self.place + count]
        if len(piece) != count:
            raise ValueError(f"it ends where {count:,} bytes should follow")
        self.place += count
        return piece

    def _take_number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _take_counted(self, width: int) -> bytes:
        count = self._take_number(width)
        left = len(self._data) - self.place
        if count > left:
            raise ValueError(f"it says that {count:,} bytes follow, and {left:,} do")
        return self._take(count)

    def _take_line(self, longest: int = _LONGEST_LINE) -> bytes:
        end = self._data.find(b"\n", self.place, self.place + longest)
        if end < 0:
            raise ValueError("a line does not end")
        line = self._data[self.place : end]
        self.place = end + 1
        return line

    def _spend(self, n_bytes: int) -> None:
        self._budget -= n_bytes
        if self._budget < 0:
            _refuse("more arrays than the file has bytes for")

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise ValueError("it takes from an empty stack")
        return self._stack.pop()

    def _pop_marked(self) -> list[Any]:
        if not self._marks:
            raise ValueError("it takes up to a mark that is not there")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        top = self._pop()
        if type(top) is not kind:
            raise ValueError(f"it takes a {type(top).__name__} for a {kind.__name__}")
        self._stack.append(top)
        return top

    # Each step takes its opcode, which is already read.

    def protocol(self, opcode: bytes) -> None:
        if self._take_number(1) > pickle.HIGHEST_PROTOCOL:
            raise ValueError("its protocol is not known")

    def frame(self, opcode: bytes) -> None:
        count = self._take_number(8)
        if count > len(self._data) - self.place:
            raise ValueError(f"it says that a frame of {count:,} bytes follows")

    def mark(self, opcode: bytes) -> None:
        self._marks.append(len(self._stack))

    def pop(self, opcode: bytes) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._pop()

    def pop_mark(self, opcode: bytes) -> None:
        self._pop_marked()

    def duplicate(self, opcode: bytes) -> None:
        top = self._pop()
        self._stack += [top, top]

    def constant(self, opcode: bytes) -> None:
        self._stack.append(_CONSTANTS[opcode])

    def fixed_number(self, opcode: bytes) -> None:
        pattern, layout = _RUNS.get(opcode, (None, None))
        run = pattern.match(self._data, self.place - 1) if pattern else None
        if run is None:
            number = _FIXED_NUMBERS[opcode]
            self._stack += number.unpack(self._take(number.size))
        else:
            entries = np.frombuffer(memoryview(self._data)[run.start() : run.end()], layout)
            self._stack += entries["value"].tolist()
            self.place = run.end()

    def long(self, opcode: bytes) -> None:
        width = self._take_number(1 if opcode == pickle.LONG1 else 4)
        if width > _WIDEST_INT:
            raise ValueError(f"a whole number of {width:,} bytes")
        self._stack.append(int.from_bytes(self._take(width), "little", signed=True))

    def text_number(self, opcode: bytes) -> None:
        line = self._take_line(_LONGEST_NUMBER)
        if opcode == pickle.INT and line in (b"00", b"01"):
            self._stack.append(line == b"01")
        else:
            kind = float if opcode == pickle.FLOAT else int
            self._stack.append(kind(line.removesuffix(b"L")))

    def counted(self, opcode: bytes) -> None:
        width, is_text = _COUNTED[opcode]
        content = self._take_counted(width)
        # Surrogates are how Python writes text that is no UTF-8; a table of neurons has none.
        self._stack.append(content.decode("utf-8") if is_text else content)

    def text_line(self, opcode: bytes) -> None:
        self._stack.append(self._take_line(len(self._data)).decode("raw-unicode-escape"))

    def new_list(self, opcode: bytes) -> None:
        self._stack.append([] if opcode == pickle.EMPTY_LIST else self._pop_marked())

    def append(self, opcode: bytes) -> None:
        item = self._pop()
        self._top(list).append(item)

    def appends(self, opcode: bytes) -> None:
        items = self._pop_marked()
        self._top(list).extend(items)

    def new_dict(self, opcode: bytes) -> None:
        items = [] if opcode == pickle.EMPTY_DICT else self._pop_marked()
        content: dict[Any, Any] = {}
        _add_items(content, items)
        self._stack.append(content)

    def set_item(self, opcode: bytes) -> None:
        value, key = self._pop(), self._pop()
        _add_items(self._top(dict), [key, value])

    def set_items(self, opcode: bytes) -> None:
        items = self._pop_marked()
        _add_items(self._top(dict), items)

    def new_tuple(self, opcode: bytes) -> None:
        if opcode == pickle.TUPLE:
            items = self._pop_marked()
        else:
            items = [self._pop() for _ in range(_TUPLES[opcode])][::-1]
        self._stack.append(tuple(items))

    def find_global(self, opcode: bytes) -> None:
        if opcode == pickle.GLOBAL:
            module, name = (self._take_line().decode("utf-8") for _ in range(2))
        else:
            name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            _refuse("a name that is no text")
        if (module, name) not in _ADMITTED:
            _refuse(_shown(f"{module}.{name}").strip("'"))
        self._stack.append(_ADMITTED[module, name])

    def call(self, opcode: bytes) -> None:
        arguments, function = self._pop(), self._pop()
        if id(function) not in _FUNCTIONS or not isinstance(arguments, tuple):
            _refuse("a call of something that is no function")
        self._stack.append(function(self._spend, *arguments))

    def build(self, opcode: bytes) -> None:
        state, target = self._pop(), self._pop()
        if isinstance(target, _NumberType):
            target.set_state(state)
        elif type(target) is np.ndarray and isinstance(state, tuple) and 4 <= len(state) <= 5:
            _fill_array(self._spend, target, state)
        else:
            _refuse("a change of an object that is no array")
        self._stack.append(target)

    def put(self, opcode: bytes) -> None:
        if opcode == pickle.MEMOIZE:
            index = len(self._memo)
        elif opcode == pickle.PUT:
            index = int(self._take_line(_LONGEST_NUMBER))
        else:
            index = self._take_number(1 if opcode == pickle.BINPUT else 4)
        if not 0 <= index <= len(self._data):
            raise ValueError(f"it puts {_shown(index)} in a memo of fewer places")
        top = self._pop()
        self._stack.append(top)
        self._memo[index] = top

    def get(self, opcode: bytes) -> None:
        if opcode == pickle.GET:
            index = int(self._take_line(_LONGEST_NUMBER))
        else:
            index = self._take_number(1 if opcode == pickle.BINGET else 4)
        if index not in self._memo:
            raise ValueError("it takes from the memo what was never put there")
        self._stack.append(self._memo[index])


def _add_items(target: dict[Any, Any], items: list[Any]) -> None:
    """Add keys and values, one after the other, to `target`."""
    if len(items) % 2:
        raise ValueError("a key has no value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, (int, str)):
            raise ValueError(f"a key is a {type(key).__name__}, neither a number nor a text")
        if isinstance(key, int) and abs(key) > _LARGEST_KEY:
            raise ValueError("a key is a number of more than 64 bits")
        if key in target:
            raise ValueError(f"the key {_shown(key)} stands there twice")
        target[key] = value


def _steps() -> Iterator[tuple[bytes, Callable[[_Machine, bytes], None]]]:
    yield from dict.fromkeys(_CONSTANTS, _Machine.constant).items()
    yield from dict.fromkeys(_FIXED_NUMBERS, _Machine.fixed_number).items()
    yield from dict.fromkeys(_COUNTED, _Machine.counted).items()
    yield from dict.fromkeys((*_TUPLES, pickle.TUPLE), _Machine.new_tuple).items()
    for step, *opcodes in (
        (_Machine.protocol, pickle.PROTO),
        (_Machine.frame, pickle.FRAME),
        (_Machine.mark, pickle.MARK),
        (_Machine.pop, pickle.POP),
        (_Machine.pop_mark, pickle.POP_MARK),
        (_Machine.duplicate, pickle.DUP),
        (_Machine.long, pickle.LONG1, pickle.LONG4),
        (_Machine.text_number, pickle.INT, pickle.LONG, pickle.FLOAT),
        (_Machine.text_line, pickle.UNICODE),
        (_Machine.new_list, pickle.EMPTY_LIST, pickle.LIST),
        (_Machine.append, pickle.APPEND),
        (_Machine.appends, pickle.APPENDS),
        (_Machine.new_dict, pickle.EMPTY_DICT, pickle.DICT),
        (_Machine.set_item, pickle.SETITEM),
        (_Machine.set_items, pickle.SETITEMS),
        (_Machine.find_global, pickle.GLOBAL, pickle.STACK_GLOBAL),
        (_Machine.call, pickle.REDUCE),
        (_Machine.build, pickle.BUILD),
        (_Machine.put, pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE),
        (_Machine.get, pickle.GET, pickle.BINGET, pickle.LONG_BINGET),
    ):
        yield from dict.fromkeys(opcodes, step).items()


_STEPS = dict(_steps())


def load(file: BinaryIO) -> Any:
    """Return the object in `file`.

    Raises `pickle.UnpicklingError` naming what is not admitted, `ValueError` for a damaged file
    with the byte where it cannot be read on.
    """
    machine = _Machine(file.read())
    try:
        return machine.run()
    except (ValueError, TypeError, OverflowError) as error:
        # A file can state any numbers of arguments for the functions above.
        what = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"byte {machine.place}: {what}") from None
