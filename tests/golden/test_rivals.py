"""The rival detectors against their authors' own code; see tests/golden/test_golden.py."""

import contextlib
import json
import os
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from npr_keras.detectors import get_method
from npr_keras.layers.dct import FrequencyBands, LogDCT, dct_matrix
from npr_keras.layers.gradient import GradientMap
from npr_keras.layers.median import MedianResidual
from npr_keras.layers.normalise import Normalise
from npr_keras.layers.spectrum import AzimuthalSpectrum
from npr_keras.layers.wavelet import WaveletHH
from npr_keras.models.backbones.base import make_backbone
from npr_keras.models.official import from_state_dict, load_pth, name_map
from npr_keras.training.methods import detector_for

pytestmark = [pytest.mark.golden, pytest.mark.every_backend]

IMAGES = (
    "square256.png", "landscape_q95.jpg", "odd_301x257.png", "gray.jpg", "portrait_q75_420.jpg",
    "tall_240x700.png",
)  # fmt: skip


def rivals(name):
    folder = Path(os.environ["NPR_GOLDEN"], "rivals", name)
    arrays = np.load(folder / "expected.npz")
    return folder, json.loads((folder / "expected.json").read_text()), arrays


def opened(name):
    with Image.open(Path(os.environ["NPR_GOLDEN"], "images", name)) as image:
        return image.convert("RGB")


