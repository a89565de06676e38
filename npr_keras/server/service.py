"""What a server does with a request, whichever way it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from npr_keras.data.declared import within_limits
from npr_keras.errors import ServingError
from npr_keras.limits import MOST_SERVED, MOST_SIDE
from npr_keras.server.batching import Batcher
from npr_keras.server.metrics import Metrics
from npr_keras.server.models import Models
from npr_keras.server.rest_json import require_few
from npr_keras.server.servable import DEFAULT_SIGNATURE

INTERNAL_ERROR = "An error of the server's own; its log says more."
_LARGE = 1 << 21  # pixels of an image that is run alone
_EXAMPLES = "inputs"  # of classify and regress


@dataclass(frozen=True)
class ModelSpec:
    """What a request is for.

    Args:
        name: The model's.
        version: A certain version; None is the newest.
        label: A label instead.
        signature: The signature's name; "" is `serving_default`.
    """

    name: str
    version: int | None = None
    label: str = ""
    signature: str = ""


@dataclass
class RequestLog:
    """A request, as the access log and the metrics tell of it.

    Attributes:
        protocol: "rest" or "grpc".
        method: "predict" and so on.
        model, version, signature: What it was for, as far as that is known.
        rows: In its batch.
        code: How it ended.
    """

    protocol: str
    method: str
    model: str = ""
    version: int = 0
    signature: str = ""
    rows: int = 0
    code: str = "OK"
    begun: float = field(default_factory=time.perf_counter)


class Service:
    """Predict, classify and regress on the models of a server.

    Args:
        models: What is served.
        batcher: What runs it.
        metrics: What is counted.
        max_pixels: An encoded image that declares more is taken for one that cannot be read:
            a small file can be a picture that fills the memory.
    """

    def __init__(
        self, models: Models, batcher: Batcher, metrics: Metrics, max_pixels: int = MOST_SERVED
    ):
        self.models, self.batcher, self.metrics = models, batcher, metrics
        self.max_pixels = max_pixels

    def find(self, spec: ModelSpec, handled: RequestLog):
        """The version and the servable that a request is for, with its signature's definition."""
        handled.model, handled.signature = spec.name, spec.signature or DEFAULT_SIGNATURE
        version, servable = self.models.find(spec.name, spec.version, spec.label)
        handled.version = version
        return version, servable

    async def predict(
        self,
        spec: ModelSpec,
        inputs: Mapping[str, np.ndarray],
        handled: RequestLog,
        only: Sequence[str] = (),
    ) -> tuple[int, dict[str, np.ndarray]]:
        """Runs a signature.

        Args:
            spec: Which.
            inputs: Dict from input to array.
            handled: Filled in.
            only: The outputs that are wanted; all where there are none.

        Returns:
            The version that answered, and a dict from output to array.

        Raises:
            ServingError: With the code that TensorFlow Serving gives.
        """
        version, servable = self.find(spec, handled)
        name = spec.signature or DEFAULT_SIGNATURE
        arrays = servable.checked(name, inputs)
        unknown = sorted(set(only) - set(servable.definition(name).outputs))
        if unknown:
            raise ServingError(
                "INVALID_ARGUMENT", f"output tensor alias not found in signature: {unknown[0]}"
            )
        handled.rows = max((len(a) if a.ndim else 1 for a in arrays.values()), default=0)
        require_few(handled.rows)
        largest = self._largest(arrays)
        if any(a.dtype.kind == "O" for a in arrays.values()):
            arrays, largest = await asyncio.to_thread(self._without_bombs, arrays)
        if servable.is_batched(name):
            outputs = await self.batcher.run(
                (spec.name, version, name),
                lambda part: servable.run(name, part),
                arrays,
                largest > _LARGE,
            )
        else:
            outputs = await self.batcher.alone(lambda: servable.run(name, arrays))
        return version, {k: v for k, v in outputs.items() if not only or k in only}

    def _largest(self, arrays: dict[str, np.ndarray]) -> int:
        """Pixels of the largest image that came as numbers; raises ServingError beyond the limit."""
        largest = 0
        for name, array in arrays.items():
            if array.dtype.kind != "O" and array.ndim == 4:
                _, height, width, _ = array.shape
                if height * width > self.max_pixels or max(height, width) > MOST_SIDE:
                    raise ServingError(
                        "INVALID_ARGUMENT",
                        f"{name}: {width} x {height} pixels are more than the {self.max_pixels:,} "
                        f"that are taken, or a side longer than {MOST_SIDE:,}.",
                    )
                largest = max(largest, height * width)
        return largest

    def _without_bombs(self, arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        """The same without what is not to be decoded, and pixels of the largest image that is left."""
        kept, largest = {}, 0
        for key, array in arrays.items():
            if array.dtype.kind == "O":
                array = array.copy()
                for i, data in enumerate(array.flat):
                    try:
                        sizes = [within_limits(one, self.max_pixels) for one in _images_in(data)]
                    except ValueError:
                        array.flat[i] = b""
                    else:
                        largest = max(largest, *(one.largest for one in sizes), 0)
            kept[key] = array
        return kept, largest

    async def classify(self, spec: ModelSpec, examples: Sequence, handled: RequestLog):
        """The classes and scores of tf.Examples: version, (n, k) of bytes, (n, k) of floats."""
        version, outputs = await self._of_examples(spec, examples, handled, ("classes", "scores"))
        shapes = {array.shape for array in outputs.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise ServingError("FAILED_PRECONDITION", "Expected classes and scores of one shape.")
        return version, outputs["classes"], outputs["scores"]

    async def regress(self, spec: ModelSpec, examples: Sequence, handled: RequestLog):
        """The values of tf.Examples: version, (n,) of floats."""
        version, outputs = await self._of_examples(spec, examples, handled, ("outputs",))
        return version, outputs["outputs"].reshape(-1)

    async def _of_examples(self, spec, examples, handled, wanted):
        if not examples:
            raise ServingError("INVALID_ARGUMENT", "Input is empty.")
        _, servable = self.find(spec, handled)
        definition = servable.definition(spec.signature)
        for name, group in (
            (_EXAMPLES, definition.inputs),
            *((w, definition.outputs) for w in wanted),
        ):
            if name not in group:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"The signature {handled.signature} has no {name}, so it is not one for "
                    f"{handled.method}. It has {sorted(group)}.{_hint(servable, handled)}",
                )
        inputs = np.empty(len(examples), object)
        inputs[:] = [example.SerializeToString() for example in examples]
        return await self.predict(spec, {_EXAMPLES: inputs}, handled, wanted)


def _hint(servable, handled: RequestLog) -> str:
    """What to ask for instead, where the model has a signature of the method's name."""
    if handled.method not in servable.signature_defs or handled.signature == handled.method:
        return ""
    return f' Give signature_name: "{handled.method}".'


def _images_in(data: bytes) -> list[bytes]:
    """Bytes that may be an image: these, or those in a tf.Example."""
    if not data.startswith(b"\n"):  # the first byte of an Example with features
        return [data]
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    try:
        features = Example.FromString(data).features.feature.values()
    except DecodeError:
        return []
    return [value for feature in features for value in feature.bytes_list.value]
