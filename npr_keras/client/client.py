"""A client for TensorFlow Serving and for the embedded server."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from npr_keras.client.address import Address
from npr_keras.errors import ConfigError, ServingError
from npr_keras.serving.access import TOKEN, is_loopback
from npr_keras.serving.codes import OTHER_SHAPES, RETRIED

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds before a request is sent again
_MOST_BYTES = 16 << 20  # of images in one request
_TOO_LARGE = "larger than max"  # gRPC's words; no pause makes a message smaller


@dataclass(frozen=True)
class Answer:
    """A server's bare answer for one image.

    Attributes:
        valid: Whether it could be decoded; where not, the numbers are NaN and there is no label.
        logit: The detector's output.
        probability: Of being generated, calibrated.
        label: The side of the threshold: "generated" or "no trace" ("real" in exports of version
            0.1), or "uncalibrated". It knows nothing of the file's history: see
            `npr_keras.scoring.remote.served_predictions`.
        error: Why it is not valid, where the server says so.
    """

    valid: bool
    logit: float
    probability: float
    label: str
    error: str = ""


class Client:
    """Asks a server for scores; needs neither TensorFlow nor Keras.

    Args:
        url: Such as `grpc://127.0.0.1:8500/npr` or `http://127.0.0.1:8501/npr`, see `Address`.
        timeout: Seconds for a call, with all it takes to repeat it.
        retries: Times that a request is sent again where the server is not there, with a growing
            pause. Where it has too much to do, as often as the time allows, unless this is 0.
        ca_file: Certificates that the server's is checked against; by default the system's.
        cert_file, key_file: The client's own, where the server wants one.
        token: The bearer token, where the server asks for one; by default NPR_TOKEN's.

    Raises:
        ConfigError: If `url` is no address.

    Example:
        >>> with Client("grpc://127.0.0.1:8500/npr") as client:
        ...     (answer,) = client.score([open("photo.jpg", "rb").read()])
        >>> answer.valid
        True
    """

    def __init__(
        self,
        url: str,
        timeout: float = 30.0,
        retries: int = 5,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        token: str | None = None,
    ):
        self.address = Address.parse(url)
        token = os.environ.get(TOKEN, "") if token is None else token
        if token and not (self.address.is_secure or is_loopback(self.address.host)):
            raise ConfigError(
                f"A token goes to other machines by grpcs:// and https:// alone. Received: {url}"
            )
        self._token = token
        if (ca_file or cert_file or key_file) and not self.address.is_secure:
            raise ConfigError(f"Certificates go with grpcs:// and https://. Received: {url}")
        self.url, self.timeout, self.retries = url, timeout, retries
        self._files = ca_file, cert_file, key_file
        if self.address.is_grpc:
            from npr_keras.client.grpc_transport import GRPCTransport

            self._transport: Any = GRPCTransport(self.address, ca_file, cert_file, key_file, token)
        else:
            from npr_keras.client.rest_transport import RESTTransport

            self._transport = RESTTransport(self.address, ca_file, cert_file, key_file, token)

    def predict(
        self, inputs: Mapping[str, np.ndarray], signature: str = ""
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            inputs: Dict from input to array; strings as arrays of objects that are bytes.
            signature: Its name; by default `serving_default`.

        Returns:
            Dict from output to array. REST does not name an output that is the only one: it is "".

        Raises:
            ServingError: With the server's code.
        """
        return self._call(lambda left: self._transport.predict(inputs, signature, left))

    def score(self, images: Iterable[bytes], batch_size: int = 8) -> Iterator[Answer]:
        """The server's bare answers for encoded images, such as JPEG or PNG files as they are.

        Args:
            images: Their bytes; taken one after the other.
            batch_size: Images in a request, at most; large ones go in smaller groups.

        Yields:
            An `Answer` for each, in order.
        """
        batch: list[bytes] = []
        for image in images:
            if batch and sum(map(len, batch)) + len(image) > _MOST_BYTES:
                yield from self._score(batch)
                batch = []
            batch.append(image)
            if len(batch) >= batch_size:
                yield from self._score(batch)
                batch = []
        if batch:
            yield from self._score(batch)

    def _score(self, batch: Sequence[bytes]) -> Iterator[Answer]:
        images = np.empty(len(batch), object)
        images[:] = list(batch)
        outputs = self.predict({"images": images})
        outputs.setdefault("error", np.array([b""] * len(batch), object))  # version 0.1 has none
        missing = {"valid", "logit", "probability", "label"} - set(outputs)
        if missing:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"{self.url} serves a model that `npr-keras export` did not write: its answer has no "
                f"{', '.join(sorted(missing))}.",
            )
        try:
            names = ("valid", "logit", "probability", "label", "error")
            rows = zip(*(outputs[k] for k in names), strict=True)
            answers = [
                Answer(bool(v), float(z), float(p), label.decode(), error.decode())
                for v, z, p, label, error in rows
            ]
        except (TypeError, ValueError, AttributeError) as error:
            raise ServingError(
                "INTERNAL", f"{self.url}: cannot understand the answer: {error}"
            ) from error
        if len(answers) != len(batch):
            raise ServingError(
                "INTERNAL", f"{self.url}: {len(answers)} answers to {len(batch)} images."
            )
        yield from answers

    def facts(self) -> str:
        """What the model says of itself, as JSON: its protocol, calibration and robustness."""
        asked = np.array([b"facts"], object)
        try:
            found = self.predict({"about": asked}, "facts")
        except ServingError as error:
            if error.code not in ("FAILED_PRECONDITION", "INVALID_ARGUMENT"):
                raise
            raise ServingError(
                "FAILED_PRECONDITION",
                f"{self.url} serves a model that `npr-keras export` did not write: it does not say how its "
                f"pixels are made and what its scores mean ({error}).",
            ) from error
        try:
            return next(iter(found.values()))[0].decode()
        except (StopIteration, IndexError, TypeError, AttributeError) as error:
            raise ServingError("INTERNAL", f"{self.url}: cannot understand the answer.") from error

    def pinned(self) -> Client:
        """A client of the version that is served now; this one, where it names a version already.

        What is asked in several requests, or judged by what the model says of itself, has to come from
        one version, whatever is loaded meanwhile.
        """
        if self.address.version is not None or self.address.label:
            return self
        available = [v for v, state in self.status().items() if state == "AVAILABLE"]
        if not available:
            return self
        url = f"{self.url.rstrip('/')}/versions/{max(available)}"
        return Client(url, self.timeout, self.retries, *self._files, token=self._token)

    def status(self) -> dict[int, str]:
        """Dict from version to its state, such as "AVAILABLE"."""
        return self._call(lambda left: self._transport.status(left))

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _call(self, send):
        """Sends a request, again where that may help, until its time is up."""
        end, pause, left = time.monotonic() + self.timeout, _FIRST_PAUSE, self.retries
        while True:
            try:
                return send(max(0.001, end - time.monotonic()))
            except ServingError as error:
                # Not all at once: the pauses of many clients differ.
                wait = pause * (0.5 + random.random())
                again = error.code in RETRIED or OTHER_SHAPES in str(error)
                hopeless = not again or _TOO_LARGE in str(error) or not left
                if hopeless or time.monotonic() + wait > end:
                    raise ServingError(error.code, f"{self.url}: {error}") from error
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)
                # A server that has too much to do is there: only the time says when to give up.
                left -= error.code != "RESOURCE_EXHAUSTED"
