"""TensorFlow Serving's model config file."""

from __future__ import annotations

import os
from pathlib import Path

from npr_keras.errors import ConfigError
from npr_keras.server.models import ModelSettings


def read_model_config(path: str | os.PathLike) -> list[ModelSettings]:
    """Reads a `--model_config_file`: a ModelServerConfig as text.

    Raises:
        ConfigError: If it cannot be read, or asks for what there is not.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"Cannot read the model config file {os.fspath(path)}: {error}"
        ) from error
    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise ConfigError(
            f"{os.fspath(path)} is no model config (a ModelServerConfig as text): {error}"
        ) from error
    try:
        return read_settings(config)
    except ConfigError as error:
        raise ConfigError(f"{os.fspath(path)}: {error}") from error


def read_settings(config) -> list[ModelSettings]:
    """The models of a ModelServerConfig."""
    if not config.HasField("model_config_list"):
        raise ConfigError("Expected a model_config_list with one config for each model.")
    if not config.model_config_list.config:
        raise ConfigError("The model_config_list names no model.")
    return [_settings(one) for one in config.model_config_list.config]


def _settings(one) -> ModelSettings:
    if not one.name or not one.base_path:
        raise ConfigError(
            f"Each config has a name and a base_path. Received: {one.name!r}, {one.base_path!r}"
        )
    if one.model_platform not in ("", "tensorflow"):
        raise ConfigError(
            f'{one.name}: expected model_platform: "tensorflow". Received: {one.model_platform!r}'
        )
    policy = one.model_version_policy
    latest = 1
    versions: tuple[int, ...] = ()
    if policy.HasField("latest"):
        latest = max(1, policy.latest.num_versions)
    elif policy.HasField("all"):
        versions = (-1,)
    elif policy.HasField("specific"):
        versions = tuple(policy.specific.versions)
        if not versions:
            raise ConfigError(f"{one.name}: the policy `specific` names no version.")
    return ModelSettings(one.name, one.base_path, latest, versions, dict(one.version_labels))
