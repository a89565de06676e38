"""Coverage-guided fuzzing of everything that reads bytes from elsewhere, with atheris.

    pip install atheris
    python tests/reliability/fuzz.py TARGET [-runs=1000000] [-max_total_time=600] [...]

Further options are libFuzzer's. A target ends with a traceback and a file `crash-...` where it meets an
error that callers do not expect, or a wrong result; `python tests/reliability/fuzz.py TARGET crash-...`
repeats it. Without TARGET: the targets' names.
"""

import functools
import io
import json
import resource
import struct
import sys
import tempfile
import warnings
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("Fuzzing needs atheris: pip install atheris")

with atheris.instrument_imports(include=["npr_keras"]):
    import numpy as np
    from PIL import Image

    from npr_keras.config import PROTOCOLS
    from npr_keras.data.declared import declared
    from npr_keras.data.decode import decode
    from npr_keras.data.manifest import read_manifest
    from npr_keras.errors import LayoutError, NPRKerasError, ServingError, UnreadableImageError
    from npr_keras.forensics.history import _boxes, read_history
    from npr_keras.profile import Condition, ModelProfile
    from npr_keras.runtimes.exported import Facts, read_facts
    from npr_keras.server import rest_json
    from npr_keras.serving import messages
    from npr_keras.serving.tensors import decode_tensor

import tensorflow  # noqa: F401  (what it takes is not a target's)

_FEW = 1 << 16  # pixels that are worth decoding here
_MOST = 256 << 10  # KiB that a few bytes of 65,536 pixels may take
_DTYPES = (
    {"images": np.dtype(object)},
    {"pixels": np.dtype(np.uint8)},
    {"pixels": np.dtype(np.float32), "other": np.dtype(object)},
)
_scratch = Path(tempfile.mkdtemp(prefix="npr-fuzz-"))


def sizes(data):
    """Headers: never an error, never a wrong order."""
    found = declared(data)
    assert 0 <= found.largest <= found.total or found.total == 0
    _boxes(data)


def image(data):
    """A whole image: pixels and a history, or the one error that says why not."""
    if declared(data).total > _FEW:
        return
    try:
        pixels = decode(data)
    except UnreadableImageError:
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels[..., 0].size <= declared(data).largest
    found = read_history(data, pixels)
    assert (found.width > 0) and (found.height > 0)


def _bounded(function):
    """The same, and a finding where the memory grows more than it should."""

    @functools.wraps(function)
    def bounded(data):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        function(data)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < _MOST, f"{grown} KiB for {len(data)} bytes"

    return bounded


def facts(data):
    """What a model file says of itself."""
    try:
        text = data.decode("utf-8", "surrogateescape")
        known = read_facts(text, "model")
    except NPRKerasError:
        return
    assert isinstance(known.profile, ModelProfile)
    json.loads(known.to_json())


def rest(data):
    """A REST request's body: tensors, or INVALID_ARGUMENT."""
    for dtypes in _DTYPES:
        try:
            arrays, _ = rest_json.read_inputs(rest_json.parse(data), dtypes)
        except ServingError as error:
            assert error.code == "INVALID_ARGUMENT"
            continue
        assert {k: a.dtype for k, a in arrays.items()} == dtypes
    try:
        rest_json.read_examples(rest_json.parse(data))
    except ServingError as error:
        assert error.code == "INVALID_ARGUMENT"


def tensor(data):
    """A gRPC message: tensors, or INVALID_ARGUMENT."""
    request = messages.PredictRequest()
    try:
        request.ParseFromString(data)
    except Exception:  # protobuf's own
        return
    for proto in request.inputs.values():
        try:
            decode_tensor(proto)
        except ServingError as error:
            assert error.code == "INVALID_ARGUMENT"


def manifest(data):
    """A table of images."""
    path = _scratch / "table.csv"
    path.write_bytes(data)
    try:
        rows = read_manifest(path)
    except LayoutError:
        return
    assert rows and all(row.label in (0, 1) for row in rows)


TARGETS = {f.__name__: _bounded(f) for f in (sizes, image, facts, rest, tensor, manifest)}


def seeds(target):
    """A few good inputs to begin with."""
    if target in ("sizes", "image"):
        picture = Image.fromarray(np.arange(12 * 9 * 3, dtype=np.uint8).reshape(9, 12, 3))
        for kind, options in (
            ("PNG", {}), ("PNG", {"save_all": True, "append_images": [picture.rotate(90)]}),
            ("JPEG", {"quality": 80}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("BMP", {}),
            ("WEBP", {"lossless": True}), ("GIF", {"save_all": True, "append_images": [picture]}),
            ("TIFF", {}), ("PPM", {}),
        ):  # fmt: skip
            file = io.BytesIO()
            picture.save(file, kind, **options)
            yield file.getvalue()
        for mode in ("L", "P", "RGBA", "I;16", "1"):
            file = io.BytesIO()
            picture.convert("L" if mode == "I;16" else mode).convert(mode).save(file, "PNG")
            yield file.getvalue()
    elif target == "facts":
        measured = (Condition("jpeg", 90, 0.9, 0.5, 0.8, 100, "native"),)
        profile = ModelProfile(PROTOCOLS["native"], robustness=measured)
        yield Facts("npr", "onnx", "none", profile, "npr.keras", {"keras": "3"}).to_json().encode()
    elif target == "rest":
        yield b'{"instances": [{"b64": "aGVsbG8="}]}'
        yield b'{"signature_name": "pixels", "inputs": {"pixels": [[[[1, 2, 3]]]]}}'
        yield b'{"examples": [{"x": [1.5, 2]}], "context": {"y": "z"}}'
    elif target == "tensor":
        request = messages.PredictRequest()
        request.model_spec.name = "npr"
        for number, field in ((7, "string_val"), (1, "float_val"), (4, "int_val")):
            proto = request.inputs[field]
            proto.dtype = number
            proto.tensor_shape.dim.add().size = 2
            getattr(proto, field).append(b"x" if number == 7 else 1)
        yield request.SerializeToString()
        yield struct.pack("<I", 1 << 31)
    else:
        yield b"path,label,class,split,set\na.png,real,cat,train,x\nb.png,1,,,\n"


def main(arguments):
    """See above."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        for name, target in TARGETS.items():
            print(f"{name:10}{target.__doc__}")
        return
    name = arguments.pop(1)
    if all(a.startswith("-") for a in arguments[1:]):
        folder = _scratch / "corpus"
        folder.mkdir()
        for i, data in enumerate(seeds(name)):
            (folder / f"seed-{i:02d}").write_bytes(data)
        arguments.append(str(folder))
    warnings.simplefilter("ignore")
    # A response is given in 10 s and in 2 GB, or that is a finding, too.
    atheris.Setup(
        [arguments[0], "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", *arguments[1:]],
        TARGETS[name],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
