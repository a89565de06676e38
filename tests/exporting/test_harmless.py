"""SavedModels from elsewhere: what does more than compute is not run."""

import pytest

from npr_keras.errors import CheckpointError
from npr_keras.harmless import require_harmless
from npr_keras.runtimes.savedmodel import SavedModelPredictor


def save(folder, body, spec=None):
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "pixels")])
        def pixels(self, pixels):
            body(tf, pixels)
            return {"logit": tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2, 3])}

    module = Module()
    tf.saved_model.save(module, str(folder), signatures={"pixels": module.pixels})
    return folder


def write_file(tf, pixels):
    tf.io.write_file("written", "by a model")


def nested(tf, pixels):
    tf.cond(
        tf.size(pixels) > 3, lambda: tf.size(tf.io.read_file("secret")), lambda: tf.size(pixels)
    )


def python(tf, pixels):
    tf.py_function(lambda x: x, [pixels], tf.uint8)


def loop(tf, pixels):
    tf.while_loop(lambda i: i < 3, lambda i: (i + tf.size(tf.io.matching_files("*")),), (0,))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (write_file, "WriteFile"),
        (nested, "ReadFile"),
        (python, "EagerPyFunc"),
        (loop, "MatchingFiles"),
    ],
)
def test_what_reaches_out(tmp_path, monkeypatch, body, name):
    monkeypatch.delenv("NPR_TRUST", raising=False)
    folder = save(tmp_path / "1", body)
    with pytest.raises(CheckpointError, match=f"does more than compute: it holds {name}"):
        SavedModelPredictor(tmp_path)
    monkeypatch.setenv("NPR_TRUST", "1")
    require_harmless(folder)


def test_what_computes(tmp_path, monkeypatch):
    """Variables, loops, assertions, and the saver that TensorFlow puts into each."""
    import tensorflow as tf

    monkeypatch.delenv("NPR_TRUST", raising=False)
    weight = tf.Variable(2.0)

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = weight

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def f(self, x):
            tf.debugging.Assert(tf.size(x) < 9, ["many"])
            return {
                "y": tf.while_loop(
                    lambda i, v: i < 3, lambda i, v: (i + 1, v * self.weight), (0, x)
                )[1]
            }

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"f": module.f})
    require_harmless(tmp_path / "1")


def test_a_saver_that_a_signature_calls(tmp_path, monkeypatch):
    """Its name alone makes nothing harmless."""
    from tensorflow.core.protobuf import saved_model_pb2

    monkeypatch.delenv("NPR_TRUST", raising=False)
    folder = save(tmp_path / "1", write_file)
    path = folder / "saved_model.pb"
    found = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for function in found.meta_graphs[0].graph_def.library.function:
        if any(node.op == "WriteFile" for node in function.node_def):
            old, new = function.signature.name, "__inference__traced_save_1"
    data = found.SerializeToString()
    for function in found.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            for value in node.attr.values():
                if value.func.name == old:
                    value.func.name = new
        if function.signature.name == old:
            function.signature.name = new
    path.write_bytes(found.SerializeToString())
    assert path.read_bytes() != data
    with pytest.raises(CheckpointError, match="WriteFile"):
        require_harmless(folder)


def test_a_broken_graph(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="Cannot read the model"):
        require_harmless(tmp_path)
