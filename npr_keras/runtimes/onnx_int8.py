"""An ONNX model in int8."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import numpy as np


def quantize_onnx(model, pictures: Sequence[np.ndarray]):
    """Weights and activations of the trunk as int8, by what ONNX Runtime's own tool does.

    The differences of pixels are taken in floats, exactly, and rounded once, to the steps that the
    largest of them asks for: a level or two. Were they taken by rounded weights, the pixels'
    brightness would leak into them. The last layer stays too, its output being the logit.

    Args:
        model: An ONNX model of a detector folded with its differences apart.
        pictures: uint8 (1, H, W, 3), of any sizes: what ranges are taken from.

    Returns:
        The ONNX model, with its scales written as pairs of QuantizeLinear and DequantizeLinear,
        which OpenVINO reads too.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Pictures(CalibrationDataReader):
        def __init__(self):
            self._rest = iter(pictures)

        def get_next(self):
            picture = next(self._rest, None)
            return None if picture is None else {"pixels": picture}

    with tempfile.TemporaryDirectory() as folder:
        prepared, quantized = (os.path.join(folder, name) for name in ("a.onnx", "b.onnx"))
        # The runtime's optimiser must not fuse what is to be told apart by its nodes.
        quant_pre_process(model, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            Pictures(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_outside_the_trunk(onnx.load(prepared).graph),
        )
        return onnx.load(quantized)


def _outside_the_trunk(graph) -> list[str]:
    """What lies before the first convolution of the trunk, which the first ReLU is fed by, and
    behind its last ReLU."""
    nodes = list(graph.node)
    relus = [i for i, node in enumerate(nodes) if node.op_type == "Relu"]
    if not relus:  # another kind of network: all of it but the last layer
        return [nodes[-1].name]
    made_by = {name: i for i, node in enumerate(nodes) for name in node.output}
    first = made_by[nodes[relus[0]].input[0]]
    return [node.name for i, node in enumerate(nodes) if i < first or i > relus[-1]]
