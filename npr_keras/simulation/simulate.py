"""Photographs and a plan to a simulated generator source, in the layout of the published ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from npr_keras.atomic import replacing, write_text
from npr_keras.data.decode import decode
from npr_keras.data.pipeline import worker_count
from npr_keras.errors import ConfigError, RunError
from npr_keras.locks import locked
from npr_keras.simulation.generator import build_autoencoder, train_autoencoder
from npr_keras.simulation.photographs import FolderPhotographs, embedded_photograph
from npr_keras.simulation.plan import FORMAT, SIMULATION_FILE, SimulationConfig
from npr_keras.simulation.sharpness import (
    match_sharpness,
    sharpness,
    sharpness_average_precision,
)
from npr_keras.versions import versions

GENERATORS_FILE = "generators.keras"
_LEARNT_FROM = 64  # photographs
_BATCH_PIXELS = 8 * 256**2


@dataclass(frozen=True)
class _Pair:
    """One photograph and what becomes of it."""

    index: int
    network: str
    validation: bool
    real: Path
    fake: Path

    def exists(self) -> bool:
        return self.real.exists() and self.fake.exists()


def simulate(
    out: str | os.PathLike,
    config: SimulationConfig,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict:
    """Makes a simulated source or set.

    Every photograph goes through a small generator (`npr_keras.simulation.generator`); the
    photograph is kept as real and what comes out as generated, both PNG. Same settings, backend
    and machine: on a CPU the same files, bit for bit, however often the work was interrupted.

    Args:
        out: The folder; where it holds a part of this simulation, the rest is made.
        config: What to make.
        progress: Called with what is being made, how many are done and how many there will be.

    Returns:
        A report, which is also in the folder as simulation.json: "settings", "backend",
        "versions", "networks" (pictures and PSNR in dB of each), "left_out" (photographs that could
        not be used), and "sharpness_average_precision": how well one number for sharpness alone
        tells the real from the generated pictures.

    Raises:
        RunError: If the folder holds something else.
        LayoutError: If the folder of photographs holds none that are large enough.
        ConfigError: If `out` lies in that folder.

    Example:
        >>> config = SimulationConfig("nearest", count=16, size=32, steps=2, networks=("x2k3t0",))
        >>> report = simulate("simulated", config)
        >>> report["networks"]["x2k3t0"]["pictures"]
        16
    """
    out = Path(out)
    photographs = _Photographs(out, config)
    with locked(out, "making pictures", name=".simulation.lock"):
        return _simulated(out, config, photographs, progress or (lambda *_: None))


def _simulated(out: Path, config: SimulationConfig, photographs: _Photographs, progress) -> dict:
    report = _begin(out, config, photographs.fingerprint)
    pairs = list(_pairs(out, config))
    if "networks" in report and all(pair.exists() for pair in pairs):
        return report
    generators = _generators(out, config, photographs, pairs, progress)
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in config.networks}
    with ThreadPoolExecutor(worker_count()) as pool:
        for done, batch in _batches(pairs, config):
            name = batch[0].network
            generator = keras.Model(generators.input, generators.output[name])
            for real, fake in _make(batch, generator, photographs, pool, config):
                error = np.mean((real.astype(np.float64) - fake) ** 2)
                figures[name].append((sharpness(real), sharpness(fake), float(error)))
            progress("pictures", done, len(pairs))
    report |= _figures(figures) | {"left_out": photographs.left_out}
    write_text(out / SIMULATION_FILE, json.dumps(report, indent=2) + "\n")
    return report


def _begin(out: Path, config: SimulationConfig, photographs: str | None) -> dict:
    """What is known before any work; the stored report where the folder has one."""
    settings = {**config.to_dict(), "format": FORMAT, "photographs": photographs}
    if config.photos is not None:
        settings["photos"] = os.path.realpath(config.photos)
    settings = json.loads(json.dumps(settings))  # lists for tuples
    file = out / SIMULATION_FILE
    if not file.exists():
        if out.exists() and any(not path.name.startswith(".") for path in out.iterdir()):
            raise RunError(
                f"{out} is not empty and holds no simulation. Expected a new or an empty folder."
            )
        out.mkdir(parents=True, exist_ok=True)
        report = {"settings": settings, "backend": keras.backend.backend(), "versions": versions()}
        write_text(file, json.dumps(report, indent=2) + "\n")
        return report
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        stored, backend = report["settings"], report["backend"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} does not describe a simulation: {error!r}") from error
    changed = [
        f"  {name}: was {stored.get(name)!r}, now {value!r}"
        for name, value in settings.items()
        if stored.get(name) != value
    ]
    if changed:
        raise RunError(
            f"{out} holds a simulation with other settings:\n"
            + "\n".join(changed)
            + "\nUse the old settings, or another folder."
        )
    if "networks" not in report and backend != keras.backend.backend():
        raise RunError(
            f"{out} holds an unfinished simulation of the {backend} backend, and this is "
            f"{keras.backend.backend()}: their pictures differ in single grey levels. "
            f"Finish it with --backend {backend}, or remove the folder."
        )
    return report


def _pairs(out: Path, config: SimulationConfig) -> Iterator[_Pair]:
    """All pictures that a simulation makes; the networks take turns."""
    train = config.count - config.validation_count
    for index in range(config.count):
        validation = index >= train
        network = config.networks[index % len(config.networks)]
        split = ("val" if validation else "train",) if config.layout == "source" else ()
        folder = out.joinpath(*split, network)
        name = f"{index:05d}.png"
        yield _Pair(index, network, validation, folder / "0_real" / name, folder / "1_fake" / name)


def _batches(pairs: list[_Pair], config: SimulationConfig) -> Iterator[tuple[int, list[_Pair]]]:
    """Pairs of one network each, a few at a time, and how many there are up to their end."""
    size = max(1, _BATCH_PIXELS // config.size**2)
    done = 0
    for name in config.networks:
        own = [pair for pair in pairs if pair.network == name]
        for start in range(0, len(own), size):
            batch = own[start : start + size]
            done += len(batch)
            yield done, batch


class _Photographs:
    """The photographs of a simulation, with a margin."""

    def __init__(self, out: Path, config: SimulationConfig):
        self._config = config
        self._size = config.size + 2 * config.margin
        self._folder = None
        if config.photos is not None:
            if out.resolve().is_relative_to(Path(config.photos).resolve()):
                raise ConfigError(
                    f"{out} lies in the folder of photographs, {config.photos}: its pictures would "
                    "be taken for photographs. Choose another folder for them."
                )
            validation = config.validation if config.layout == "source" else 0.0
            self._folder = FolderPhotographs(config.photos, self._size, config.seed, validation)

    @property
    def fingerprint(self) -> str | None:
        """Which photographs the user's folder holds; None for the embedded ones."""
        return self._folder.fingerprint() if self._folder else None

    def take(self, pair: _Pair) -> np.ndarray:
        """uint8, the picture's sides and the margin around it."""
        if self._folder is None:
            return embedded_photograph(self._config.seed, pair.index, self._size, self._config.jpeg)
        return self._folder.piece(pair.index, pair.validation)

    @property
    def left_out(self) -> dict[str, str]:
        """Dict from path to why a photograph was not used."""
        return self._folder.left_out if self._folder else {}


