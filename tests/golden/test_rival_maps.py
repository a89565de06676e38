"""The rivals' maps against their authors' own code; see tests/golden/test_golden.py."""

import contextlib
import json
import zlib

import keras
import numpy as np
import pytest
from PIL import Image
from vectors import IMAGES, arrays_of, cropped, opened, require_statistics, rivals, shorter, stem

from npr_keras.detectors import get_method
from npr_keras.layers.dct import FrequencyBands, LogDCT, dct_matrix
from npr_keras.layers.gradient import GradientMap
from npr_keras.layers.local_frequency import LocalFrequencies
from npr_keras.layers.spectrum import AzimuthalSpectrum
from npr_keras.models.pth import load_pth
from npr_keras.training.methods import detector_for

pytestmark = [pytest.mark.golden, pytest.mark.every_backend]


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


@pytest.mark.parametrize("name", ["square256.png", "odd_301x257.png"])
def test_f3net_local(name):
    _, expected, arrays = rivals("f3net")
    pixels = np.array(opened(name).resize((299, 299), Image.Resampling.BICUBIC))
    layer = LocalFrequencies()
    layer.build((None, 299, 299, 3))
    masks = [np.random.RandomState(6000 + k).standard_normal((10, 10)) for k in range(6)]
    layer.masks.assign((np.stack(masks) * 0.1).astype(np.float32))
    found = arrays_of(layer, pixels / 127.5 - 1)
    assert list(found.shape) == expected["lfs"]["images"][name]["map"]["shape"]
    for key, part in (("corner", slice(0, 8)), ("centre", slice(70, 78))):
        apart = np.abs(found[part, part] - arrays[f"{stem(name)}.lfs_{key}"])
        assert np.median(apart) < 1e-5 and (apart < 1e-3).mean() > 0.95
    assert found.mean() == pytest.approx(expected["lfs"]["images"][name]["map"]["mean"], abs=1e-3)


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
