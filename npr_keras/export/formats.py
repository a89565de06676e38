"""What a detector can be exported to. Nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A row of the table of formats.

    Attributes:
        name: What the command line calls it.
        ending: Of its file; "" for a folder.
        quantize: What its arithmetic can be reduced to; the first one is the default.
        extra: The extra that exporting and running it takes, or "".
    """

    name: str
    ending: str
    quantize: tuple[str, ...]
    extra: str = ""


FORMATS = {
    f.name: f
    for f in (
        Format("savedmodel", "", ("float32",)),
        Format("tflite", ".tflite", ("float32", "float16", "int8"), "litert"),
        Format("onnx", ".onnx", ("float32",), "onnx"),
        Format("openvino", ".xml", ("float32", "bf16"), "openvino"),
    )
}
QUANTIZE = tuple(dict.fromkeys(q for f in FORMATS.values() for q in f.quantize))
