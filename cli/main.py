"""`npr-keras`: finds the command and shows what went wrong."""

from __future__ import annotations

import importlib
import sys

import click

from npr_keras import __version__
from npr_keras.errors import NPRKerasError

# Command -> the module in npr_keras_cli.commands that holds it, in the order of the help.
COMMANDS = {
    "demo": "demo",
    "data": "data",
    "train": "train",
    "eval": "evaluate",
    "suites": "suites",
    "predict": "predict",
    "explain": "explain",
    "calibrate": "calibrate",
    "robustness": "robustness",
    "ablate": "ablate",
    "export": "export",
    "serve": "serve",
    "query": "query",
    "convert": "convert",
    "info": "info",
    "bench": "bench",
}


class _Commands(click.Group):
    """Imports a command's module when it is asked for, and turns our errors into exit code 1."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"npr_keras_cli.commands.{COMMANDS[cmd_name]}").command

    def invoke(self, ctx):
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # file names that are not UTF-8 are shown escaped
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except NPRKerasError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if isinstance(error, BrokenPipeError) or not error.strerror:
                raise
            name = f": {error.filename}" if error.filename else ""
            raise click.ClickException(f"{error.strerror}{name}") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="npr-keras")
def main():
    """Tells whether an image came out of a generator, from the relations of neighbouring pixels.

    NPR: Tan et al., CVPR 2024. Train on one generator, judge on any, on Keras 3.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check found something.
    """


if __name__ == "__main__":
    sys.exit(main())
