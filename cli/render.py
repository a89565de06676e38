"""Results as tables for people, and as JSON and CSV for programs."""

from __future__ import annotations

import shlex
import sys

from npr_keras_cli.console import stdout


def show_speed(found: dict, backend: str, models: int = 0) -> None:
    """Prints images a second, their spread, ratios, and how far they are from the machine's limit.

    Args:
        found: As `measure` gives it.
        backend: What ours ran on.
        models: How many of the first ones are models that were named; each is then a multiple of
            plain PyTorch, otherwise ours is one of each of the others.
    """
    rates, limits = found["images_per_second"], found["limits"]
    head = "x PyTorch" if models else "ours is"
    stdout().print(f"{'':31}{'images/s':>9}{'spread':>15}{head:>12}{'of limit':>11}", style="bold")
    first, *others = rates.values()
    for i, (name, rate) in enumerate(rates.items()):
        ratio = ""
        if models:
            ratio = (
                f"{rate / others[models - 1]:.2f} x" if len(rates) > models and i < models else ""
            )
        elif i:
            ratio = f"{first / rate:.2f} x"
        shown = name if models or i else f"{name} ({backend})"
        low, high = found["spread"][name]
        limit = limits.get(found["precision"][name])
        share = f"{rate / limit['images_per_second']:.0%}" if limit else ""
        spread = f"{low:.1f}-{high:.1f}"
        stdout().print(
            f"{shown[-30:]:31}{rate:>9.1f}{spread:>15}{ratio:>12}{share:>11}", markup=False
        )
    for kind, limit in limits.items():
        stdout().print(
            f"{f'the limit, {kind}':31}{limit['images_per_second']:>9.1f}   "
            f"{limit['operations'] / 1e9:,.0f} G/s ({limit['multiplied']}), {limit['image'] / 1e9:.2f} G each",
            markup=False,
        )
    if len(rates) <= max(1, models):
        stdout().print('PyTorch is not installed: pip install "npr-keras[torch]"', markup=False)


def show_loading_speed(rates: dict[str, float]) -> None:
    """Prints images a second as `measure_data` gives them: one thread's, the limit, the ways, the network's."""
    _, limit, *_ = rates.values()
    network = list(rates.values())[-1]
    stdout().print(f"{'':38}{'images/s':>10}{'of limit':>11}{'x network':>12}", style="bold")
    for i, (name, rate) in enumerate(rates.items()):
        share = f"{rate / limit:.0%}" if 1 <= i < len(rates) - 1 else ""
        times = f"{rate / network:.1f} x" if i < len(rates) - 1 else ""
        stdout().print(f"{name:38}{rate:>10.1f}{share:>11}{times:>12}", markup=False)


def show_fields(fields: dict) -> None:
    """Prints a dict as aligned lines; a dict inside it gets lines of its own, indented."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if isinstance(value, dict):
            inner = max(map(len, value), default=0)
            lines = [f"{key.ljust(inner)}  {_field(entry)}" for key, entry in value.items()]
        elif isinstance(value, list):
            lines = list(map(_field, value))
        else:
            lines = [_field(value)]
        for i, line in enumerate(lines or ["none"]):
            stdout().print(
                f"{name if i == 0 else '':{width}}  {line}", markup=False, soft_wrap=True
            )


def _field(value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(_field, value)) if isinstance(value, (list, tuple)) else str(value)


def command_line() -> str:
    """What was typed, as it can be typed again."""
    return shlex.join(["npr-keras", *sys.argv[1:]])


def show_startup(found: dict[str, dict]) -> None:
    """Prints `npr_keras.bench.startup.measure_startup`."""
    stdout().print(f"{'':40}{'seconds':>9}{'spread':>15}{'MB':>8}", style="bold")
    for name, one in found.items():
        spread = f"{one['low']:.2f}-{one['high']:.2f}"
        stdout().print(
            f"{name[-39:]:40}{one['seconds']:>9.2f}{spread:>15}{one['megabytes']:>8.0f}",
            markup=False,
        )


def show_batch(model: str, found: dict[str, list[float]]) -> None:
    """Prints `npr_keras.bench.batch.measure_batch` of a model."""
    stdout().print(f"{model[-15:]:16}{'images/s':>10}{'MB':>8}", style="bold")
    rows = zip(found["images_per_second"], found["megabytes"], strict=True)
    for number, (rate, memory) in enumerate(rows, 1):
        stdout().print(f"{f'{number} of 10':16}{rate:>10.1f}{memory:>8.0f}", markup=False)


def show_machine(found: dict) -> None:
    """Prints what was measured on, a line."""
    extra = f", {' '.join(found['instructions'])}" if found["instructions"] else ""
    stdout().print(
        f"{found['processor']}, {found['cores']} cores{extra}; {found['memory']}, "
        f"{found['copied_bytes_per_second'] / 1e9:.0f} GB/s",
        markup=False,
        style="dim",
    )


def show_serving_speed(found: dict) -> None:
    """Prints `npr_keras.bench.serving.measure_serving`."""
    rows = [
        ("the SavedModel alone, in batches", f"{found['alone']:.1f} images/s"),
        ("served by gRPC, one image a request", f"{found['served']:.1f} images/s"),
        ("", f"{100 * found['ratio']:.0f} %"),
        (f"latency at {found['load']:.1f} images/s, p50", f"{found['p50']:.0f} ms"),
        ("p95", f"{found['p95']:.0f} ms"),
        ("p99", f"{found['p99']:.0f} ms"),
    ]
    rows += [(f"failed, {code}", str(count)) for code, count in found["failed"].items()]
    for name, value in rows:
        stdout().print(f"{name:44}{value:>18}", markup=False)
