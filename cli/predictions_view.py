"""Predictions as lines for people, and as JSON and CSV for programs, as they come."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
import textwrap
import time

import click

from npr_keras.scoring.rows import FIELDS, csv_row, json_row
from npr_keras.verdict import no_verdict
from npr_keras.visible import cell, visible
from npr_keras_cli.console import say, stderr, stdout, warn, warn_skipped, wrapped

_ORDER = ("generated", "no trace", "inconclusive", "without a verdict", "unreadable")


def show_predictions(predictions, profile, protocol, form: str | None, names: dict, skipped) -> int:
    """Prints each prediction when it is there.

    Args:
        predictions: Iterator of `Prediction`.
        profile: The model's `ModelProfile`.
        protocol: How files became pixels.
        form: None, "json" or "csv".
        names: What to call files that nobody named, by path.
        skipped: What was passed over in folders, once all predictions have come.

    Returns:
        How many files could not be read.
    """
    show = {None: _line, "json": _json_line, "csv": _csv_line}[form]
    if form == "csv":
        _write_csv(FIELDS)
    elif form is None:
        stdout().print("probability  verdict       image", style="bold")
    counts: dict[str, int] = {}
    begun = time.monotonic()
    # On a terminal the lines themselves show how far it is.
    status = stderr().status("") if _is_apart() else None
    with status or _Nothing():
        for number, prediction in enumerate(predictions, 1):
            show(_named(prediction, names), profile)
            sys.stdout.flush()  # whoever reads it may wait
            kind = "unreadable" if prediction.error else prediction.verdict or "without a verdict"
            counts[kind] = counts.get(kind, 0) + 1
            if status and number % 16 == 0:
                rate = number / (time.monotonic() - begun)
                status.update(f"{number:,} images, {rate:.1f} a second")
    sys.stdout.flush()
    if form is None and counts.keys() - {"unreadable"}:
        _notes(profile, protocol, "no trace" in counts)
        sys.stdout.flush()
    elif profile.notice and form:
        warn(profile.notice)  # the rows say it too, but who reads the fields of each?
    if sum(counts.values()) > 1:
        said = ", ".join(f"{counts[kind]:,} {kind}" for kind in _ORDER if kind in counts)
        say(f"{sum(counts.values()):,} images: {said}")
    warn_skipped(skipped)
    if not counts:
        raise click.ClickException("No images: nothing came in.")
    return counts.get("unreadable", 0)


def _named(prediction, names: dict):
    name = names.get(prediction.path)
    if name is None:
        return prediction
    error = prediction.error.replace(visible(prediction.path), name)
    return dataclasses.replace(prediction, path=name, error=error)


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def _is_apart() -> bool:
    return stderr().is_terminal and not sys.stdout.isatty()


def _line(prediction, profile) -> None:
    if prediction.error:
        _print(f"{'–':>11}  {'unreadable':12}  {prediction.error}")
        return
    verdict = prediction.verdict or "–"
    _print(f"{prediction.probability:11.4f}  {verdict:12}  {visible(prediction.path)}")
    for reason in prediction.reasons if prediction.verdict else ():
        _print_below(reason)
    for claim in prediction.history.claims:
        _print_below(f"the file claims: {claim}")


def _print_below(text: str) -> None:
    indent = " " * 13
    for line in textwrap.wrap(text, 79, initial_indent=indent, subsequent_indent=indent + "  "):
        _print(line)


def _print(text: str) -> None:
    stdout().print(text, markup=False, soft_wrap=True)


def _notes(profile, protocol, untraced: bool) -> None:
    calibration = profile.calibration_for(protocol)
    lines = [f"Probability that the image is generated; pixels: {protocol.name}."]
    if why := no_verdict(profile, protocol):
        lines.append(
            f"No verdicts: {why}. The probability is the plain sigmoid of the score. See npr-keras "
            "calibrate and npr-keras robustness --store."
        )
    elif calibration.images:
        rate = calibration.false_positive_rate
        kept = f", which at most {100 * rate:g} % of photographs like those exceed" if rate else ""
        lines.append(
            f"Calibrated on {calibration.images:,} images: generated above logit "
            f"{calibration.threshold:.3f}{kept}."
        )
    else:
        lines.append("Not calibrated (npr-keras calibrate): generated above 0.5.")
    if untraced:
        lines.append(
            "no trace: none of the traces that this detector knows. That does not make an image real."
        )
    if profile.notice:
        lines.append(profile.notice)
    for line in ("", *lines):
        stdout().print(wrapped(line), style="dim", markup=False, soft_wrap=True)


def _json_line(prediction, profile) -> None:
    click.echo(json.dumps(json_row(prediction, profile)))


def _csv_line(prediction, profile) -> None:
    _write_csv(csv_row(prediction))


def _write_csv(cells) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerow(map(cell, cells))
