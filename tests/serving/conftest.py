"""A server in a thread, and a model for it; or, with NPR_TFS_URL, a server that is elsewhere.

NPR_TFS_URL=http://host:8501/npr and NPR_TFS_GRPC_URL=grpc://host:8500/npr run the conformance tests
against any address that serves a model which `npr-keras export` wrote.
"""

import asyncio
import http.client
import http.server
import io
import json
import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from once import made_once
from PIL import Image

from npr_keras.client.address import Address
from npr_keras.server.models import ModelSettings
from npr_keras.server.server import Server, ServerSettings


class Running:
    """A server in a thread of its own."""

    def __init__(self, models, **settings):
        self.lines, self.entries = [], []
        self.server = Server(
            models,
            ServerSettings(
                rest_port=0, grpc_port=0, **{"poll_seconds": 0.1, "drain": 20, **settings}
            ),
            self.lines.append,
            self.entries.append,
        )
        self.error = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait(60)
        if self.error:
            raise self.error

    def _run(self):
        try:
            asyncio.run(self.server.run(self._ready.set))
        except Exception as error:
            self.error = error
        finally:
            self._ready.set()

    def stop(self):
        self.server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def rest(self, name="npr"):
        return f"http://127.0.0.1:{self.server.rest_port}/{name}"

    def grpc(self, name="npr"):
        return f"grpc://127.0.0.1:{self.server.grpc_port}/{name}"


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The folder of a small detector's only version, and the run that it was made from."""
    import keras

    from npr_keras.config import PROTOCOLS
    from npr_keras.exporting.export import export_detector
    from npr_keras.models import Detector, save_detector
    from npr_keras.models.backbones.resnet import ResNet
    from npr_keras.profile import Calibration, ModelProfile

    def make(base):
        folder, run = base / "served" / "npr", base / "run"
        run.mkdir()
        keras.utils.set_random_seed(2)
        profile = ModelProfile(
            PROTOCOLS["resize256"], Calibration(2.0, 0.25, 0.5, 100, protocol="resize256")
        )
        detector = Detector(ResNet(blocks=(1, 1), width=8), profile=profile)
        save_detector(detector, run / "model.keras")
        export_detector(run, out=folder)
        return folder, run

    return made_once(tmp_path_factory, "served", make)


@pytest.fixture(scope="session")
def running(exported):
    """The embedded server, with that model and a label for its version."""
    folder, _ = exported
    server = Running([ModelSettings("npr", str(folder), labels={"stable": 1})])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def addresses(request):
    """The REST and the gRPC address of what is tested for conformance."""
    rest, grpc = os.environ.get("NPR_TFS_URL"), os.environ.get("NPR_TFS_GRPC_URL")
    if not rest and not grpc:
        running = request.getfixturevalue("running")
        rest, grpc = running.rest(), running.grpc()
    return SimpleNamespace(
        rest=Address.parse(rest) if rest else None,
        grpc=Address.parse(grpc) if grpc else None,
        embedded=not os.environ.get("NPR_TFS_URL") and not os.environ.get("NPR_TFS_GRPC_URL"),
    )


@pytest.fixture
def ask(addresses):
    """Asks by HTTP: (status, body, headers); the body as JSON where it is some."""
    if not addresses.rest:
        pytest.skip("no NPR_TFS_URL")
    connection = http.client.HTTPConnection(addresses.rest.host, addresses.rest.port, timeout=60)

    def ask(method, path, body=None, headers=None):
        if isinstance(body, dict):
            body = json.dumps(body)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        data = response.read()
        if response.headers.get_content_type() == "application/json":
            data = json.loads(data)
        return response.status, data, response.headers

    yield ask
    connection.close()


@pytest.fixture(scope="session")
def pictures():
    """Encoded images of several sizes and formats."""
    random = np.random.default_rng(4)
    found = []
    for size, form in (
        ((64, 64), "PNG"),
        ((120, 90), "JPEG"),
        ((50, 77), "WEBP"),
        ((64, 64), "BMP"),
    ):
        file = io.BytesIO()
        pixels = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(file, form)
        found.append(file.getvalue())
    return found


@pytest.fixture
def start(exported):
    """Starts servers, of a copy of the model unless another one is given; they end with the test."""
    started = []

    def start(path=None, **settings):
        one = Running([ModelSettings("npr", str(path or exported[0]))], **settings)
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


def post(server, body, path="/v1/models/npr:predict"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server.rest_port, timeout=30)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


class Refusing(http.server.BaseHTTPRequestHandler):
    """429 and 503 first, then an answer."""

    protocol_version = "HTTP/1.1"
    statuses = (200,)
    answer = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        status = self.statuses[min(len(self.server.bodies), len(self.statuses)) - 1]
        outputs = {"valid": [True], "logit": [1.5], "probability": [0.8], "label": ["generated"]}
        answer = {"outputs": outputs} if status == 200 else {"error": "wait"}
        answer = answer if self.answer is None else self.answer
        data = b"<html>" if status == 418 else json.dumps(answer).encode()
        self.send_response(200 if status == 418 else status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def refusing():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
