"""TensorFlow Serving's gRPC services, with the classes of tensorflow-serving-api."""

from __future__ import annotations

import asyncio
import contextlib
import os

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from npr_keras.errors import NPRKerasError, ServingError
from npr_keras.server.http import HEADER_SECONDS
from npr_keras.server.metadata import FIELD, signature_map
from npr_keras.server.model_config import read_settings
from npr_keras.server.service import INTERNAL_ERROR, ModelSpec, RequestLog, Service
from npr_keras.serving.access import NO_TOKEN, is_allowed
from npr_keras.serving.codes import CODES
from npr_keras.serving.tensors import decode_tensor, encode_tensor

# What health checks ask for: the server as a whole, and the services, as TensorFlow Serving
# names them.
CHECKED = ("", "ModelService", "PredictionService")
_MOST_CALLS = 1024  # at a time


class _Answering:
    """What both services share: errors as statuses, and a line for each request."""

    def __init__(self, service: Service, done, log=lambda line: None):
        self.service, self.done, self.log = service, done, log

    @contextlib.asynccontextmanager
    async def _handled(self, method: str, context):
        handled = RequestLog("grpc", method)
        try:
            yield handled
        except ServingError as error:
            handled.code = error.code
            await context.abort(getattr(grpc.StatusCode, error.code), str(error))
        except asyncio.CancelledError:  # the client is gone, or its time is up
            handled.code = "CANCELLED"
            raise
        except Exception as error:
            handled.code = "INTERNAL"
            self.log(f"{method}: {error!r}")
            await context.abort(grpc.StatusCode.INTERNAL, INTERNAL_ERROR)
        finally:
            self.done(handled)


class PredictionService(_Answering, prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress and GetModelMetadata."""

    async def Predict(self, request, context):
        async with self._handled("predict", context) as handled:
            inputs = {name: decode_tensor(proto) for name, proto in request.inputs.items()}
            spec = _spec(request.model_spec)
            version, outputs = await self.service.predict(
                spec, inputs, handled, list(request.output_filter)
            )
            response = predict_pb2.PredictResponse()
            _resolve(response.model_spec, spec, version, handled)
            for name, array in outputs.items():
                encode_tensor(array, response.outputs[name])
            return response

    async def Classify(self, request, context):
        async with self._handled("classify", context) as handled:
            spec = _spec(request.model_spec)
            version, classes, scores = await self.service.classify(
                spec, _examples(request.input), handled
            )
            response = classification_pb2.ClassificationResponse()
            _resolve(response.model_spec, spec, version, handled)
            for labels, row in zip(classes, scores, strict=True):
                one = response.result.classifications.add()
                for label, score in zip(labels, row, strict=True):
                    one.classes.add(label=label.decode("utf-8", "replace"), score=score)
            return response

    async def Regress(self, request, context):
        async with self._handled("regress", context) as handled:
            spec = _spec(request.model_spec)
            version, values = await self.service.regress(spec, _examples(request.input), handled)
            response = regression_pb2.RegressionResponse()
            _resolve(response.model_spec, spec, version, handled)
            for value in np.asarray(values, np.float32):
                response.result.regressions.add(value=value)
            return response

    async def MultiInference(self, request, context):
        async with self._handled("multiinference", context):
            raise ServingError(
                "UNIMPLEMENTED", "MultiInference is not offered here; TensorFlow Serving has it."
            )

    async def GetModelMetadata(self, request, context):
        async with self._handled("metadata", context) as handled:
            if not request.metadata_field:
                raise ServingError(
                    "INVALID_ARGUMENT",
                    "GetModelMetadataRequest must specify at least one metadata_field",
                )
            other = [f for f in request.metadata_field if f != FIELD]
            if other:
                raise ServingError(
                    "INVALID_ARGUMENT", f"Metadata field {other[0]} is not supported"
                )
            spec = _spec(request.model_spec)
            version, servable = self.service.find(spec, handled)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = spec.name
            response.model_spec.version.value = version
            response.metadata[FIELD].CopyFrom(signature_map(servable))
            return response


class ModelService(_Answering, model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    roots: list[str] | None = None

    async def GetModelStatus(self, request, context):
        async with self._handled("status", context) as handled:
            spec = _spec(request.model_spec)
            handled.model = spec.name
            response = get_model_status_pb2.GetModelStatusResponse()
            found = self.service.models.status(spec.name, spec.version, spec.label)
            for version, status in found.items():
                response.model_version_status.add(
                    version=version,
                    state=status.state,
                    status={"error_code": CODES[status.code][0], "error_message": status.message},
                )
            return response

    async def HandleReloadConfigRequest(self, request, context):
        async with self._handled("reload", context):
            if self.roots is None:
                raise ServingError(
                    "PERMISSION_DENIED",
                    "This server listens to other machines and does not let them say what is served. "
                    "Start it with --model-root DIR, where they may.",
                )
            response = model_management_pb2.ReloadConfigResponse()
            try:
                settings = read_settings(request.config)
                self._require_inside(settings)
                await self.service.models.reconfigure(settings)
            except ServingError:
                raise
            except NPRKerasError as error:
                raise ServingError("INVALID_ARGUMENT", str(error)) from error
            return response

    def _require_inside(self, settings) -> None:
        for one in settings:
            path = os.path.realpath(one.path)
            if not any(_lies_in(path, root) for root in self.roots or ()):
                raise ServingError(
                    "PERMISSION_DENIED", f"{one.name}: its folder lies in no --model-root."
                )


def _lies_in(path: str, root: str) -> bool:
    """Whether an absolute path is a folder, or below it; "" is every folder."""
    try:
        return not root or os.path.commonpath([path, root]) == root
    except ValueError:  # on another drive
        return False


class _TokenInterceptor(grpc.aio.ServerInterceptor):
    """Turns away who does not bring the token; health is everybody's."""

    def __init__(self, token: str):
        self._token = token

        async def refuse(request, context):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, NO_TOKEN)

        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(self, continuation, details):
        given = dict(details.invocation_metadata).get("authorization", "")
        is_health = details.method.startswith("/grpc.health.v1.Health/")
        if is_health or is_allowed(str(given), self._token):
            return await continuation(details)
        return self._refusal


