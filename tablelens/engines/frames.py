"""What a worker says to its engine: data, never code.

A worker reads files that nobody vouches for, and whatever a crafted file makes of its reader, the reader's process is
where it must end. So frames are msgpack, not pickle: what comes back is decoded and checked, field by field, against
the types that a result may have (those of ``tablelens.types``, or plain values, with lists for tuples), and nothing in
it is run. The engine's own frames to its workers are pickled: a worker that trusts its engine gives nothing away.
"""

import math
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

import msgspec
import numpy as np

from tablelens import types
from tablelens.engines.base import WorkFailure

RESULTS: dict[str, Any] = {name: kind for name, kind in vars(types).items() if is_dataclass(kind)}
"""Classes that a result may be of, by name; any other result is plain: numbers, text, bytes, lists, dicts."""


class BadFrame(Exception):
    """What came is no frame of a worker in its right mind."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A worker is ready, or broken (``text`` says why), or has the outcome of an item, encoded in ``body``."""

    kind: Literal["ready", "broken", "result", "failure"]
    number: int = -1
    text: str = ""
    """Why a worker is broken; the class of a result, "" for plain values."""
    body: bytes = b""


class Array(msgspec.Struct, frozen=True, array_like=True):
    """A numpy array of whole numbers."""

    dtype: Literal["<u2", "<u4", "<u8", "<i8"]
    shape: tuple[int, ...]
    data: bytes


def of_result(number: int, result: Any) -> bytes:
    """The frame of a result.

    Raises:
        TypeError: it is nothing that a frame can hold.
    """
    name = type(result).__name__
    name = name if RESULTS.get(name) is type(result) else ""
    return encode(Frame("result", number, name, encode(result)))


def of_failure(number: int, failure: WorkFailure) -> bytes:
    """The frame of a failure."""
    return encode(Frame("failure", number, body=encode(failure)))


def encode(value: Any) -> bytes:
    """A value as msgpack; text with lone surrogates, which UTF-8 cannot hold, has them as question marks."""
    try:
        return msgspec.msgpack.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        return msgspec.msgpack.encode(_clean(msgspec.to_builtins(value, enc_hook=_plain, builtin_types=(bytes,))))


def decode(data: bytes) -> Frame:
    """A frame that came from a worker.

    Raises:
        BadFrame: it is none.
    """
    return _decoded(Frame, data)  # type: ignore[no-any-return]


def outcome(frame: Frame) -> Any:
    """The result in a frame, or the WorkFailure.

    Raises:
        BadFrame: it is not what the frame says it is.
    """
    kind = WorkFailure if frame.kind == "failure" else RESULTS.get(frame.text, Any) if frame.text else Any
    return _decoded(kind, frame.body)


def _decoded(kind: Any, data: bytes) -> Any:
    try:
        return _decoder(kind).decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadFrame(str(error)) from error


@lru_cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=_array)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.str in get_args(Array.__annotations__["dtype"]):
        return Array(value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a worker cannot send back a {type(value).__name__}")


def _array(kind: Any, value: Any) -> Any:
    """An array of the type that the class says."""
    if get_origin(kind) is not np.ndarray:
        raise ValueError(f"a frame holds no {kind}")
    array = msgspec.convert(value, Array)
    wanted = get_args(get_args(kind)[1])[0]
    if np.dtype(array.dtype) != wanted or len(array.data) != np.dtype(wanted).itemsize * math.prod(array.shape):
        raise ValueError(f"an array of {array.dtype} {array.shape} in {len(array.data)} bytes, wanted is {wanted}")
    return np.frombuffer(array.data, wanted).reshape(array.shape)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value
