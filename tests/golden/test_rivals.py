"""The rivals' networks against their authors' own code; see tests/golden/test_golden.py."""

import json
import zlib

import keras
import numpy as np
import pytest
from PIL import Image
from vectors import (
    IMAGES,
    arrays_of,
    cropped,
    logit_of,
    opened,
    require_statistics,
    rivals,
    shorter,
    stem,
)

from npr_keras.detectors import get_method
from npr_keras.layers.median import MedianResidual
from npr_keras.layers.normalise import Normalise
from npr_keras.layers.wavelet import WaveletHH
from npr_keras.models.backbones.base import make_backbone
from npr_keras.models.official import from_state_dict, name_map
from npr_keras.models.pth import load_pth
from npr_keras.training.methods import detector_for

pytestmark = [pytest.mark.golden, pytest.mark.every_backend]


@pytest.mark.parametrize("name", IMAGES)
def test_ferretnet(name):
    folder, expected, arrays = rivals("ferretnet")
    detector = detector_for(get_method("ferretnet"))
    from_state_dict(detector, load_pth(folder / "ferretnet-s-median-3.pth"))
    assert sum(np.prod(w.shape) for w in detector.trainable_weights) == 126_289
    normalise = Normalise(detector.backbone.mean, detector.backbone.std)
    for how, pixels in (
        ("crop256", cropped(opened(name), 256)),
        ("native", np.array(opened(name))),
    ):
        key, one = f"{stem(name)}.{how}", expected["images"][name][how]
        seen = arrays_of(normalise, pixels)
        np.testing.assert_allclose(seen[:8, :8], arrays[f"{key}.input_corner"], atol=1e-6)
        residual = arrays_of(MedianResidual(), seen)
        np.testing.assert_allclose(residual[:8, :8], arrays[f"{key}.residual_corner"], atol=1e-6)
        require_statistics(residual, one["residual"], 1e-6)
        assert logit_of(detector, pixels) == pytest.approx(one["logit"], abs=1e-4)


@pytest.mark.parametrize("name", IMAGES)
def test_safe(name):
    folder, expected, arrays = rivals("safe")
    detector = detector_for(get_method("safe"))
    from_state_dict(detector, load_pth(folder / "random-state.pth"), 1)
    one = expected["images"][name]
    pixels = cropped(opened(name), 256)
    layer = WaveletHH()
    band = keras.ops.convert_to_numpy(layer.band(pixels[None].astype("float32") / 255))[0]
    np.testing.assert_allclose(band[:8, :8], arrays[f"{stem(name)}.band_corner"], atol=1e-6)
    np.testing.assert_allclose(band[-8:, -8:], arrays[f"{stem(name)}.band_end_corner"], atol=1e-6)
    require_statistics(band, one["band"], 1e-6)
    scaled = arrays_of(layer, pixels / 255)
    np.testing.assert_allclose(scaled[:8, :8], arrays[f"{stem(name)}.map_corner"], atol=1e-6)
    require_statistics(scaled, one["map"], 1e-6)
    real, fake = one["logits"]
    assert logit_of(detector, pixels) == pytest.approx(fake - real, abs=2e-4)


@pytest.mark.parametrize("name", IMAGES)
def test_patchfor(name):
    folder, expected, arrays = rivals("patchfor")
    detector = detector_for(get_method("patchfor"))
    from_state_dict(detector, load_pth(folder / "random-state.pth"), 0)
    pixels = cropped(shorter(opened(name), 299, Image.Resampling.LANCZOS), 299)
    one = expected["images"][name]
    probability = 1 / (1 + np.exp(-logit_of(detector, pixels)))
    assert probability == pytest.approx(one["fake_after_softmax"], abs=2e-5)
    key = f"{stem(name)}.logit_map"
    if key in arrays:
        patches = keras.Model(detector.input, detector.head.output).predict_on_batch(pixels[None])
        fake, real = np.moveaxis(arrays[key], -1, 0)
        np.testing.assert_allclose(patches[0, :, :, 0], fake - real, atol=4e-4)


@pytest.mark.parametrize("name", IMAGES)
def test_cnndetection(name):
    folder, expected, _ = rivals("cnndetection")
    shapes = json.loads((folder / "state_dict.json").read_text())
    detector = detector_for(get_method("cnndetection"))
    from_state_dict(detector, {key: by_recipe(key, shape) for key, shape in shapes.items()})
    found = expected["images"][name]
    image = opened(name)
    seen = {"crop224_no_resize": cropped(image, 224), "no_crop": np.array(image)}
    seen["resize256_crop224"] = cropped(shorter(image, 256, Image.Resampling.BILINEAR), 224)
    for how, pixels in seen.items():
        assert logit_of(detector, pixels) == pytest.approx(found[how]["logit"], abs=1e-4)


def by_recipe(key, shape):
    """The weights that the README of the vectors describes."""
    z = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) == 4:
        return (z * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    if key == "fc.weight":
        return (0.05 * z).astype(np.float32)
    if key.endswith("running_var"):
        return (0.5 + np.abs(z)).astype(np.float32)
    if key.endswith(("bias", "running_mean")):
        return (0.1 * z).astype(np.float32)
    if key.endswith("num_batches_tracked"):
        return np.array(0)
    scale = 0.3 if key.endswith("bn3.weight") else 0.8
    return (scale * (1 + 0.2 * z)).astype(np.float32)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("name", IMAGES)
def test_univfd(name, heads):
    folder, expected, arrays = rivals("univfd")
    backbone = make_backbone("vit", width=64, depth=2, heads=heads)
    detector = detector_for(get_method("univfd"), backbone)
    head = load_pth(folder / "fc_weights.pth")
    state = load_pth(folder / "tiny-vit-state.pth")
    state = {key: value for key, value in state.items() if key.startswith("visual.")}
    from_state_dict(detector, {**state, **{f"fc.{key}": value for key, value in head.items()}})
    pixels = cropped(opened(name), 224)
    one = expected["tiny"]["images"][name][f"heads_{heads}"]
    features = keras.Model(detector.input, detector.head.input).predict_on_batch(pixels[None])
    theirs = arrays[f"{stem(name)}.heads_{heads}.output"]
    np.testing.assert_allclose(features[0], theirs, atol=5e-5)
    assert logit_of(detector, pixels) == pytest.approx(one["head_logit"], abs=2e-4)


def test_the_real_vision_transformer_has_their_names_and_shapes():
    """Built of symbols alone: 304 million parameters are not made for that."""
    folder, _, _ = rivals("univfd")
    shapes = json.loads((folder / "vit-l-14-visual-state_dict.json").read_text())
    tiny = detector_for(get_method("univfd"), make_backbone("vit", width=64, depth=24, heads=1))
    names = [key for key in name_map(tiny) if key.startswith("visual.")]
    assert sorted(names) == sorted(k if k.startswith("visual.") else f"visual.{k}" for k in shapes)
