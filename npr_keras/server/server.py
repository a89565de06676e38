"""The embedded server: REST and gRPC on one event loop, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence

from npr_keras.errors import ConfigError, ServingError
from npr_keras.server.batching import Batcher
from npr_keras.server.grpc_service import bind, make_grpc_server, set_health
from npr_keras.server.http import give_memory_back, hang_up_on_the_silent, make_http_server
from npr_keras.server.metrics import Metrics
from npr_keras.server.models import Models, ModelSettings
from npr_keras.server.rest import RESTApplication
from npr_keras.server.servable import Servable
from npr_keras.server.service import RequestLog, Service
from npr_keras.server.settings import ServerSettings
from npr_keras.serving.access import is_loopback, read_token, tls_files

REST_TIMEOUT = 30.0  # seconds, as TensorFlow Serving's


class Server:
    """Serves models until it is stopped.

    Args:
        models: What is served.
        settings: How.
        log: Called with lines for whoever runs it.
        access: Called with a dict for each request, for a structured log.

    Attributes:
        rest_port, grpc_port: What is listened to, once it is `ready`.
    """

    def __init__(
        self,
        models: Sequence[ModelSettings],
        settings: ServerSettings | None = None,
        log: Callable[[str], None] = lambda line: None,
        access: Callable[[dict], None] | None = None,
    ):
        self.models, self.settings = list(models), settings or ServerSettings()
        self._log, self._access = log, access
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.rest_port = self.grpc_port = 0

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Loads, serves, and drains.

        Args:
            ready: Called when requests are answered.

        Raises:
            ConfigError: If a port is taken.
            ServingError: If not one version of a model can be loaded.
        """
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        settings = self.settings
        metrics = Metrics()
        batcher = Batcher(
            settings.max_batch,
            settings.batch_timeout_ms / 1000,
            settings.max_queue,
            observe=metrics.batch,
            after_large=give_memory_back,
        )
        models = Models(self.models, Servable, self._log)
        service = Service(models, batcher, metrics, settings.max_pixels)

        def done(handled: RequestLog):
            metrics.count(handled)
            if self._access:
                self._access(_entry(handled))

        token = read_token(settings.token_file)
        credentials = tls_files(*(settings.tls or ("", "", "")))
        roots = self._reload_roots()
        grpc_server, health = make_grpc_server(
            service, done, settings.max_request_mb << 20, roots, token, self._log
        )
        listening = self._listen()
        try:
            # A port that is taken is found before anything is loaded.
            self.grpc_port = self._bind(grpc_server, credentials)
            await models.poll()
            self._require_all(models)
            application = RESTApplication(
                service,
                done,
                settings.max_request_mb << 20,
                REST_TIMEOUT,
                settings.cors_origin,
                token,
                self._log,
            )
            rest = make_http_server(application, settings.drain, settings.tls)
            await grpc_server.start()
            await set_health(health, True)
            serving = asyncio.create_task(rest.serve(sockets=[listening]))
            polling = asyncio.create_task(self._poll(models))
            while not rest.started and not serving.done():
                await asyncio.sleep(0.01)
            ready()
            stopping = asyncio.create_task(self._stopped.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await set_health(health, False)
            rest.should_exit = True
            await asyncio.gather(serving, grpc_server.stop(settings.drain))
            polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await polling
        finally:
            listening.close()
            await batcher.close()
            await models.close()

    def stop(self) -> None:
        """Ends it, from any thread: nothing new is taken, what was begun is answered."""
        if self._loop and self._stopped:
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _listen(self) -> socket.socket:
        try:
            host = self.settings.host
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server(
                (host, self.settings.rest_port), family=family, backlog=1024
            )
        except OSError as error:
            raise ConfigError(
                f"Cannot listen to {self.settings.host}:{self.settings.rest_port} "
                f"({error.strerror}). Give another --rest-port, 0 for a free one, or another --host."
            ) from error
        hang_up_on_the_silent(listening)
        self.rest_port = listening.getsockname()[1]
        return listening

    def _reload_roots(self) -> list[str] | None:
        """Folders that clients may name models in, "" for all; None where they may name none."""
        settings = self.settings
        if settings.model_root:
            return [os.path.realpath(folder) for folder in settings.model_root]
        if is_loopback(settings.host):
            return [""]
        return None

    def _bind(self, grpc_server, credentials) -> int:
        address = f"{bracketed(self.settings.host)}:{self.settings.grpc_port}"
        try:
            return bind(grpc_server, address, credentials)
        except RuntimeError as error:
            raise ConfigError(
                f"Cannot listen to {address}. Give another --grpc-port, or 0 for a free one."
            ) from error

    def _require_all(self, models: Models) -> None:
        for name, versions in models.available().items():
            if not versions:
                reasons = "; ".join(models.errors()) or (
                    f"there is no version in {models.settings[name].path}: no folder with a "
                    "number for a name. `npr-keras export MODEL` writes one"
                )
                raise ServingError("NOT_FOUND", f"Model {name} cannot be served: {reasons}.")
            for label, version in models.settings[name].labels.items():
                if version not in versions:
                    self._log(f"{name}: the label {label} stands for version {version}, not served")

    async def _poll(self, models: Models) -> None:
        while True:
            await asyncio.sleep(self.settings.poll_seconds)
            try:
                await models.poll()
            except Exception as error:  # the next look may find what this one did not
                self._log(f"cannot look for versions: {error}")


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def _entry(handled: RequestLog) -> dict:
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "protocol": handled.protocol,
        "method": handled.method,
        "model": handled.model,
        "version": handled.version,
        "signature": handled.signature,
        "rows": handled.rows,
        "code": handled.code,
        "ms": round(1000 * (time.perf_counter() - handled.begun), 2),
    }
