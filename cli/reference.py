"""The command reference as Markdown, made from the commands' own help: `python -m npr_keras_cli.reference`."""

from __future__ import annotations

import click

from npr_keras_cli.main import main

_INTRODUCTION = """# Commands

Made from `--help` by `make docs`; a test keeps it current. Data goes to stdout, words and progress to
stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""


def reference() -> str:
    """Every command's help, each under its name, 80 columns wide."""
    parts = [_INTRODUCTION]
    context = click.Context(main, info_name="npr-keras", **main.context_settings)
    for name, command in _walk(main, "npr-keras", context):
        parts.append(f"\n## {name}\n\n```text\n{command}\n```\n")
    return "".join(parts)


def _walk(command, name, context):
    context.terminal_width = context.max_content_width = 80
    yield name, command.get_help(context).replace("\b\n", "")
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            if inner := command.get_command(context, child):
                own = click.Context(inner, context, info_name=child)
                yield from _walk(inner, f"{name} {child}", own)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
