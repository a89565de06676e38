"""The representations that can stand before a backbone, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import keras

from npr_keras.errors import ConfigError
from npr_keras.tables import REPRESENTATIONS, load_code

_NOT_SHOWN = ("name", "trainable", "dtype", "data_format")


def make_representation(layer: str = "npr", **arguments) -> keras.layers.Layer:
    """A layer from (B, H, W, 3), float32 normalised pixels, to (B, H', W', C).

    Args:
        layer: One of `npr_keras.tables.REPRESENTATIONS`.
        **arguments: The layer's.

    Raises:
        ConfigError: If there is no such layer, or it does not take such arguments.
    """
    if not isinstance(layer, str) or layer not in REPRESENTATIONS:
        raise ConfigError(
            f"The representation must be one of {', '.join(REPRESENTATIONS)}. Received: {layer!r}"
        )
    made = load_code(REPRESENTATIONS[layer])
    arguments = getattr(made, "upgraded", dict)(arguments)
    known = [n for n in inspect.signature(made.__init__).parameters if n not in ("self", "kwargs")]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ConfigError(
            f"The representation {layer} has no {', '.join(unknown)}. "
            f"Known: {', '.join(known) or 'no argument'}"
        )
    if "data_format" in known:
        arguments = {"data_format": "channels_last", **arguments}
    return made(name="representation", **arguments)


def completed_config(class_name: str, config: Mapping) -> dict:
    """A layer's stored arguments with those that were added since; unknown layers stay as they are."""
    for code in REPRESENTATIONS.values():
        if code.endswith(f":{class_name}"):
            return load_code(code).from_config(dict(config)).get_config()
    return dict(config)


def representation_text(class_name: str, config: Mapping) -> str:
    """A layer as people write it, from its `get_config()`: `NPR(window=2, reference=1, ...)`."""
    shown = ", ".join(f"{k}={v}" for k, v in config.items() if k not in _NOT_SHOWN)
    return f"{class_name}({shown})"
