"""Where a model is served."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from npr_keras.errors import ConfigError

_PORTS = {"grpc": 8500, "grpcs": 8500, "http": 8501, "https": 443}
_PATH = re.compile(
    r"/(?:v1/models/)?(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?/?"
)


@dataclass(frozen=True)
class Address:
    """A model on a server.

    Attributes:
        scheme: "grpc", "grpcs", "http" or "https"; the second and the last with TLS.
        host, port: The server.
        name: The model's.
        version: A certain one, or None.
        label: A label instead, or "".
    """

    scheme: str
    host: str
    port: int
    name: str
    version: int | None = None
    label: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Reads `grpc://host:8500/npr` or `http://host:8501/npr/versions/2`.

        Raises:
            ConfigError: If it is not one.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _wrong(url, str(error)) from error
        found = _PATH.fullmatch(parts.path)
        if parts.scheme not in _PORTS or not parts.hostname or not found:
            if parts.scheme not in _PORTS:
                what = "the scheme is not known"
            elif not parts.hostname:
                what = "the host is missing"
            else:
                what = "the model's name is missing, or something follows it"
            raise _wrong(url, what)
        return cls(
            parts.scheme,
            parts.hostname,
            port or _PORTS[parts.scheme],
            unquote(found["name"]),
            int(found["version"]) if found["version"] else None,
            unquote(found["label"] or ""),
        )

    @property
    def is_grpc(self) -> bool:
        """Whether it is spoken to in gRPC."""
        return self.scheme.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("grpcs", "https")

    @property
    def server(self) -> str:
        """Host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _wrong(url: str, what: str) -> ConfigError:
    return ConfigError(
        f"Not a model's address: {url!r} ({what}). Expected grpc://host:8500/name or "
        "http://host:8501/name (grpcs, https with TLS), and /versions/2 or /labels/stable behind it "
        "for a certain version."
    )


def is_address(model) -> bool:
    """Whether something that stands for a model is an address rather than a path."""
    return str(model).partition("://")[0] in _PORTS and "://" in str(model)
