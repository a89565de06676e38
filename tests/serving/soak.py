"""Many requests, a tenth of them broken, through a version switch and a SIGTERM.

    python tests/serving/soak.py FOLDER [COUNT]

serves the SavedModel in FOLDER (a copy of it), sends COUNT requests (20,000) by REST and gRPC from
16 threads, and checks each answer. It prints what it counted, and ends with 1 if one was wrong.
"""

import base64
import collections
import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
import numpy as np
from PIL import Image

from npr_keras.serving import messages
from npr_keras.serving.tensors import decode_tensor, encode_tensor

THREADS, PICTURES, TOLERANCE = 16, 40, 1e-3
BROKEN = ("truncated", "json", "name", "huge", "signature")


class Soak:
    """What is sent, what is expected, and what came."""

    def __init__(self, rest_port, grpc_port, pictures, expected, count):
        self.rest_port, self.grpc_port, self.count = rest_port, grpc_port, count
        self.pictures, self.expected = pictures, expected
        self.seen, self.wrong = collections.Counter(), []
        self.versions, self.lock = collections.Counter(), threading.Lock()
        self.sent = self.answered = 0
        self.stopping = False
        self.huge = b"[" * (3 << 20)

    def next(self):
        with self.lock:
            if self.sent >= self.count:
                return None
            self.sent += 1
            return self.sent

    def work(self):
        """One thread: requests in turn, by both protocols."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=60)
        options = [("grpc.max_send_message_length", -1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", options)
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=messages.PredictResponse.FromString,
        )
        while (number := self.next()) is not None:
            kind = BROKEN[number // 10 % len(BROKEN)] if number % 10 == 0 else "good"
            which = number % PICTURES
            try:
                if (number + number // 10) % 2:
                    self.by_grpc(call, kind, which)
                else:
                    self.by_rest(connection, kind, which)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.note("gone" if self.stopping else f"lost: {error!r}", not self.stopping)
                if self.stopping:
                    return
            except grpc.RpcError as error:
                refused = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                gone = self.stopping and error.code() in refused
                self.note("gone" if gone else f"grpc {error.code().name}", not gone)
                if gone:
                    return

    def by_rest(self, connection, kind, which):
        data = self.pictures[which]
        image = data[:50] if kind == "truncated" else data
        body = json.dumps({"instances": [{"b64": base64.b64encode(image).decode()}]}).encode()
        path = "/v1/models/nobody:predict" if kind == "name" else "/v1/models/npr:predict"
        if kind == "json":
            body = body[:-3]
        if kind == "huge":
            body = self.huge
        if kind == "signature":
            body = b'{"signature_name": "x", ' + body[1:]
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        wanted = {"json": 400, "name": 404, "huge": 413, "signature": 400}.get(kind, 200)
        good = response.status == wanted
        if wanted == 200 and good:
            (row,) = answer["predictions"]
            good = self.is_right(kind, which, row["valid"], row["logit"])
        elif good:
            good = bool(answer["error"])
        self.note(f"rest {kind}", not good, answered=True)

    def by_grpc(self, call, kind, which):
        request = messages.PredictRequest()
        request.model_spec.name = "nobody" if kind == "name" else "npr"
        request.model_spec.signature_name = "x" if kind == "signature" else ""
        images = np.empty(1, object)
        images[0] = self.pictures[which][:50] if kind == "truncated" else self.pictures[which]
        encode_tensor(images, request.inputs["images"])
        sent = {"json": b"\xff\xff\xff", "huge": bytes(3 << 20)}.get(kind, request)
        wanted = {
            "name": "NOT_FOUND",
            "signature": "FAILED_PRECONDITION",
            "json": "UNKNOWN",  # gRPC's own, for what is no message
            "huge": "RESOURCE_EXHAUSTED",
        }.get(kind)
        try:
            response = call(sent, timeout=60)
        except grpc.RpcError as error:
            if not wanted or error.code() != getattr(grpc.StatusCode, wanted):
                raise
            # What gRPC itself refuses is in no log of the server's.
            self.note(f"grpc {kind}", False, answered=kind not in ("json", "huge"))
            return
        row = {k: decode_tensor(v)[0] for k, v in response.outputs.items()}
        good = not wanted and self.is_right(kind, which, row["valid"], row["logit"])
        with self.lock:
            self.versions[response.model_spec.version.value] += 1
        self.note(f"grpc {kind}", not good, answered=True)

    def is_right(self, kind, which, valid, logit):
        if kind == "truncated":
            return not valid and np.isnan(logit)
        return bool(valid) and abs(logit - self.expected[which]) < TOLERANCE

    def note(self, what, wrong, answered=False):
        with self.lock:
            self.seen[what] += 1
            self.answered += answered
            if wrong:
                self.wrong.append(what)


def memory(pid):
    """RSS in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def pictures_of(folder):
    """PNG files of several sizes, and their logits by the SavedModel itself."""
    from npr_keras.runtimes.open import open_predictor

    random = np.random.default_rng(8)
    found = []
    for i in range(PICTURES):
        size = (64 + 2 * (i % 5), 64)
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(file, "PNG")
        found.append(file.getvalue())
    return found, open_predictor(folder).predict_encoded(found)


