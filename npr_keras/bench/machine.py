"""What this machine can do at best: multiplications, memory, and what a network needs of them."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from npr_keras.data.ahead import cores
from npr_keras.packages import is_installed
from npr_keras.versions import versions

_SIDE = 2048  # of the matrices: they do not fit into a cache
_COPIED = 1 << 28  # bytes


def describe_machine() -> dict:
    """Processor, cores that may be used, what they can multiply with, memory, versions."""
    text = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = set((re.search(r"flags\s*:\s*(.+)", text) or [""])[0].split())
    known = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if os.name == "posix" else 0
    return {
        "processor": name[1].strip() if name else platform.processor() or platform.machine(),
        "cores": cores(),
        "instructions": [flag for flag in known if flag in flags],
        "memory": f"{memory / 2**30:.0f} GiB",
        "versions": versions(),
    }


def gemm_steps(precision: str = "float32") -> dict[str, Callable[[], object]]:
    """A product of two large matrices by each library that is here and multiplies that, by its name.

    Libraries differ by a factor of two and more on one machine: the fastest of them is the limit.

    Args:
        precision: "float32", "bfloat16" or "int8".
    """
    steps: dict[str, Callable[[], object]] = {}
    if precision == "float32":
        x, y = (np.ones((_SIDE, _SIDE), np.float32) for _ in range(2))
        steps["NumPy"] = lambda: x @ y
        if is_installed("onnxruntime") and is_installed("onnx"):
            session = _product()
            steps["ONNX Runtime"] = lambda: session.run(None, {"a": x, "b": y})
    if is_installed("torch") and precision in ("float32", "bfloat16", "int8"):
        import torch

        kind = getattr(torch, precision)
        a, b = (torch.ones(_SIDE, _SIDE, dtype=kind) for _ in range(2))
        multiply = torch._int_mm if precision == "int8" else torch.mm
        steps["PyTorch"] = lambda: multiply(a, b)
    return steps


def _product():
    """A session that multiplies two matrices."""
    import onnxruntime
    from onnx import TensorProto, helper

    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIDE, _SIDE])
        for name in "abc"
    }
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", [values["a"], values["b"]], [values["c"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def gemm_rate(seconds: float) -> float:
    """Multiplications and additions a second, of a step that took so long."""
    return 2.0 * _SIDE**3 / seconds


def bandwidth(rounds: int = 5) -> float:
    """Bytes a second that are read and written again, the best of some rounds."""
    source, target = np.ones(_COPIED, np.uint8), np.empty(_COPIED, np.uint8)
    best = 0.0
    for _ in range(rounds):
        begun = time.perf_counter()
        np.copyto(target, source)
        best = max(best, 2 * _COPIED / (time.perf_counter() - begun))
    return best


def operations(detector, size: int) -> float:
    """Multiplications and additions of one image's way through a detector's convolutions and dense layers.

    Args:
        detector: A `Detector`, or a folded one.
        size: Side of the image, in pixels.
    """
    import keras

    total = 0.0
    shapes: dict[int, tuple] = {}
    for layer in detector.layers[1:]:  # the first is the input
        for node in layer._inbound_nodes:
            inputs = [shapes.get(id(t), (1, size, size, 3)) for t in node.input_tensors]
            output = layer.compute_output_shape(inputs[0] if len(inputs) == 1 else inputs)
            for tensor in node.output_tensors:
                shapes[id(tensor)] = output
            if isinstance(
                layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
            ):
                places = output[2] * output[3] if getattr(layer, "data_format", "") == "channels_first" else (
                    np.prod(output[1:-1])
                )  # fmt: skip
                total += 2.0 * float(places) * float(np.prod(layer.kernel.shape))
    return total
