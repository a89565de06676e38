"""The light client and a server that refuses, goes away, or answers what is no answer."""

import base64
import time

import pytest

from npr_keras.client.client import Client
from npr_keras.errors import ServingError

from .conftest import Refusing


def test_it_is_sent_again(refusing, monkeypatch):
    monkeypatch.setattr(Refusing, "statuses", [429, 503, 200])
    with Client(f"http://127.0.0.1:{refusing.server_port}/npr") as client:
        (answer,) = client.score([b"image"])
    assert (answer.logit, answer.label) == (1.5, "generated")
    assert len(refusing.bodies) == 3
    assert refusing.bodies[0] == refusing.bodies[2]
    sent = base64.b64decode(refusing.bodies[0]["inputs"]["images"][0]["b64"])
    assert sent == b"image"


@pytest.mark.parametrize(("statuses", "code", "times"), [([400], "INVALID_ARGUMENT", 1), ([429], "RESOURCE_EXHAUSTED", None), ([503], "UNAVAILABLE", 3), ([418], "INTERNAL", 1)])  # fmt: skip
def test_what_is_not_or_not_for_ever(refusing, monkeypatch, statuses, code, times):
    monkeypatch.setattr(Refusing, "statuses", statuses)
    client = Client(f"http://127.0.0.1:{refusing.server_port}/npr", timeout=2, retries=2)
    with client, pytest.raises(ServingError) as error:
        list(client.score([b"image"]))
    assert error.value.code == code
    assert len(refusing.bodies) == times if times else len(refusing.bodies) > 3


ODD = [
    [], {}, {"outputs": None}, {"outputs": 3}, {"outputs": [[1], [1, 2]]},
    {"outputs": {"valid": True, "logit": 1.0, "probability": 1.0, "label": "real"}},
    {"outputs": {"valid": [True], "logit": [1.0], "probability": [1.0], "label": [7]}},
    {"outputs": {"valid": [], "logit": [], "probability": [], "label": []}},
]  # fmt: skip


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_answers_that_are_none(refusing, monkeypatch, answer):
    monkeypatch.setattr(Refusing, "answer", answer)
    with Client(f"http://127.0.0.1:{refusing.server_port}/npr", retries=0) as client:
        with pytest.raises(ServingError) as error:
            list(client.score([b"image"]))
        assert error.value.code in ("INTERNAL", "FAILED_PRECONDITION")
        with pytest.raises(ServingError):
            client.facts()


def test_an_idle_connection_that_is_gone(refusing):
    """What was kept open and closed by the server is opened again: that is no failure."""
    with Client(f"http://127.0.0.1:{refusing.server_port}/npr", retries=0) as client:
        assert next(client.score([b"x"])).valid
        client._transport._connection.sock.shutdown(2)
        assert next(client.score([b"x"])).valid


def test_the_deadline_counts_repetitions(refusing, monkeypatch):
    monkeypatch.setattr(Refusing, "statuses", [503])
    begun = time.monotonic()
    client = Client(f"http://127.0.0.1:{refusing.server_port}/npr", timeout=0.5, retries=99)
    with client, pytest.raises(ServingError):
        list(client.score([b"x"]))
    assert time.monotonic() - begun < 5
    assert len(refusing.bodies) < 20
