"""Reconstruction as a person reads it: what was made, and what it can be made by."""

from __future__ import annotations

import shlex
import textwrap

from npr_keras_cli.console import say, say_command, stdout


def show_pairs(report: dict, out: str) -> None:
    """Prints a line for each decoder, and what comes next."""
    stdout().print(f"{'decoder':40}{'pairs':>8}{'PSNR, dB':>11}", style="bold")
    for name, row in report["decoders"].items():
        psnr = f"{row['psnr']:.1f}" if row["psnr"] is not None else "–"
        stdout().print(f"{name[:39]:40}{row['pairs']:>8,}{psnr:>11}", markup=False)
    say(f"\nMade: {out}\nTrain on it with:")
    say_command(f"  npr-keras train --source {shlex.quote(out)} --pairs --recipe robust")


def show_decoders(rows) -> None:
    """Prints each kind: what it up-samples by, what it is made of, where that is from."""
    stdout().print(f"{'kind':13}{'up-samples by':18}files", style="bold")
    for kind, row in rows.items():
        first, *rest = textwrap.wrap(f"{row.what}. {row.source}", 49)
        stdout().print(f"{kind:13}{row.operator:18}{first}", markup=False, soft_wrap=True)
        for line in rest:
            stdout().print(f"{'':31}{line}", markup=False, soft_wrap=True)
    stdout().print(
        "\nname:kind=FILES names the folder of pairs. The ending tells .pth, .onnx and .keras.",
        style="dim",
    )
