"""`npr-keras models`."""

from __future__ import annotations

import hashlib
import sys

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly


@click.group("models", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx, as_json):
    """List detectors that have names, which --model takes; fetch, verify and remove them.

    One of them comes with this package, and is what predict takes where no model is named; the
    environment variable NPR_MODEL names another. Nothing is downloaded unless you ask for it by name.

    \b
    npr-keras models
    npr-keras models download ferretnet
    npr-keras eval --model npr-lab --model ferretnet --data DIR
    """
    if ctx.invoked_subcommand:
        return
    import dataclasses

    from npr_keras.presets import default_model, presets
    from npr_keras.report.text import json_text
    from npr_keras_cli.models_view import show_presets

    if as_json:
        rows = [
            {**dataclasses.asdict(p), "here": p.path.exists(), "path": str(p.path)}
            for p in presets().values()
        ]
        click.echo(json_text({"default": default_model(), "models": rows}), nl=False)
    else:
        show_presets(presets().values(), default_model())


@command.command("download")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@backend_option
def download(names, yes, backend):
    """Fetch detectors by their names, and make them files of ours.

    The address and the licence are shown first. What comes is compared with the digest that this
    version knows.
    """
    from npr_keras.packages import require
    from npr_keras.presets import get_preset
    from npr_keras_cli.console import say

    chosen = [get_preset(name) for name in names]
    for preset in chosen:
        say(f"{preset.name}: {preset.title}\n  from     {preset.address or 'this package'}")
        say(f"  licence  {preset.licence}")
    wanted = [preset for preset in chosen if preset.address and not preset.path.exists()]
    if wanted:
        require("A checkpoint", "torch", "requests")
    if wanted and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody is there to be asked: give --yes to begin.")
        click.confirm("Begin?", abort=True, err=True)
    if wanted:
        import_tensorflow_quietly()
    for preset in wanted:
        _bring(preset)
    for preset in chosen:
        say(f"Here: {preset.path}")


def _bring(preset) -> None:
    from npr_keras.atomic import write_text
    from npr_keras.detectors import get_method
    from npr_keras.download.presets import fetch_checkpoint
    from npr_keras.models import save_detector
    from npr_keras.models.official import from_state_dict
    from npr_keras.models.pth import load_pth
    from npr_keras.training.methods import detector_for
    from npr_keras_cli.console import progress_bar

    with progress_bar() as bar:
        task = bar.add_task(preset.name, total=None, note="")
        file = fetch_checkpoint(preset, lambda came: bar.update(task, advance=came))
    method = get_method(preset.method)
    detector = detector_for(method)
    from_state_dict(detector, load_pth(file), method.fake_class)
    save_detector(detector, preset.path)
    digest = hashlib.sha256(preset.path.read_bytes()).hexdigest()
    write_text(preset.digest_file, digest + "\n")


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names):
    """Compare the files that are here with their digests. Exit code 1 if one differs."""
    from npr_keras.presets import get_preset, presets
    from npr_keras_cli.console import say

    wrong = 0
    for preset in [get_preset(name) for name in names] or presets().values():
        if not preset.path.exists():
            say(f"{preset.name}: not here")
        elif preset.is_whole():
            say(f"{preset.name}: as it should be")
        else:
            wrong += 1
            say(f"{preset.name}: another file than it was when it came: {preset.path}")
    sys.exit(int(wrong > 0))


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names):
    """Remove what was fetched; what comes with this package stays."""
    from npr_keras.errors import ConfigError
    from npr_keras.presets import get_preset
    from npr_keras_cli.console import say

    for preset in [get_preset(name) for name in names]:
        if preset.file:
            raise ConfigError(f"{preset.name} comes with this package, and stays.")
        for file in preset.path.parent.glob(f"{preset.name}.*"):
            file.unlink()
        say(f"Removed {preset.name}")
