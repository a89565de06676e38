"""Which backend Keras runs on: settled before anything imports Keras."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import click

from npr_keras.errors import ConfigError
from npr_keras.packages import BACKENDS, is_installed, require

_GIVEN = frozenset(os.environ)  # before this process sets any


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
        installed = [b for b in BACKENDS if is_installed(b)] or BACKENDS
        name, origin = _keras_setting(), "the default"
        name = name if name in installed else installed[0]
    if name not in BACKENDS:
        raise ConfigError(f"{origin}: unknown backend {name!r}. Known: {', '.join(BACKENDS)}.")
    require(f"The {name} backend ({origin})", name)
    os.environ["KERAS_BACKEND"] = name
    return name


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow, if it is installed, without its start-up messages.

    Its C++ side writes to stderr whatever the log level, in the middle of our tables. A user who
    sets TF_CPP_MIN_LOG_LEVEL wants to see for himself; a failing import shows all it wrote.
    """
    if _logs_wanted() or not is_installed("tensorflow"):
        return
    # Beyond "2" nothing is lost: what stops TensorFlow is raised in Python, and what it calls an
    # error and goes on after (an optimisation that was not made) is no news to a user.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Python's stays as it is: loggers that are made now keep it.
    with native_stderr_kept(python=False) as kept:
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")  # of retracing, where one detector follows another
        except BaseException:
            kept.seek(0)
            sys.stderr.write(kept.read().decode("utf-8", "replace"))
            raise


@contextlib.contextmanager
def native_stderr_kept(python: bool = True):
    """Keeps what C++ libraries write to stderr in a file, which it gives; Python still writes to the
    terminal, unless `python` is False.

    A user who sets TF_CPP_MIN_LOG_LEVEL sees all of it.
    """
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(tempfile.TemporaryFile())
        if not _logs_wanted():
            sys.stderr.flush()
            terminal = os.dup(2)
            shown = stack.enter_context(open(terminal, "w", errors="backslashreplace"))
            stack.callback(os.dup2, terminal, 2)
            if python and _is_stderr(sys.stderr):
                stack.enter_context(contextlib.redirect_stderr(shown))
            os.dup2(kept.fileno(), 2)
        yield kept


def is_backend_chosen() -> bool:
    """Whether the user said what Keras is to run on, rather than anything that scores."""
    source = click.get_current_context().get_parameter_source("backend")
    return source is click.core.ParameterSource.COMMANDLINE or "KERAS_BACKEND" in _GIVEN


def open_quietly(model, light=False):
    """`npr_keras.open_predictor`, without what its runtime writes to stderr.

    Args:
        model: See there.
        light: Whether NumPy alone may do, where it can (`npr_keras.runtimes.light`).
    """
    from npr_keras.runtimes.open import needs_tensorflow, open_light_predictor, open_predictor

    if light and (predictor := open_light_predictor(model)):
        return predictor
    if needs_tensorflow(model):
        import_tensorflow_quietly()
    with native_stderr_kept():
        predictor = open_predictor(model)
        if os.path.splitext(model)[1].lower() == ".tflite":  # LiteRT speaks at its first run
            import numpy as np

            side = predictor.preprocessing.fixed_size or 32
            predictor.predict(np.zeros((1, side, side, 3), np.uint8))
    return predictor


def _logs_wanted() -> bool:
    # "3" is our own, here or in the process that started this one.
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") != "3"


def _is_stderr(stream) -> bool:
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError):  # a test's
        return False


def _keras_setting() -> str | None:
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return json.loads(file.read_text()).get("backend")
    except (OSError, ValueError):
        return None
