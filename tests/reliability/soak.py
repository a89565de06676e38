"""A server under fire: many requests, a tenth of them hostile, through a new version and a SIGTERM.

    python tests/reliability/soak.py FOLDER [COUNT] [MINUTES]

serves a copy of the SavedModel in FOLDER and sends COUNT (20,000) requests by REST and gRPC from 16 threads,
spread over MINUTES where these are given. Each answer is checked: scores against the SavedModel's own,
errors against the one that belongs there. Prints what it counted, latencies of the good ones, and the
server's memory and open files while it went on; ends with 1 if one answer was wrong.
"""

import collections
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
import numpy as np
from attacks import MOST, PREDICT, body_of, encoded, grpc_attacks, rest_attacks
from PIL import Image

from npr_keras.serving import messages
from npr_keras.serving.tensors import decode_tensor, encode_tensor

THREADS, PICTURES, TOLERANCE = 16, 40, 1e-3
LARGE = PICTURES - 1


class Soak:
    """What is sent, what is expected, and what came."""

    def __init__(self, rest_port, grpc_port, pictures, expected, count, minutes):
        self.rest_port, self.grpc_port, self.count = rest_port, grpc_port, count
        self.pictures, self.expected = pictures, expected
        self.seen, self.wrong = collections.Counter(), []
        self.versions, self.lock = collections.Counter(), threading.Lock()
        self.sent = self.answered = 0
        self.stopping = False
        self.begun, self.pause = time.monotonic(), 60 * minutes / count
        self.seconds = []
        self.attacks = {"rest": rest_attacks(pictures[0]), "grpc": grpc_attacks(pictures[0])}

    def next(self):
        with self.lock:
            if self.sent >= self.count:
                return None
            self.sent += 1
            number = self.sent
        time.sleep(max(0.0, self.begun + number * self.pause - time.monotonic()))
        return number

    def work(self):
        """One thread: requests in turn, by both protocols."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=60)
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", options)
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=messages.PredictResponse.FromString,
        )
        while (number := self.next()) is not None:
            try:
                if (number + number // 10) % 2:
                    self.by_grpc(call, number)
                else:
                    self.by_rest(connection, number)
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

    def kind(self, number, protocol):
        """The attack of a number, every tenth; None for the others."""
        names = list(self.attacks[protocol])
        return None if number % 10 else names[number // 20 % len(names)]

    def by_rest(self, connection, number):
        kind, which = self.kind(number, "rest"), which_of(number)
        if number % 500 == 250:
            self.say_nothing()
        if kind is None:
            path, body, headers, wanted = PREDICT, body_of(self.pictures[which]), {}, 200
        else:
            path, body, headers, wanted = self.attacks["rest"][kind]
        begun = time.monotonic()
        headers = {"Content-Type": "application/json", **headers}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        good = response.status == wanted
        if wanted == 200 and good:
            (row,) = answer["predictions"]
            good = self.is_right(kind, which, row["valid"], row["logit"])
        elif good:
            good = bool(answer["error"]) and "/tmp" not in answer["error"]
        self.note(
            f"rest {kind or 'good'}", not good, True, None if kind else time.monotonic() - begun
        )

    def say_nothing(self):
        """A connection that sends half a request line and waits: nobody waits with it."""
        silent = socket.create_connection(("127.0.0.1", self.rest_port))
        silent.sendall(b"POST /v1/mod")
        threading.Timer(12, silent.close).start()

    def by_grpc(self, call, number):
        kind, which = self.kind(number, "grpc"), which_of(number)
        if kind is None:
            sent, wanted = messages.PredictRequest(), None
            sent.model_spec.name = "npr"
            images = np.empty(1, object)
            images[0] = self.pictures[which]
            encode_tensor(images, sent.inputs["images"])
        else:
            sent, wanted = self.attacks["grpc"][kind]
        begun = time.monotonic()
        try:
            response = call(sent, timeout=60)
        except grpc.RpcError as error:
            if not wanted or error.code() != getattr(grpc.StatusCode, wanted):
                raise
            # What gRPC itself refuses is in no log of the server's.
            self.note(f"grpc {kind}", False, answered=kind not in ("no message", "too large"))
            return
        row = {k: decode_tensor(v)[0] for k, v in response.outputs.items()}
        good = wanted is None and self.is_right(kind, which, row["valid"], row["logit"])
        with self.lock:
            self.versions[response.model_spec.version.value] += 1
        self.note(
            f"grpc {kind or 'good'}", not good, True, None if kind else time.monotonic() - begun
        )

    def is_right(self, kind, which, valid, logit):
        if kind is not None:
            return not valid and np.isnan(logit)
        return bool(valid) and abs(logit - self.expected[which]) < TOLERANCE

    def note(self, what, wrong, answered=False, seconds=None):
        with self.lock:
            self.seen[what] += 1
            self.answered += answered
            if seconds is not None:
                self.seconds.append(seconds)
            if wrong:
                self.wrong.append(what)


def which_of(number):
    """A picture; the photograph once in 400 requests."""
    return LARGE if number % 400 == LARGE else number % (PICTURES - 1)


def memory(pid):
    """RSS in MB, and open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024, len(os.listdir(f"/proc/{pid}/fd"))


