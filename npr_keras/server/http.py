"""HTTP/1.1 by uvicorn, with an end to those that say nothing."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import ssl
from asyncio import constants

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # for a request's headers, all of them; and before it for a TLS handshake
_KEEP_ALIVE = 65  # seconds that an idle connection is kept, longer than most proxies'
_UNREAD = 60_000  # milliseconds that a client may leave an answer unread
_MOST_CONNECTIONS = 1024  # beyond it requests are refused, and soon behind it connections
_BEYOND = 64  # connections that are told so


class HTTPProtocol(H11Protocol):
    """A connection whose headers have to come in time, however slowly they drip."""

    _deadline = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) > self.limit_concurrency + _BEYOND:
            transport.abort()  # each is a file, and what is loaded needs some
            return
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        else:
            self._go_on()

    def connection_lost(self, exc) -> None:
        self._forget()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._forget()
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # the next request has begun already
            self._go_on()

    def _go_on(self) -> None:
        """Behind an answer: what comes now is another request, or the rest of a body that nobody read."""
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0] or self.cycle is None:
            if self._deadline is None:
                self._expect_headers()
        elif self.timeout_keep_alive_task is None:
            self._forget()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HTTPServer(uvicorn.Server):
    """Uvicorn's server; who runs it decides what ends it."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def make_http_server(application, drain: float, tls=None) -> HTTPServer:
    """A server of an ASGI application that listens to nothing yet.

    Args:
        application: What answers.
        drain: Seconds that a stopping server takes for what it has begun.
        tls: The files of its certificate, its key and, or "", what clients' are checked against.
    """
    encrypted = {}
    if tls:
        # Waits a minute otherwise, and nothing of ours knows of such a connection.
        constants.SSL_HANDSHAKE_TIMEOUT = HEADER_SECONDS  # type: ignore[misc]
        encrypted = {"ssl_certfile": tls[0], "ssl_keyfile": tls[1]}
        if tls[2]:
            encrypted |= {"ssl_ca_certs": tls[2], "ssl_cert_reqs": ssl.CERT_REQUIRED}
    config = uvicorn.Config(
        application,
        http=HTTPProtocol,
        ws="none",
        log_config=None,
        log_level="critical",  # what clients send is told in the access log
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE,
        limit_concurrency=_most_connections(),
        lifespan="off",
        timeout_graceful_shutdown=int(drain),
        **encrypted,
    )
    return HTTPServer(config)


def _most_connections() -> int:
    """Each connection is a file; what is loaded and polled needs some, too."""
    try:
        import resource
    except ImportError:  # Windows
        return _MOST_CONNECTIONS
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(_MOST_CONNECTIONS, most - 2 * _BEYOND - 128))


def hang_up_on_the_silent(listening: socket.socket) -> None:
    """Connections whose answers nobody reads end after a minute, where the system knows how."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD)


def give_memory_back() -> None:
    """Returns what was freed to the system, where its C library keeps it (glibc)."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
