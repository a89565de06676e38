"""`npr-keras serve`."""

from __future__ import annotations

import asyncio
import signal

import click

from npr_keras_cli.backend import import_tensorflow_quietly


@click.command("serve")
@click.argument("model", required=False, type=click.Path())
@click.option("--name", help="What clients call it.  [default: the folder's name]")
@click.option(
    "--model-config-file",
    type=click.Path(),
    help="Instead of MODEL: several models, versions and labels, as TF Serving reads it.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 for all interfaces.",
)
@click.option(
    "--rest-port",
    default=8501,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port for REST; 0 for any free one.",
)
@click.option(
    "--grpc-port",
    default=8500,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port for gRPC; 0 for any free one.",
)
@click.option(
    "--max-batch",
    default=32,
    show_default=True,
    type=click.IntRange(1),
    help="Images that are run together, at most.",
)
@click.option(
    "--batch-timeout-ms",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0, 10_000),
    help="How long a request waits for others.",
)
@click.option(
    "--max-queue",
    default=256,
    show_default=True,
    type=click.IntRange(1),
    help="Requests that wait; one more is refused (429, RESOURCE_EXHAUSTED).",
)
@click.option(
    "--max-request-mb",
    default=64,
    show_default=True,
    type=click.IntRange(1, 2000),
    help="Size of a request, at most.",
)
@click.option(
    "--max-pixels",
    default=40_000_000,
    show_default=True,
    type=click.IntRange(1),
    help="An encoded image that declares more counts as unreadable.",
)
@click.option(
    "--poll-seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05),
    help="Between looks for new versions.",
)
@click.option(
    "--cors-origin",
    metavar="ORIGIN",
    help='Let pages of this origin ask from a browser; "*" for all.  [default: none]',
)
@click.option("--access-log", type=click.Path(), help="A JSON line for each request; - is stdout.")
@click.option(
    "--print-tf-serving",
    is_flag=True,
    help="Print how TensorFlow Serving would be started to do the same, and end.",
)
def command(model, name, model_config_file, print_tf_serving, access_log, **settings):
    """Serve exported models as TensorFlow Serving does: same files, same protocol.

    For laptops and tests; for production run TensorFlow Serving on the same folder
    (--print-tf-serving, docs/serving.md). A new version in the folder is loaded before the old one
    goes. Ctrl-C or SIGTERM finishes pending requests, then exits.

    \b
    npr-keras export saved_models/npr
    npr-keras serve saved_models/npr
    npr-keras query picture.jpg --url http://127.0.0.1:8501/npr
    """
    from npr_keras.server.model_config import read_model_config
    from npr_keras.server.models import models_in
    from npr_keras_cli.serving_view import require_serving, tf_serving

    if (model is None) == (model_config_file is None):
        raise click.UsageError("What to serve: either MODEL or --model-config-file FILE.")
    if model_config_file and name:
        raise click.UsageError("--name goes with MODEL; a model config file has its own names.")
    models = read_model_config(model_config_file) if model_config_file else models_in(model, name)
    if print_tf_serving:
        click.echo(tf_serving(models, settings, model_config_file))
        return
    require_serving()
    import_tensorflow_quietly()
    _serve(models, settings, access_log)


def _serve(models, given: dict, log) -> None:
    """Serves until a signal comes."""
    from npr_keras.server.server import Server, ServerSettings
    from npr_keras_cli.console import say
    from npr_keras_cli.serving_view import access_log, show_banner

    settings = ServerSettings(
        host=given["host"],
        rest_port=given["rest_port"],
        grpc_port=given["grpc_port"],
        max_batch=given["max_batch"],
        batch_timeout=given["batch_timeout_ms"] / 1000,
        max_queue=given["max_queue"],
        max_request=given["max_request_mb"] << 20,
        max_pixels=given["max_pixels"],
        poll=given["poll_seconds"],
        cors_origin=given["cors_origin"] or "",
    )

    async def run(server) -> None:
        def stop():
            say("Shutting down: finishing pending requests.")
            server.stop()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        await server.run(lambda: show_banner(server))
        say("Stopped.")

    with access_log(log) as access:
        asyncio.run(run(Server(models, settings, say, access)))
