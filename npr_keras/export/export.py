"""A detector to artefacts: written apart, run, compared, and only then given their names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from npr_keras.data.decode import load
from npr_keras.data.records import Record
from npr_keras.errors import ConfigError, ExportError
from npr_keras.export.fold import fold, is_foldable
from npr_keras.export.formats import FORMATS
from npr_keras.export.verify import Verified, verify
from npr_keras.models.files import MODEL_FILE, file_digest, load_detector, model_file
from npr_keras.predict import open_predictor
from npr_keras.predict.facts import Facts
from npr_keras.predict.keras_file import KerasPredictor
from npr_keras.versions import versions

_BESIDE = ("README.md", "config.json")  # of a run's folder, that travel along
_RANGES = 100  # pictures that int8 takes its ranges from


@dataclass(frozen=True)
class Exportation:
    """One artefact.

    Attributes:
        format, quantize: What it is.
        path: Where it is: a file, or a version's folder.
        size: In bytes, everything that belongs to it.
        folded: Whether NPR went into the first convolution.
        verified: What was seen when it was run.
    """

    format: str
    quantize: str
    path: str
    size: int
    folded: bool
    verified: Verified


def export_detector(
    model: str | os.PathLike,
    formats: Sequence[str] = ("savedmodel",),
    quantize: str = "float32",
    out: str | os.PathLike | None = None,
    version: int | None = None,
    records: Sequence[Record] = (),
    progress: Callable[[str], None] | None = None,
) -> list[Exportation]:
    """Exports a detector.

    Args:
        model: A `.keras` file that any backend trained, or a run's folder.
        formats: Names in `FORMATS`.
        quantize: What the arithmetic is reduced to, one that every one of these formats has.
        out: The folder; by default the one that the model is in. A SavedModel becomes a version's
            folder in it, which is TensorFlow Serving's layout; the others become `model.<ending>`.
        version: Of the SavedModel; by default the one after the newest that is there.
        records: Labelled images: for int8 to take its ranges from, and to judge artefacts on.
        progress: Called with what is being made.

    Returns:
        One entry a format, in order.

    Raises:
        ConfigError: If there is no such format, or it cannot be reduced like that.
        ExportError: If Keras does not run on TensorFlow, a version is there already, or an artefact
            does not give the detector's scores. Nothing is left behind then.
        CheckpointError: If the model cannot be read.
        MissingPackageError: If a format's packages are not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"Unknown format. Known: {', '.join(FORMATS)}. Received: {name!r}")
        if quantize not in FORMATS[name].quantize:
            known = ", ".join(FORMATS[name].quantize)
            raise ConfigError(f"{name} can be {known}. Received: quantize={quantize!r}")
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Exporting runs on TensorFlow, whatever a model was trained on: start Python with "
            f"KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}"
        )
    file = Path(model_file(model))
    detector = load_detector(file)
    folder = Path(out) if out else file.parent
    folder.mkdir(parents=True, exist_ok=True)
    reference, folded = KerasPredictor(detector), fold(detector, exact=quantize != "float32")
    made = []
    for name in formats:
        if progress:
            progress(name)
        facts = Facts(
            folder.resolve().name,
            name,
            quantize,
            detector.preprocessing,
            detector.config.calibration,
            detector.config.robustness,
            file_digest(file),
            versions(),
        )
        target = _target(folder, name, version)
        with _apart(folder) as temporary:
            path = temporary / target.name
            _write(name, detector, folded, path, facts, records, file.parent)
            verified = verify(open_predictor(path), reference, quantize, records)
            size = _publish(path, target)
        made.append(
            Exportation(name, quantize, os.fspath(target), size, is_foldable(detector), verified)
        )
    return made


def _target(folder: Path, name: str, version: int | None) -> Path:
    if name != "savedmodel":
        return folder / (Path(MODEL_FILE).stem + FORMATS[name].ending)
    there = [int(p.name) for p in folder.iterdir() if p.name.isdigit()]
    version = version if version is not None else max(there, default=0) + 1
    if version in there:
        raise ExportError(
            f"Version {version} is in {folder} already, and may be served. Give another --version."
        )
    return folder / str(version)


class _apart:
    """A hidden folder for what is not checked yet; gone at the end, however it ends."""

    def __init__(self, folder: Path):
        self.path = folder / ".exporting"

    def __enter__(self) -> Path:
        shutil.rmtree(self.path, ignore_errors=True)  # of a process that was killed
        self.path.mkdir()
        return self.path

    def __exit__(self, *error):
        shutil.rmtree(self.path, ignore_errors=True)


def _write(name, detector, folded, path, facts, records, beside) -> None:
    from npr_keras.export import convert

    if name == "savedmodel":
        from npr_keras.export.savedmodel import write_savedmodel

        extra = [beside / file for file in _BESIDE if (beside / file).exists()]
        write_savedmodel(detector, folded, path, facts, extra)
    elif name == "onnx":
        convert.write_onnx(folded, path, facts)
    elif name == "openvino":
        convert.write_openvino(folded, path, facts)
    else:
        pictures = []
        if facts.quantize == "int8":
            some = records[:: max(1, len(records) // _RANGES)][:_RANGES]
            pictures = [load(record.path, facts.preprocessing)[None] for record in some]
        convert.write_tflite(folded, path, facts, pictures)


def _publish(path: Path, target: Path) -> int:
    """Gives an artefact its name: what was there is replaced, a version never is."""
    if path.is_dir():
        os.rename(path, target)
        return sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    size = 0
    # The weights first: an .xml never stands there without its .bin.
    for part in sorted(path.parent.glob(f"{path.stem}.*"), key=lambda p: p == path):
        size += part.stat().st_size
        with open(part, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(part, target.with_name(part.name))
    return size
