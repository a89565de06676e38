"""Detectors that have names, as a table of 80 columns."""

from __future__ import annotations

from npr_keras_cli.console import say, stdout, wrapped


def show_presets(presets, default: str) -> None:
    """Prints a line for each, then where it is from."""
    stdout().print(f"{'name':16}{'here':8}{'trained on':30}licence", style="bold")
    for preset in presets:
        here = "yes" if preset.path.exists() else "no"
        name = preset.name + (" *" if preset.name == default else "")
        licence = preset.licence.partition(":")[0]
        line = f"{name:16}{here:8}{preset.trained_on[:29]:30}{licence}"
        stdout().print(line, markup=False)
    stdout().print()
    for preset in presets:
        source = preset.address or "comes with this package"
        text = wrapped(f"{preset.name}: {preset.title}. {source}")
        stdout().print(text, markup=False, soft_wrap=True, style="dim")
    if default:
        say("\n* is meant where no model is named.")
