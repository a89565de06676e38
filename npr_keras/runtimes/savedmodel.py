"""SavedModels, TensorFlow Serving's: written, and run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from npr_keras.errors import CheckpointError, ExportError
from npr_keras.harmless import require_harmless
from npr_keras.packages import import_needed
from npr_keras.runtimes.exported import Artefact, Exported, first_line, read_facts

EXTRA = "assets.extra"  # what TF Serving leaves alone but for the warm-up requests
FACTS = os.path.join(EXTRA, "npr_keras.json")  # inside a version's folder
WARM_UP = "tf_serving_warmup_requests"


class SavedModelPredictor(Exported):
    """Scores images with a SavedModel's signature `pixels`; needs TensorFlow, and not Keras.

    Args:
        path: A version's folder, or the one above it: then the newest version counts, as in
            TensorFlow Serving.
    """

    def __init__(self, path: str | os.PathLike):
        folder = version_folder(path)
        if folder is None:
            raise CheckpointError(f"No SavedModel in {os.fspath(path)}.")
        tf = import_needed("tensorflow", "A SavedModel")
        require_harmless(folder)
        try:
            text = (folder / FACTS).read_text(encoding="utf-8")
        except OSError:
            text = None
        facts = read_facts(text, folder)
        self._tf = tf
        try:
            self._loaded = tf.saved_model.load(
                os.fspath(folder)
            )  # its functions live as long as it
            self._score = self._loaded.signatures["pixels"]
        # TensorFlow raises whatever its parsers meet.
        except Exception as error:
            raise CheckpointError(f"Cannot read the model {folder}: {first_line(error)}") from error
        super().__init__(folder, facts)

    def _parts(self) -> list[str]:
        return [os.path.join(self.path, "saved_model.pb")]

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return self._score(pixels=self._tf.constant(images))["logit"].numpy()

    def _activation(self, image: np.ndarray) -> np.ndarray:
        found = self._loaded.signatures["activation"](pixels=self._tf.constant(image))
        return found["activation"][0].numpy()

    def predict_encoded(self, images: list[bytes]) -> np.ndarray:
        """Scores encoded images of any size, as a server does: float32 logits, NaN for bad ones."""
        return self._loaded.signatures["serving_default"](self._tf.constant(images))[
            "logit"
        ].numpy()


def version_folder(path: str | os.PathLike) -> Path | None:
    """The folder of a SavedModel that a path means; None where there is none."""
    path = Path(path)
    if (path / "saved_model.pb").exists():
        return path
    if not path.is_dir():
        return None
    versions = [p for p in path.iterdir() if p.name.isdecimal() and (p / "saved_model.pb").exists()]
    return max(versions, key=lambda p: int(p.name), default=None)


def write(artefact: Artefact, folder: str | os.PathLike) -> None:
    """Writes one version, into a folder that does not exist yet and that nobody looks at."""
    import tensorflow as tf

    from npr_keras.runtimes.savedmodel_graph import ServedDetector

    served = ServedDetector(artefact.detector, artefact.folded, artefact.facts)
    tf.saved_model.save(served, os.fspath(folder), signatures=served.signatures)
    beside = Path(folder, EXTRA)
    beside.mkdir(exist_ok=True)
    Path(folder, FACTS).write_text(artefact.facts.to_json(), encoding="utf-8")
    for path in artefact.beside:
        shutil.copy(path, beside / Path(path).name)
    side = artefact.detector.side or 64
    _write_warm_up(beside / WARM_UP, artefact.facts.name, side)
    _check_warm_up(Path(folder))


def _write_warm_up(path: Path, name: str, side: int) -> None:
    """Requests that TF Serving sends itself before it serves a version."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    images = [tf.io.encode_png(np.full((side, side, 3), 127, np.uint8)).numpy()]
    tensors = {
        "serving_default": ("images", tf.constant(images)),
        "pixels": ("pixels", tf.fill([1, side, side, 3], tf.constant(127, tf.uint8))),
    }
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for signature, (key, tensor) in tensors.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            request.inputs[key].CopyFrom(tf.make_tensor_proto(tensor))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _check_warm_up(folder: Path) -> None:
    """Runs the requests: one that fails keeps TF Serving from loading the version."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    loaded = tf.saved_model.load(os.fspath(folder))
    path = os.fspath(folder / EXTRA / WARM_UP)
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        answer = loaded.signatures[request.model_spec.signature_name](**inputs)
        if not bool(tf.reduce_all(answer["valid"])):
            raise ExportError(
                f"The warm-up request for {request.model_spec.signature_name} is not answered."
            )
