"""What this machine can do at best: multiplications, memory, and what a network needs of them."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

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


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gemm_step(precision: str = "float32") -> tuple[str, Callable[[], object]] | None:
    """A product of two large matrices, by the best library that is here, and its name.

    Args:
        precision: "float32", "bfloat16" or "int8".

    Returns:
        None where nothing that is installed multiplies that.
    """
    if is_installed("torch"):
        import torch

        a, b = (torch.ones(_SIDE, _SIDE) for _ in range(2))
        if precision == "int8":
            a, b = a.to(torch.int8), b.to(torch.int8)
            return "torch", lambda: torch._int_mm(a, b)
        if precision == "bfloat16":
            a, b = a.bfloat16(), b.bfloat16()
        return "torch", lambda: torch.mm(a, b)
    if precision != "float32":
        return None
    x, y = (np.ones((_SIDE, _SIDE), np.float32) for _ in range(2))
    return "NumPy", lambda: x @ y


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
