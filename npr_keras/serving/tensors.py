"""NumPy arrays to and from TensorProtos: TensorFlow's own, or those of `serving.messages`."""

from __future__ import annotations

import math

import numpy as np

from npr_keras.errors import ServingError

# TensorFlow's number of a type -> NumPy's type, and the field that values come in one by one.
_TYPES: dict[int, tuple[np.dtype, str]] = {
    1: (np.dtype(np.float32), "float_val"),
    2: (np.dtype(np.float64), "double_val"),
    3: (np.dtype(np.int32), "int_val"),
    4: (np.dtype(np.uint8), "int_val"),
    5: (np.dtype(np.int16), "int_val"),
    6: (np.dtype(np.int8), "int_val"),
    7: (np.dtype(object), "string_val"),
    9: (np.dtype(np.int64), "int64_val"),
    10: (np.dtype(np.bool_), "bool_val"),
    22: (np.dtype(np.uint32), "uint32_val"),
    23: (np.dtype(np.uint64), "uint64_val"),
}
_MOST_REPEATED = 1 << 20  # values that one stands for: a few bytes must not fill the memory
_NUMBERS = {dtype: number for number, (dtype, _) in _TYPES.items()}


def encode_tensor(array: np.ndarray, proto):
    """Writes an array into a TensorProto.

    Args:
        array: Numbers, or an array of objects: bytes, which travel as strings.
        proto: An empty TensorProto; also returned.
    """
    array = np.asarray(array)
    if array.dtype.kind in "SU":
        array = array.astype(object)
    if array.dtype not in _NUMBERS:
        raise ServingError("INVALID_ARGUMENT", f"No tensor can be made of {array.dtype}.")
    proto.dtype = _NUMBERS[array.dtype]
    proto.tensor_shape.SetInParent()  # a scalar's is there, and empty
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if array.dtype.kind == "O":
        proto.string_val.extend(v.encode() if isinstance(v, str) else v for v in array.flat)
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def decode_tensor(proto) -> np.ndarray:
    """An array from a TensorProto; strings are bytes in an array of objects.

    Raises:
        ServingError: INVALID_ARGUMENT for a type that is not known, or where values and shape do
            not fit.
    """
    if proto.dtype not in _TYPES:
        raise ServingError("INVALID_ARGUMENT", f"Tensors of the type {proto.dtype} are not known.")
    try:
        return _decoded(proto)
    except (ValueError, OverflowError) as error:  # beyond the type's range, or NumPy's dimensions
        raise ServingError("INVALID_ARGUMENT", f"No tensor: {error}") from error


def _decoded(proto) -> np.ndarray:
    dtype, field = _TYPES[proto.dtype]
    shape = tuple(d.size for d in proto.tensor_shape.dim)
    count = math.prod(shape)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ServingError("INVALID_ARGUMENT", "A tensor must have a shape that is known.")
    if proto.tensor_content and dtype.kind != "O":
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise _unfit(len(proto.tensor_content) // dtype.itemsize, shape)
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    values = list(getattr(proto, field))
    # One value stands for all, and the last one for those that are missing.
    repeated = dtype.kind != "O" and 0 < len(values) < count <= _MOST_REPEATED
    if len(values) != count and not repeated:
        raise _unfit(len(values), shape)
    array = np.empty(count, dtype)
    array[: len(values)] = values
    if repeated:
        array[len(values) :] = values[-1]
    return array.reshape(shape)


def _unfit(count: int, shape: tuple[int, ...]) -> ServingError:
    return ServingError("INVALID_ARGUMENT", f"{count} values do not fill a tensor of {shape}.")
