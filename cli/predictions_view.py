"""Predictions as lines for people, and as JSON and CSV for programs, as they come."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
import textwrap
import time

import click

from npr_keras_cli.console import say, stderr, stdout

_FIELDS = (
    "path", "verdict", "probability", "logit", "threshold", "pixels", "format", "width", "height",
    "quality", "subsampling", "resized", "reasons", "claims", "error",
)  # fmt: skip


def show_predictions(predictions, predictor, protocol, form: str | None, names: dict) -> int:
    """Prints each prediction when it is there.

    Args:
        predictions: Iterator of `Prediction`.
        predictor: Who made them.
        protocol: How files became pixels.
        form: None, "json" or "csv".
        names: What to call files that nobody named, by path.

    Returns:
        How many files could not be read.
    """
    show = {"json": _json_line, "csv": _csv_line}.get(form, _line)
    if form == "csv":
        _write_csv(_FIELDS)
    elif form is None:
        stdout().print("probability  verdict       image", style="bold")
    counts: dict[str, int] = {}
    begun = time.monotonic()
    # On a terminal the lines themselves show how far it is.
    status = stderr().status("") if _is_apart() else None
    with status or _Nothing():
        for number, prediction in enumerate(predictions, 1):
            show(_named(prediction, names))
            sys.stdout.flush()  # whoever reads it may wait
            kind = prediction.verdict or "unreadable"
            counts[kind] = counts.get(kind, 0) + 1
            if status and number % 16 == 0:
                rate = number / (time.monotonic() - begun)
                status.update(f"{number:,} images, {rate:.1f} a second")
    sys.stdout.flush()
    if form is None:
        _notes(predictor, protocol)
    if sum(counts.values()) > 1:
        order = ("real", "generated", "inconclusive", "unreadable")
        told = ", ".join(f"{counts[kind]:,} {kind}" for kind in order if kind in counts)
        say(f"{sum(counts.values()):,} images: {told}")
    return counts.get("unreadable", 0)


def _named(prediction, names: dict):
    name = names.get(prediction.path)
    if name is None:
        return prediction
    error = prediction.error.replace(prediction.path, name)
    return dataclasses.replace(prediction, path=name, error=error)


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def _is_apart() -> bool:
    return stderr().is_terminal and not sys.stdout.isatty()


def _line(prediction) -> None:
    if prediction.error:
        _print(f"{'–':>11}  {'unreadable':12}  {prediction.error}")
        return
    _print(f"{prediction.probability:11.4f}  {prediction.verdict:12}  {prediction.path}")
    for reason in prediction.reasons:
        _print_below(reason)
    for claim in prediction.history.claims:
        _print_below(f"the file claims: {claim}")


def _print_below(text: str) -> None:
    indent = " " * 13
    for line in textwrap.wrap(text, 79, initial_indent=indent, subsequent_indent=indent + "  "):
        _print(line)


def _print(text: str) -> None:
    stdout().print(text, markup=False, soft_wrap=True)


def _notes(predictor, protocol) -> None:
    calibration = predictor.profile.calibration_for(protocol)
    lines = [f"Probability of being generated; pixels: {protocol.name}."]
    if calibration.images:
        lines.append(f"Generated above logit {calibration.threshold:.3f}, as calibrated.")
    else:
        lines.append("Not calibrated (npr-keras calibrate): generated above 0.5.")
    for line in ("", *lines):
        stdout().print(line, style="dim", markup=False, soft_wrap=True)


def _flat(prediction) -> dict:
    row = dataclasses.asdict(prediction)
    history = row.pop("history") or {}
    if prediction.history:
        row["resized"] = prediction.history.resized
    row |= {k: history.get(k) for k in ("format", "width", "height", "quality", "subsampling")}
    row["claims"] = history.get("claims", ())
    return {name: row.get(name) for name in _FIELDS}


def _json_line(prediction) -> None:
    row = {
        k: v
        for k, v in _flat(prediction).items()
        if not (v is None or v in ("", ()) or (isinstance(v, float) and math.isnan(v)))
    }
    click.echo(json.dumps(row))


def _csv_line(prediction) -> None:
    row = _flat(prediction)
    row["reasons"], row["claims"] = "; ".join(row["reasons"]), "; ".join(row["claims"])
    cells = ["" if v is None or v != v else v for v in row.values()]
    _write_csv(cells)


def _write_csv(cells) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerow(cells)