def _generators(out, config, photographs, pairs, progress) -> keras.Model:
    """The trained generators of a simulation: those in its folder, or new ones."""
    file = out / GENERATORS_FILE
    if file.exists():
        return _load(file)
    model = build_autoencoder(config.upsampler, config.networks, config.seed)
    examples = [pair for pair in pairs if not pair.validation][:_LEARNT_FROM]
    learnt_from = []
    for pair in examples:
        learnt_from.append(photographs.take(pair))
        progress("photographs", len(learnt_from), len(examples))
    done = 0

    def count(steps):
        nonlocal done
        done += steps
        progress("generators", done, config.steps)

    train_autoencoder(model, np.stack(learnt_from), config.steps, config.seed, count)
    with replacing(file) as temporary:
        model.save(temporary, include_optimizer=False)
    return _load(file)


def _load(file: Path) -> keras.Model:
    """From the file in any case: a run that goes on does the same arithmetic."""
    model = keras.saving.load_model(file, compile=False)
    model.trainable = False  # torch then keeps nothing for gradients
    return model


def _make(
    batch: list[_Pair],
    generator: keras.Model,
    photographs: _Photographs,
    pool: ThreadPoolExecutor,
    config: SimulationConfig,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Writes what is missing of a batch; gives each pair's pixels.

    A batch is made whole even where a part of it exists: rounding may depend on its size.
    """
    if all(pair.exists() for pair in batch):
        yield from ((decode(pair.real), decode(pair.fake)) for pair in batch)
        return
    inputs = np.stack(list(pool.map(photographs.take, batch)))
    outputs = keras.ops.convert_to_numpy(generator(inputs.astype(np.float32)))
    middle = slice(config.margin, -config.margin)
    inside = (slice(None), middle, middle)
    pixels = zip(inputs[inside], np.round(np.clip(outputs[inside], 0, 255)), strict=True)

    def finish(pair, pixels):
        real, fake = pixels[0], pixels[1].astype(np.uint8)
        if config.match_sharpness:
            real, fake = match_sharpness(real, fake)
        _write(pair.real, real)
        _write(pair.fake, fake)
        return real, fake

    yield from pool.map(finish, batch, pixels)


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", compress_level=1)  # the others take long


def _figures(figures: dict[str, list[tuple[float, float, float]]]) -> dict:
    networks = {
        name: {
            "pictures": len(rows),
            "psnr": float(np.mean([10 * np.log10(255**2 / max(mse, 1e-4)) for *_, mse in rows])),
        }
        for name, rows in figures.items()
    }
    real, fake, _ = zip(*(row for rows in figures.values() for row in rows), strict=True)
    return {
        "networks": networks,
        "sharpness_average_precision": sharpness_average_precision(list(real), list(fake)),
    }
