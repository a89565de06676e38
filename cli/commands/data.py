"""`npr-keras data`: data sets, made, fetched and checked."""

from __future__ import annotations

import json

import click

from npr_keras.simulation.plan import OPERATORS, SimulationConfig
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.commands import data_check, data_download, data_reconstruct
from npr_keras_cli.options import comma_list, fraction, setting_options

DEFAULT = SimulationConfig("nearest")


@click.group("data")
def command():
    """Make, fetch and check data sets."""


command.add_command(data_check.command)
command.add_command(data_download.command)
command.add_command(data_reconstruct.reconstruct)
command.add_command(data_reconstruct.train_decoder)
command.add_command(data_reconstruct.decoders)


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
@setting_options(SimulationConfig, {"count": (), "size": (), "seed": ()})
@click.option(
    "--networks",
    default=",".join(DEFAULT.networks),
    show_default=True,
    callback=comma_list,
    help="Shapes of the generators: x<up-sampling>k<kernel>t<tail>.",
)
@setting_options(SimulationConfig, {"steps": (), "layout": ()})
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
    from npr_keras_cli.inputs import made_simulated
    from npr_keras_cli.simulation_view import show_simulations

    if upsampler and out:
        reports = _simulated(out, SimulationConfig(upsampler, **settings))
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


def _simulated(out: str, config) -> dict[str, dict]:
    """Makes one simulation in a folder of the user's; its report by the folder's name."""
    import_tensorflow_quietly()
    from npr_keras.simulation.simulate import simulate
    from npr_keras_cli.console import say, warn_left_out
    from npr_keras_cli.simulation_view import simulation_bar

    with simulation_bar() as show:
        report = simulate(out, config, show)
    warn_left_out(report["left_out"], "")
    say(f"Made: {out}")
    return {config.upsampler: report}