def cropped(image, side):
    """torchvision's CenterCrop: black where the image is smaller."""
    pixels = np.array(image)
    height, width = pixels.shape[:2]
    pads = [(max(0, side - n) // 2, (max(0, side - n) + 1) // 2) for n in (height, width)]
    pixels = np.pad(pixels, [*pads, (0, 0)])
    top, left = (round((n - side) / 2) for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def shorter(image, side, resample):
    width, height = image.size
    short = min(width, height)
    size = (side if n == short else int(side * n / short) for n in (width, height))
    return image.resize(tuple(size), resample)


def stem(name):
    return name.rsplit(".", 1)[0]


def arrays_of(layer, pixels):
    return keras.ops.convert_to_numpy(layer(pixels[None].astype("float32")))[0]


def logit_of(detector, pixels):
    return float(detector.predict_on_batch(pixels[None])[0, 0])


def require_statistics(found, expected, atol):
    for what in ("mean", "std", "min", "max"):
        assert getattr(found.astype(np.float64), what)() == pytest.approx(expected[what], abs=atol)
    weights = (np.arange(found.size) % 1009 + 1) / 1009
    summed = float((found.astype(np.float64).ravel() * weights).sum())
    assert summed == pytest.approx(expected["wsum"], abs=atol * found.size)


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


@contextlib.contextmanager
def doubles():
    """float64 on every backend."""
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield


def in_double(call, *arrays):
    with doubles():
        given = [keras.ops.convert_to_tensor(array[None], "float64") for array in arrays]
        return keras.ops.convert_to_numpy(call(*given))[0]


@pytest.mark.parametrize("name", IMAGES)
def test_frank(name):
    _, expected, arrays = rivals("frank")
    pixels = np.array(opened(name).resize((256, 256), Image.Resampling.BILINEAR))
    layer = LogDCT(256, dtype="float64")
    found = in_double(layer.log, pixels)
    np.testing.assert_allclose(found[:8, :8], arrays[f"{stem(name)}.log_corner"], atol=1e-6)
    np.testing.assert_allclose(found[-8:, -8:], arrays[f"{stem(name)}.log_end_corner"], atol=1e-6)
    at = found[tuple(np.transpose(expected["positions"]))]
    np.testing.assert_allclose(at, arrays[f"{stem(name)}.log_at_positions"], atol=1e-6)
    one = expected["images"][name]["log"]
    for what in ("mean", "std"):
        assert getattr(found, what)() == pytest.approx(one[what], abs=1e-6)


def test_frank_takes_its_statistics_as_its_authors_do():
    _, _, arrays = rivals("frank")
    images = [
        np.array(opened(name).resize((256, 256), Image.Resampling.BILINEAR), np.float32)
        for name in IMAGES
    ]
    layer = LogDCT(256)
    layer.build((None, 256, 256, 3))
    layer.adapt(images)
    for ours, theirs in ((layer.mean, "mean"), (layer.variance, "variance")):
        corner = keras.ops.convert_to_numpy(ours)[:8, :8]
        np.testing.assert_allclose(corner, arrays[f"welford_{theirs}_corner"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", IMAGES)
def test_fredect(name):
    folder, expected, arrays = rivals("frank")
    torch = pytest.importorskip("torch")
    mean, variance = (
        torch.load(folder / name, weights_only=True).numpy().transpose(1, 2, 0)
        for name in ("dct_mean", "dct_var")
    )
    pixels = cropped(shorter(opened(name), 256, Image.Resampling.BILINEAR), 224)
    layer = LogDCT(224, dtype="float64")
    exact = (in_double(layer.log, pixels) - mean) / np.sqrt(variance)
    one = expected["fredect"][name]["map"]
    for what in ("mean", "std"):
        assert getattr(exact, what)() == pytest.approx(one[what], abs=1e-5)
    key = f"fredect.{stem(name)}"
    np.testing.assert_allclose(exact[:8, :8], arrays[f"{key}.corner"], atol=1e-5)
    np.testing.assert_allclose(exact[-8:, -8:], arrays[f"{key}.end_corner"], atol=1e-5)
    # The detector itself computes in float32, where coefficients near 0 have few digits.
    detector = detector_for(get_method("fredect"))
    detector.representation.mean.assign(mean.astype(np.float32))
    detector.representation.variance.assign(variance.astype(np.float32))
    seen = keras.Model(detector.input, detector.representation.output)
    found = np.asarray(seen.predict_on_batch(pixels[None]))[0]
    assert np.median(np.abs(found - exact)) < 1e-5


@pytest.mark.parametrize("name", IMAGES)
def test_durall(name):
    _, expected, arrays = rivals("durall")
    pixels = np.array(opened(name).resize((256, 256), Image.Resampling.BILINEAR))
    layer = AzimuthalSpectrum(256, dtype="float64")
    grey = arrays[f"{stem(name)}.grey"]
    np.testing.assert_array_equal(in_double(layer.grey, pixels), grey)
    found = in_double(layer.spectrum, grey)
    assert found.shape == (179,)
    np.testing.assert_allclose(found, arrays[f"{stem(name)}.spectrum_1d"], atol=1e-6)
    plain = AzimuthalSpectrum(256)(pixels[None].astype("float32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(plain)[0], found, atol=0.05)
    assert expected["lengths"]["256"] == 179


@pytest.mark.parametrize("side", [256, 299])
@pytest.mark.parametrize("name", ["square256.png", "odd_301x257.png"])
def test_f3net(name, side):
    _, expected, arrays = rivals("f3net")
    pixels = np.array(opened(name).resize((side, side), Image.Resampling.BICUBIC))
    layer = FrequencyBands(side)
    layer.build((None, side, side, 3))
    masks = [np.random.RandomState(5000 + side + k).standard_normal((side, side)) for k in range(4)]
    layer.masks.assign((np.stack(masks) * 0.1).astype(np.float32))
    assert [low for low, _ in layer.edges] == [0, *expected[f"bands_{side}"]["edges"][1:3], 0]
    np.testing.assert_allclose(dct_matrix(side)[:4, :4], arrays[f"{side}.dct_corner"], atol=1e-7)
    bands = np.split(arrays_of(layer, pixels / 127.5 - 1), 4, axis=-1)
    for band, found in zip(("low", "middle", "high", "all"), bands, strict=True):
        key = f"{stem(name)}.{side}.{band}"
        np.testing.assert_allclose(found[:8, :8], arrays[f"{key}_corner"], atol=2e-5)
        middle = side // 2
        centre = found[middle - 4 : middle + 4, middle - 4 : middle + 4]
        np.testing.assert_allclose(centre, arrays[f"{key}_centre"], atol=2e-5)
        require_statistics(found, expected["images"][name][str(side)][band], 2e-5)


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


def require_gradient(layer, pixels, arrays, key, part):
    """A gradient and its levels, where `part` of them is known."""
    x = keras.ops.convert_to_tensor((pixels[None] / 127.5 - 1).astype("float32"))
    found = keras.ops.convert_to_numpy(layer.gradient(x))[0]
    expected = arrays[f"{key}gradient{part[0]}"]
    np.testing.assert_allclose(found[part[1]], expected, atol=1e-5 * found.std())
    levels = keras.ops.convert_to_numpy(layer.levels(x))[0][part[1]]
    apart = np.abs(levels - arrays[f"{key}png{part[0]}"].astype(np.float32))
    assert apart.max() <= 1 and (apart > 0).mean() <= 0.01
    return x


@pytest.mark.parametrize("name", ["square256.png", "odd_301x257.png"])
def test_lgrad_small(name):
    folder, expected, arrays = rivals("lgrad")
    layer = GradientMap(32, base=256, most=32)
    layer.build((None, 32, 32, 3))
    layer.load_official(load_pth(folder / "small-32-state.pth"))
    key = f"small.{stem(name)}."
    crop = arrays[f"{key}crop"]
    x = require_gradient(layer, crop, arrays, f"{key}fused.", ("", slice(None)))
    one = expected["small"]["images"][name]["fused"]
    assert float(keras.ops.convert_to_numpy(layer.logits(x))[0, 0]) == pytest.approx(
        one["logit"], abs=1e-5
    )
    both = keras.ops.concatenate([x, keras.ops.flip(x, axis=1)])
    together = keras.ops.convert_to_numpy(layer.gradient(both))[0]
    np.testing.assert_allclose(
        together, keras.ops.convert_to_numpy(layer.gradient(x))[0], atol=1e-7
    )


@pytest.mark.parametrize("name", ["square256.png", "odd_301x257.png"])
def test_lgrad(name):
    folder, _, arrays = rivals("lgrad")
    shapes = json.loads((folder / "full-256-state_dict.json").read_text())
    state = {}
    for key, shape in shapes.items():
        z = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        state[key] = ((0.3 if key.endswith("bias") else 1.0) * z).astype(np.float32)
    layer = GradientMap(256)
    layer.build((None, 256, 256, 3))
    layer.load_official(state)
    pixels = np.array(opened(name).resize((256, 256), Image.Resampling.BILINEAR))
    corner = ("_corner", (slice(8), slice(8)))
    require_gradient(layer, pixels, arrays, f"full.{stem(name)}.", corner)
