"""The light client: what it sends and understands, what it imports, and how it takes refusals."""

import doctest
import json
import shutil
import ssl
import subprocess
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from conftest import error_of
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from npr_keras.client.address import Address, is_address
from npr_keras.client.client import Client
from npr_keras.errors import CheckpointError, ConfigError, ServingError
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.open import open_predictor
from npr_keras.serving import messages
from npr_keras.serving.tensors import decode_tensor, encode_tensor


def test_the_clients_bytes_by_their_stub(running, pictures):
    """What the light client would send, sent by tensorflow-serving-api's stub."""
    request = messages.PredictRequest()
    request.model_spec.name = "npr"
    encode_tensor(np.array(pictures, object), request.inputs["images"])
    theirs = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    with grpc.insecure_channel(f"127.0.0.1:{running.server.grpc_port}") as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(theirs)
    expected = tf.make_ndarray(response.outputs["logit"])
    ours = messages.PredictResponse.FromString(response.SerializeToString())
    np.testing.assert_array_equal(decode_tensor(ours.outputs["logit"]), expected)
    with Client(running.grpc()) as client:
        found = [answer.logit for answer in client.score(pictures)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_scores(running, exported, pictures, protocol):
    """The same by both protocols, as the SavedModel and the .keras file give them."""
    from npr_keras.data.decode import decode, preprocess

    folder, run = exported
    keras_file, artefact = KerasPredictor(run), open_predictor(folder)
    pixels = [preprocess(decode(p), keras_file.preprocessing) for p in pictures]
    expected = keras_file.predict(np.stack(pixels))
    with Client(getattr(running, protocol)()) as client:
        answers = list(client.score([*pictures, b"none"], batch_size=2))
        assert client.status() == {1: "AVAILABLE"}
    np.testing.assert_allclose([a.logit for a in answers[:-1]], expected, atol=1e-5)
    np.testing.assert_allclose(artefact.predict(np.stack(pixels)), expected, atol=1e-5)
    calibration = keras_file.profile.calibration
    for answer in answers[:-1]:
        assert answer.valid
        assert answer.probability == pytest.approx(calibration.probability(answer.logit), abs=1e-5)
        assert answer.label == ("generated" if answer.logit > calibration.threshold else "no trace")
    assert not answers[-1].valid and np.isnan(answers[-1].logit) and answers[-1].label == ""


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_server_is_a_predictor(running, exported, protocol, random):
    predictor = open_predictor(getattr(running, protocol)())
    detector = KerasPredictor(exported[1])
    pixels = random.integers(0, 256, (3, 40, 50, 3), np.uint8)
    found = predictor.predict(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, detector.predict(pixels), atol=1e-5)
    assert predictor.preprocessing == detector.preprocessing
    assert predictor.profile.calibration == detector.profile.calibration
    assert len(predictor.identity) == 64


def test_eval_and_query_at_the_command_line(invoke, running, exported, make_set, tmp_path):
    data = make_set(tmp_path / "data", 4)
    done = invoke("eval", "--model", running.grpc(), "--model", exported[1], "--data", data, "--json",
                  "--pipeline", "pydataset")  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(done.stdout)["models"]
    assert ours["mean"]["average_precision"] == pytest.approx(theirs["mean"]["average_precision"])
    images = sorted(map(str, data.glob("*/*.png")))
    (tmp_path / "text.png").write_text("no image")
    done = invoke("query", *images, tmp_path / "text.png", tmp_path / "gone.png", "--url",
                  running.rest(), "--json")  # fmt: skip
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows[:-2]] == images
    assert rows[-2]["error"].endswith("text.png: not an image in a format that is known")
    assert rows[-1]["error"].startswith("No such file or folder: ")
    assert "10 images" in done.stderr and "2 unreadable" in done.stderr
    lines = invoke("query", *images, "--url", running.grpc(), "--csv").stdout.splitlines()
    assert lines[0].startswith("path,verdict,probability,logit,threshold,")
    assert len(lines) == 9
    table = invoke("query", images[0], "--url", running.grpc())
    assert table.returncode == 0
    assert table.stdout.splitlines()[0].split() == ["probability", "verdict", "image"]
    said = error_of(invoke("calibrate", "--model", running.grpc(), "--data", data))
    assert "is an exported model, and nothing is stored in those" in said


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_refusals_are_readable(invoke, running, protocol, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    url = getattr(running, protocol)("nobody")
    said = error_of(invoke("query", file, "--url", url))
    assert "NOT_FOUND" in said and "Could not find any versions of model nobody" in said
    assert url in said
    said = error_of(invoke("query", file, "--url", getattr(running, protocol)("npr/versions/9")))
    assert "Specific(npr, 9)" in said
    with pytest.raises(CheckpointError, match="Cannot ask the server what it serves"):
        open_predictor(url)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there(scheme, tmp_path):
    begun = time.monotonic()
    client = Client(f"{scheme}://127.0.0.1:9/npr", timeout=5, retries=2)
    with client, pytest.raises(ServingError) as error:
        client.status()
    assert error.value.code == "UNAVAILABLE"
    assert time.monotonic() - begun > 0.05  # it was tried again


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("grpc://h/npr", ("grpc", "h", 8500, "npr", None, "")),
        ("http://h/npr", ("http", "h", 8501, "npr", None, "")),
        ("https://h/v1/models/npr", ("https", "h", 443, "npr", None, "")),
        ("grpcs://h:1/n%20p/versions/3", ("grpcs", "h", 1, "n p", 3, "")),
        ("http://[::1]:9/npr/labels/stable", ("http", "::1", 9, "npr", None, "stable")),
    ],
)
def test_addresses(url, expected):
    address = Address.parse(url)
    assert is_address(url)
    assert (
        address.scheme, address.host, address.port, address.name, address.version, address.label,
    ) == expected  # fmt: skip


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("npr", "the scheme is not known"),
        ("ftp://h/npr", "the scheme is not known"),
        ("grpc://h", "the model's name is missing"),
        ("grpc://h/", "the model's name is missing"),
        ("http:///npr", "the host is missing"),
        ("http://h:x/npr", "[Pp]ort"),
        ("grpc://h/a/b", "or something follows it"),
    ],
)
def test_wrong_addresses(url, reason):
    with pytest.raises(ConfigError, match=f"Not a model's address: .*{reason}"):
        Address.parse(url)
    assert not is_address("C:/models/npr")


