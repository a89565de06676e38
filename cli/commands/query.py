"""`npr-keras query`."""

from __future__ import annotations

import sys

import click

from npr_keras_cli.options import null_option


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
    help="Maximum images in a request.",
)
@click.option(
    "--timeout",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.01),
    help="Seconds for a request, retries included.",
)
@click.option(
    "--retries",
    default=5,
    show_default=True,
    type=click.IntRange(0),
    help="Retries when the server is unavailable or overloaded.",
)
@click.option("--ca-file", type=click.Path(), help="Certificates to check the server's against.")
@click.option("--cert-file", type=click.Path(), help="The client's own certificate.")
@click.option("--key-file", type=click.Path(), help="The client's own key.")
@click.option(
    "--token-file",
    default="",
    type=click.Path(),
    help="The server's bearer token.  [default: NPR_TOKEN]",
)
@null_option
@click.option("--json", "form", flag_value="json", help="Print JSON, one object a line.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
def command(images, url, batch_size, timeout, retries, null, form, token_file, **certificates):
    """Ask a server whether images were generated.

    Works with TensorFlow Serving and with npr-keras serve. Files are sent as they are; what the
    score means is concluded here, from the same bytes, as npr-keras predict does. Images, folders,
    and - for standard input: paths, one a line, or one image. Exit code 1 if one could not be read.

    \b
    npr-keras query photo.jpg --url http://127.0.0.1:8501/npr
    npr-keras query *.png --url grpc://127.0.0.1:8500/npr/versions/2 --json
    """
    from npr_keras.client.client import Client
    from npr_keras.data.walk import Skipped
    from npr_keras.scoring.remote import profile_of, served_predictions
    from npr_keras.serving.access import read_token
    from npr_keras_cli.predictions_view import show_predictions
    from npr_keras_cli.standard_input import given_paths

    skipped, token = Skipped(), read_token(token_file) or None
    with (
        Client(url, timeout, retries, **certificates, token=token) as client,
        given_paths(images, null) as (files, names),
    ):
        client = client.pinned()  # the profile and all scores are one version's
        profile = profile_of(client)
        found = served_predictions(client, files, batch_size, skipped=skipped)
        if show_predictions(found, profile, profile.preprocessing, form, names, skipped):
            sys.exit(1)
