"""Who may ask a server: tokens, certificates, folders; and how long it waits for those who do not."""

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from types import SimpleNamespace

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from npr_keras.client.client import Client
from npr_keras.errors import ConfigError, ServingError
from npr_keras.server.settings import ServerSettings
from npr_keras.serving.access import is_allowed, read_token

from .conftest import post

TOKEN = "0123456789abcdef0123"


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return str(path)


def test_tokens(tmp_path, token_file):
    assert read_token("") == "" and read_token(token_file) == TOKEN
    assert is_allowed("anything", "")
    assert is_allowed(f"Bearer {TOKEN}", TOKEN) and is_allowed(f"bearer {TOKEN}", TOKEN)
    for wrong in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN} ", "Bearer é", "Bearer "):
        assert not is_allowed(wrong, TOKEN)
    (tmp_path / "short").write_text("1234")
    with pytest.raises(ConfigError, match="expected a token of at least 16"):
        read_token(tmp_path / "short")
    with pytest.raises(ConfigError, match="Cannot read the token"):
        read_token(tmp_path / "gone")


def test_a_token_is_asked_for(start, pictures, token_file, monkeypatch):
    """By both protocols, of every method; health is everybody's."""
    server = start(token_file=token_file)
    for url in (server.rest(), server.grpc()):
        for token in ("", "0" * 20):
            with (
                Client(url, token=token, retries=0) as client,
                pytest.raises(ServingError) as error,
            ):
                list(client.score(pictures[:1]))
            assert error.value.code == "UNAUTHENTICATED"
            assert "asks for a token" in str(error.value)
        with Client(url, token=TOKEN) as client:
            assert client.pinned().status() == {1: "AVAILABLE"}
            assert next(client.score(pictures[:1])).valid
        monkeypatch.setenv("NPR_TOKEN", TOKEN)
        with Client(url) as client:
            assert next(client.score(pictures[:1])).valid
        monkeypatch.delenv("NPR_TOKEN")
    connection = http.client.HTTPConnection("127.0.0.1", server.server.rest_port, timeout=30)
    for path, status in (
        ("/v1/models/npr", 401), ("/v1/models/npr/metadata", 401), ("/nothing", 401),
        ("/monitoring/prometheus/metrics", 401), ("/healthz", 200),
    ):  # fmt: skip
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, path
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}") as channel:
        checked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert checked.status == health_pb2.HealthCheckResponse.SERVING
    assert TOKEN not in json.dumps(server.entries) + "".join(server.lines)


@pytest.mark.parametrize(
    ("settings", "scheme", "is_warned"),
    [({}, "http", False), ({"cert_file": "c", "key_file": "k"}, "https", False), ({"host": "0.0.0.0"}, "http", True),
     ({"host": "0.0.0.0", "token_file": "t"}, "http", False)],
)  # fmt: skip
def test_what_the_owner_is_told(capsys, settings, scheme, is_warned):
    """Addresses as clients have to write them; and that anybody may ask, where that is so."""
    from npr_keras_cli.serving_view import show_banner

    models = [SimpleNamespace(name="npr")]
    server = SimpleNamespace(
        settings=ServerSettings(**settings), models=models, rest_port=1, grpc_port=2
    )
    show_banner(server)
    said = " ".join(capsys.readouterr().err.split())
    assert f"--url {scheme}://127.0.0.1:1/npr" in said
    assert f"--url {scheme.replace('http', 'grpc')}://127.0.0.1:2/npr" in said
    assert ("whoever does may ask" in said) == is_warned


def test_a_token_is_not_sent_in_the_open():
    with pytest.raises(ConfigError, match=r"by grpcs:// and https:// alone"):
        Client("http://example.org:8501/npr", token=TOKEN)
    Client("https://example.org/npr", token=TOKEN)


