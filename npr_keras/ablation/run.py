"""Every variant with every seed: trained and judged, once, by whoever comes first."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import filelock
import keras
import numpy as np

from npr_keras.ablation.grid import Grid, Variant
from npr_keras.ablation.images import names_of
from npr_keras.ablation.plan import Plan, Run
from npr_keras.atomic import write_text
from npr_keras.config import PROTOCOLS
from npr_keras.data.records import ImageSet, Source
from npr_keras.errors import NPRKerasError
from npr_keras.evaluation.evaluate import evaluate
from npr_keras.layers.representation import make_representation
from npr_keras.locks import LOCK_FILE
from npr_keras.models.backbones.base import Backbone
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.scoring.score_log import ScoreLogs
from npr_keras.training import train

_WAIT = 2.0  # seconds before looking again at what others are doing


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        run: The one that it is about.
        state: "begun", "done", "failed" or "waiting", for another process.
        done, total: Runs.
        note: What went wrong, which process is waited for, or what was left out.
    """

    run: Run
    state: str
    done: int
    total: int
    note: str = ""


def run_grid(
    plan: Plan,
    grid: Grid,
    source_of: Callable[[Variant], Source],
    sets: Sequence[ImageSet],
    progress: Callable[[Progress], None] | None = None,
    callbacks: Callable[[Run], Sequence[keras.callbacks.Callback]] | None = None,
    pipeline: str = "auto",
) -> None:
    """Does all runs of a plan that are not done yet.

    Each is an ordinary training and evaluation in a folder of its own. What was broken off goes on;
    what another process is at is left to it, and waited for in the end. What fails is noted, in
    its folder, and the others go on; it is tried again the next time.

    Args:
        plan: What is to be done, and where.
        grid: The variants.
        source_of: The training images of a variant.
        sets: What all are judged on.
        progress: Called when something changes.
        callbacks: Keras callbacks of a run's training.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.

    Raises:
        ConfigError: If the folder holds runs of another plan, or the default cannot be made.
        DataError: If there is nothing to train the default on.
    """
    check_default(plan, grid, source_of)
    plan.begin(grid, sets)
    variants = {variant.slug: variant for variant in grid.variants}
    report = progress or (lambda what: None)
    failed: set[Run] = set()
    while left := [r for r in plan.runs if not r.is_done and r not in failed]:
        busy = []
        for run in left:
            run.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(run.folder / LOCK_FILE)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                busy.append(run)
                continue
            try:
                if run.is_done:  # by another process, a moment ago
                    continue
                write_text(
                    run.folder / "owner", f"process {os.getpid()} on {os.uname().nodename}\n"
                )
                done = sum(r.is_done for r in plan.runs)
                report(Progress(run, "begun", done, len(plan.runs)))
                try:
                    note = _do(
                        run, variants[run.variant], plan, source_of, sets, callbacks, pipeline
                    )
                except Exception as error:  # whatever it is, the others go on
                    failed.add(run)
                    message = said_by(error)
                    run.fail(message)
                    report(Progress(run, "failed", done, len(plan.runs), message))
                else:
                    run.succeed()
                    report(Progress(run, "done", done + 1, len(plan.runs), note))
            finally:
                lock.release()
        if busy and len(busy) == len([r for r in left if not r.is_done and r not in failed]):
            report(Progress(busy[0], "waiting", 0, len(plan.runs), busy[0].owner()))
            time.sleep(_WAIT)


def check_default(plan: Plan, grid: Grid, source_of: Callable[[Variant], Source]) -> None:
    """Makes what the default is made of: where it cannot be, there is nothing to compare with.

    Raises:
        ConfigError, DataError: If it cannot be made.
    """
    default = next(v for v in grid.variants if v.name == grid.default)
    detector_of(plan, default)
    default.training_config(plan.shared["training"], 0)
    source_of(default)


def detector_of(plan: Plan, variant: Variant) -> tuple[Backbone, keras.layers.Layer]:
    """A variant's detector: its backbone, and its representation."""
    layer = make_representation(**variant.representation_arguments(plan.shared["representation"]))
    return variant.backbone(plan.shared["detector"]), layer


def said_by(error: Exception) -> str:
    """What an error says; its type, too, where it is not one of ours."""
    said = str(error).strip()
    if isinstance(error, NPRKerasError) and said:
        return said
    # Keras' messages are long, and coloured.
    first = re.sub(r"\x1b\[[0-9;]*m", "", said).partition("\n")[0]
    return f"{type(error).__name__}: {first}".rstrip(": ")


def _do(run, variant, plan, source_of, sets, callbacks, pipeline) -> str:
    """Trains and judges one; says how many images could not be read."""
    keras.backend.clear_session()
    backbone, layer = detector_of(plan, variant)
    recipe = variant.training_config(plan.shared["training"], run.seed)
    result = train(
        source_of(variant),
        recipe,
        backbone,
        layer,
        PROTOCOLS.get(variant.protocol),
        out=run.folder,
        resume=True,
        pipeline=pipeline,
        callbacks=callbacks(run) if callbacks else (),
        method=variant.method or "npr",
    )
    predictor = KerasPredictor(result.detector)
    predictor.identity = f"{variant.slug} {run.seed}"  # scores are kept in the run's own folder
    keeper = ScoreLogs(run.folder / "scores")
    results = evaluate(
        predictor,
        [with_protocol(s, variant.protocol) for s in sets],
        predictor.preprocessing,
        pipeline=pipeline,
        max_unreadable=recipe.max_unreadable,
        keep=keeper,
    )
    found = list(zip(names_of(sets), results, strict=True))
    run.write_logits({name: r.logits for name, r in found}, {name: _labels(r) for name, r in found})
    keeper.remove()
    lost = len({*result.unreadable, *(path for r in results for path in r.unreadable)})
    return f"{lost} images could not be read" if lost else ""


def with_protocol(image_set: ImageSet, protocol: str) -> ImageSet:
    """A set whose files become pixels in a variant's way, where it has one."""
    return dataclasses.replace(image_set, protocol=PROTOCOLS[protocol]) if protocol else image_set


def _labels(result) -> np.ndarray:
    return np.array([record.label for record in result.records])
