"""How a server serves. Nothing heavy is imported here: the command line makes its options of it."""

from __future__ import annotations

from dataclasses import dataclass

from npr_keras.limits import MOST_SERVED
from npr_keras.serving.access import is_loopback
from npr_keras.settings import TEXT, Config, Rule, field_of, integer, number

_TEXTS = Rule(lambda v: isinstance(v, tuple) and all(map(TEXT.fits, v)), "texts", "texts")


@dataclass(frozen=True)
class ServerSettings(Config):
    """How a server serves.

    Args:
        host: The address that is listened to.
        rest_port, grpc_port: 0 is any free one.
        max_batch: Rows that are run together, at most.
        batch_timeout_ms: Milliseconds that a request waits for others.
        max_queue: Requests that wait, at most.
        max_request_mb: Size of a request, at most, in MiB.
        max_pixels: That an encoded image may declare.
        poll_seconds: Between looks at the disk.
        cors_origin: What pages in browsers may ask: their origin, "*" for all, "" for none.
        model_root: Folders whose models clients may have served (HandleReloadConfigRequest); where
            there is none, any on loopback, and none elsewhere.
        token_file: A file with the bearer token that clients have to send; "" for none.
        cert_file, key_file: The server's certificate and key; "" for no TLS.
        client_ca_file: What clients' certificates are checked against; "" where they need none.
        drain: Seconds that a stopping server takes for what it has begun.
    """

    host: str = field_of("127.0.0.1", TEXT, "Address to listen on; 0.0.0.0 for all interfaces.")
    rest_port: int = field_of(8501, integer(0, 65535), "Port for REST; 0 for any free one.")
    grpc_port: int = field_of(8500, integer(0, 65535), "Port for gRPC; 0 for any free one.")
    max_batch: int = field_of(32, integer(1), "Images that are run together, at most.")
    batch_timeout_ms: float = field_of(
        5.0, number(0, 10_000), "How long a request waits for others."
    )
    max_queue: int = field_of(
        256,
        integer(1),
        "Requests that wait; one more is refused (429, RESOURCE_EXHAUSTED).",
    )
    max_request_mb: int = field_of(64, integer(1, 2000), "Size of a request, at most.")
    max_pixels: int = field_of(
        MOST_SERVED, integer(1), "An encoded image that declares more counts as unreadable."
    )
    poll_seconds: float = field_of(1.0, number(0.05), "Between looks for new versions.")
    cors_origin: str = field_of(
        "", TEXT, 'Let pages of this origin ask from a browser; "*" for all.  [default: none]'
    )
    model_root: tuple[str, ...] = field_of(
        (), _TEXTS, "Let clients choose models in this folder. Repeatable."
    )
    token_file: str = field_of("", TEXT, "Ask clients for the bearer token in this file.")
    cert_file: str = field_of("", TEXT, "Serve with TLS: the server's certificate.")
    key_file: str = field_of("", TEXT, "Its key.")
    client_ca_file: str = field_of("", TEXT, "Ask clients for certificates signed by these.")
    drain: float = field_of(30.0, number(0))

    @property
    def tls(self) -> tuple[str, str, str] | None:
        """Files of the certificate, the key, and what clients are checked against; None for no TLS."""
        files = self.cert_file, self.key_file, self.client_ca_file
        return files if any(files) else None

    @property
    def is_open(self) -> bool:
        """Whether other machines may ask, whoever they are."""
        return not (is_loopback(self.host) or self.token_file or self.client_ca_file)
