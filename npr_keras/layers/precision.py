"""Where half precision would lose what NPR is made of."""

from __future__ import annotations

import keras
from keras import ops


def at_least_float32(dtype: str) -> str:
    """`"float64"` for float64, `"float32"` for everything else.

    (`keras.backend.result_type` gives float32 for float64 on the torch backend.)
    """
    return "float64" if dtype == "float64" else "float32"


def as_float(inputs):
    """A tensor as it is, or, of integers, in float32."""
    x = ops.convert_to_tensor(inputs)
    return x if keras.backend.is_float_dtype(x.dtype) else ops.cast(x, "float32")
