"""Options and their parsing, shared by commands."""

from __future__ import annotations

import click


def pipeline_option(function):
    """`--pipeline`."""
    return click.option(
        "--pipeline",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "tf.data", "pydataset"]),
        help="How images are loaded; auto: tf.data where TensorFlow is installed.",
    )(function)


def unreadable_option(function):
    """`--max-unreadable`, a fraction."""
    return click.option(
        "--max-unreadable",
        default="1%",
        show_default=True,
        callback=fraction,
        help="Share of images that may be unreadable.",
    )(function)


def comma_list(ctx, param, value):
    """`car,cat` -> `("car", "cat")`."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else ()


def pixels_or_none(ctx, param, value):
    """`256` -> 256, `none` -> None."""
    if value.strip().lower() == "none":
        return None
    if not value.strip().isdigit():
        raise click.BadParameter(f"{value!r} is neither a number of pixels nor none.")
    return int(value)


def fraction(ctx, param, value):
    """`1%` or `0.01` -> 0.01; a usage error for anything else."""
    text = value.strip()
    try:
        number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1 or text == "1":  # one image, or all of them?
        raise click.BadParameter(f"{value!r} is not a share: expected 0% to 100%, or below 1.")
    return number
