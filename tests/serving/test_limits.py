"""What is too much for a server: each has its own answer, and disturbs nobody."""

import base64
import io
import json
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from npr_keras.client.client import Client
from npr_keras.errors import ServingError
from npr_keras.limits import MOST_ROWS, MOST_VALUES
from npr_keras.server.servable import Servable

from .conftest import post, wait_for


def test_limits(start, pictures):
    """Bodies, messages and pictures that are too large, each with its own answer."""
    server = start(max_request_mb=1, max_pixels=100 * 100)
    status, body = post(server, b"[" * (3 << 20))
    assert status == 413
    assert body["error"] == "The request's body is larger than 1,048,576 bytes."
    for size in ((1 << 20) + 1, (1 << 20) + 50_000):  # in the last part that comes
        status, body = post(server, b"[" * size)
        assert (status, body["error"][:30]) == (413, "The request's body is larger t")
    with Client(server.grpc(), retries=5) as client:
        with pytest.raises(ServingError) as error:
            list(client.score([bytes(2 << 20)]))
        assert error.value.code == "RESOURCE_EXHAUSTED"
        file = io.BytesIO()
        Image.new("RGB", (101, 100)).save(file, "PNG")
        large, small, bomb = client.score([file.getvalue(), pictures[0], png_bomb()])
        with pytest.raises(ServingError, match="102 x 100 pixels are more than the 10,000"):
            client.predict({"pixels": np.zeros((1, 100, 102, 3), np.uint8)}, "pixels")
    assert (large.valid, small.valid, bomb.valid) == (False, True, False)
    odd = file.getvalue().replace(b"IDAT", b"tEXt", 1)  # Pillow refuses it
    rows = [{"image/encoded": {"b64": base64.b64encode(d).decode()}} for d in (odd, png_bomb())]
    body = json.dumps({"signature_name": "classify", "examples": rows})
    status, answer = post(server, body, "/v1/models/npr:classify")
    assert status == 200
    assert all(np.isnan(score) for row in answer["results"] for _, score in row)


def test_bombs_are_not_decoded(exported):
    """Found by what they declare, wherever they are wrapped."""
    import tensorflow as tf

    from npr_keras.data.declared import declared
    from npr_keras.server.service import _images_in

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[png_bomb()]))
    example = tf.train.Example(features=tf.train.Features(feature={"x": feature}))
    assert _images_in(example.SerializeToString()) == [png_bomb()]
    assert _images_in(b"\nno example") == []
    assert declared(png_bomb()).total == 60_000**2
    spoilt = png_bomb()[:29] + b"\0\0\0\0" + png_bomb()[33:]  # the header's checksum
    assert declared(spoilt).total == 60_000**2
    assert declared(b"no image" * 9).total == 0


def test_too_many_rows(start):
    """Refused before arrays are made of them, by REST and by gRPC, compressed or not."""
    server = start()
    many = MOST_ROWS + 1
    said = f"{many:,} rows are more than the {MOST_ROWS:,} that a request may have."
    for key in ("instances", "inputs"):
        status, answer = post(server, json.dumps({key: [""] * many}))
        assert (status, answer["error"]) == (400, said)
    body = {"signature_name": "classify", "examples": [{"a": 1}] * many}
    status, answer = post(server, json.dumps(body), "/v1/models/npr:classify")
    assert (status, answer["error"]) == (400, said)
    client = Client(server.grpc(), retries=1)
    with client, pytest.raises(ServingError, match="rows are more than the"):
        client.predict({"images": np.full(many, b"", object)})


def test_json_of_many_values(start):
    """Counted before it is parsed: each would take 40 bytes or more."""
    status, answer = post(start(), b"[" + b"[]," * (MOST_VALUES // 2 + 1) + b"[]]")
    assert status == 400 and "are more than the 8,388,608 that JSON may have" in answer["error"]


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        "[1.5, 1" + 400 * "0" + "]",
        "[[1], 2]",
        "{}",
        '{"b64": 1}',
        '{"b64": "\\ud800"}',
        "null",
    ],
)
def test_examples_that_are_none(running, text):
    """Half of a character, a number that is no float, mixtures: the client's fault, and told so."""
    for name in ("x", "\\ud800"):
        body = '{"signature_name": "classify", "examples": [{"' + name + '": ' + text + "}]}"
        status, answer = post(running, body, "/v1/models/npr:classify")
        assert status == 400 and answer["error"], body


def test_lists_in_lists_in_lists(running):
    """As deep as JSON goes."""
    for depth in (100, 900, 990):
        status, _ = post(running, '{"instances": ' + "[" * depth + '""' + "]" * depth + "}")
        assert status == 400


