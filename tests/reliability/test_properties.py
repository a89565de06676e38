"""Whatever comes in: a result that holds, or the one error that says why not."""

import contextlib
import json
import os
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npr_keras.config import PROTOCOLS, Preprocessing, TrainingConfig
from npr_keras.data.manifest import read_manifest
from npr_keras.data.walk import Skipped, list_images
from npr_keras.errors import ConfigError, DataError, LayoutError, NPRKerasError, ServingError
from npr_keras.evaluation.suites import get_suites
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.exported import Facts, read_facts
from npr_keras.server import rest_json
from npr_keras.serving import messages
from npr_keras.serving.tensors import decode_tensor

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=12
).filter(lambda n: n not in (".", "..") and len(os.fsencode(n)) < 200)


@FEW
@given(
    st.lists(
        st.tuples(
            st.lists(NAMES, max_size=3),
            NAMES,
            st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"]),
        ),
        max_size=8,
    )
)
def test_walks(tmp_path_factory, files):
    """Every file once: an image, or counted; hidden ones aside."""
    root, made = tmp_path_factory.mktemp("w"), {}
    for parts, name, head in files:
        folder = root.joinpath(*parts)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(head)
        except OSError:  # a file where a folder is to be, or the other way round
            continue
        hidden = any(part.startswith(".") for part in (folder / name).relative_to(root).parts)
        made[str(folder / name)] = hidden
    skipped = Skipped()
    found = list_images(root, skipped)
    seen = [path for path, hidden in made.items() if not hidden and os.path.isfile(path)]
    assert len(found) == len(set(found)) and set(found) <= set(seen)
    assert len(found) + sum(skipped.endings.values()) == len(seen)


@FEW
@given(st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode))
def test_manifests(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(b"path,label\n" + data)
    try:
        rows = read_manifest(path)
    except LayoutError:
        return
    assert rows and all(row.label in (0, 1) and row.path for row in rows)


@FEW
@given(ANY, st.text(max_size=60))
def test_suites(tmp_path, value, text):
    path = tmp_path / "s.toml"
    path.write_text("[suites.x]\n" + text, encoding="utf-8", errors="replace")
    for _ in range(2):
        with contextlib.suppress(ConfigError, LayoutError):
            assert get_suites(str(path))
        path.write_text(f"suites = {json.dumps(value)}", encoding="utf-8", errors="replace")


@FEW
@given(
    st.dictionaries(
        st.sampled_from([*TrainingConfig.__dataclass_fields__, "other"]), ANY, max_size=4
    )
)
def test_configs(values):
    for kind in (TrainingConfig, Preprocessing):
        try:
            made = kind.from_dict(values)
        except (ConfigError, TypeError) as error:
            assert isinstance(error, ConfigError) or "missing" in str(error)
            continue
        assert kind.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@FEW
@given(st.dictionaries(st.sampled_from([*Facts.__dataclass_fields__]), ANY), st.text(max_size=40))
def test_facts(values, text):
    """Of a foreign model: a good beginning, and anything in one place of it."""
    good = Facts("npr", "onnx", "float32", ModelProfile(PROTOCOLS["native"]), "x", {}).to_dict()
    for given_text in (json.dumps({**good, **values}), text):
        try:
            facts = read_facts(given_text, "model.onnx")
        except NPRKerasError as error:
            assert "model.onnx" in str(error)
            continue
        assert isinstance(facts.profile, ModelProfile)
        assert facts.tiling is None or min(facts.tiling) >= 0


@FEW
@given(
    st.dictionaries(
        st.sampled_from(["instances", "inputs", "signature_name", "examples", "context"]), ANY
    )
)
def test_rest_bodies(body):
    text = json.dumps(body).encode()
    for dtypes in (
        {"a": np.dtype(object)},
        {"a": np.dtype(np.uint8)},
        {"a": np.dtype(np.float32), "b": np.dtype(object)},
    ):
        try:
            arrays, _ = rest_json.read_inputs(rest_json.parse(text), dtypes)
        except ServingError as error:
            assert error.code == "INVALID_ARGUMENT"
        else:
            assert {name: array.dtype for name, array in arrays.items()} == dtypes
    try:
        rest_json.read_examples(rest_json.parse(text))
    except ServingError as error:
        assert error.code == "INVALID_ARGUMENT"


@FEW
@given(
    st.integers(-2, 30),
    st.lists(st.integers(-(1 << 40), 1 << 40) | st.integers(0, 5), max_size=5),
    st.binary(max_size=30),
    st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=6),
)
def test_grpc_messages(kind, shape, content, values):
    """A tensor as large as what came, or not at all."""
    proto = messages.PredictRequest().inputs["x"]
    proto.dtype = kind
    proto.tensor_content = content
    proto.int_val.extend(values)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    try:
        array = decode_tensor(proto)
    except ServingError as error:
        assert error.code == "INVALID_ARGUMENT"
        return
    assert array.shape == tuple(shape)
    assert array.size <= max(1 << 20, len(content))


@FEW
@given(st.lists(NAMES, min_size=1, max_size=3))
def test_folders_that_hold_nothing(tmp_path_factory, names):
    """A source without images: one error, which names it."""
    from npr_keras.data.folder import find_source

    root = tmp_path_factory.mktemp("empty")
    root.joinpath(*names).mkdir(parents=True, exist_ok=True)
    with pytest.raises((LayoutError, DataError)):
        find_source(root)
