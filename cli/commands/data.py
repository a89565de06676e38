"""`npr-keras data`: data sets, made, fetched and checked."""

from __future__ import annotations

import json

import click

from npr_keras.simulation.plan import LAYOUTS, OPERATORS, SimulationConfig
from npr_keras_cli.backend import backend_option
from npr_keras_cli.commands import data_check, data_download
from npr_keras_cli.options import comma_list, fraction

DEFAULT = SimulationConfig("nearest")


@click.group("data")
def command():
    """Make, fetch and check data sets."""


command.add_command(data_check.command)
command.add_command(data_download.command)


@command.command("simulate")
@click.option(
    "--upsampler",
    type=click.Choice(OPERATORS),
    help="What the generators up-sample by; none is a control.",
)
@click.option("--out", type=click.Path(file_okay=False), help="The folder to make.")
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False),
    help="Your photographs.  [default: embedded ones]",
)
@click.option(
    "--count",
    default=DEFAULT.count,
    show_default=True,
    type=click.IntRange(1),
    help="Photographs, to validate included; each gives one real and one generated picture.",
)
@click.option(
    "--size",
    default=DEFAULT.size,
    show_default=True,
    type=click.IntRange(32, 1024),
    help="Side of the pictures, in pixels, a multiple of 8. Other than 256: train --resize none.",
)
@click.option(
    "--seed",
    default=DEFAULT.seed,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Of photographs and generators.",
)
@click.option(
    "--networks",
    default=",".join(DEFAULT.networks),
    show_default=True,
    callback=comma_list,
    help="Shapes of the generators: x<up-sampling>k<kernel>t<tail>.",
)
@click.option(
    "--steps",
    default=DEFAULT.steps,
    show_default=True,
    type=click.IntRange(1),
    help="Training steps of the generators.",
)
@click.option(
    "--layout",
    default=DEFAULT.layout,
    show_default=True,
    type=click.Choice(LAYOUTS),
    help="source: train/ and val/, to train on; set: a sub-testset, its networks being classes.",
)
@click.option(
    "--validation",
    default="12.5%",
    show_default=True,
    callback=fraction,
    help="Share of the photographs for val/, in a source.",
)
@click.option(
    "--match-sharpness",
    is_flag=True,
    help="Soften the sharper picture of each pair: a control.",
)
@click.option(
    "--jpeg-quality",
    "--jpeg",
    "jpeg",
    type=click.IntRange(1, 95),
    help="Quality of the embedded photographs' files.  [default: lossless]",
)
@backend_option
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def simulate(upsampler, out, backend, as_json, **settings):
    """Make real and generated pictures with the same content.

    Photographs go through small networks that end in an up-sampling operator. The photographs
    are yours, or embedded ones: nothing is downloaded. Interrupted, the same command goes on.

    Without --upsampler and --out it makes the source and the suite called "simulated", into the
    cache (NPR_CACHE), which train and eval also do on first use.

    \b
    npr-keras data simulate
    npr-keras data simulate --upsampler transposed --photos DIR --out my_source
    """
    from npr_keras_cli.simulation_view import (
        made_simulated,
        run_simulation,
        show_simulations,
    )

    if upsampler and out:
        reports = run_simulation(out, SimulationConfig(upsampler, **settings))
    elif upsampler or out:
        raise click.UsageError("--upsampler and --out go together: what to make, and where.")
    else:
        _refuse_settings(click.get_current_context())
        parts = {part: made_simulated(part) for part in ("source", "suite")}
        reports = {
            f"{part} {report['settings']['upsampler']}": report
            for part in parts
            for report in parts[part][1].values()
        }
    if as_json:
        click.echo(json.dumps(reports, indent=2))
    else:
        show_simulations(reports)


def _refuse_settings(context):
    """The simulated source and suite have settings of their own."""
    from click.core import ParameterSource

    given = [
        name
        for name in context.params
        if name not in ("backend", "as_json")
        and context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    ]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{options}: needs --upsampler and --out, what to make and where.")