def test_an_error_of_the_servers_own(start, monkeypatch, pictures):
    """INTERNAL, without a word of where: that is for the log."""
    server = start()

    def broken(*arguments):
        raise RuntimeError("/secret/folder/model.py is broken")

    monkeypatch.setattr("npr_keras.server.service.Service.find", broken)
    status, answer = post(server, '{"instances": [""]}')
    assert (status, answer["error"]) == (500, "An error of the server's own; its log says more.")
    with Client(server.grpc(), retries=0) as client, pytest.raises(ServingError) as error:
        list(client.score(pictures[:1]))
    assert error.value.code == "INTERNAL" and "secret" not in str(error.value)
    assert sum("/secret/folder" in line for line in server.lines) == 2


def test_large_pictures_go_alone(start, monkeypatch):
    """On their own thread, one by one, and the memory is given back behind each."""
    monkeypatch.setattr("npr_keras.server.service._LARGE", 100 * 100)
    given = []
    monkeypatch.setattr("npr_keras.server.server.give_memory_back", lambda: given.append(1))
    server = start()
    file = io.BytesIO()
    Image.new("RGB", (101, 100)).save(file, "PNG")
    with Client(server.grpc()) as client:
        assert all(answer.valid for answer in client.score([file.getvalue()] * 3))
        assert len(given) == 3
        client.predict({"pixels": np.zeros((2, 100, 102, 3), np.uint8)}, "pixels")
        assert len(given) == 5
        client.predict({"pixels": np.zeros((2, 64, 64, 3), np.uint8)}, "pixels")
        assert len(given) == 5


def test_why_a_graph_fails_is_said(start):
    body = {"signature_name": "activation", "instances": [[[[1, 2, 3]]]]}
    status, answer = post(start(), json.dumps(body))
    assert status == 400
    assert "Detected at node" not in answer["error"]
    assert len(answer["error"]) > 20


def test_who_gives_up_is_not_served(start, pictures):
    """A deadline that passed: CANCELLED in the log, and no work for nobody."""
    server = start(max_batch=1, batch_timeout_ms=0)

    def give_up():
        with Client(server.grpc(), timeout=0.05, retries=0) as client:
            with pytest.raises(ServingError) as error:
                list(client.score(pictures[1:2] * 8))
            assert error.value.code == "DEADLINE_EXCEEDED"

    threads = [threading.Thread(target=give_up) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those that the server has heard of at all.
    wait_for(lambda: "CANCELLED" in {entry["code"] for entry in server.entries})
    with Client(server.grpc()) as client:
        assert next(client.score(pictures)).valid


def png_bomb(side=60_000):
    """A few bytes that declare a picture of 11 GB."""

    def chunk(kind, data):
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_too_many_wait(start, pictures):
    """Beyond the queue: 429 and RESOURCE_EXHAUSTED; who asks again is answered."""
    server = start(max_queue=1, max_batch=1, batch_timeout_ms=0)
    body = json.dumps({"instances": [{"b64": base64.b64encode(pictures[1]).decode()}] * 40})
    found, errors = [], []

    def ask():
        found.append(post(server, body)[0])

    def ask_again():
        with Client(server.grpc(), retries=50, timeout=60) as client:
            errors.extend(a for a in client.score(pictures[:1]) if not a.valid)

    threads = [threading.Thread(target=f) for f in [ask] * 8 + [ask_again] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {200, 429}
    assert errors == []
    assert "RESOURCE_EXHAUSTED" in {entry["code"] for entry in server.entries}


def test_a_model_that_does_more_than_compute(tmp_path, invoke, monkeypatch):
    """Not served, and why is said; with --trust it is asked as any other."""
    import tensorflow as tf

    monkeypatch.delenv("NPR_TRUST", raising=False)

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
        def images(self, images):
            tf.io.write_file(str(tmp_path / "written"), "by a model")
            return {"logit": tf.zeros(tf.shape(images))}

    module = Module()
    tf.saved_model.save(
        module, str(tmp_path / "m" / "1"), signatures={"serving_default": module.images}
    )
    with pytest.raises(ServingError, match="does more than compute: it holds WriteFile"):
        Servable(tmp_path / "m" / "1")
    monkeypatch.setenv("NPR_TRUST", "1")
    Servable(tmp_path / "m" / "1")
    monkeypatch.setenv("NPR_TRUST", "")
    picture = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(picture)
    arguments = ("predict", picture, "--model", tmp_path / "m" / "1")
    assert "give --trust" in invoke(*arguments).stderr
    assert "give --trust" not in invoke(*arguments, "--trust").stderr


@pytest.mark.parametrize(
    ("settings", "code"),
    [({}, "INVALID_ARGUMENT"), ({"host": "0.0.0.0"}, "PERMISSION_DENIED"),
     ({"host": "0.0.0.0", "model_root": ("/nowhere",)}, "INVALID_ARGUMENT")],
)  # fmt: skip
def test_who_may_say_what_is_served(start, settings, code):
    """On loopback anybody, as with TensorFlow Serving; for other machines only where it was allowed."""
    import grpc
    from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

    server = start(**settings)
    with grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}") as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=30)
        assert error.value.code().name == code