@pytest.fixture
def certificates(tmp_path):
    """An authority's certificate; a server's and a client's that it signed."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    ca, ca_key = tmp_path / "ca.pem", tmp_path / "ca.key"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", ca_key,
            "-out", ca, "-subj", "/CN=authority")  # fmt: skip
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        key, asked, made = (tmp_path / f"{name}.{e}" for e in ("key", "csr", "pem"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", asked,
                "-subj", f"/CN={name}")  # fmt: skip
        openssl("x509", "-req", "-in", asked, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
                "-days", "2", "-out", made, "-extfile", tmp_path / "names")  # fmt: skip
    return tmp_path


def test_both_sides_show_certificates(start, pictures, certificates):
    file = {name: str(certificates / name) for name in
            ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")}  # fmt: skip
    server = start(
        cert_file=file["server.pem"], key_file=file["server.key"], client_ca_file=file["ca.pem"]
    )
    own = {"cert_file": file["client.pem"], "key_file": file["client.key"]}
    rest, by_grpc = server.server.rest_port, server.server.grpc_port
    for url in (f"https://127.0.0.1:{rest}/npr", f"grpcs://127.0.0.1:{by_grpc}/npr"):
        with Client(url, ca_file=file["ca.pem"], **own) as client:
            assert next(client.score(pictures[:1])).valid
        with (
            Client(url, ca_file=file["ca.pem"], timeout=3, retries=0) as client,
            pytest.raises(ServingError),
        ):
            list(client.score(pictures[:1]))
    with pytest.raises(ConfigError, match="needs both --cert-file and --key-file"):
        start(cert_file=file["server.pem"])
    with pytest.raises(ConfigError, match="Cannot use these certificates"):
        start(cert_file=file["server.pem"], key_file=file["client.key"])
    context = ssl.create_default_context(cafile=file["ca.pem"])
    with (
        socket.create_connection(("127.0.0.1", rest)) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        one = context.wrap_socket(plain, server_hostname="localhost")
        one.sendall(b"GET /v1/models/npr HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(100) == b""
        raise ConnectionError("closed without an answer")


def test_models_come_from_certain_folders(start, exported, tmp_path):
    """What clients have served lies in a --model-root, links resolved; nothing of the disk is told."""
    root = tmp_path / "models"
    shutil.copytree(exported[0], root / "good")
    (root / "link").symlink_to(exported[0])
    server = start(root / "good", host="0.0.0.0", model_root=(str(root),))

    def reload(path):
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.add(name="npr", base_path=str(path))
        with grpc.insecure_channel(f"127.0.0.1:{server.server.grpc_port}") as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            stub.HandleReloadConfigRequest(request, timeout=60)

    reload(root / "good")
    for path in (exported[0], root / ".." / "elsewhere", root / "link", "/etc", "relative"):
        with pytest.raises(grpc.RpcError) as error:
            reload(path)
        assert error.value.code().name == "PERMISSION_DENIED"
        assert error.value.details() == "npr: its folder lies in no --model-root."


@pytest.mark.parametrize("sent", [b"", b"GET /v1/mod", b"GET / HTTP/1.1\r\nX: 1\r\n"])
def test_headers_have_to_come_in_time(start, monkeypatch, sent):
    """However they drip."""
    monkeypatch.setattr("npr_keras.server.http.HEADER_SECONDS", 0.5)
    server = start()
    with socket.create_connection(("127.0.0.1", server.server.rest_port)) as slow:
        slow.sendall(sent)
        begun, answer = time.monotonic(), None
        slow.settimeout(0.1)
        while answer is None and time.monotonic() < begun + 20:
            try:
                slow.sendall(b"X" if sent else b"")
                answer = slow.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b""
    assert answer == b""
    assert post(server, '{"instances": []}')[0] == 400  # others are answered


def test_connections_are_counted(start, monkeypatch):
    """Beyond the limit they are refused, and soon behind it they are not kept: others stay open."""
    monkeypatch.setattr("npr_keras.server.http._most_connections", lambda: 4)
    monkeypatch.setattr("npr_keras.server.http._BEYOND", 2)
    server = start()
    port = server.server.rest_port
    with contextlib.ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(8)
        ]
        time.sleep(0.3)
        ended = 0
        for one in made:
            one.settimeout(0.2)
            try:
                ended += one.recv(10) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                ended += 1
        assert ended == 2
    time.sleep(0.3)
    assert post(server, '{"instances": []}')[0] == 400


def test_a_body_behind_a_refusal(start, token_file):
    """Sent after the answer: the connection ends, and nothing waits for it."""
    server = start(token_file=token_file)
    with socket.create_connection(("127.0.0.1", server.server.rest_port), timeout=10) as late:
        late.sendall(
            b"POST /v1/models/npr:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        )
        assert b" 401 " in late.recv(1000)
        with contextlib.suppress(ConnectionError):
            late.sendall(b"hello")
            while late.recv(1000):
                pass


def test_requests_one_behind_the_other(start, monkeypatch):
    """Two in one packet, and the beginning of a third that never ends: two answers, then the end."""
    monkeypatch.setattr("npr_keras.server.http.HEADER_SECONDS", 0.5)
    server = start()
    one = b"GET /v1/models/npr HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.server.rest_port), timeout=20) as fast:
        fast.sendall(one + one + b"GET /v1")
        got = b""
        while part := fast.recv(4000):
            got += part
    assert got.count(b"HTTP/1.1 200") == 2


def test_bodies_have_to_come_in_time(start, monkeypatch):
    monkeypatch.setattr("npr_keras.server.server.REST_TIMEOUT", 0.5)
    server = start()
    with socket.create_connection(("127.0.0.1", server.server.rest_port), timeout=20) as slow:
        slow.sendall(
            b"POST /v1/models/npr:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        )
        assert b" 504 " in slow.recv(1000)


def test_many_bodies_at_a_time(start, monkeypatch, pictures):
    """What bodies take together is bounded; the refused one is told so, and others are not."""
    monkeypatch.setattr("npr_keras.server.rest._MOST_HELD", 1000)
    server = start()
    with socket.create_connection(("127.0.0.1", server.server.rest_port)) as slow:
        slow.sendall(
            b"POST /v1/models/npr:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
            + b"[" * 900
        )
        time.sleep(0.3)
        status, answer = post(server, b"[" * 500)
        assert (status, answer["error"]) == (429, "Too many large requests at a time.")
    time.sleep(0.3)
    assert post(server, b"[" * 2000)[0] == 400  # alone: read, and no JSON
