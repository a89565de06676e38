"""TensorFlow Serving's messages, as far as a client needs them, without TensorFlow.

The classes of tensorflow-serving-api import the whole of TensorFlow. These have the same fields
with the same numbers, so that the bytes are the same, and live in a pool of their own, so that both
can be in one process.
"""

from __future__ import annotations

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_TYPES = {
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
# Message -> field -> (number, type). "*" repeats; a map's type is ">message". Enumerations are
# int32 here, which is how they travel.
_MESSAGES = {
    "tensorflow.TensorShapeProto.Dim": {"size": (1, "int64"), "name": (2, "string")},
    "tensorflow.TensorShapeProto": {
        "dim": (2, "*tensorflow.TensorShapeProto.Dim"),
        "unknown_rank": (3, "bool"),
    },
    "tensorflow.TensorProto": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "tensorflow.TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "*float"),
        "double_val": (6, "*double"),
        "int_val": (7, "*int32"),
        "string_val": (8, "*bytes"),
        "int64_val": (10, "*int64"),
        "bool_val": (11, "*bool"),
        "uint32_val": (16, "*uint32"),
        "uint64_val": (17, "*uint64"),
    },
    "tensorflow.serving.ModelSpec": {
        "name": (1, "string"),
        "version": (2, "google.protobuf.Int64Value"),
        "signature_name": (3, "string"),
        "version_label": (4, "string"),
    },
    "tensorflow.serving.PredictRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "inputs": (2, ">tensorflow.TensorProto"),
        "output_filter": (3, "*string"),
    },
    "tensorflow.serving.PredictResponse": {
        "outputs": (1, ">tensorflow.TensorProto"),
        "model_spec": (2, "tensorflow.serving.ModelSpec"),
    },
    "tensorflow.serving.GetModelMetadataRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "metadata_field": (2, "*string"),
    },
    "tensorflow.serving.GetModelMetadataResponse": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
        "metadata": (2, ">google.protobuf.Any"),
    },
    "tensorflow.serving.GetModelStatusRequest": {
        "model_spec": (1, "tensorflow.serving.ModelSpec"),
    },
    "tensorflow.serving.StatusProto": {
        "error_code": (1, "int32"),
        "error_message": (2, "string"),
    },
    "tensorflow.serving.ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "int32"),
        "status": (3, "tensorflow.serving.StatusProto"),
    },
    "tensorflow.serving.GetModelStatusResponse": {
        "model_version_status": (1, "*tensorflow.serving.ModelVersionStatus"),
    },
}


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for known in (wrappers_pb2, any_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        known.DESCRIPTOR.CopyToProto(file)
        pool.Add(file)
    for name, fields in _MESSAGES.items():
        package, _, short = name.rpartition(".")
        if short == "Dim":
            package, outer = "tensorflow", "TensorShapeProto"
        else:
            outer = ""
        file = files.setdefault(package, _file(package))
        _add_message(file, outer, short, fields)
    for file in files.values():
        pool.Add(file)
    return pool


def _file(package: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"npr_keras/{package}.proto", package=package, syntax="proto3"
    )
    if package == "tensorflow.serving":
        file.dependency.extend(
            [
                "npr_keras/tensorflow.proto",
                wrappers_pb2.DESCRIPTOR.name,
                any_pb2.DESCRIPTOR.name,
            ]
        )
    return file


def _add_message(file, outer: str, name: str, fields: dict) -> None:
    if outer:
        holder = next((m for m in file.message_type if m.name == outer), None)
        holder = holder or file.message_type.add(name=outer)
        message = holder.nested_type.add(name=name)
    else:
        message = next((m for m in file.message_type if m.name == name), None)
        message = message or file.message_type.add(name=name)
    for field_name, (number, kind) in fields.items():
        field = message.field.add(name=field_name, number=number)
        repeated = kind[0] in "*>"
        field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        if kind[0] == ">":
            entry = message.nested_type.add(
                name="".join(part.capitalize() for part in field_name.split("_")) + "Entry"
            )
            entry.options.map_entry = True
            _set_type(entry.field.add(name="key", number=1, label=field.LABEL_OPTIONAL), "string")
            _set_type(entry.field.add(name="value", number=2, label=field.LABEL_OPTIONAL), kind[1:])
            _set_type(field, f"{file.package}.{name}.{entry.name}")
        else:
            _set_type(field, kind.removeprefix("*"))


def _set_type(field, kind: str) -> None:
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{kind}"


_POOL = _pool()


def _message(name: str):
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


TensorProto = _message("tensorflow.TensorProto")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