def main(folder, count="20000"):
    """See above."""
    newest = max(
        (p for p in Path(folder).iterdir() if p.name.isdecimal()), key=lambda p: int(p.name)
    )
    pictures, expected = pictures_of(newest)
    with tempfile.TemporaryDirectory() as base:
        served, log = Path(base, "npr"), Path(base, "access.jsonl")
        shutil.copytree(newest, served / "1")
        server = subprocess.Popen(
            [Path(sys.executable).with_name("npr-keras"), "serve", served, "--rest-port", "0",
             "--grpc-port", "0", "--max-request-mb", "2", "--access-log", log],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = []
        while "Ctrl-C" not in "".join(lines):
            lines.append(server.stderr.readline())
        said = "".join(lines)
        rest = int(re.search(r"REST +http://127\.0\.0\.1:(\d+)", said)[1])
        grpc_port = int(re.search(r"gRPC +127\.0\.0\.1:(\d+)", said)[1])
        rest_of = threading.Thread(target=lambda: lines.extend(server.stderr))
        rest_of.start()
        soak = Soak(rest, grpc_port, pictures, expected, int(count))
        threads = [threading.Thread(target=soak.work) for _ in range(THREADS)]
        begun, marks = time.monotonic(), {}
        for thread in threads:
            thread.start()
        switched = False
        while soak.sent < soak.count - soak.count // 100:
            time.sleep(0.05)
            if "early" not in marks and soak.sent >= soak.count // 10:
                marks["early"] = memory(server.pid)
            if "switch" not in marks and soak.sent >= soak.count // 2 - 500:
                marks["switch"] = memory(server.pid)
            if not switched and soak.sent >= soak.count // 2:
                # Appears at once, as an export does.
                shutil.copytree(newest, served / ".new")
                os.rename(served / ".new", served / "2")
                switched = True
        marks["late"] = memory(server.pid)
        took = time.monotonic() - begun
        soak.stopping = True
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        ended = server.wait(60)
        rest_of.join()
        logged = log.read_text().count("\n")
        for what, number in sorted(soak.seen.items()):
            print(f"{what:20}{number:>8}")
        print(f"sent {soak.sent}, answered {soak.answered}, in the server's log {logged}")
        print(f"by version (gRPC): {dict(soak.versions)}")
        print(f"{soak.sent / took:.0f} requests/s; RSS {marks['early']:.0f} MB after a tenth, {marks['switch']:.0f} before the switch, "
              f"{marks['late']:.0f} MB at the end; exit {ended}; wrong: {len(soak.wrong)}")  # fmt: skip
        print(*lines[-5:], sep="")
        # What the server took, its client has had an answer to.
        return bool(soak.wrong) or ended != 0 or logged != soak.answered


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
