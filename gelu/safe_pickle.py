"""Reading pickles that come from other people.

`load(file)` admits dict, list, tuple, int, str and NumPy arrays of numbers, and refuses anything
else by name before it is called: pickle can name any function of any module, and calls it.
"""

import pickle
from typing import Any, BinaryIO

import numpy as np

# NumPy 1 and 2 name the same functions by different modules.
_ARRAY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray", "numpy")
_NUMERIC_KINDS = "biuf"
# Names the array type without being it: calling the type could ask for any amount of memory.
_PLAIN_ARRAY = object()


def _reconstruct(subtype: Any, shape: Any, type_code: Any) -> Any:
    """Stand in for numpy's `_reconstruct`, for plain arrays alone."""
    if subtype is not _PLAIN_ARRAY:
        raise pickle.UnpicklingError(f"an array of type {subtype!r}")
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _numeric_dtype(code: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    """Stand in for `numpy.dtype`, for numbers alone."""
    dtype = np.dtype(code) if isinstance(code, str) else None
    if dtype is None or dtype.kind not in _NUMERIC_KINDS:
        raise pickle.UnpicklingError(f"a NumPy dtype {code!r}")
    # A copy: the pickle goes on to set the byte order, and plain dtypes are shared by the process.
    return np.dtype(dtype, copy=True)


def _scalar(dtype: Any, data: Any) -> int | float:
    """Stand in for numpy's `scalar`: a NumPy number becomes a plain one."""
    number: int | float = np.frombuffer(data, dtype)[0].item()
    return number


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> Any:
    """Stand in for numpy's `_frombuffer`, which protocol 5 uses for contiguous arrays."""
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _latin1(text: Any, encoding: Any) -> bytes:
    """Stand in for `_codecs.encode`, by which protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"the codec {encoding!r}")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _reconstruct for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
    **{(module, "ndarray"): _PLAIN_ARRAY for module in _ARRAY_MODULES},
    **{(module, "dtype"): _numeric_dtype for module in _ARRAY_MODULES},
    ("_codecs", "encode"): _latin1,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a persistent id")


def load(file: BinaryIO) -> Any:
    """Return the object in `file`. Raises `pickle.UnpicklingError` naming what is not admitted."""
    return _Unpickler(file).load()
