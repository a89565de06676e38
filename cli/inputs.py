"""Images that a command works on: found by the library, and said what was passed over."""

from __future__ import annotations

from pathlib import Path

from npr_keras_cli.backend import import_tensorflow_quietly
from npr_keras_cli.console import say, warn, warn_skipped
from npr_keras_cli.simulation_view import simulation_bar


def told(inputs):
    """An `npr_keras.inputs.Inputs`, after its warnings."""
    warn_skipped(inputs.skipped)
    for sentence in inputs.warnings:
        warn(sentence)
    return inputs


def sets_in(data, pool: bool, names=None) -> list:
    """The sets in a folder, or a table, of the user's."""
    from npr_keras.inputs import labelled_sets

    return told(labelled_sets(data, pool, names)).sets


def sets_of_suite(name: str, data_root: str | None, allow_missing: bool, pool: bool):
    """The sets of a suite, as `Inputs`."""
    from npr_keras.inputs import suite_sets

    if name == "simulated":
        made_simulated("suite")
    return told(suite_sets(name, data_root, allow_missing, pool))


def source_of(options: dict) -> Path:
    """The folder of the source that `--source` and `--data-root` name."""
    from npr_keras.inputs import source_folder

    if options["source"] == "simulated" and not Path("simulated").is_dir():
        made_simulated("source")
    return source_folder(options["source"], options["data_root"])


def made_simulated(part: str) -> tuple[Path, dict[str, dict]]:
    """The folder and reports of the simulated source or suite; says so where it is made first.

    Args:
        part: `"source"` or `"suite"`.
    """
    from npr_keras.simulation.builtin import is_made, simulated_folder

    if not is_made(part):
        say(f"The simulated {part} is made now, once, in\n  {simulated_folder(part)}")
    import_tensorflow_quietly()
    from npr_keras.simulation.builtin import make_simulated

    with simulation_bar() as show:
        return make_simulated(part, show)
