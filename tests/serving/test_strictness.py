"""The stand-in takes what TensorFlow Serving takes, refuses what it refuses, and blames who is at fault."""

import base64
import http.client
import json
import threading

import numpy as np
import pytest

from npr_keras.client.client import Client
from npr_keras.errors import ServingError
from npr_keras.server.batching import Batcher
from npr_keras.server.models import Models, ModelSettings
from npr_keras.serving.tensors import decode_tensor

from .conftest import post


def get(server, method, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server.rest_port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_a_batch_of_different_sizes_is_refused():
    """As TensorFlow Serving's batching does, all of it; alone each of them passes."""
    import asyncio

    def function(inputs):
        return {"y": inputs["x"].reshape(len(inputs["x"]), -1).sum(1)}

    async def work():
        batcher = Batcher(8, 0.02)
        shapes = [(1, 4, 4), (1, 5, 4), (2, 4, 4)]
        tasks = [batcher.run(("f",), function, {"x": np.ones(shape)}) for shape in shapes]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [ServingError] * 3
        assert {one.code for one in found} == {"FAILED_PRECONDITION"}
        assert "'x' from different tasks have different shapes and padding is turned off" in str(
            found[0]
        )
        alone = await batcher.run(("f",), function, {"x": np.ones((1, 5, 4))})
        assert alone["y"].tolist() == [20]
        await batcher.close()

    asyncio.run(work())


def test_the_client_tries_again_in_other_company(start):
    """Two clients with images of other sizes at once: both are answered in the end."""
    server = start(batch_timeout_ms=20)
    found, errors = {}, []

    def ask(side):
        try:
            with Client(server.grpc(), timeout=60, retries=50) as client:
                pixels = np.full((1, side, side, 3), 90, np.uint8)
                found[side] = [
                    float(client.predict({"pixels": pixels}, "pixels")["logit"][0])
                    for _ in range(15)
                ]
        except ServingError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ask, args=(side,)) for side in (32, 48, 64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(len(set(np.round(values, 4))) == 1 for values in found.values()) and len(found) == 3
    assert (
        any(entry["code"] == "FAILED_PRECONDITION" for entry in server.entries)
        or len(server.entries) == 45
    )


@pytest.mark.parametrize("change", [
    lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)) + "\n",
    lambda text: text.rstrip("="),
    lambda text: f"  {text}\r\n",
])  # fmt: skip
def test_base64_as_tools_write_it(running, pictures, change):
    data = pictures[1] + b"\0" * (
        1 if len(pictures[1]) % 3 else 2
    )  # bytes behind a JPEG do not count
    data += b"\0" if len(data) % 3 == 0 else b""
    plain = base64.b64encode(data).decode()
    assert plain.endswith("=")
    status, body = post(running, json.dumps({"instances": [{"b64": change(plain)}]}))
    assert status == 200 and body["predictions"][0]["valid"]
    status, body = post(running, json.dumps({"instances": [{"b64": "not*base64"}]}))
    assert status == 400 and "not base64" in body["error"]


@pytest.mark.parametrize(("shape", "valid"), [((1, 1, 1, 3), [False]), ((2, 1, 9, 3), [False, False]), ((0, 8, 8, 3), [])])  # fmt: skip
def test_pixels_that_are_no_image(running, shape, valid):
    with Client(running.grpc()) as client:
        for signature, kind in (("pixels", np.uint8), ("pixels_float32", np.float32)):
            found = client.predict({"pixels": np.zeros(shape, kind)}, signature)
            assert found["valid"].tolist() == valid, signature


def test_a_scaled_image_is_told_apart(running):
    with Client(running.grpc()) as client:
        found = client.predict({"pixels": np.full((1, 8, 8, 3), 0.5, np.float32)}, "pixels_float32")
    assert found["valid"].tolist() == [False] and b"scaled to 1" in found["error"][0]


def test_the_clients_faults_are_not_the_servers(running):
    """400 and INVALID_ARGUMENT, not INTERNAL."""
    for value in (300, -1, 1.5, 1 << 70):
        pixels = [[[[value, 0, 0]] * 2] * 2]
        body = {"signature_name": "pixels", "inputs": {"pixels": pixels}}
        status, answer = post(running, json.dumps(body))
        assert status == 400, (value, answer)
    huge = {"examples": [{"n": 1 << 70}], "signature_name": "classify"}
    status, answer = post(running, json.dumps(huge), "/v1/models/npr:classify")
    assert status == 400 and "out of the range of int64" in answer["error"]


def test_tensors_beyond_their_type(running):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    for value in (300, -1):
        proto = TensorProto(dtype=4)
        proto.tensor_shape.dim.add().size = 1
        proto.int_val.append(value)
        with pytest.raises(ServingError, match="No tensor") as error:
            decode_tensor(proto)
        assert error.value.code == "INVALID_ARGUMENT"
    proto = TensorProto(dtype=4)
    for _ in range(300):
        proto.tensor_shape.dim.add().size = 1
    proto.tensor_content = b"\1"
    with pytest.raises(ServingError) as error:
        decode_tensor(proto)
    assert error.value.code == "INVALID_ARGUMENT"


def test_the_right_signature_is_named(running):
    body = {"examples": [{"image/encoded": {"b64": ""}}]}
    status, answer = post(running, json.dumps(body), "/v1/models/npr:classify")
    assert status == 400 and 'Give signature_name: "classify".' in answer["error"]


def test_health_head_and_pages_in_browsers(running, start):
    assert get(running, "GET", "/healthz")[:2] == (200, b"ok\n")
    for path in ("/healthz", "/v1/models/npr", "/v1/models/npr/metadata"):
        status, body, headers = get(running, "HEAD", path)
        assert (status, body) == (200, b"") and int(headers["content-length"]) > 0
    assert get(running, "HEAD", "/v1/models/nobody")[0] == 404
    assert "access-control-allow-origin" not in get(running, "GET", "/v1/models/npr")[2]
    server = start(cors_origin="https://example.org")
    status, _, headers = get(server, "OPTIONS", "/v1/models/npr:predict")
    assert status == 204 and "POST" in headers["access-control-allow-methods"]
    for path in ("/v1/models/npr", "/v1/models/nobody"):
        assert get(server, "GET", path)[2]["access-control-allow-origin"] == "https://example.org"


def test_where_files_lie_is_for_the_log_alone(tmp_path):
    import asyncio

    folder = tmp_path / "secret" / "npr"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "saved_model.pb").write_bytes(b"broken")
    lines = []

    def load(path):
        raise ServingError("FAILED_PRECONDITION", f"Cannot load {path}: broken")

    async def work():
        models = Models([ModelSettings("npr", str(folder))], load, lines.append)
        await models.poll()
        return models.status("npr")

    (status,) = asyncio.run(work()).values()
    assert "secret" not in status.message and "version 1" in status.message
    assert any("secret" in line for line in lines)


def test_a_model_of_another_program(refusing):
    client = Client(f"http://127.0.0.1:{refusing.server_port}/npr", retries=0)
    with client, pytest.raises(ServingError):
        client.facts()
