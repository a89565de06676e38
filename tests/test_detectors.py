"""Every row of the table of detectors by one contract: trained, evaluated, exported, explained."""

import dataclasses
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import error_of
from keras.layers import Identity
from keras.src.applications.efficientnet import EfficientNet

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD, PROTOCOLS
from npr_keras.data.folder import find_sets, find_source
from npr_keras.detectors import DETECTORS, recipe_of
from npr_keras.errors import CheckpointError, ConfigError
from npr_keras.evaluation.evaluate import evaluate
from npr_keras.explanation.maps import explain
from npr_keras.layers.dct import LogDCT
from npr_keras.models import Detector, load_detector, official, pth
from npr_keras.models.backbones.base import described, make_backbone
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.tables import BACKBONES, REPRESENTATIONS
from npr_keras.training import linear, train
from npr_keras.training.methods import detector_for, pixels_of

WITHOUT_MAP = {"frank", "durall", "lab"}


@pytest.mark.parametrize("name", DETECTORS)
def test_rows_name_what_is_there(name):
    row = DETECTORS[name]
    assert row.representation["layer"] in REPRESENTATIONS and row.backbone["backbone"] in BACKBONES
    assert row.protocol in ("", *PROTOCOLS) and row.fitted in ("gradient", "features", "never")
    assert row.source and row.title
    recipe_of(row)
    backbone = make_backbone(**row.backbone)
    assert make_backbone(**described(backbone)) == backbone
    side = backbone.side or row.representation.get("side")
    if side:  # its own pixels and crops are of the size that it takes
        assert pixels_of(row).fixed_size == recipe_of(row).crop == side


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in DETECTORS.items() if not row.brings])
def test_contract(name, tmp_path, make_set):
    """One epoch on a handful of pictures: nothing is learned, everything has to fit together."""
    from npr_keras.exporting.export import export_detector

    keras.backend.clear_session()
    for part in ("train", "val"):
        make_set(tmp_path / "source" / part / "x", 3, size=96)
    make_set(tmp_path / "test", 2, size=260)
    row = DETECTORS[name]
    config = dataclasses.replace(recipe_of(row), epochs=1, batch_size=3)
    result = train(find_source(tmp_path / "source"), config, out=tmp_path / "run", method=name)
    assert np.isfinite(result.history[0]["loss"])
    predictor = KerasPredictor(tmp_path / "run")
    own = predictor.preprocessing
    (found,) = evaluate(predictor, find_sets(tmp_path / "test")[0], own)
    assert np.isfinite(found.logits).all()
    again = KerasPredictor(load_detector(tmp_path / "run"))
    (same,) = evaluate(again, find_sets(tmp_path / "test")[0], own)
    np.testing.assert_array_equal(same.logits, found.logits)
    (made,) = export_detector(tmp_path / "run", ["savedmodel"])
    assert np.isfinite(made.verified.difference)  # more than rounding is an ExportError
    # What is a constant of the graph is in memory many times while it is written.
    assert max(path.stat().st_size for path in Path(made.path).rglob("*.pb")) < 40e6
    side = predictor.detector.side or 128
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    if name in WITHOUT_MAP:
        with pytest.raises(ConfigError, match="no map of where"):
            explain(predictor.detector, pixels)
    else:
        shown = explain(predictor.detector, pixels)
        assert shown.logit == pytest.approx(float(predictor.predict(pixels[None])[0]), abs=1e-3)
        if predictor.detector.backbone.pooling == "mean":
            assert shown.activation.mean() + shown.bias == pytest.approx(shown.logit, abs=1e-3)
        else:
            share = (1 / (1 + np.exp(-(shown.activation + shown.bias)))).mean()
            assert np.log(share / (1 - share)) == pytest.approx(shown.logit, abs=1e-3)


def test_one_size_alone(make_set, tmp_path):
    layer = LogDCT(16)
    with pytest.raises(ConfigError, match=r"LogDCT takes 16 x 16 pixels\. Received: 20 x 16"):
        layer(np.zeros((1, 16, 20, 3), "float32"))
    with pytest.raises(ConfigError, match="`side` must be"):
        LogDCT(4)
    make_set(tmp_path / "source" / "train" / "x", 2)
    source = find_source(tmp_path / "source")
    recipe = dataclasses.replace(recipe_of(DETECTORS["frank"]), crop=128)
    with pytest.raises(ConfigError, match=r"takes 256 x 256 pixels alone.*Received: crop=128"):
        train(source, recipe, out=tmp_path / "run", method="frank")
    with pytest.raises(ConfigError, match="Received: protocol=native"):
        train(source, out=tmp_path / "run", method="frank", preprocessing=PROTOCOLS["native"])
    assert not (tmp_path / "run").exists()
    detector = detector_for(DETECTORS["frank"])
    with pytest.raises(ConfigError, match=r"Received: 32 x 64\. Its own pixels are resize256"):
        KerasPredictor(detector).predict(np.zeros((1, 64, 32, 3), np.uint8))


