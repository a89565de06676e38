"""Speed of the embedded server, beside the SavedModel alone, in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from npr_keras.errors import CheckpointError
from npr_keras.runtimes.savedmodel import version_folder
from npr_keras.server.models import ModelSettings
from npr_keras.server.servable import Servable
from npr_keras.server.server import Server, ServerSettings
from npr_keras.simulation.photographs import embedded_photograph

_PICTURES = 64


def measure_serving(model: str | os.PathLike, batch_size: int, size: int, seconds: float) -> dict:
    """Throughput and latency by gRPC on loopback, one encoded image a request.

    First the SavedModel alone, in batches; then the server, with twice as many requests under way as
    go in a batch; then the server at half of what it bore, for the latencies; then the SavedModel
    again. The client is a process of its own on the same machine, and takes its share.

    Args:
        model: A SavedModel, see `npr_keras.runtimes.savedmodel`.
        batch_size: Images that are run together, at most.
        size: The images' side, in pixels; PNG files of the project's own photographs.
        seconds: For each of the four, about.

    Returns:
        Dict: "alone" and "served", images a second; "ratio"; "load", images a second during
        "p50", "p95" and "p99", in milliseconds; "failed", from codes to counts.

    Raises:
        CheckpointError: If there is no SavedModel.
    """
    folder = version_folder(model)
    if folder is None:
        raise CheckpointError(f"No SavedModel in {os.fspath(model)}: npr-keras export writes one.")
    images = [_png(embedded_photograph(11, i, size)) for i in range(_PICTURES)]
    servable = Servable(folder)
    alone = [_alone(servable, images, batch_size, seconds)]
    settings = ServerSettings(rest_port=0, grpc_port=0, max_batch=batch_size, max_queue=4096)
    models = [ModelSettings("npr", str(folder.parent), versions=(int(folder.name),))]
    with _running(Server(models, settings)) as server, tempfile.TemporaryDirectory() as kept:
        for i, image in enumerate(images):
            Path(kept, f"{i:03}.png").write_bytes(image)
        url = f"grpc://127.0.0.1:{server.grpc_port}/npr"
        count = max(batch_size, round(alone[0] * seconds))
        full = _load(url, kept, count, 2 * batch_size, 0.0)
        served = full["ok"] / full["seconds"]
        half = _load(url, kept, max(20, round(served / 2 * seconds)), 10_000, served / 2)
    alone.append(_alone(servable, images, batch_size, seconds))
    p50, p95, p99 = np.percentile(half["latency"], [50, 95, 99]) * 1000
    return {
        "alone": float(np.mean(alone)),
        "served": served,
        "ratio": served / float(np.mean(alone)),
        "load": half["ok"] / half["seconds"],
        "p50": float(p50),
        "p95": float(p95),
        "p99": float(p99),
        "failed": {**full["failed"], **half["failed"]},
    }


def _alone(servable, images, batch_size, seconds) -> float:
    batch = np.empty(batch_size, object)
    batch[:] = [images[i % len(images)] for i in range(batch_size)]
    servable.run("", {"images": batch})
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        servable.run("", {"images": batch})
        count += batch_size
    return count / (time.perf_counter() - begun)


def _load(url, folder, count, concurrency, rate) -> dict:
    command = [sys.executable, "-m", "npr_keras.bench.load", url, folder]
    command += [str(count), str(concurrency), str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def _running(server: Server):
    """The server in a thread, until the block ends."""
    ready, errors = threading.Event(), []

    def run():
        try:
            asyncio.run(server.run(ready.set))
        except Exception as error:
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        if errors:
            raise errors[0]
        yield server
    finally:
        server.stop()
        thread.join()
