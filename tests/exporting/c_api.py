"""Runs a SavedModel as TensorFlow Serving does: by TensorFlow's C API, in a process that never
imports tensorflow. Called with the model's folder, a JSON file with the tensors' names and a NumPy
file with pixels; prints JSON. NPR_TENSORFLOW names the folder of another TensorFlow's libraries.
"""

import ctypes
import importlib.util
import json
import os
import sys

import numpy as np

STRING, UINT8 = 7, 4
Pointer = ctypes.c_void_p


class Output(ctypes.Structure):
    _fields_ = [("operation", Pointer), ("index", ctypes.c_int)]


def load_library():
    root = os.environ.get("NPR_TENSORFLOW")
    root = root or os.path.dirname(importlib.util.find_spec("tensorflow").origin)
    ctypes.CDLL(os.path.join(root, "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(os.path.join(root, "libtensorflow_cc.so.2"))
    for name in ("NewGraph", "NewStatus", "NewSessionOptions", "LoadSessionFromSavedModel",
                 "GraphOperationByName", "AllocateTensor", "TensorData"):  # fmt: skip
        getattr(library, f"TF_{name}").restype = Pointer
    library.TF_Message.restype = library.TF_StringGetDataPointer.restype = ctypes.c_char_p
    library.TF_StringGetSize.restype = ctypes.c_size_t
    library.TF_Dim.restype = ctypes.c_int64
    return library


tf = load_library()
status = Pointer(tf.TF_NewStatus())
graph = Pointer(tf.TF_NewGraph())


def check():
    if tf.TF_GetCode(status):
        raise RuntimeError(tf.TF_Message(status).decode())


def output(name):
    operation, _, index = name.partition(":")
    found = tf.TF_GraphOperationByName(graph, operation.encode())
    assert found, f"no operation {operation}"
    return Output(found, int(index or 0))


def strings(values):
    dims = (ctypes.c_int64 * 1)(len(values))
    tensor = tf.TF_AllocateTensor(STRING, dims, 1, ctypes.c_size_t(24 * len(values)))
    data = tf.TF_TensorData(Pointer(tensor))
    for i, value in enumerate(values):
        place = Pointer(data + 24 * i)
        tf.TF_StringInit(place)
        tf.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
    return tensor


def pixels_tensor(array):
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = tf.TF_AllocateTensor(UINT8, dims, array.ndim, ctypes.c_size_t(array.nbytes))
    ctypes.memmove(tf.TF_TensorData(Pointer(tensor)), array.ctypes.data, array.nbytes)
    return tensor


def run(session, name, tensor, wanted):
    inputs, values = (Output * 1)(output(name)), (Pointer * 1)(tensor)
    outputs = (Output * len(wanted))(*[output(n) for n, _ in wanted])
    results = (Pointer * len(wanted))()
    tf.TF_SessionRun(session, None, inputs, values, 1, outputs, results, len(wanted), None, 0, None,
                     status)  # fmt: skip
    check()
    found = []
    for (_, kind), result in zip(wanted, results, strict=True):
        count = int(tf.TF_Dim(Pointer(result), 0))
        data = tf.TF_TensorData(Pointer(result))
        if kind is str:
            places = [Pointer(data + 24 * i) for i in range(count)]
            found.append(
                [tf.TF_StringGetDataPointer(p)[: tf.TF_StringGetSize(p)].decode() for p in places]
            )
        else:
            values = ctypes.cast(data, ctypes.POINTER(kind))
            found.append([values[i] for i in range(count)])
    return found


folder, names_file, pixels_file, *images = sys.argv[1:]
with open(names_file) as file:
    names = json.load(file)
tags = (ctypes.c_char_p * 1)(b"serve")
session = Pointer(
    tf.TF_LoadSessionFromSavedModel(
        Pointer(tf.TF_NewSessionOptions()), None, folder.encode(), tags, 1, graph, None, status
    )
)
check()
data = []
for image in images:
    with open(image, "rb") as file:
        data.append(file.read())
own = names["serving_default"]
wanted = [(own["logit"], ctypes.c_float), (own["valid"], ctypes.c_bool), (own["error"], str)]
logits, valid, errors = run(session, own["images"], strings(data), wanted)
own = names["pixels"]
(from_pixels,) = run(session, own["pixels"], pixels_tensor(np.load(pixels_file)),
                     [(own["logit"], ctypes.c_float)])  # fmt: skip
print(json.dumps({"logits": logits, "valid": valid, "errors": errors, "from_pixels": from_pixels,
                  "imported": "tensorflow" in sys.modules}))  # fmt: skip
