"""`npr-keras serve`."""

from __future__ import annotations

import asyncio
import signal

import click

from npr_keras.server.settings import ServerSettings
from npr_keras_cli.backend import import_tensorflow_quietly
from npr_keras_cli.options import model_argument, setting_options, trust_option

SHOWN = tuple(
    name for name in ServerSettings.__dataclass_fields__ if name not in ("drain", "model_root")
)


@click.command("serve")
@model_argument(required=False)
@click.option("--name", help="What clients call it.  [default: the folder's name]")
@click.option(
    "--model-config-file",
    type=click.Path(),
    help="Instead of MODEL: several models, versions and labels, as TF Serving reads it.",
)
@setting_options(ServerSettings, dict.fromkeys(SHOWN, ()))
@click.option(
    "--model-root",
    multiple=True,
    type=click.Path(file_okay=False),
    help=ServerSettings.__dataclass_fields__["model_root"].metadata["help"],
)
@trust_option
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
    _serve(models, ServerSettings(**settings), access_log)


def _serve(models, settings, log) -> None:
    """Serves until a signal comes."""
    from npr_keras.server.server import Server
    from npr_keras_cli.console import say
    from npr_keras_cli.serving_view import access_log, show_banner

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
