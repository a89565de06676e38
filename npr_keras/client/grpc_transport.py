"""How the client speaks gRPC."""

from __future__ import annotations

from pathlib import Path

from npr_keras.client.address import Address
from npr_keras.errors import ConfigError, ServingError
from npr_keras.packages import import_needed
from npr_keras.serving import messages
from npr_keras.serving.access import authorization
from npr_keras.serving.codes import name_of
from npr_keras.serving.states import NAMES
from npr_keras.serving.tensors import decode_tensor, encode_tensor

grpc = import_needed("grpc", "A grpc:// address")
# Python's default of 4 MB is less than a batch of pictures.
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class GRPCTransport:
    """A channel to PredictionService and ModelService; arguments as of `Client`."""

    def __init__(self, address: Address, ca_file, cert_file, key_file, token=""):
        self._address = address
        self._metadata = [(k.lower(), v) for k, v in authorization(token).items()]
        if address.is_secure:
            credentials = grpc.ssl_channel_credentials(*map(_read, (ca_file, key_file, cert_file)))
            self._channel = grpc.secure_channel(address.server, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address.server, _OPTIONS)
        self._predict = self._method(
            "PredictionService/Predict", messages.PredictRequest, messages.PredictResponse
        )
        self._status = self._method(
            "ModelService/GetModelStatus",
            messages.GetModelStatusRequest,
            messages.GetModelStatusResponse,
        )

    def _method(self, name, request, response):
        return self._channel.unary_unary(
            f"/tensorflow.serving.{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )

    def predict(self, inputs, signature, timeout):
        """See `Client.predict`."""
        request = messages.PredictRequest()
        self._fill(request.model_spec)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            encode_tensor(array, request.inputs[name])
        response = self._call(self._predict, request, timeout)
        return {name: decode_tensor(proto) for name, proto in response.outputs.items()}

    def status(self, timeout):
        """See `Client.status`."""
        request = messages.GetModelStatusRequest()
        self._fill(request.model_spec)
        response = self._call(self._status, request, timeout)
        return {
            one.version: NAMES.get(one.state, "UNKNOWN") for one in response.model_version_status
        }

    def _fill(self, spec) -> None:
        spec.name = self._address.name
        if self._address.version is not None:
            spec.version.value = self._address.version
        if self._address.label:
            spec.version_label = self._address.label

    def _call(self, method, request, timeout):
        try:
            return method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code = name_of(error.code().value[0])
            raise ServingError(code, f"{code}: {error.details()}") from error

    def close(self):
        """See `Client.close`."""
        self._channel.close()


def _read(path) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}") from error
