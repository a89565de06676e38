"""`npr-keras`: finds the command and shows what went wrong."""

from __future__ import annotations

import importlib
import os
import sys

import click

try:
    from npr_keras import __version__
except ImportError as error:  # NPR_PLUGINS names what is not there
    sys.exit(f"Error: {error}")
from npr_keras.errors import NPRKerasError

# Command -> the module in npr_keras_cli.commands that holds it, in the order of the help.
COMMANDS = {
    "demo": "demo",
    "data": "data",
    "train": "train",
    "detectors": "detectors",
    "models": "models",
    "eval": "evaluate",
    "compare": "compare",
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


def _strict(command: click.Command) -> click.Command:
    """The command, refusing a second value of an option that takes one.

    Click takes the last one and drops the others without a word.
    """
    for inner in getattr(command, "commands", {}).values():
        _strict(inner)
    make_parser = click.Command.make_parser

    def make_strict_parser(ctx):
        parser = make_parser(command, ctx)
        parse = parser.parse_args

        def parse_strictly(args):
            options, rest, order = parse(args)
            _require_once([p for p in order if isinstance(p, click.Option)], ctx)
            return options, rest, order

        parser.parse_args = parse_strictly  # type: ignore[method-assign]
        return parser

    command.make_parser = make_strict_parser  # type: ignore[method-assign]
    return command


def _require_once(given, ctx) -> None:
    """Raises UsageError for an option given twice, or two that set one thing, such as --json and --csv."""
    for option in given:
        same = [other for other in given if other.name == option.name]
        names = list(dict.fromkeys(other.opts[0] for other in same))
        if len(names) > 1:
            raise click.UsageError(f"{' and '.join(names)} exclude each other.", ctx)
        if len(same) > 1 and not (option.multiple or option.is_flag or option.count):
            raise click.UsageError(
                f"{names[0]} is given {len(same)} times and takes one value.", ctx
            )


class _Commands(click.Group):
    """Imports a command's module when it is asked for, and turns our errors into exit code 1."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"npr_keras_cli.commands.{COMMANDS[cmd_name]}")
        return _strict(module.command)

    def invoke(self, ctx):
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by whoever started us
                setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # file names that are not UTF-8 are shown escaped
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # what is buffered fails here, and not while Python ends
        except click.ClickException as error:
            said = error.format_message()  # "Invalid value for ...", or with a hint behind it
            before = said.removesuffix(error.message) if said.endswith(error.message) else ""
            error.message = _wrapped(error.message, before)  # type: ignore[misc]
            raise
        except NPRKerasError as error:
            raise click.ClickException(_wrapped(str(error))) from error
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                _leave_pipe(ctx)
            if not error.strerror:
                raise
            name = f": {error.filename}" if error.filename else " (while writing the output)"
            raise click.ClickException(f"{error.strerror}{name}") from error


def _leave_pipe(ctx):
    """Whoever read our output has had enough (`| head`): no more of it, and no complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what is still buffered goes there at the end
    ctx.exit(141)  # as a shell reports SIGPIPE


def _wrapped(message: str, before: str = "") -> str:
    from npr_keras.visible import visible
    from npr_keras_cli.console import wrapped

    return wrapped(visible(message, lines=True), len("Error: " + before))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="npr-keras")
def main():
    """Detect generated images from the relationships between neighbouring pixels.

    NPR (Tan et al., CVPR 2024) on Keras 3: train on one generator, detect others.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check found something.
    """


if __name__ == "__main__":
    sys.exit(main())
