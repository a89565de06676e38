"""The server as its owner meets it: limits, switches, the end of it, and what it says."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import error_of

from npr_keras.client.client import Client
from npr_keras.errors import ConfigError, ServingError
from npr_keras.server.models import ModelSettings

from .conftest import wait_for


def test_a_new_version_and_no_request_is_lost(start, exported, pictures, tmp_path):
    served = tmp_path / "npr"
    shutil.copytree(exported[0] / "1", served / "1")
    server = start(served)
    failed, done, stop = [], [], threading.Event()

    def ask(url):
        with Client(url, retries=0) as client:
            while not stop.is_set():
                try:
                    done.extend(client.score(pictures[:1]))
                except ServingError as error:
                    failed.append(str(error))

    threads = [threading.Thread(target=ask, args=(u,)) for u in (server.rest(), server.grpc())]
    for thread in threads:
        thread.start()
    shutil.copytree(served / "1", tmp_path / "next")
    os.rename(tmp_path / "next", served / "2")
    with Client(server.grpc()) as client:
        wait_for(lambda: client.status() == {1: "END", 2: "AVAILABLE"})
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(done) > 10
    assert {answer.logit for answer in done} == {done[0].logit}
    assert "npr, version 1: unloaded" in server.lines


def test_a_version_that_does_not_answer_its_warm_up(start, exported, tmp_path):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    served = tmp_path / "npr"
    shutil.copytree(exported[0] / "1", served / "1")
    server = start(served)
    shutil.copytree(served / "1", tmp_path / "next")
    request = predict_pb2.PredictRequest()
    request.inputs["pictures"].CopyFrom(tf.make_tensor_proto([b"x"]))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    warm_up = tmp_path / "next" / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(warm_up)) as writer:
        writer.write(log.SerializeToString())
    os.rename(tmp_path / "next", served / "2")
    with Client(server.rest()) as client:
        wait_for(lambda: client.status().get(2) == "END")
        assert client.status()[1] == "AVAILABLE"
    assert any("A warm-up request of" in line for line in server.lines)


def test_metrics_and_access_log(start, pictures):
    server = start()
    with Client(server.rest()) as client:
        assert len(list(client.score(pictures))) == len(pictures)
        with pytest.raises(ServingError):
            client.predict({"x": np.ones(1)})
    with Client(server.grpc("nobody"), retries=0) as client, pytest.raises(ServingError):
        list(client.score(pictures))
    wait_for(lambda: len(server.entries) == 3)  # an answer is out before it is in the log
    first, wrong, nobody = server.entries
    assert first == first | {
        "protocol": "rest", "method": "predict", "model": "npr", "version": 1,
        "signature": "serving_default", "rows": len(pictures), "code": "OK",
    }  # fmt: skip
    assert first["ms"] > 0
    assert wrong["code"] == "INVALID_ARGUMENT"
    assert (nobody["protocol"], nobody["code"]) == ("grpc", "NOT_FOUND")
    connection = http.client.HTTPConnection("127.0.0.1", server.server.rest_port)
    connection.request("GET", "/monitoring/prometheus/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    labels = 'code="OK",method="predict",model="npr",protocol="rest"'
    assert f"npr_keras_requests_total{{{labels}}} 1.0" in page
    assert 'npr_keras_versions{model="npr"} 1.0' in page
    assert "npr_keras_batch_rows_count 1.0" in page
    assert "nobody" not in page  # names that others invent are no lines of ours


def test_half_a_request_disturbs_nobody(start, pictures):
    server = start()
    slow = socket.create_connection(("127.0.0.1", server.server.rest_port))
    slow.sendall(b"POST /v1/models/npr:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    gone = socket.create_connection(("127.0.0.1", server.server.rest_port))
    gone.sendall(b"POST /v1/models/npr:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    gone.close()
    with Client(server.rest()) as client:
        assert next(client.score(pictures)).valid
    slow.close()


def test_on_ipv6(start, pictures):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    server = start(host="::1").server
    for url in (f"http://[::1]:{server.rest_port}/npr", f"grpc://[::1]:{server.grpc_port}/npr"):
        with Client(url, retries=0) as client:
            assert next(client.score(pictures)).valid


def test_warm_up_requests_that_are_cut_short(exported, tmp_path):
    from npr_keras.server.servable import Servable

    shutil.copytree(exported[0] / "1", tmp_path / "1")
    path = tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ServingError, match=r"warm-up requests of .* cannot be read"):
        Servable(tmp_path / "1")


def test_what_cannot_be_served(start, tmp_path):
    with pytest.raises(ServingError, match=r"no version in .*`npr-keras export MODEL` writes one"):
        start(tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("nothing")
    with pytest.raises(ServingError, match=r"Model npr cannot be served: .*Cannot load"):
        start(tmp_path)


def test_ports_that_are_taken(exported, start):
    server = start().server
    for name, port in (("rest-port", server.rest_port), ("grpc-port", server.grpc_port)):
        settings = {name.replace("-", "_"): port}
        with pytest.raises(ConfigError, match=f"Give another --{name}"):
            Taken(exported[0], settings).run()


class Taken:
    """A server that is given ports."""

    def __init__(self, folder, settings):
        from npr_keras.server.server import Server, ServerSettings

        ports = {"rest_port": 0, "grpc_port": 0, **settings}
        self.server = Server([ModelSettings("npr", str(folder))], ServerSettings(**ports))

    def run(self):
        import asyncio

        asyncio.run(self.server.run())


def test_the_command(exported, pictures, tmp_path):
    """Banner, answers, access log, and a SIGTERM with a request under way."""
    log = tmp_path / "access.jsonl"
    script = "import sys; from npr_keras_cli.main import main; sys.argv[0] = 'npr-keras'; main()"
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, "serve", exported[0], "--rest-port", "0", "--grpc-port", "0",
         "--access-log", log],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        banner = ""
        while "Ctrl-C" not in banner:
            line = process.stderr.readline()
            assert line, banner
            banner += line
        assert banner.startswith("npr, version 1: available\nA stand-in for TensorFlow Serving")
        assert max(map(len, banner.splitlines())) <= 80
        port = int(re.search(r"REST +http://127\.0\.0\.1:(\d+)/v1/models/npr", banner)[1])
        body = json.dumps({"instances": [{"b64": base64.b64encode(pictures[1]).decode()}] * 300})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/v1/models/npr:predict", body)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert response.status == 200
        assert len(json.loads(response.read())["predictions"]) == 300
        out, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert out == ""
    assert rest.splitlines()[-2:] == [
        "Shutting down: finishing pending requests.",
        "Stopped.",
    ]
    (entry,) = map(json.loads, log.read_text().splitlines())
    assert (entry["rows"], entry["code"]) == (300, "OK")


def test_wrong_arguments(invoke, exported, tmp_path):
    run = exported[1]
    said = error_of(invoke("serve", tmp_path / "gone"))
    assert "is not a folder" in said and "npr-keras export MODEL" in said
    assert "either MODEL or --model-config-file" in error_of(invoke("serve"), 2)
    bare = tmp_path / "bare"
    shutil.copytree(exported[0] / "1", bare)
    assert "a SavedModel without a version" in error_of(invoke("serve", bare))
    assert "no version in" in error_of(invoke("serve", run, "--rest-port", "0", "--grpc-port", "0"))
    assert "Cannot read the model config" in error_of(
        invoke("serve", "--model-config-file", tmp_path / "gone")
    )


def test_how_the_real_one_is_started(invoke, exported):
    folder = exported[0]
    said = invoke("serve", folder, "--print-tf-serving", "--max-batch", 64, "--rest-port", 8081)
    command = said.stdout.replace(" \\\n    ", " ")
    assert f"-v {folder}:/models/npr:ro" in command
    assert "-p 127.0.0.1:8081:8501" in command
    assert "--model_base_path=/models/npr" in command and "--enable_batching" in command
    assert "max_batch_size { value: 64 }" in said.stdout
    # The flags are the real server's; what it reads lies in deploy/.
    for file in re.findall(r"\$PWD/(deploy/\S+?):", command):
        assert Path(__file__).parents[2].joinpath(file).is_file(), file
