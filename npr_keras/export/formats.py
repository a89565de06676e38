"""What a detector can be exported to. Nothing heavy is imported here."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from npr_keras.errors import MissingPackageError


@dataclass(frozen=True)
class Format:
    """A row of the table of formats.

    Attributes:
        name: What the command line calls it.
        ending: Of its file; "" for a folder.
        quantize: What its arithmetic can be reduced to; the first one is the default.
        extra: The extra that exporting and running it takes, or "".
        packages: The names that are imported for it.
    """

    name: str
    ending: str
    quantize: tuple[str, ...]
    extra: str = ""
    packages: tuple[str, ...] = ()


_ONNX = ("onnx", "onnxruntime", "tf2onnx")
FORMATS = {
    f.name: f
    for f in (
        Format("savedmodel", "", ("float32",), packages=("tensorflow_serving",)),
        Format("tflite", ".tflite", ("float32", "float16", "int8"), "litert", ("ai_edge_litert",)),
        Format("onnx", ".onnx", ("float32", "int8"), "onnx", _ONNX),
        Format("openvino", ".xml", ("float32", "bf16", "int8"), "openvino", ("openvino", *_ONNX)),
    )
}
QUANTIZE = tuple(dict.fromkeys(q for f in FORMATS.values() for q in f.quantize))


def require_packages(formats: Sequence[str]) -> None:
    """Raises MissingPackageError unless all that these formats need is installed."""
    for name in formats:
        missing = [p for p in FORMATS[name].packages if importlib.util.find_spec(p) is None]
        if missing:
            extra = FORMATS[name].extra
            line = f'"npr-keras[{extra}]"' if extra else "tensorflow-serving-api"
            raise MissingPackageError(
                f"Exporting to {name} needs packages that are not installed "
                f"({', '.join(missing)}): pip install {line}"
            )