def test_encrypted(tmp_path, running, refusing, pictures):
    """TLS by both protocols, against a server with a certificate made here."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
         "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))

    class Forwarding(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            with grpc.insecure_channel(f"127.0.0.1:{running.server.grpc_port}") as channel:
                return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request)

    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Forwarding(), server)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    try:
        url = f"grpcs://localhost:{port}/npr"
        with Client(url, ca_file=str(certificate)) as client:
            (answer,) = client.score(pictures[:1])
            assert answer.valid
        with Client(url, timeout=2, retries=0) as client, pytest.raises(ServingError):
            list(client.score(pictures[:1]))
    finally:
        server.stop(0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    refusing.socket = context.wrap_socket(refusing.socket, server_side=True)
    https = f"https://localhost:{refusing.server_port}/npr"
    with Client(https, ca_file=str(certificate)) as client:
        assert next(client.score([b"x"])).label == "generated"
    with (
        Client(https, timeout=2, retries=0) as client,
        pytest.raises(ServingError, match=r"self.signed certificate"),
    ):
        list(client.score([b"x"]))
    with pytest.raises(ConfigError, match="Cannot use these certificates"):
        Client("https://localhost/npr", ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigError, match="Cannot read"):
        Client(url, ca_file=str(tmp_path / "gone.pem"))


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_it_imports_nothing_heavy(run_python, running, pictures, tmp_path, protocol):
    file = tmp_path / "a.png"
    file.write_bytes(pictures[0])
    script = (
        "import json, sys\n"
        "from npr_keras_cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'jax', 'sklearn'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    arguments = ["query", file, "--url", getattr(running, protocol)(), "--json"]
    done = run_python(script, args=arguments, without=("tensorflow", "keras"))
    row, loaded = map(json.loads, done.stdout.splitlines())
    assert loaded == []
    assert row["verdict"] in ("no trace", "generated", "inconclusive")


def test_the_wrong_port(running):
    with Client(running.grpc().replace("grpc", "http"), retries=0) as client:
        with pytest.raises(ServingError, match=r"does not speak HTTP|closed|reset") as error:
            client.status()
        assert str(error.value).isprintable()
    with pytest.raises(ConfigError, match="go with grpcs:// and https://"):
        Client(running.rest(), ca_file="ca.pem")


def test_a_set_is_judged_by_one_version(running, exported, random):
    predictor = open_predictor(running.grpc())
    assert predictor._client.address.version == 1
    assert open_predictor(running.rest("npr/labels/stable"))._client.address.label == "stable"


def test_pixels_in_several_requests(running, exported, random, monkeypatch):
    monkeypatch.setattr("npr_keras.runtimes.remote._REST_VALUES", 2 * 40 * 50 * 3)
    pixels = random.integers(0, 256, (5, 40, 50, 3), np.uint8)
    before = len(running.entries)
    found = open_predictor(running.rest()).predict(pixels)
    np.testing.assert_allclose(found, KerasPredictor(exported[1]).predict(pixels), atol=1e-5)
    rows = [e["rows"] for e in running.entries[before:] if e["signature"] == "pixels"]
    assert rows == [2, 2, 1]


def test_the_docstrings_example(running, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(pictures[0])
    text = Client.__doc__.replace("grpc://127.0.0.1:8500/npr", running.grpc())
    example = doctest.DocTestParser().get_doctest(text, {"Client": Client}, "Client", None, None)
    said = []
    found = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert found.attempted > 1 and not said, "".join(said)
