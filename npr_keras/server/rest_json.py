"""TensorFlow Serving's JSON: tensors to and from the bodies of REST requests."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

import numpy as np

from npr_keras.errors import ServingError
from npr_keras.limits import MOST_ROWS, MOST_VALUES


def parse(body: bytes) -> dict:
    """A request's body; NaN and Infinity are taken.

    Raises:
        ServingError: INVALID_ARGUMENT unless it is a JSON object.
    """
    values = sum(map(body.count, (b",", b"[", b"{")))
    if values > MOST_VALUES:
        raise _invalid(
            f"{values:,} values are more than the {MOST_VALUES:,} that JSON may have. Send the images as "
            "files, or use gRPC."
        )
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(parsed, dict):
        raise _invalid("Expected a JSON object as the request's body.")
    return parsed


def read_inputs(body: Mapping, dtypes: Mapping[str, np.dtype]) -> tuple[dict, bool]:
    """The tensors of a predict request.

    Args:
        body: With `instances`, a list of rows, or `inputs`, columns.
        dtypes: What each input of the signature is made of; objects for strings.

    Returns:
        Dict from input to array, and whether it came in rows.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    given = [key for key in ("instances", "inputs") if key in body]
    if len(given) != 1:
        raise _invalid(
            "Request has both 'instances' and 'inputs' keys; one is expected."
            if given
            else "Missing 'inputs' or 'instances' key"
        )
    columns = _columns(body["inputs"], dtypes) if given == ["inputs"] else None
    if columns is None:
        columns = _rows(body["instances"], dtypes)
    for value in columns.values():
        require_few(len(value) if isinstance(value, list) else 1)
    arrays = {name: _array(name, value, dtypes[name]) for name, value in columns.items()}
    return arrays, given == ["instances"]


def require_few(rows: int) -> None:
    """Raises ServingError, INVALID_ARGUMENT, for more rows than a request may have."""
    if rows > MOST_ROWS:
        raise _invalid(f"{rows:,} rows are more than the {MOST_ROWS:,} that a request may have.")


def _columns(inputs, dtypes) -> dict:
    if isinstance(inputs, dict) and not _is_bytes(inputs):
        _require_names(inputs, dtypes)
        return inputs
    if len(dtypes) != 1:
        raise _invalid(f"'inputs' must be an object with the keys {sorted(dtypes)}.")
    return {next(iter(dtypes)): inputs}


def _rows(instances, dtypes) -> dict:
    if not isinstance(instances, list) or not instances:
        raise _invalid("'instances' must be a list that is not empty.")
    named = [isinstance(row, dict) and not _is_bytes(row) for row in instances]
    if all(named):
        for row in instances:
            _require_names(row, dtypes)
        return {name: [row[name] for row in instances] for name in dtypes}
    if any(named) or len(dtypes) != 1:
        raise _invalid(
            f"Each of 'instances' must be an object with the keys {sorted(dtypes)}."
            if len(dtypes) != 1
            else "'instances' must be all values or all objects."
        )
    return {next(iter(dtypes)): instances}


def _require_names(row: Mapping, dtypes) -> None:
    if set(row) != set(dtypes):
        raise _invalid(
            f"Expected the inputs {sorted(dtypes)} and no others. Received: {sorted(row)}"
        )


def _array(name: str, value, dtype: np.dtype) -> np.ndarray:
    try:
        if dtype.kind == "O":
            return _strings(value)
        array = np.array(value)
        if array.dtype.kind not in {"b": "b", "f": "fiu"}.get(dtype.kind, "iu") and array.size:
            raise ValueError(f"expected values of the type {dtype}")
        with np.errstate(over="ignore"):  # 1e39 is infinite, and taken as that
            cast = array.astype(dtype)
        if dtype.kind in "iu" and not np.array_equal(cast, array):
            raise ValueError(f"a value is out of the range of {dtype}")
        return cast
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _invalid(f"Input {name}: {str(error).splitlines()[0]}") from error


def _strings(value) -> np.ndarray:
    """Nested lists of strings or {"b64": ...} as an array of bytes."""
    shape, level = [], value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    flat: list[bytes] = []

    def walk(part, depth):
        if depth == len(shape):
            flat.append(_bytes(part))
        elif not isinstance(part, list) or len(part) != shape[depth]:
            raise ValueError("the lists are not of one length")
        else:
            for each in part:
                walk(each, depth + 1)

    walk(value, 0)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _is_bytes(value) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _bytes(value) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not _is_bytes(value) or not isinstance(value["b64"], str):
        raise ValueError('expected a string or {"b64": "..."}')
    # As TensorFlow Serving: line ends between, and padding that is missing, are taken.
    text = "".join(value["b64"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error


def write_outputs(outputs: Mapping[str, np.ndarray], rows: bool) -> dict:
    """The body of an answer: `predictions`, a list of rows, or `outputs`, columns."""
    columns = {name: _values(name, array) for name, array in outputs.items()}
    if not rows:
        return {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}
    if len({array.shape[:1] for array in outputs.values()}) != 1 or any(
        not array.ndim for array in outputs.values()
    ):
        raise _invalid("The outputs have no common batch size, so that there are no rows.")
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    names = list(columns)
    return {
        "predictions": [
            dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    }


def _values(name: str, array: np.ndarray):
    if array.dtype.kind == "O":
        encode = _base64 if name.endswith("_bytes") else _text
        return _mapped(array.tolist(), encode)
    return array.tolist()


def _mapped(value, function):
    return [_mapped(v, function) for v in value] if isinstance(value, list) else function(value)


def _base64(data: bytes) -> dict:
    return {"b64": base64.b64encode(data).decode()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def read_examples(body: Mapping) -> list:
    """The tf.Examples of a classify or regress request.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    import tensorflow as tf

    rows = body.get("examples")
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
        raise _invalid("'examples' must be a list of objects that is not empty.")
    require_few(len(rows))
    context = body.get("context", {})
    if not isinstance(context, dict):
        raise _invalid("'context' must be an object.")
    examples = []
    for row in rows:
        example = tf.train.Example()
        for name, value in {**context, **row}.items():
            try:
                _fill(example.features.feature[name], value if isinstance(value, list) else [value])
            # Half of a surrogate pair is no text, and 10**400 no float.
            except (ValueError, OverflowError, TypeError) as error:
                raise _invalid(f"Feature {name!r}: {error}") from error
        examples.append(example)
    return examples


def _fill(feature, values: list) -> None:
    """Values into a tf.train.Feature of their kind."""
    if all(isinstance(v, str) or _is_bytes(v) for v in values):
        feature.bytes_list.value.extend(map(_bytes, values))
    elif all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        if not all(-(1 << 63) <= v < 1 << 63 for v in values):
            raise ValueError("a value is out of the range of int64.")
        feature.int64_list.value.extend(values)
    elif all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        feature.float_list.value.extend(values)
    else:
        raise ValueError("expected strings or numbers.")


def _invalid(message: str) -> ServingError:
    return ServingError("INVALID_ARGUMENT", message)
