"""A detector to artefacts: written apart, run, compared, and only then given their names."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from npr_keras.atomic import replacing
from npr_keras.config import Preprocessing
from npr_keras.data.decode import load
from npr_keras.data.records import Record
from npr_keras.errors import ConfigError, ExportError, UnreadableImageError
from npr_keras.exporting.staging import (
    publish_file,
    publish_version,
    require_free,
    size_of,
    staging,
)
from npr_keras.exporting.verify import Verified, logits_of, verify
from npr_keras.models.files import file_digest, load_detector, model_file
from npr_keras.models.fold import fold, is_foldable
from npr_keras.packages import require
from npr_keras.runtimes.exported import Artefact, Facts, first_line
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.open import open_predictor
from npr_keras.tables import FORMATS, exports, load_code
from npr_keras.versions import versions

_BESIDE = ("README.md", "config.json")  # of a run's folder, that travel along
_RANGES = 100  # pictures that int8 takes its ranges from


@dataclass(frozen=True)
class ExportResult:
    """One artefact.

    Attributes:
        format, quantize: What it is.
        path: Where it is: a file, or a version's folder.
        size: In bytes, everything that belongs to it.
        folded: Whether NPR went into the first convolution.
        calibrated: Whether it carries a calibration.
        verified: What was seen when it was run.
    """

    format: str
    quantize: str
    path: str
    size: int
    folded: bool
    calibrated: bool
    verified: Verified


def export_detector(
    model: str | os.PathLike,
    formats: Sequence[str] = ("savedmodel",),
    quantize: str = "float32",
    out: str | os.PathLike | None = None,
    version: int | None = None,
    records: Sequence[Record] = (),
    protocol: Preprocessing | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ExportResult]:
    """Exports a detector to files that run elsewhere.

    Args:
        model: A `.keras` file that any backend trained, or a run's folder.
        formats: Names in `FORMATS`.
        quantize: What the arithmetic is reduced to, one that every one of these formats has.
        out: The folder; by default the one that the model is in. A SavedModel becomes a version's
            folder in it, which is TensorFlow Serving's layout; the others are called as the model
            is, `<name>.<ending>`, or `<name>.<quantize>.<ending>`.
        version: Of the SavedModel; by default the one after the newest that is there.
        records: Labelled images to judge artefacts on. For int8 some of them are set apart, and
            its ranges taken from these.
        protocol: How artefacts make pixels of files; by default as the detector does.
        progress: Called with what is going on, a line.

    Returns:
        One entry a format, in order.

    Raises:
        ConfigError: If there is no such format, or it cannot be reduced like that.
        ExportError: If Keras does not run on TensorFlow, a version is there already, or an artefact
            does not give the detector's scores. Nothing of that one is left behind then; those
            before it stay.
        CheckpointError: If the model cannot be read.
        MissingPackageError: If a format's packages are not installed.

    Example:
        >>> (made,) = export("saved_models/npr", ["onnx"])
        >>> made.path, made.verified.difference < 1e-3
        ('saved_models/npr/model.onnx', True)
    """
    _require_known(formats, quantize)
    file = Path(model_file(model))
    folder = Path(out) if out else file.parent
    if "savedmodel" in formats and version is not None:
        require_free(folder, version)
    detector = _with_pixels(load_detector(file), protocol, progress)
    folder.mkdir(parents=True, exist_ok=True)
    reference, folded = KerasPredictor(detector), fold(detector, exact=quantize != "float32")
    pictures = []
    if quantize == "int8":
        pictures, records = _set_apart(records, detector.preprocessing)
    expected = logits_of(reference, records, detector.preprocessing) if records else None
    made = []
    for name in formats:
        if progress:
            progress(f"{name}: writing, running")
        said = _facts(detector, folder.resolve().name, name, quantize, file)
        with staging(folder) as temporary:
            path = temporary / _file_name(file.stem, name, quantize)
            beside = [p for p in (file.parent / one for one in _BESIDE) if p.exists()]
            _write(name, Artefact(detector, folded, said, pictures, beside), path)
            verified = verify(open_predictor(path), reference, quantize, records, expected)
            if not FORMATS[name].ending:
                target = publish_version(path, folder, version)
            else:
                target = publish_file(path, folder)
                _lay_beside(file.parent, folder)
        calibrated = bool(detector.profile.calibration.images)
        facts = (str(target), size_of(target), is_foldable(detector), calibrated)
        made.append(ExportResult(name, quantize, *facts, verified))
    return made


def _with_pixels(detector, protocol: Preprocessing | None, progress):
    """The detector as it is exported: what was found on other pixels does not hold for these."""
    pixels = protocol or detector.preprocessing
    for sentence in detector.profile.mismatches(pixels) if progress else ():
        progress(f"Warning: {sentence}.")
    detector.profile = detector.profile.for_pixels(pixels)
    return detector


def _facts(detector, model: str, name: str, quantize: str, file: Path) -> Facts:
    return Facts(
        name=model,
        format=name,
        quantize=quantize,
        profile=detector.profile,
        source=file_digest(file),
        versions=versions(),
        tiling=detector.tiling,
    )


def _require_known(formats: Sequence[str], quantize: str) -> None:
    for name in formats:
        if name not in exports():
            raise ConfigError(f"Unknown format. Known: {', '.join(exports())}. Received: {name!r}")
        if quantize not in FORMATS[name].quantize:
            known = ", ".join(FORMATS[name].quantize)
            raise ConfigError(f"{name} can be {known}. Received: quantize={quantize!r}")
        require(f"Exporting to {name}", *FORMATS[name].packages)
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Exporting runs on TensorFlow, whatever a model was trained on: start Python with "
            f"KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}"
        )


def _file_name(stem: str, name: str, quantize: str) -> str:
    if not FORMATS[name].ending:
        return "1"  # until its version is known
    return stem + ("" if quantize == "float32" else f".{quantize}") + FORMATS[name].ending


def _set_apart(records: Sequence[Record], protocol: Preprocessing):
    """Some pictures for int8's ranges, and the records of all others."""
    step = max(2, len(records) // _RANGES)
    pictures = []
    for record in records[::step]:
        with contextlib.suppress(UnreadableImageError):
            pictures.append(load(record.path, protocol)[None])
    return pictures, [record for i, record in enumerate(records) if i % step]


def _lay_beside(origin: Path, folder: Path) -> None:
    """The model card and the config into a folder of its own, for files that cannot hold them."""
    for name in _BESIDE:
        if (origin / name).exists() and not (folder / name).exists():
            with replacing(folder / name) as temporary:
                shutil.copyfile(origin / name, temporary)


def _write(name: str, artefact: Artefact, path: Path) -> None:
    import tensorflow as tf

    try:
        load_code(FORMATS[name].writes)(artefact, path)
    # A full disk, say, which each library reports in a way of its own; what is left of it goes with its
    # staging folder.
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        if shutil.disk_usage(path.parent).free < 1 << 20:
            reason = "no space left on device"
        raise ExportError(
            f"Cannot write the {name} export to {path.parent.parent}: {reason}"
        ) from error
