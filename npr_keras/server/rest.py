"""TensorFlow Serving's REST, as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import Callable
from urllib.parse import unquote

import numpy as np
import tensorflow as tf
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from npr_keras.errors import ServingError
from npr_keras.server import rest_json
from npr_keras.server.metadata import metadata_body
from npr_keras.server.service import INTERNAL_ERROR, ModelSpec, RequestLog, Service
from npr_keras.serving.access import NO_TOKEN, is_allowed
from npr_keras.serving.codes import http_status
from npr_keras.serving.states import NAMES

METRICS_PATH = "/monitoring/prometheus/metrics"
HEALTH_PATH = "/healthz"
MAX_INFLATED = 100 << 20  # bytes of a body that came compressed
_MODEL = (
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?"
)
_ASK = re.compile(_MODEL + r":(?P<method>predict|classify|regress)", re.IGNORECASE)
_LOOK = re.compile(_MODEL + r"(?P<metadata>/metadata)?", re.IGNORECASE)
_DISCARDED, _PATIENCE = 1 << 30, 5.0  # bytes and seconds of a body that is too large
_LARGE = 1 << 16  # bytes: JSON that is not parsed beside other requests
_MOST_HELD = 256 << 20  # bytes of bodies at a time, unless one alone is more


class RESTApplication:
    """Answers HTTP requests.

    Args:
        service: What answers them.
        done: Called with each request's `RequestLog`.
        max_request: Bytes of a body, at most.
        timeout: Seconds for a request.
        cors_origin: What pages may ask from a browser: an origin, "*" for all, "" for none.
        token: What clients have to bring; "" for nothing.
        log: Called with a line for whoever runs the server.
    """

    def __init__(
        self,
        service: Service,
        done,
        max_request: int,
        timeout: float,
        cors_origin: str = "",
        token: str = "",
        log: Callable[[str], None] = lambda line: None,
    ):
        self.service, self.done, self.log = service, done, log
        self.max_request, self.timeout, self.token = max_request, timeout, token
        self._held = 0  # bytes of bodies that are here
        self._parsing = asyncio.Semaphore(1)  # large bodies; each takes ten times its size
        self._cors = {}
        if cors_origin:
            self._cors = {
                "access-control-allow-origin": cors_origin,
                "access-control-allow-methods": "GET, POST, HEAD, OPTIONS",
                "access-control-allow-headers": "authorization, content-type",
                "vary": "origin",
            }

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        if self._cors and request.method == "OPTIONS":  # a browser asks whether it may ask
            await Response(None, 204, headers=self._cors)(scope, receive, send)
            return
        if not path.lower().startswith("/v1/"):
            response = self._outside(request, path)
            response.headers.update(self._cors)
            await response(scope, receive, send)
            return
        if not self._may_ask(request):
            await self._unauthenticated()(scope, receive, send)
            return
        handled = RequestLog("rest", "malformed")
        held = _Held(self)
        try:
            async with asyncio.timeout(self.timeout):
                body = await self._answer(request, path, handled, held)
                text = await _maybe_apart(json.dumps, body, len(str(handled.rows)) > 3)
            response = Response(text + "\n", 200, media_type="application/json")
        except ServingError as error:
            response = _error(handled, error.code, str(error))
        except TimeoutError:
            response = _error(handled, "DEADLINE_EXCEEDED", f"Not answered in {self.timeout:g} s.")
        except ClientDisconnect:
            handled.code = "CANCELLED"
            self.done(handled)
            return
        except Exception as error:
            self.log(f"{handled.method}: {error!r}")
            response = _error(handled, "INTERNAL", INTERNAL_ERROR)
        finally:
            held.release()
        if getattr(request.state, "unread", False):
            # What the client goes on sending is no request.
            response.status_code = 413
            response.headers["connection"] = "close"
        self.done(handled)
        response.headers.update(self._cors)
        await response(scope, receive, send)

    def _outside(self, request: Request, path: str) -> Response:
        looks = request.method in ("GET", "HEAD")
        if path == HEALTH_PATH and looks:
            ready = all(self.service.models.available().values())
            return PlainTextResponse("ok\n" if ready else "loading\n", 200 if ready else 503)
        if not self._may_ask(request):
            return self._unauthenticated()
        if path == METRICS_PATH and looks:
            metrics = self.service.metrics
            page = metrics.page(self.service.models.available(), self.service.batcher.waiting)
            return Response(page, media_type=metrics.content_type)
        return PlainTextResponse("Not Found\n", 404)

    def _may_ask(self, request: Request) -> bool:
        return is_allowed(request.headers.get("authorization", ""), self.token)

    async def _answer(self, request: Request, path: str, handled: RequestLog, held) -> dict:
        if request.method == "POST" and (found := _ASK.fullmatch(path)):
            handled.method = found["method"].lower()
            body = await self._body(request, held)
            parsed = await self._parsed(body)
            signature = parsed.get("signature_name", "")
            if not isinstance(signature, str):
                raise ServingError("INVALID_ARGUMENT", "'signature_name' must be a string.")
            spec = _spec(found, signature)
            if handled.method == "predict":
                return await self._predict(spec, parsed, handled)
            examples = rest_json.read_examples(parsed)
            return await self._of_examples(spec, examples, handled)
        if request.method in ("GET", "HEAD") and (found := _LOOK.fullmatch(path)):
            spec = _spec(found)
            handled.method = "metadata" if found["metadata"] else "status"
            if not found["metadata"]:
                handled.model = spec.name
                return self._status(spec)
            version, servable = self.service.find(spec, handled)
            return metadata_body(spec.name, version, servable)
        raise ServingError("INVALID_ARGUMENT", f"Malformed request: {request.method} {path}")

    async def _predict(self, spec: ModelSpec, parsed: dict, handled: RequestLog) -> dict:
        _, servable = self.service.find(spec, handled)
        dtypes = {
            name: np.dtype(tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
            for name, info in servable.definition(spec.signature).inputs.items()
        }
        inputs, rows = await asyncio.to_thread(rest_json.read_inputs, parsed, dtypes)
        _, outputs = await self.service.predict(spec, inputs, handled)
        return rest_json.write_outputs(outputs, rows)

    async def _of_examples(self, spec: ModelSpec, examples: list, handled: RequestLog) -> dict:
        if handled.method == "regress":
            _, values = await self.service.regress(spec, examples, handled)
            return {"results": values.tolist()}
        _, classes, scores = await self.service.classify(spec, examples, handled)
        return {
            "results": [
                [
                    [label.decode("utf-8", "replace"), score]
                    for label, score in zip(*row, strict=True)
                ]
                for row in zip(classes.tolist(), scores.tolist(), strict=True)
            ]
        }

    def _status(self, spec: ModelSpec) -> dict:
        found = self.service.models.status(spec.name, spec.version, spec.label)
        return {
            "model_version_status": [
                {
                    "version": str(version),
                    "state": NAMES[status.state],
                    "status": {"error_code": status.code, "error_message": status.message},
                }
                for version, status in found.items()
            ]
        }

    def _unauthenticated(self) -> Response:
        # A body that follows is not read.
        headers = {"www-authenticate": "Bearer", "connection": "close", **self._cors}
        text = json.dumps({"error": NO_TOKEN}) + "\n"
        return Response(text, 401, media_type="application/json", headers=headers)

    async def _parsed(self, body: bytes) -> dict:
        if len(body) <= _LARGE:
            return rest_json.parse(body)
        await self._parsing.acquire()
        parsing = asyncio.ensure_future(asyncio.to_thread(rest_json.parse, body))
        # A thread goes on when its request is given up: nobody else begins until it has ended.
        parsing.add_done_callback(lambda _: self._parsing.release())
        return await asyncio.shield(parsing)

    async def _body(self, request: Request, held: _Held) -> bytes:
        """The body, inflated; never more of it in memory than is allowed."""
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise ServingError("INVALID_ARGUMENT", f"Content-Encoding {encoding}: expected gzip.")
        inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        most = MAX_INFLATED if inflate else self.max_request
        parts, came, size = [], 0, 0
        stream = request.stream()
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self.max_request:
            raise await self._too_large(request, stream, self.max_request)
        async for part in stream:
            came += len(part)
            if inflate:
                try:
                    part = inflate.decompress(part, most + 1 - size)
                except zlib.error as error:
                    raise ServingError("INVALID_ARGUMENT", f"No gzip: {error}") from error
            held.take(len(part))
            parts.append(part)
            size += len(part)
            if came > self.max_request or size > most:
                raise await self._too_large(request, stream, min(most, self.max_request))
        if inflate and not inflate.eof:
            raise ServingError("INVALID_ARGUMENT", "The gzip ends too early.")
        return b"".join(parts)

    async def _too_large(self, request: Request, stream, most: int) -> ServingError:
        request.state.unread = True
        await _discard(stream)
        return ServingError(
            "INVALID_ARGUMENT", f"The request's body is larger than {most:,} bytes."
        )


class _Held:
    """What one request's body takes of the memory that all bodies have together."""

    def __init__(self, application: RESTApplication):
        self._application, self._bytes = application, 0

    def take(self, size: int) -> None:
        application = self._application
        if application._held + size > _MOST_HELD and application._held > self._bytes:
            raise ServingError("RESOURCE_EXHAUSTED", "Too many large requests at a time.")
        self._bytes += size
        application._held += size

    def release(self) -> None:
        self._application._held -= self._bytes
        self._bytes = 0


async def _discard(stream) -> None:
    """Reads on, for a while: who is still sending does not see an answer."""
    came = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            async for part in stream:
                came += len(part)
                if came > _DISCARDED:
                    return


def _spec(found: re.Match, signature: str = "") -> ModelSpec:
    version = int(found["version"]) if found["version"] else None
    return ModelSpec(unquote(found["name"]), version, unquote(found["label"] or ""), signature)


def _error(handled: RequestLog, code: str, message: str) -> Response:
    handled.code = code
    text = json.dumps({"error": message}) + "\n"
    return Response(text, http_status(code), media_type="application/json")


async def _maybe_apart(function, argument, apart: bool):
    """Calls a function, in a thread where it takes its time."""
    return await asyncio.to_thread(function, argument) if apart else function(argument)
