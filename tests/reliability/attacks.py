"""Hostile requests of `soak.py`, and the answer that belongs to each."""

import base64
import gzip
import io
import json
import zlib

import numpy as np
from corpus import bomb, chunk, png
from PIL import Image

from npr_keras.serving import messages
from npr_keras.serving.tensors import encode_tensor

MOST = 2 << 20  # bytes of a request
PREDICT = "/v1/models/npr:predict"


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def body_of(*images):
    rows = [{"b64": base64.b64encode(image).decode()} for image in images]
    return json.dumps({"instances": rows}).encode()


def rest_attacks(picture):
    """By name: path, body, headers, and the status that belongs to it; 200: a row that is not valid."""
    few = png(
        8,
        8,
        zlib.compress(bytes(200)),
        8,
        2,
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(9 << 20))),
    )
    return {
        "truncated": (PREDICT, body_of(picture[:50]), {}, 200),
        "a bomb": (PREDICT, body_of(bomb(_First())[1]), {}, 200),
        "a text bomb": (PREDICT, body_of(few[:-20]), {}, 200),
        "many scans": (PREDICT, body_of(b"\xff\xd8\xff" + b"\xff\xda" * 500), {}, 200),
        "no JSON": (PREDICT, body_of(picture)[:-3], {}, 400),
        "lists in lists": (PREDICT, b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}", {}, 400),
        "half a character": (PREDICT, b'{"instances": ["\\ud800"]}', {}, 400),
        "too many rows": (PREDICT, json.dumps({"instances": [""] * 5000}).encode(), {}, 400),
        "no such model": ("/v1/models/nobody:predict", body_of(picture), {}, 404),
        "no such signature": (PREDICT, b'{"signature_name": "x", ' + body_of(picture)[1:], {}, 400),
        "too large": (PREDICT, b"[" * (MOST + (1 << 20)), {}, 413),
        "a gzip bomb": (PREDICT, gzip.compress(bytes(300 << 20), 9), {"Content-Encoding": "gzip"}, 413),
        "no gzip": (PREDICT, b"x" * 100, {"Content-Encoding": "gzip"}, 400),
        "an odd path": ("/v1/models/../../etc/passwd:predict", body_of(picture), {}, 400),
        "a long name": (f"/v1/models/{'x' * 5000}", b"", {}, 400),
    }  # fmt: skip


class _First:
    """Draws the first of everything."""

    def choice(self, values):
        return values[0]


def grpc_attacks(picture):
    """By name: what is sent, and the code that belongs to it; None: a row that is not valid."""

    def request(name="npr", signature="", **inputs):
        made = messages.PredictRequest()
        made.model_spec.name, made.model_spec.signature_name = name, signature
        for key, value in inputs.items():
            encode_tensor(value, made.inputs[key])
        return made

    def images(data):
        array = np.empty(1, object)
        array[0] = data
        return array

    repeated = request(signature="pixels")
    proto = repeated.inputs["pixels"]
    proto.dtype = 4
    for size in (1, 4096, 4096, 3):
        proto.tensor_shape.dim.add().size = size
    proto.int_val.append(7)
    thin = np.zeros((1, 2, 300_000, 3), np.uint8)
    return {
        "truncated": (request(images=images(picture[:50])), None),
        "a bomb": (request(images=images(bomb(_First())[1])), None),
        "no such model": (request("nobody", images=images(picture)), "NOT_FOUND"),
        "no such signature": (request("npr", "x", images=images(picture)), "FAILED_PRECONDITION"),
        "no message": (b"\xff\xff\xff", "UNKNOWN"),  # gRPC's own
        "too large": (bytes(MOST + (1 << 20)), "RESOURCE_EXHAUSTED"),
        "one value for 16 million": (repeated, "INVALID_ARGUMENT"),
        "a thin picture": (request("npr", "pixels", pixels=thin), "INVALID_ARGUMENT"),
        "no input": (request(), "INVALID_ARGUMENT"),
    }
