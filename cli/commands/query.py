"""`npr-keras query`."""

from __future__ import annotations

import sys

import click


@click.command("query")
@click.argument("images", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--url", required=True, help="grpc://host:8500/name or http://host:8501/name; grpcs, https."
)
@click.option(
    "--batch-size",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="Images in a request, at most.",
)
@click.option(
    "--timeout",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.01),
    help="Seconds for a request, repetitions included.",
)
@click.option(
    "--retries",
    default=5,
    show_default=True,
    type=click.IntRange(0),
    help="Where the server is away or has too much to do.",
)
@click.option("--ca-file", type=click.Path(), help="Certificates to check the server's against.")
@click.option("--cert-file", type=click.Path(), help="The client's own certificate.")
@click.option("--key-file", type=click.Path(), help="The client's own key.")
@click.option("--json", "form", flag_value="json", help="Print JSON, one object a line.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
def command(images, url, batch_size, timeout, retries, ca_file, cert_file, key_file, form):
    """Ask a server whether images were generated.

    Works with TensorFlow Serving and with npr-keras serve; files are sent as they are, - reads one
    image from standard input. Exit code 1 where one could not be decoded. To judge a served model
    on a set, or to have verdicts with reasons: npr-keras eval and predict take the address as
    --model.

    \b
    npr-keras query picture.jpg --url http://127.0.0.1:8501/npr
    npr-keras query *.png --url grpc://127.0.0.1:8500/npr/versions/2 --json
    """
    if images.count("-") > 1:
        raise click.UsageError("Standard input is one image: - can be given once.")
    from npr_keras.serving.client import Client
    from npr_keras_cli.query_view import readable, show_answers

    with Client(url, timeout, retries, ca_file, cert_file, key_file) as client:
        names, unread = [], {}
        answers = client.score(readable(images, names, unread), batch_size)
        if show_answers(answers, names, unread, form):
            sys.exit(1)
