"""A server on this machine that serves files well or badly, by the first part of the path."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

DATA = np.random.default_rng(0).bytes(3_000_000)


class Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(head=True)

    def do_GET(self):
        self.answer(head=False)

    def answer(self, head):
        server = self.server
        manner, _, name = self.path[1:].partition("/")
        if not head:
            server.asked.append(self.headers.get("Range"))
        if name not in server.files or manner == "gone":
            return self.reply(404, {}, b"")
        data = server.files[name]
        begin = 0
        asked = self.headers.get("Range")
        headers = {"ETag": server.etag}
        if manner == "digest":
            headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()}"'
        if manner == "wrong-digest":
            headers["ETag"] = f'"{"0" * 64}"'
        if manner == "busy" and not head and len(server.asked) < 3:
            return self.reply(503, {}, b"")
        if self.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
            asked = None  # another version by now: all of it
        if manner == "longer" and asked:
            return self.reply(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
        if asked and manner != "no-ranges":
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            begin = 0 if manner == "elsewhere" else begin
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        body = data[begin:]
        self.send_response(206 if "Content-Range" in headers else 200)
        if manner == "longer" and not head:
            body += b"more"
        length = len(body) + (1000 if manner == "shorter" and not head else 0)
        headers["Content-Length"] = str(length)
        for item in headers.items():
            self.send_header(*item)
        self.end_headers()
        if head:
            return None
        if manner == "breaks" or (manner == "breaks-once" and len(server.asked) == 1):
            body = body[: server.breaks_after]
            self.close_connection = True
        self.wfile.write(body)
        if manner in ("breaks", "shorter"):
            self.close_connection = True
        return None

    def reply(self, code, headers, body):
        self.send_response(code)
        for item in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(*item)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """Serves `server.files`; `server.url` is its address, `server.asked` the ranges of each GET."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as running:
        running.files = {"data.bin": DATA}
        running.asked = []
        running.etag = '"one"'
        running.breaks_after = 1 << 20
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()