@pytest.mark.slow
@pytest.mark.every_backend
class TestEfficientNet:
    SMALL = types.MappingProxyType({"width": 0.25, "depth": 0.1})

    def test_beside_keras_own(self, random):
        """`keras.applications` has the same network, padded for the image that it is built for."""
        side = 70
        detector = Detector(make_backbone("efficientnet", nominal=side, **self.SMALL), Identity())
        theirs = EfficientNet(
            0.25, 0.1, side, dropout_rate=0, weights=None, include_top=False, pooling="avg",
            input_shape=(side, side, 3), name="theirs", weights_name="",
        )  # fmt: skip
        ours = [w for layer in detector.layers for w in layer.weights if "fc" not in w.path]
        others = [w for w in theirs.weights if "normalization" not in w.path.split("/")[0]]
        for one, other in zip(ours, others, strict=True):
            drawn = random.normal(0, 0.2, one.shape).astype("float32")
            drawn = abs(drawn) + 0.5 if "variance" in one.path or "gamma" in one.path else drawn
            one.assign(drawn)
            other.assign(drawn)
        pixels = random.integers(0, 256, (2, side, side, 3), np.uint8)
        features = keras.Model(detector.input, detector.head.input).predict_on_batch(pixels)
        expected = theirs.predict_on_batch(pixels.astype("float32"))
        np.testing.assert_allclose(features, expected, atol=2e-4 * np.abs(expected).max())

    def test_gandetection(self, random, tmp_path):
        """Patches cut out by hand, one network at a time."""
        settings = {**self.SMALL, "nominal": 32, "networks": 2, "image": 48, "patch": 32}
        backbone = make_backbone("gandetection", **settings)
        detector = Detector(backbone, Identity())
        for layer in detector.layers:
            if hasattr(layer, "moving_variance"):  # or nothing would come through so many layers
                layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.5, "float32"))
        pixels = random.integers(0, 256, (3, 48, 48, 3), np.uint8)
        pixels[0] = 128
        expected = np.zeros(3)
        for i, name in enumerate("AB"):
            one = keras.Model(
                detector.get_layer(f"{name}-patches").output,
                detector.get_layer(f"{name}-classifier").output,
            )
            for k, image in enumerate(pixels / 255):
                image = (image - IMAGENET_MEAN) / IMAGENET_STD
                cut = [image[t : t + 32, x : x + 32] for t, x in backbone.places(i)]
                real, generated = one.predict_on_batch(np.stack(cut).astype("float32")).T
                sure = generated.max() if (generated > real).any() else -real.max()
                expected[k] += sure / 2
        assert len(backbone.places(0)) == 200 and backbone.places(0) == backbone.places(0)
        assert backbone.places(1) == [(t, x) for t in (0, 8, 16) for x in (0, 8, 16)]
        found = detector.predict_on_batch(pixels)[:, 0]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert detector.side == 48 and np.ptp(found) > 1e-3
        detector.save(tmp_path / "model.keras")
        again = load_detector(tmp_path / "model.keras").predict_on_batch(pixels)[:, 0]
        np.testing.assert_allclose(again, found, atol=1e-6)

    def test_five_checkpoints_in_a_folder(self, tmp_path):
        settings = {**self.SMALL, "nominal": 32, "networks": 2, "image": 40, "patch": 32}
        detector = Detector(make_backbone("gandetection", **settings), Identity())
        other = Detector(make_backbone("gandetection", **settings), Identity())
        state = {k: official.to_pytorch_axes(np.array(keras.ops.convert_to_numpy(v)), kind)
                 for k, (v, kind) in official.name_map(detector).items()}  # fmt: skip
        assert "B.efficientnet._blocks.0._depthwise_conv.weight" in state
        for name in "AB":
            part = {k[2:]: v for k, v in state.items() if k.startswith(name)}
            pth.save_pth(part, tmp_path / f"method_{name}.pth")
        official.from_state_dict(other, pth.load_pths(tmp_path))
        for ours, theirs in zip(detector.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        with pytest.raises(CheckpointError, match=r"No PyTorch checkpoint \(\.pth\) in"):
            pth.load_pths(tmp_path.parent / tmp_path.name / "..")


def test_features_outlive_an_interruption(make_set, tmp_path, monkeypatch):
    """What was computed before a kill is not computed again, and the fit is the same."""
    make_set(tmp_path / "source" / "train" / "x", 5, size=256)
    source = find_source(tmp_path / "source")
    whole = train(source, out=tmp_path / "whole", method="durall")
    monkeypatch.setattr(linear, "_KEPT_AT_ONCE", 2)
    recipe = dataclasses.replace(recipe_of(DETECTORS["durall"]), batch_size=2)
    counted, asked = [], linear.Features.predict

    def predict(self, images):
        counted.append(len(images))
        if sum(counted) == 6:
            raise KeyboardInterrupt
        return asked(self, images)

    monkeypatch.setattr(linear.Features, "predict", predict)
    with pytest.raises(KeyboardInterrupt):
        train(source, recipe, out=tmp_path / "killed", method="durall")
    (folder,) = (tmp_path / "killed").glob("features-*")
    assert len(list(folder.iterdir())) == 2
    counted[:] = [100]
    found = train(source, recipe, out=tmp_path / "killed", method="durall")
    assert sum(counted[1:]) == 6  # of 10
    for ours, theirs in zip(
        whole.detector.get_weights(), found.detector.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert not folder.exists()


def test_what_is_never_trained(invoke, tmp_path):
    done = invoke("train", "--detector", "gandetection", "--source", tmp_path)
    assert "npr-keras convert --detector gandetection FOLDER model.keras" in error_of(done)
