"""The source and the suite that are called `simulated`, made on first use and kept in a cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from npr_keras.cache import cache_folder
from npr_keras.errors import ConfigError
from npr_keras.simulation.plan import (
    FORMAT,
    OTHER_NETWORKS,
    SIMULATION_FILE,
    UPSAMPLERS,
    SimulationConfig,
)

# Trained on one operator, judged on four, made by networks of other shapes from other seeds: the
# paper's section on different up-sampling techniques, in miniature. The sub-testsets share their
# photographs, so they differ in nothing but the operator.
SIMULATED: dict[str, dict[str, SimulationConfig]] = {
    "source": {".": SimulationConfig("nearest", seed=1)},
    "suite": {
        upsampler: SimulationConfig(
            upsampler, count=40, seed=2, networks=OTHER_NETWORKS, layout="set"
        )
        for upsampler in UPSAMPLERS
    },
}


def simulated_folder(part: str) -> Path:
    """Where a part of `SIMULATED` lies, or will.

    Its name holds a digest of the settings and of their meaning: what would make other pictures
    goes to another folder. Backends share it: all are judged on the same pictures.
    """
    if part not in SIMULATED:
        raise ConfigError(f"`part` must be one of {', '.join(SIMULATED)}. Received: {part!r}")
    settings = [FORMAT, {name: config.to_dict() for name, config in SIMULATED[part].items()}]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return cache_folder() / f"simulated-{part}-{digest}"


def is_made(part: str) -> bool:
    """Whether a part of `SIMULATED` is finished."""
    files = [simulated_folder(part) / name / SIMULATION_FILE for name in SIMULATED[part]]
    return all(file.exists() and "networks" in json.loads(file.read_text()) for file in files)


def make_simulated(
    part: str, progress: Callable[[str, int, int], None] | None = None
) -> tuple[Path, dict[str, dict]]:
    """Makes the simulated source or suite, as far as it is not there yet.

    Args:
        part: `"source"` or `"suite"`.
        progress: Called with what is being made, how many are done and how many there will be.

    Returns:
        Its folder, and the report of each simulation by the name of its sub-folder.
    """
    from npr_keras.simulation.simulate import simulate

    folder = simulated_folder(part)
    reports = {}
    for name, config in SIMULATED[part].items():
        told = _told(progress, config.upsampler) if progress else None
        reports[name] = simulate(folder / name, config, told)
    return folder, reports


def _told(progress, upsampler):
    return lambda what, done, total: progress(f"{upsampler}: {what}", done, total)
