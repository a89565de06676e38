"""Which backend Keras runs on: settled before anything imports Keras."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

import click

from npr_keras.errors import ConfigError, MissingPackageError

BACKENDS = ("tensorflow", "torch", "jax")


def backend_option(function):
    """`--backend`, settled while the command line is parsed."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        callback=lambda ctx, param, value: select_backend(value),
        help="Keras backend.  [default: KERAS_BACKEND, Keras' own setting, or what is installed]",
    )(function)


def select_backend(name: str | None = None) -> str:
    """Sets KERAS_BACKEND for this process, and keeps TensorFlow's start-up messages down.

    Raises:
        ConfigError: If KERAS_BACKEND names no backend that is known.
        MissingPackageError: If the backend's package is not installed.
    """
    origin = "--backend"
    if name is None:
        name, origin = os.environ.get("KERAS_BACKEND"), "KERAS_BACKEND"
    if not name:
        # Keras writes its default there on its first import, so it may be nobody's choice.
        installed = [b for b in BACKENDS if importlib.util.find_spec(b)] or BACKENDS
        name, origin = _keras_setting(), "the default"
        name = name if name in installed else installed[0]
    if name not in BACKENDS:
        raise ConfigError(f"{origin}: unknown backend {name!r}. Known: {', '.join(BACKENDS)}.")
    if importlib.util.find_spec(name) is None:
        extra = "tensorflow" if name == "tensorflow" else f'"npr-keras[{name}]"'
        raise MissingPackageError(
            f"The {name} backend ({origin}) needs a package that is not installed. "
            f"pip install {extra}"
        )
    os.environ["KERAS_BACKEND"] = name
    return name


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow, if it is installed, without its start-up messages.

    Its C++ side writes to stderr whatever the log level, in the middle of our tables. A user who
    sets TF_CPP_MIN_LOG_LEVEL wants to see for himself; a failing import shows all it wrote.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or importlib.util.find_spec("tensorflow") is None:
        return
    # Beyond "2" nothing is lost: what stops TensorFlow is raised in Python, and what it calls an
    # error and goes on after (an optimisation that was not made) is no news to a user.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _keras_setting() -> str | None:
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return json.loads(file.read_text()).get("backend")
    except (OSError, ValueError):
        return None
