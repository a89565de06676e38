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


def share(ctx, param, value):
    """As `fraction`, from above 0 to below 1; None where nothing was given."""
    if value is None:
        return None
    number = fraction(ctx, param, value)
    if not 0 < number < 1:
        raise click.BadParameter(f"{value!r} is not a share above 0% and below 100%.")
    return number


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


def conditions(ctx, param, values):
    """`jpeg=90,70` -> `(("jpeg", 90.0), ("jpeg", 70.0))`; `none` alone stands for itself."""
    from npr_keras.data.perturb import PERTURBATIONS

    found = []
    for value in values:
        kind, _, amounts = value.partition("=")
        try:
            numbers = [float(a) for a in amounts.split(",")] if kind != "none" else [0.0]
        except ValueError:
            numbers = []
        if kind not in PERTURBATIONS or not numbers or not all(map(_is_amount(kind), numbers)):
            raise click.BadParameter(
                f"{value!r} is no condition. Expected jpeg=90,70 or webp=75 (quality from 1 to 100), "
                "resize=0.5 (factor, above 0 to 8), blur=1 or noise=2 (0 to 100), or none."
            )
        found += [(kind, number) for number in numbers]
    return tuple(dict.fromkeys(found))


def _is_amount(kind):
    if kind in ("jpeg", "webp"):
        return lambda number: 1 <= number <= 100 and number == int(number)
    if kind == "resize":
        return lambda number: 0 < number <= 8
    return lambda number: 0 <= number <= 100