def pictures_of(folder):
    """PNG files of several sizes, and their logits by the SavedModel itself."""
    from npr_keras.runtimes.open import open_predictor

    random = np.random.default_rng(8)
    found = []
    for i in range(PICTURES):
        size = (64 + 2 * (i % 5), 64)
        found.append(encoded(random.integers(0, 256, (*size, 3), np.uint8)))
    # An honest photograph that goes alone: 6 megapixels.
    smooth = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).resize((2828, 2121))
    found[LARGE] = encoded(np.asarray(smooth), "JPEG", quality=60)
    return found, open_predictor(folder).predict_encoded(found)


def started(served, log):
    """A server: its process, its ports, and the lines that it goes on to write."""
    server = subprocess.Popen(
        [sys.executable, "-m", "npr_keras_cli.main", "serve", served, "--rest-port", "0", "--grpc-port",
         "0", "--max-request-mb", str(MOST >> 20), "--access-log", log],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = []
    while "Ctrl-C" not in "".join(lines):
        lines.append(server.stderr.readline())
    said = "".join(lines)
    rest = int(re.search(r"REST +http://127\.0\.0\.1:(\d+)", said)[1])
    return server, rest, int(re.search(r"gRPC +127\.0\.0\.1:(\d+)", said)[1]), lines


def main(folder, count="20000", minutes="0"):
    """See above."""
    newest = max(
        (p for p in Path(folder).iterdir() if p.name.isdecimal()), key=lambda p: int(p.name)
    )
    pictures, expected = pictures_of(newest)
    with tempfile.TemporaryDirectory() as base:
        served, log = Path(base, "npr"), Path(base, "access.jsonl")
        shutil.copytree(newest, served / "1")
        server, rest, grpc_port, lines = started(served, log)
        rest_of = threading.Thread(target=lambda: lines.extend(server.stderr))
        rest_of.start()
        soak = Soak(rest, grpc_port, pictures, expected, int(count), float(minutes))
        threads = [threading.Thread(target=soak.work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        marks, switched = [], False
        while soak.sent < soak.count - soak.count // 100:
            time.sleep(0.05)
            if soak.sent >= len(marks) * soak.count // 20:
                marks.append(memory(server.pid))
            if not switched and soak.sent >= soak.count // 2:
                shutil.copytree(newest, served / ".new")  # appears at once, as an export does
                os.rename(served / ".new", served / "2")
                switched = True
        took = time.monotonic() - soak.begun
        soak.stopping = True
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        ended = server.wait(60)
        rest_of.join()
        logged = log.read_text().count("\n")
    for what, number in sorted(soak.seen.items()):
        print(f"{what:34}{number:>8}")
    p50, p99, worst = (1000 * np.quantile(soak.seconds, q) for q in (0.5, 0.99, 1))
    print(f"sent {soak.sent}, answered {soak.answered}, in the server's log {logged}")
    print(f"by version (gRPC): {dict(soak.versions)}; exit {ended}; wrong: {len(soak.wrong)}")
    print(
        f"{took:.0f} s, {soak.sent / took:.0f} requests/s; good ones: p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {worst:.0f} ms"
    )
    print("memory, MB:", *(rss for rss, _ in marks))
    print("open files:", *(files for _, files in marks))
    print(*collections.Counter(soak.wrong).items(), *lines[-3:])
    # What the server took, its client has had an answer to.
    return bool(soak.wrong) or ended != 0 or logged != soak.answered


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
