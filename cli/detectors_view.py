"""The detectors as a table of 80 columns."""

from __future__ import annotations

from npr_keras_cli.console import stdout, wrapped


def show_detectors(rows: list[dict]) -> None:
    """Prints a line for each row of `npr_keras.detectors.DETECTORS`, and where it is from."""
    measured = "parameters" in rows[0]
    more = f"{'parameters':>13}{'images/s':>10}" if measured else ""
    stdout().print(f"{'name':17}{'map':16}{'backbone':13}{'fitted':9}" + more, style="bold")
    for row in rows:
        line = f"{row['name']:17}{row['representation']['layer']:16}"
        line += f"{row['backbone']['backbone']:13}{row['fitted']:9}"
        if measured:
            line += f"{row['parameters']:>13,}{row['images_per_second']:>10.1f}"
        stdout().print(line, markup=False)
    stdout().print()
    for row in rows:
        weights = f" Published weights: licence {row['weights']}." if row["weights"] else ""
        text = f"{row['name']}: {row['source']}.{weights}"
        stdout().print(wrapped(text), markup=False, soft_wrap=True, style="dim")
