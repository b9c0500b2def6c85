"""Pickles read as data. Nothing that a pickle says is ever called: the few forms that stand for arrays and bytes are
recognised and rebuilt here, all else is refused. What is rebuilt takes no more memory than a few times the pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

Array = Any

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_BYTES = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # what Python 2 called str
_TEXT = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_RAW = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Named:
    """Something that the pickle named, and that is only ever compared with names known here."""

    def __init__(self, module: str, name: str) -> None:
        self.name = f"{module}.{name}"


class _Dtype:
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


class _Array:
    """An array on its way: empty until its state comes."""

    def __init__(self) -> None:
        self.array: Array = None


class _Budget:
    """The bytes that may still be made of a pickle: it can name the same ones again and again, at two bytes a time."""

    def __init__(self, size: int) -> None:
        self.left = size

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError(
                "the pickle names the same bytes again and again: what it unpacks to is far larger than itself"
            )


def read(data: bytes, path: Path) -> dict[Any, Any]:
    """The dictionary in a pickle of numbers, strings, lists, tuples, dictionaries and NumPy arrays of numbers.

    Args:
        data: the pickle.
        path: where it came from, for errors.

    Returns:
        The dictionary. Strings of Python 2 are bytes.

    Raises:
        ValueError: if the pickle is damaged, holds anything else, or names anything to call.
    """
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):  # of odd escapes in damaged text
            result, end = _run(data)
    except (ValueError, DeprecationWarning) as error:
        raise ValueError(f"{path}: {error}") from None
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path}: the pickle is damaged ({type(error).__name__}: {error})") from None
    if end != len(data):
        raise ValueError(f"{path}: there are bytes after the end of the pickle")
    if not isinstance(result, dict):
        raise ValueError(f"{path}: expected a dictionary in the pickle, got {type(result).__name__}")
    return {key: value.array if isinstance(value, _Array) else value for key, value in result.items()}


def _run(data: bytes) -> tuple[Any, int]:
    import pickletools  # here, as it takes long and few need it

    stack: list[Any] = []
    memo: dict[int, Any] = {}
    budget = _Budget(2 * len(data))  # protocol 2 has bytes as text: once for the bytes, once for the array
    position: Any
    argument: Any
    for operation, argument, position in pickletools.genops(data):
        name = operation.name
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _NUMBERS or name in _TEXT or name in _RAW:
            stack.append(argument)
        elif name in _BYTES:
            stack.append(argument.encode("latin-1"))
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("DICT", "LIST", "TUPLE"):
            items = _since_mark(stack)
            stack.append(_filled({}, items) if name == "DICT" else items if name == "LIST" else tuple(items))
        elif name in _TUPLES:
            count = _TUPLES[name]
            items = [_pop(stack) for _ in range(count)][::-1]
            stack.append(tuple(items))
        elif name in ("APPEND", "APPENDS"):
            items = _since_mark(stack) if name == "APPENDS" else [_pop(stack)]
            if not isinstance(stack[-1], list):
                raise ValueError("the pickle appends to something that is no list")
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = _since_mark(stack) if name == "SETITEMS" else [_pop(stack), _pop(stack)][::-1]
            _filled(stack[-1], items)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_Named(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = _pop(stack), _pop(stack)
            stack.append(_Named(str(module), str(attribute)))
        elif name == "REDUCE":
            arguments, function = _pop(stack), _pop(stack)
            stack.append(_stand_in(function, arguments, budget))
        elif name == "BUILD":
            state = _pop(stack)
            _set_state(stack[-1], state, budget)
        elif name == "STOP":
            if len(stack) != 1:
                raise ValueError("the pickle is damaged: something is left over at its end")
            return stack[0], position + 1
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the pickle holds {name}, which data have no need of")
    raise ValueError("the pickle has no end")


def _pop(stack: list[Any]) -> Any:
    value = stack.pop()
    if value is _MARK:
        raise ValueError("the pickle is damaged: a mark where a value belongs")
    return value


def _since_mark(stack: list[Any]) -> list[Any]:
    place = len(stack) - 1
    while stack[place] is not _MARK:
        place -= 1
        if place < 0:
            raise ValueError("the pickle is damaged: a mark is missing")
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _filled(target: Any, items: list[Any]) -> dict[Any, Any]:
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("the pickle is damaged: keys and values do not pair")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | bytes | int):
            raise ValueError(f"the pickle has a key that is no string: {type(key).__name__}")
        target[key] = value
    return target


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise ValueError(f"the pickle is damaged: expected a name, got {type(value).__name__}")
    return value


def _stand_in(function: Any, arguments: Any, budget: _Budget) -> Any:
    """What the pickle asks to call, if it is one of three forms in which NumPy writes arrays; they are not called."""
    name = function.name if isinstance(function, _Named) else type(function).__name__
    if not isinstance(arguments, tuple):
        raise ValueError("the pickle is damaged: arguments that are no tuple")
    if name in ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"):
        if len(arguments) == 3 and isinstance(arguments[0], _Named) and arguments[0].name == "numpy.ndarray":
            return _Array()
    elif name == "numpy.dtype":
        code = _text(arguments[0])
        if len(code) == 2 and code[0] in "biuf" and code[1] in "1248":
            return _Dtype(np.dtype(code))
        raise ValueError(f"the pickle holds an array of type {code!r}; only numbers are read")
    elif name == "_codecs.encode" and len(arguments) == 2 and _text(arguments[1]) in ("latin1", "latin-1"):
        text = _text(arguments[0])
        budget.spend(len(text))
        return text.encode("latin-1")
    raise ValueError(f"the pickle asks to call {name}, which is refused: nothing in a file is ever run")


def _set_state(target: Any, state: Any, budget: _Budget) -> None:
    if not isinstance(state, tuple):
        raise ValueError("the pickle is damaged: a state that is no tuple")
    if isinstance(target, _Dtype):
        order = _text(state[1])
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"the pickle is damaged: byte order {order!r}")
        target.dtype = target.dtype.newbyteorder(order)  # type: ignore[arg-type]
        return
    if not isinstance(target, _Array) or len(state) != 5:
        raise ValueError("the pickle sets the state of something that is no array, which is refused")
    _, shape, dtype, fortran, data = state
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes) or not isinstance(shape, tuple):
        raise ValueError("the pickle is damaged: an array without type or bytes")
    if any(type(n) is not int or n < 0 for n in shape) or len(shape) > 8:
        raise ValueError(f"the pickle is damaged: an array of shape {shape}")
    expected = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.dtype.itemsize
    if len(data) != expected:
        raise ValueError(f"an array of shape {shape} needs {expected} bytes, the pickle has {len(data)}")
    budget.spend(expected)
    array = np.frombuffer(data, dtype.dtype)
    array = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    target.array = array.astype(array.dtype.newbyteorder("="))
