"""`npr-keras serve`."""

from __future__ import annotations

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
    from npr_keras_cli.serving_view import require_serving, run_server, served_models, tf_serving

    models = served_models(model, name, model_config_file)
    if print_tf_serving:
        click.echo(tf_serving(models, settings, model_config_file))
        return
    require_serving()
    import_tensorflow_quietly()
    run_server(models, settings, access_log)
