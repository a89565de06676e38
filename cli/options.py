"""Options and their parsing, shared by commands."""

from __future__ import annotations

import dataclasses
import functools
import os

import click

from npr_keras.settings import FLAG, Rule


def pipeline_option(function):
    """`--pipeline`."""
    return click.option(
        "--pipeline",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "tf.data", "pydataset"]),
        help="How images are loaded; auto: tf.data where TensorFlow is installed.",
    )(function)


def model_option(help: str, multiple: bool = False):
    """`--model`: where a model lies; by default the one that comes with this package, or NPR_MODEL."""

    def found(ctx, param, value):
        from npr_keras.presets import default_model, model_path

        named = (value or ()) if multiple else [value] if value else ()
        named = named or ([default_model()] if default_model() else [])
        if not named:
            raise click.UsageError("Missing option '--model': a run's folder, a file, or a name.")
        paths = tuple(model_path(one) for one in named)
        return paths if multiple else paths[0]

    option = click.option(
        "--model",
        "models" if multiple else "model",
        type=click.Path(),
        multiple=multiple,
        callback=found,
        help=f"{help}  [default: NPR_MODEL, or the one that comes with this package]",
    )
    return lambda function: option(trust_option(function))


def trust_option(function):
    """`--trust`: SavedModels that do more than compute are run."""

    def told(ctx, param, value):
        if value:
            os.environ["NPR_TRUST"] = "1"  # of this process, and of those that it starts

    return click.option(
        "--trust",
        is_flag=True,
        expose_value=False,
        callback=told,
        help="Run a SavedModel that does more than compute.",
    )(function)


def keras_model_option(function):
    """`--model` where one has to be named: a file that Keras reads, or a preset's name."""

    def found(ctx, param, value):
        from npr_keras.presets import model_path

        return model_path(value)

    return click.option(
        "--model",
        required=True,
        type=click.Path(),
        callback=found,
        help="A .keras file, a run's folder, or a preset's name.",
    )(function)


def model_argument(required: bool = True):
    """MODEL, which may also be given as `--model`, as most commands have it."""

    def with_argument(function):
        @functools.wraps(function)
        def named(*args, model, given_model, **options):
            if model and given_model:
                raise click.UsageError("The model is given twice: as MODEL and as --model.")
            if required and not (model or given_model):
                raise click.UsageError("Missing argument 'MODEL'.")
            from npr_keras.presets import model_path

            named = model or given_model
            return function(*args, model=model_path(named) if named else None, **options)

        named = click.option(
            "--model", "given_model", type=click.Path(), help="The same as MODEL."
        )(named)
        return click.argument("model", required=False, type=click.Path())(named)

    return with_argument


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


def setting_options(settings: type, names: dict[str, tuple[str, ...]]):
    """An option for each of a settings class's fields: its default, its bounds, its help.

    Args:
        settings: The dataclass.
        names: The fields, and other names for their options; an empty tuple is the field's own.
    """

    def with_options(function):
        fields = {field.name: field for field in dataclasses.fields(settings)}
        for name, flags in reversed(names.items()):
            field = fields[name]
            rule = field.metadata["rule"]
            function = click.option(
                *(flags or (f"--{name.replace('_', '-')}",)),
                name,
                default=_shown(field.default, rule),
                show_default=field.default != "" and rule is not FLAG,
                is_flag=rule is FLAG,
                type=_TYPES[rule.kind](rule),
                callback=functools.partial(_parsed, rule),
                help=field.metadata["help"],
            )(function)
        return function

    return with_options


_TYPES = {
    "integer": lambda r: None if r.optional else click.IntRange(r.least, r.most),
    "number": lambda r: None if r.optional else click.FloatRange(r.least, r.most, min_open=r.above),
    "choice": lambda r: click.Choice(r.choices),
    "pair": lambda r: None,
    "": lambda r: None,
}


def _shown(value, rule: Rule):
    if rule.kind == "pair":
        return ",".join(f"{number:g}" for number in value)
    return str(value).lower() if rule.optional else value


def _parsed(rule: Rule, ctx, param, value):
    """`none` -> None; `0,3` -> (0.0, 3.0); what does not fit is a usage error."""
    found = value
    if rule.kind == "pair" or rule.optional:
        numbers: list = []
        for part in str(value).split(","):
            text = part.strip()
            try:
                numbers.append(int(text) if text.lstrip("-").isdigit() else float(text))
            except ValueError:
                numbers.append(None if text.lower() == "none" else text)
        found = (
            tuple(numbers) if rule.kind == "pair" else numbers[0] if len(numbers) == 1 else value
        )
    if not rule.fits(found):
        raise click.BadParameter(f"{value!r}: expected {rule.said}.")
    return found


def given(names) -> dict:
    """Those of these parameters that stand on the command line, by name."""
    from click.core import ParameterSource

    context = click.get_current_context()
    typed = ParameterSource.COMMANDLINE
    return {n: context.params[n] for n in names if context.get_parameter_source(n) == typed}


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
    from npr_keras.tables import PERTURBATIONS

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
