"""How long it takes until a command has said what it was asked."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from npr_keras.simulation.photographs import embedded_photograph

_COMMAND = (sys.executable, "-m", "npr_keras_cli.main")


def measure_startup(models: Sequence[str] = (), rounds: int = 5) -> dict[str, dict]:
    """Seconds and memory of whole commands, each in a process of its own, taking turns.

    Args:
        models: What else to predict with, such as an ONNX file.
        rounds: How often.

    Returns:
        Dict from the command to "seconds", the median; "low" and "high"; and "megabytes" at most.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "photograph.png")
        Image.fromarray(embedded_photograph(7, 0, 512)).save(picture)
        commands: dict[str, list] = {"--help": ["--help"], "predict PICTURE": ["predict", picture]}
        for model in models:
            commands[f"predict, {Path(model).name}"] = ["predict", picture, "--model", model]
        found: dict[str, list[tuple[float, int]]] = {name: [] for name in commands}
        for number in range(rounds + 1):  # the first one fills the system's cache
            for name, arguments in commands.items():
                one = _run([*_COMMAND, *map(os.fspath, arguments)])
                if number:
                    found[name].append(one)
    result = {}
    for name, runs in found.items():
        seconds = [s for s, _ in runs]
        result[name] = {
            "seconds": statistics.median(seconds),
            "low": min(seconds),
            "high": max(seconds),
            "megabytes": max(m for _, m in runs),
        }
    return result


# A process counts the memory of the one that started it as its own: a small one starts them.
_STARTER = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(code, time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _run(command: list[str]) -> tuple[float, int]:
    """Seconds, and MB of resident memory at most; raises CalledProcessError where it fails."""
    kept = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    starter = [sys.executable, "-S", "-c", _STARTER, *command]
    said = subprocess.run(starter, capture_output=True, text=True, check=True, env=kept).stdout
    code, seconds, memory = said.split()
    if code != "0":
        raise subprocess.CalledProcessError(int(code), command)
    return float(seconds), int(memory) >> 10
