"""What a model says of its signatures, as gRPC and REST tell it."""

from __future__ import annotations

from google.protobuf import any_pb2, json_format
from tensorflow_serving.apis import get_model_metadata_pb2

FIELD = "signature_def"


def signature_map(servable) -> any_pb2.Any:
    """A version's signatures, packed."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    packed = any_pb2.Any()
    packed.Pack(signatures)
    return packed


def metadata_body(name: str, version: int, servable) -> dict:
    """The body of REST's answer."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature_map(servable).Unpack(signatures)
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {
            FIELD: json_format.MessageToDict(
                signatures,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        },
    }
