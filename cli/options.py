"""Options and their parsing, shared by commands."""

from __future__ import annotations

import functools

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


def protocol_option(function):
    """`--protocol`: a `Preprocessing`, or None for the model's own."""
    from npr_keras.config import PROTOCOLS

    return click.option(
        "--protocol",
        type=click.Choice(list(PROTOCOLS)),
        callback=lambda ctx, param, name: PROTOCOLS.get(name),
        help="Preprocessing protocol.  [default: the model's own]",
    )(function)


def label_options(function):
    """`--real-name` and `--fake-name`: one argument `names`, a pair or None."""

    @functools.wraps(function)
    def named(*args, real_name, fake_name, **options):
        if (real_name is None) != (fake_name is None):
            raise click.UsageError("--real-name and --fake-name go together.")
        names = (real_name, fake_name) if real_name else None
        return function(*args, names=names, **options)

    for name, kind in (("--fake-name", "generated"), ("--real-name", "real")):
        named = click.option(
            name,
            metavar="NAME",
            help=f"Name of the folders with {kind} images, if not a known one.",
        )(named)
    return named


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


def null_option(function):
    """`-0`, `--null`."""
    return click.option(
        "-0", "--null", is_flag=True, help="Paths on standard input end with NUL (find -print0)."
    )(function)


def plain_name(ctx, param, value):
    """A name that stays inside its folder."""
    if value is not None and (
        not value.strip() or {"/", "\\"} & set(value) or value in (".", "..")
    ):
        raise click.BadParameter(f"{value!r} is a path. Expected a name; the folder is --out.")
    return value


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
        known = PERTURBATIONS.get(kind)
        if not known or not numbers or not all(map(known.takes, numbers)):
            expected = "; ".join(
                f"{name}: {row.amount}, {row.least:g} to {row.most:g}"
                for name, row in PERTURBATIONS.items()
                if row.amount
            )
            raise click.BadParameter(
                f"{value!r}. Expected KIND=AMOUNT[,AMOUNT...] or none. {expected}."
            )
        found += [(kind, number) for number in numbers]
    return tuple(dict.fromkeys(found))
