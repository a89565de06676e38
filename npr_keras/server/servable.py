"""One version of a model in memory: a SavedModel's signatures as functions of arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from npr_keras.errors import ConfigError, ServingError
from npr_keras.harmless import require_harmless
from npr_keras.serving.tensors import decode_tensor

DEFAULT_SIGNATURE = "serving_default"
FACTS = os.path.join("assets.extra", "npr_keras.json")
WARM_UP = os.path.join("assets.extra", "tf_serving_warmup_requests")


class Servable:
    """Loads a version and answers its warm-up requests.

    Args:
        folder: A version's folder.

    Attributes:
        signature_defs: Dict from a signature's name to its SignatureDef.

    Raises:
        ServingError: If it cannot be loaded, or does not answer a warm-up request.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        try:
            saved = saved_model_pb2.SavedModel.FromString(
                (self.folder / "saved_model.pb").read_bytes()
            )
            (graph,) = [m for m in saved.meta_graphs if "serve" in m.meta_info_def.tags]
            self.signature_defs = dict(graph.signature_def)
            require_harmless(self.folder)
            self._loaded = tf.saved_model.load(os.fspath(self.folder))
        # TensorFlow raises whatever its parsers meet.
        except Exception as error:
            said = str(error).strip().splitlines()
            raise ServingError(
                "FAILED_PRECONDITION",
                f"Cannot load {self.folder}: {said[0] if said else type(error).__name__}",
            ) from error
        self.notice = _notice(self.folder)
        try:
            self._warm_up()
        except ServingError:
            raise
        except Exception as error:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"The warm-up requests of {self.folder} cannot be read: {_first_line(str(error))}",
            ) from error

    def _warm_up(self) -> None:
        path = self.folder / WARM_UP
        if not path.exists():
            return
        from tensorflow_serving.apis import prediction_log_pb2

        for record in tf.data.TFRecordDataset(os.fspath(path)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if not log.HasField("predict_log"):
                continue
            request = log.predict_log.request
            inputs = {name: decode_tensor(proto) for name, proto in request.inputs.items()}
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            try:
                self.run(name, self.checked(name, inputs))
            except ServingError as error:
                raise ServingError(
                    error.code, f"A warm-up request of {self.folder} is not answered: {error}"
                ) from error

    def definition(self, name: str):
        """A signature's SignatureDef; "" means `serving_default`.

        Raises:
            ServingError: FAILED_PRECONDITION if there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signature_defs:
            raise ServingError(
                "FAILED_PRECONDITION",
                f'Serving signature name: "{name}" not found in signature def',
            )
        return self.signature_defs[name]

    def checked(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs as a signature wants them.

        Raises:
            ServingError: INVALID_ARGUMENT for other names, types or shapes.
        """
        wanted = self.definition(name).inputs
        if set(inputs) != set(wanted):
            raise ServingError(
                "INVALID_ARGUMENT",
                f"input size does not match signature: {len(inputs)}!={len(wanted)} len({_set(inputs)})"
                f"!=len({_set(wanted)}). Sent extra: {_set(set(inputs) - set(wanted))}. "
                f"Missing but required: {_set(set(wanted) - set(inputs))}.",
            )
        for key, info in wanted.items():
            array, dtype = inputs[key], tf.dtypes.as_dtype(info.dtype)
            if tf.dtypes.as_dtype(array.dtype if array.dtype.kind != "O" else tf.string) != dtype:
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Expects arg[{key}] to be {dtype.name} but {array.dtype} is provided",
                )
            shape = tf.TensorShape(info.tensor_shape)
            if not shape.is_compatible_with(array.shape):
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Tensor {key}, shape {list(array.shape)} is not compatible with the signature's "
                    f"{shape}",
                )
        return dict(inputs)

    def run(
        self, name: str, inputs: Mapping[str, np.ndarray], only: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            name: The signature's.
            inputs: See `checked`.
            only: Outputs that are wanted; all where there are none.

        Raises:
            ServingError: INVALID_ARGUMENT for an output that there is not; with the code that
                TensorFlow gives where the graph fails.
        """
        known = self.definition(name).outputs
        for output in only:
            if output not in known:
                raise ServingError(
                    "INVALID_ARGUMENT", f"output tensor alias not found in signature: {output}"
                )
        function = self._loaded.signatures[name or DEFAULT_SIGNATURE]
        try:
            outputs = function(**{k: tf.constant(_native(v)) for k, v in inputs.items()})
        except tf.errors.OpError as error:
            code = error.__class__.__name__.removesuffix("Error")
            raise ServingError(_CODES.get(code, "INTERNAL"), _first_line(error.message)) from error
        return {k: v.numpy() for k, v in outputs.items() if not only or k in only}

    def is_batched(self, name: str) -> bool:
        """Whether the first dimension of all that goes in and out is that of a batch."""
        definition = self.definition(name)
        infos = [*definition.inputs.values(), *definition.outputs.values()]
        return bool(definition.inputs) and all(
            info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1 for info in infos
        )


def _notice(folder: Path) -> str:
    """What everyone has to know who asks this version; "" where it does not say."""
    from npr_keras.profile import ModelProfile

    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return ModelProfile.from_dict(facts["profile"]).notice
    # Another program's model: its file may be missing, or hold anything.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
        return ""


_CODES = {
    "InvalidArgument": "INVALID_ARGUMENT",
    "ResourceExhausted": "RESOURCE_EXHAUSTED",
    "OutOfRange": "OUT_OF_RANGE",
    "Unimplemented": "UNIMPLEMENTED",
    "FailedPrecondition": "FAILED_PRECONDITION",
}


def _native(array: np.ndarray) -> np.ndarray:
    # TensorFlow makes no string tensor of no objects at all.
    return array if array.dtype.kind != "O" or array.size else array.astype("S")


def _set(names) -> str:
    return "{" + ",".join(sorted(names)) + "}"


_FRAME = ("Graph execution error", "Detected at node", "<stack", "File ", "Traceback")


def _first_line(text: str) -> str:
    """What went wrong, without where in the graph."""
    lines = [line.strip() for line in text.splitlines()]
    useful = [line for line in lines if line and not line.startswith(_FRAME)]
    return useful[0].partition(" [[")[0].strip() if useful else "unknown error"