def bind(server, address: str, credentials) -> int:
    """Lets a server listen, encrypted where there are credentials, see `tls_files`; the port."""
    if not credentials:
        return server.add_insecure_port(address)
    certificate, key, clients = credentials
    made = grpc.ssl_server_credentials([(key, certificate)], clients or None, bool(clients))
    return server.add_secure_port(address, made)


def make_grpc_server(
    service: Service,
    done,
    max_request: int,
    roots: list[str] | None = None,
    token: str = "",
    log=lambda line: None,
):
    """A gRPC server that listens to nothing yet, and the servicer of its health.

    Args:
        service: What answers.
        done: Called with each request's `RequestLog`.
        max_request: Bytes of a message, at most.
        roots: Folders that clients may name models in; None where they may name none.
        token: What clients have to bring; "" for nothing.
        log: Called with a line for whoever runs the server.
    """
    options = [
        ("grpc.max_receive_message_length", max_request),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # a port that is taken is one that is not had
        ("grpc.max_metadata_size", 16 << 10),
        ("grpc.server_handshake_timeout_ms", round(1000 * HEADER_SECONDS)),
        ("grpc.keepalive_time_ms", 60_000),  # who does not answer is gone
    ]
    server = grpc.aio.server(
        interceptors=[_TokenInterceptor(token)] if token else [],
        options=options,
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(service, done, log), server
    )
    models = ModelService(service, done, log)
    models.roots = roots
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    checked = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checked, server)
    return server, checked


async def set_health(checked, serving: bool) -> None:
    """Tells health checks whether requests are answered."""
    status = health_pb2.HealthCheckResponse.SERVING
    for name in CHECKED:
        await checked.set(name, status if serving else health_pb2.HealthCheckResponse.NOT_SERVING)


def _spec(proto) -> ModelSpec:
    if not proto.name:
        raise ServingError("INVALID_ARGUMENT", "The request's model_spec has no name.")
    version = proto.version.value if proto.HasField("version") else None
    return ModelSpec(proto.name, version, proto.version_label, proto.signature_name)


def _resolve(proto, spec: ModelSpec, version: int, handled: RequestLog) -> None:
    proto.name, proto.signature_name = spec.name, handled.signature
    proto.version.value = version


def _examples(proto) -> list:
    """The examples of an Input, each with the context where it has one."""
    if proto.HasField("example_list"):
        return list(proto.example_list.examples)
    if proto.HasField("example_list_with_context"):
        found = []
        for example in proto.example_list_with_context.examples:
            merged = type(example)()
            merged.CopyFrom(proto.example_list_with_context.context)
            merged.MergeFrom(example)
            found.append(merged)
        return found
    return []
