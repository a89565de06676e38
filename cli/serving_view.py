"""The embedded server as its owner sees it: a banner, what happens to versions, an orderly end."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys

from npr_keras.errors import ConfigError
from npr_keras.packages import require
from npr_keras_cli.console import say, warn

TFS_IMAGE = "tensorflow/serving:2.20.0"  # the newest; what exports load in: docs/serving.md
_PACKAGES = ("starlette", "uvicorn", "prometheus_client", "grpc_health", "tensorflow_serving")


def require_serving() -> None:
    """Raises MissingPackageError unless all that the server needs is installed."""
    require("The server", *_PACKAGES)


def show_banner(server) -> None:
    """Says where a started server can be asked."""
    settings = server.settings
    host, name, s = settings.host, server.models[0].name, "s" if settings.tls else ""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    say(
        "A stand-in for TensorFlow Serving, for laptops and tests. The real one serves\n"
        "the same folder: npr-keras serve MODEL --print-tf-serving\n\n"
        f"  REST  http{s}://{shown}:{server.rest_port}/v1/models/{name}\n"
        f"  gRPC  {shown}:{server.grpc_port}\n\n"
        f"  npr-keras query IMAGE --url http{s}://{shown}:{server.rest_port}/{name}\n"
        f"  npr-keras query IMAGE --url grpc{s}://{shown}:{server.grpc_port}/{name}\n\n"
        "Ctrl-C ends it."
    )
    if settings.is_open:
        warn(
            "other machines reach this server, and whoever does may ask: --token-file, --client-ca-file."
        )


@contextlib.contextmanager
def access_log(target):
    """A function that writes a line for each request, or None."""
    if not target:
        yield None
        return
    with contextlib.ExitStack() as stack:
        file = sys.stdout
        if target != "-":
            file = stack.enter_context(open(target, "a", encoding="utf-8"))

        def write(entry: dict) -> None:
            file.write(json.dumps(entry) + "\n")
            file.flush()

        yield write


def tf_serving(models, settings: dict, model_config_file) -> str:
    """The command that makes TensorFlow Serving serve the same in the same way."""
    poll = f"--file_system_poll_wait_seconds={max(1, round(settings['poll_seconds']))}"
    if model_config_file:
        where = os.path.abspath(model_config_file)
        mounts = ["-v", f"{where}:{where}:ro"]
        for one in models:
            if not os.path.isabs(one.path):
                raise ConfigError(
                    f"{one.name}: TensorFlow Serving wants an absolute base_path. Received: {one.path}"
                )
            mounts += ["-v", f"{one.path}:{one.path}:ro"]
        what = [f"--model_config_file={where}", poll]
    else:
        (one,) = models
        if one.versions:
            raise ConfigError(
                "TensorFlow Serving serves one certain version by a model config file only "
                "(model_version_policy { specific { versions: 1 } }). Give the folder above, or "
                "--model-config-file."
            )
        mounts = ["-v", f"{one.path}:/models/{one.name}:ro"]
        what = [f"--model_name={one.name}", f"--model_base_path=/models/{one.name}", poll]
    everybody = settings["host"] in ("0.0.0.0", "::")
    host = "" if everybody else f"{settings['host']}:"
    rest, grpc = settings["rest_port"] or 8501, settings["grpc_port"] or 8500
    command = [
        "docker", "run", "--rm",
        *("-p", f"{host}{rest}:8501", "-p", f"{host}{grpc}:8500"),
        *mounts,
        *("-v", "$PWD/deploy/batching.config:/etc/npr/batching.config:ro"),
        *("-v", "$PWD/deploy/monitoring.config:/etc/npr/monitoring.config:ro"),
        *("--entrypoint", "tensorflow_model_server", TFS_IMAGE),
        "--port=8500", "--rest_api_port=8501", *what,
        "--enable_batching", "--batching_parameters_file=/etc/npr/batching.config",
        "--monitoring_config_file=/etc/npr/monitoring.config",
    ]  # fmt: skip
    lines: list[str] = []
    for part in command:
        text = f'"{part}"' if "$PWD" in part else shlex.quote(part)
        if lines and (not text.startswith("-") or text in ("--rm",)) and len(lines[-1]) < 60:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return (
        " \\\n    ".join(lines)
        + "\n\n# deploy/batching.config holds:\n"
        + "".join(f"#   {line}\n" for line in batching_lines(settings))
    )


def batching_lines(settings: dict) -> list[str]:
    """TF Serving's batching parameters for these settings."""
    return [
        f"max_batch_size {{ value: {settings['max_batch']} }}",
        f"batch_timeout_micros {{ value: {round(1000 * settings['batch_timeout_ms'])} }}",
        # There whole batches wait, here requests.
        f"max_enqueued_batches {{ value: {-(-settings['max_queue'] // settings['max_batch'])} }}",
        f"num_batch_threads {{ value: {os.cpu_count() or 1} }}",
    ]
