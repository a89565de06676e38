"""Who may ask: a bearer token, and certificates for both sides."""

from __future__ import annotations

import hmac
import ipaddress
import os
import ssl
from pathlib import Path

from npr_keras.errors import ConfigError

TOKEN = "NPR_TOKEN"  # the environment variable that a client takes its token from
SCHEME = "Bearer "
NO_TOKEN = "This server asks for a token: Authorization: Bearer TOKEN."
_LEAST_TOKEN = 16  # characters


def read_token(path: str | os.PathLike) -> str:
    """The token in a file; "" for no path.

    Raises:
        ConfigError: If the file cannot be read, or holds no token.
    """
    if not path:
        return ""
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"Cannot read the token in {os.fspath(path)}: {reason}") from error
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"{os.fspath(path)}: expected a token of at least {_LEAST_TOKEN} ASCII characters on one line. "
            f"Received: {len(token)} characters. `openssl rand -hex 32` makes one."
        )
    return token


def authorization(token: str) -> dict[str, str]:
    """The header that brings a token; none for ""."""
    return {"Authorization": SCHEME + token} if token else {}


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which nobody else hears."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_allowed(authorization: str, token: str) -> bool:
    """Whether a request's `Authorization` is the token's; compared in a time that tells nothing."""
    if not token:
        return True
    scheme, given = authorization[: len(SCHEME)], authorization[len(SCHEME) :]
    if scheme.lower() != SCHEME.lower():
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def tls_files(
    cert_file: str, key_file: str, client_ca_file: str
) -> tuple[bytes, bytes, bytes] | None:
    """A server's certificate, its key, and what clients' certificates are checked against.

    Returns:
        Their contents, the last b"" where clients need none; None where nothing is encrypted.

    Raises:
        ConfigError: If one is missing or cannot be used.
    """
    if not (cert_file or key_file or client_ca_file):
        return None
    if not (cert_file and key_file):
        raise ConfigError("TLS needs both --cert-file and --key-file.")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        if client_ca_file:
            context.load_verify_locations(client_ca_file)
        parts = [Path(p).read_bytes() if p else b"" for p in (cert_file, key_file, client_ca_file)]
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (cert_file, key_file, client_ca_file)))
        raise ConfigError(f"Cannot use these certificates ({files}): {error}") from error
    return parts[0], parts[1], parts[2]
