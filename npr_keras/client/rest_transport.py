"""How the client speaks REST, with the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from urllib.parse import quote

import numpy as np

from npr_keras.client.address import Address
from npr_keras.errors import ConfigError, ServingError
from npr_keras.serving.access import authorization
from npr_keras.serving.codes import from_http


class RESTTransport:
    """A connection that is kept open; arguments as of `Client`."""

    def __init__(self, address: Address, ca_file, cert_file, key_file, token=""):
        self._address, self._tls = address, None
        self._headers = {"Content-Type": "application/json", **authorization(token)}
        if address.is_secure:
            try:
                self._tls = ssl.create_default_context(cafile=ca_file)
                if cert_file:
                    self._tls.load_cert_chain(cert_file, key_file)
            except (OSError, ssl.SSLError) as error:
                files = ", ".join(f for f in (ca_file, cert_file, key_file) if f)
                raise ConfigError(f"Cannot use these certificates ({files}): {error}") from error
        self._connection: http.client.HTTPConnection | None = None
        self._path = f"/v1/models/{quote(address.name, safe='')}"
        if address.version is not None:
            self._path += f"/versions/{address.version}"
        if address.label:
            self._path += f"/labels/{quote(address.label, safe='')}"

    def predict(self, inputs, signature, timeout):
        """See `Client.predict`."""
        body = {"inputs": {name: _values(np.asarray(array)) for name, array in inputs.items()}}
        if signature:
            body["signature_name"] = signature
        answer = self._call("POST", f"{self._path}:predict", json.dumps(body).encode(), timeout)
        try:
            outputs = answer["outputs"]
            named = outputs if isinstance(outputs, dict) else {"": outputs}
            return {name: _array(value) for name, value in named.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ServingError("INTERNAL", f"cannot understand the answer: {error}") from error

    def status(self, timeout):
        """See `Client.status`."""
        answer = self._call("GET", self._path, None, timeout)
        try:
            return {int(one["version"]): one["state"] for one in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise ServingError("INTERNAL", f"cannot understand the answer: {error}") from error

    def _call(self, method, path, body, timeout) -> dict:
        kept = self._connection is not None and self._connection.sock is not None
        try:
            try:
                status, text = self._send(method, path, body, timeout)
            except (ConnectionError, http.client.RemoteDisconnected):
                if not kept:
                    raise
                self.close()  # a connection that was idle for long may be gone; a new one is not
                status, text = self._send(method, path, body, timeout)
        except TimeoutError as error:
            self.close()
            raise ServingError("DEADLINE_EXCEEDED", f"no answer in {timeout:.3g} s") from error
        except ssl.SSLError as error:
            self.close()
            said = f"no encrypted connection to {self._address.server}: {_reason(error)}"
            raise ServingError("FAILED_PRECONDITION", said) from error
        except (http.client.BadStatusLine, http.client.LineTooLong) as error:
            self.close()
            if isinstance(error, http.client.RemoteDisconnected):
                raise ServingError("UNAVAILABLE", "the connection was closed") from error
            said = "what answers there does not speak HTTP; gRPC's port is for grpc:// addresses"
            raise ServingError("FAILED_PRECONDITION", said) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ServingError("UNAVAILABLE", str(error) or type(error).__name__) from error
        if status == 200:
            return _parsed(text)
        code = from_http(status)
        try:
            said = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            said = text[:200].decode("utf-8", "replace").strip()
        raise ServingError(code, f"{code} (HTTP {status}): {said}")

    def _send(self, method, path, body, timeout) -> tuple[int, bytes]:
        if self._connection is None:
            host, port = self._address.host, self._address.port
            self._connection = (
                http.client.HTTPSConnection(host, port, context=self._tls)
                if self._tls
                else http.client.HTTPConnection(host, port)
            )
        self._connection.timeout = timeout
        if self._connection.sock:
            self._connection.sock.settimeout(timeout)
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self):
        """See `Client.close`."""
        if self._connection:
            self._connection.close()
        self._connection = None


def _reason(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or error.reason or str(error)


def _values(array: np.ndarray):
    if array.dtype.kind != "O":
        return array.tolist()
    return [{"b64": base64.b64encode(value).decode()} for value in array]


def _array(value) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind == "U":
        texts = array.reshape(-1).tolist()
        array = np.empty(array.shape, object)
        array.reshape(-1)[:] = [text.encode() for text in texts]
    elif array.dtype == np.float64:
        array = array.astype(np.float32)
    return array


def _parsed(text: bytes):
    """A JSON answer's body."""
    try:
        return json.loads(text)
    except ValueError as error:
        start = text[:80].decode("utf-8", "replace")
        raise ServingError(
            "INTERNAL", f"the answer is no JSON (is this a TF Serving REST port?): {start!r}"
        ) from error
