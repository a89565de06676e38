"""A filter, a backbone, a format, a perturbation and a suite of somebody else: one file and one row each."""

import json
import textwrap

import pytest
from conftest import error_of
from PIL import Image

FILES = {
    "rows.py": """
        from npr_keras.detectors import DETECTORS
        from npr_keras.tables import BACKBONES, FORMATS, PERTURBATIONS, REPRESENTATIONS
        from npr_keras.detectors import Method
        from npr_keras.tables import Format, Perturbation

        REPRESENTATIONS["across"] = "my_filter:Across"
        BACKBONES["two"] = "my_backbone:Two"
        FORMATS["zipped"] = Format(".zipped", "my_format:Zipped", "my_format:write", tensorflow=True)
        PERTURBATIONS["posterise"] = Perturbation("my_perturbation:posterise", 1, 8, True, "bits")
        DETECTORS["mine"] = Method("Mine", {"layer": "across", "step": 2}, {"backbone": "two", "width": 6},
                                   {"epochs": 2, "resize": None, "crop": 32, "learning_rate": 0.01})
        DETECTORS["whole"] = Method("Whole", {"layer": "across"}, {"backbone": "two", "positions": False},
                                    {"resize": None, "crop": 32}, "native", "features")
        """,
    "my_filter.py": """
        import keras

        @keras.saving.register_keras_serializable(package="mine")
        class Across(keras.layers.Layer):
            def __init__(self, step=1, **options):
                super().__init__(**options)
                self.step = step

            def call(self, x):
                return x[:, :, self.step :] - x[:, :, : -self.step]

            def compute_output_shape(self, shape):
                batch, height, width, channels = shape
                return batch, height, width and width - self.step, channels

            def get_config(self):
                return {**super().get_config(), "step": self.step}
        """,
    "my_backbone.py": """
        from dataclasses import dataclass

        from keras import layers
        from npr_keras.models.backbones.base import Backbone, fast_data_format
        from npr_keras.settings import FLAG, field_of, integer

        @dataclass(frozen=True)
        class Two(Backbone):
            width: int = field_of(4, integer(1))
            positions: bool = field_of(True, FLAG)

            def build(self, x):
                if fast_data_format() == "channels_first":
                    x = layers.Permute((3, 1, 2), name="first")(x)
                options = {"activation": "relu", "data_format": fast_data_format()}
                x = layers.Conv2D(self.width, 3, name="one", **options)(x)
                x = layers.Conv2D(2 * self.width, 3, 2, name="two", **options)(x)
                pool = layers.GlobalMaxPooling2D(data_format=fast_data_format(), name="max")
                return x if self.positions else pool(x)
        """,
    "my_format.py": """
        import io, os, tempfile, zipfile
        import keras, numpy as np
        from npr_keras.runtimes.exported import Exported, read_facts

        def write(artefact, path):
            with zipfile.ZipFile(path, "w") as file, tempfile.TemporaryDirectory() as folder:
                inner = os.path.join(folder, "inner.keras")
                artefact.folded.save(inner)
                file.write(inner, "inner.keras")
                file.writestr("facts.json", artefact.facts.to_json())

        class Zipped(Exported):
            def __init__(self, path):
                with zipfile.ZipFile(path) as file, tempfile.TemporaryDirectory() as folder:
                    self._model = keras.saving.load_model(file.extract("inner.keras", folder))
                    super().__init__(path, read_facts(file.read("facts.json").decode(), path))

            def predict(self, images):
                return np.asarray(self._model.predict_on_batch(np.asarray(images)))[:, 0]
        """,
    "my_perturbation.py": """
        def posterise(pixels, bits, seed=0):
            return pixels & (255 << (8 - int(bits)) & 255)
        """,
    "my_suite.toml": """
        title = "Mine"
        protocol = "native"
        [[sets]]
        folder = "one"
        """,
}

THROUGH = """
import os, sys
os.chdir(sys.argv[1])
from npr_keras_cli.main import main

def run(*arguments, expected=0):
    print("$", *arguments, flush=True)
    try:
        main([*arguments], prog_name="npr-keras")
    except SystemExit as end:
        assert (end.code or 0) == expected, end.code

run("train", "--detector", "mine", "--source", "source", "--name", "mine")
run("info", "saved_models/mine")
run("eval", "--model", "saved_models/mine", "--suite", "my_suite.toml", "--data-root", "suites")
run("robustness", "--model", "saved_models/mine", "--data", "source/val", "--condition", "posterise=3,8",
    "--condition", "none")
run("predict", "picture.png", "--model", "saved_models/mine", "--json")
run("export", "saved_models/mine", "--format", "zipped")
run("predict", "picture.png", "--model", "saved_models/mine/model.zipped", "--json")
run("explain", "picture.png", "--model", "saved_models/mine", "--out", "figures")
run("train", "--detector", "whole", "--source", "source", "--name", "whole")
run("predict", "picture.png", "--model", "saved_models/whole", "--json")
run("export", "saved_models/whole", "--format", "zipped", "--format", "savedmodel")
run("predict", "picture.png", "--model", "saved_models/whole/model.zipped", "--json")
run("explain", "picture.png", "--model", "saved_models/whole", "--out", "figures", expected=1)
"""


@pytest.fixture
def plugin(tmp_path, make_set, monkeypatch):
    """A folder with the files, a source, a suite and a picture; the current one."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    for part in ("train", "val"):
        make_set(tmp_path / "source" / part / "x", 6, size=48)
    make_set(tmp_path / "suites" / "Mine" / "one", 4)
    picture = next((tmp_path / "source").rglob("1_fake/*.png"))
    Image.open(picture).save(tmp_path / "picture.png")
    monkeypatch.setenv("NPR_PLUGINS", "rows")
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return tmp_path


def test_a_plugin_that_is_not_there(plugin, monkeypatch, cli):
    monkeypatch.setenv("NPR_PLUGINS", "rows,gone")
    done = cli("info")
    assert "NPR_PLUGINS names gone, which cannot be imported" in error_of(done)


def test_taken_through_the_commands(plugin, run_python):
    done = run_python(THROUGH, "tensorflow", args=[plugin])
    steps = dict(part.split("\n", 1) for part in done.stdout.split("$ ")[1:])
    scored = [json.loads(text) for name, text in steps.items() if name.startswith("predict")]
    native, zipped, whole, whole_zipped = (one["logit"] for one in scored)
    assert zipped == pytest.approx(native, abs=1e-4)
    assert whole_zipped == pytest.approx(whole, abs=1e-4)
    assert "Two(width=6, positions=True)" in steps["info saved_models/mine"]
    table = next(text for name, text in steps.items() if name.startswith("robustness"))
    assert "posterise 3" in table and "posterise 8" in table
    assert (plugin / "figures/picture-explained.png").exists()
    assert (plugin / "saved_models/whole/1/saved_model.pb").exists()
    assert "no map of where" in " ".join(done.stderr.split())
    assert "verdict" not in list(steps.values())[-1]  # no table above the refusal
