"""The small generators, on every backend."""

import keras
import numpy as np
import pytest
from contracts import check_layer, check_saving
from scipy import ndimage

from npr_keras.simulation.generator import (
    SubPixel,
    build_autoencoder,
    local_energy,
    reconstruction_loss,
    train_autoencoder,
)
from npr_keras.simulation.photographs import embedded_photograph
from npr_keras.simulation.plan import OPERATORS, UPSAMPLERS, SimulationConfig


@pytest.mark.every_backend
def test_subpixel_layer(tmp_path):
    model, x = check_layer(SubPixel, {}, (2, 6, 6, 4), (2, 12, 12, 1))
    check_saving(model, x, tmp_path / "model.keras")


@pytest.mark.every_backend
def test_subpixel_moves_channels_to_pixels(random):
    x = random.random((2, 3, 5, 8)).astype(np.float32)
    y = keras.ops.convert_to_numpy(SubPixel()(x))
    assert y.shape == (2, 6, 10, 2)
    for row in range(2):
        for column in range(2):
            channels = slice(2 * (2 * row + column), 2 * (2 * row + column) + 2)
            assert np.array_equal(y[:, row::2, column::2], x[..., channels])


@pytest.mark.every_backend
@pytest.mark.parametrize("upsampler", OPERATORS)
def test_pictures_have_the_photographs_size(upsampler, random):
    model = build_autoencoder(upsampler, ("x2k3t0", "x4k5t1", "x8k2t2"), seed=1)
    x = random.uniform(0, 255, (2, 32, 48, 3)).astype(np.float32)
    outputs = model(x)
    assert list(outputs) == ["x2k3t0", "x4k5t1", "x8k2t2"]
    assert all(tuple(y.shape) == x.shape for y in outputs.values())


def test_operators_are_the_named_ones():
    kinds = {
        upsampler: {
            type(layer).__name__ for layer in build_autoencoder(upsampler, ("x2k3t0",), 0).layers
        }
        for upsampler in UPSAMPLERS
    }
    for kind in ("nearest", "bilinear"):
        layers = build_autoencoder(kind, ("x4k3t1",), 0).layers
        ups = [layer for layer in layers if isinstance(layer, keras.layers.UpSampling2D)]
        assert [layer.interpolation for layer in ups] == [kind, kind]
    assert "Conv2DTranspose" in kinds["transposed"]
    assert "SubPixel" in kinds["subpixel"]
    control = build_autoencoder("none", ("x4k3t1",), 0).layers
    assert not {"UpSampling2D", "Conv2DTranspose", "SubPixel"} & {type(x).__name__ for x in control}
    assert all(x.strides == (1, 1) for x in control if isinstance(x, keras.layers.Conv2D))
    for kind in UPSAMPLERS:
        others = {"UpSampling2D", "Conv2DTranspose", "SubPixel"} & kinds[kind]
        assert len(others) == 1


@pytest.mark.parametrize("upsampler", OPERATORS)
def test_padding_stays_within_the_margin(upsampler, random):
    config = SimulationConfig(upsampler, networks=("x2k5t1", "x4k5t1", "x8k3t1"))
    model = build_autoencoder(upsampler, config.networks, seed=0)
    margin, more = config.margin, 16
    large = random.uniform(0, 255, (1, 64 + 2 * (margin + more), 64 + 2 * (margin + more), 3))
    large = large.astype(np.float32)
    small = large[:, more:-more, more:-more]
    outputs = model(large), model(small)
    for name in config.networks:
        inner, same = (keras.ops.convert_to_numpy(y[name]) for y in outputs)
        inner = inner[:, more:-more, more:-more]
        middle = slice(margin, -margin)
        assert np.allclose(inner[:, middle, middle], same[:, middle, middle], atol=1e-2), name
        assert not np.allclose(inner[:, :2], same[:, :2], atol=1e-2)


def test_weights_follow_from_the_seed():
    first, again, other = (
        build_autoencoder("subpixel", ("x2k3t1",), seed).get_weights() for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


@pytest.mark.every_backend
def test_local_energy_is_the_laplacians(random):
    pixels = random.random((1, 18, 26, 2)).astype(np.float32)
    energy = keras.ops.convert_to_numpy(local_energy(keras.ops.convert_to_tensor(pixels)))
    assert energy.shape == (1, 2, 3, 2)
    laplacian = ndimage.laplace(pixels[0, ..., 1].astype(float))[1:-1, 1:-1]
    expected = np.sqrt(np.mean(laplacian[8:16, 16:24] ** 2) + 1e-5)
    assert energy[0, 1, 2, 1] == pytest.approx(expected, rel=1e-4)


def test_loss_asks_for_content_and_for_sharpness():
    photo = embedded_photograph(1, 2, 64)[None].astype(np.float32)
    soft = np.stack([ndimage.gaussian_filter(photo[0], (1, 1, 0))])
    tensors = map(keras.ops.convert_to_tensor, (photo, soft, photo[:, ::-1].copy()))
    photo, soft, upside_down = tensors
    same, softened, turned = (
        float(reconstruction_loss(photo, y)) for y in (photo, soft, upside_down)
    )
    assert same == pytest.approx(0, abs=1e-6)
    error = float(keras.ops.mean(keras.ops.abs(photo - soft))) / 255
    assert softened > error + 0.02  # lost detail costs more than its error
    assert turned > 0.02


@pytest.mark.every_backend
def test_training_brings_photographs_back():
    photographs = np.stack([embedded_photograph(4, i, 96) for i in range(8)])
    model = build_autoencoder("nearest", ("x2k3t1",), seed=0)
    before = keras.ops.convert_to_numpy(model(photographs.astype(np.float32))["x2k3t1"])
    steps = []
    train_autoencoder(model, photographs, 40, seed=0, progress=steps.append)
    after = keras.ops.convert_to_numpy(model(photographs.astype(np.float32))["x2k3t1"])
    assert sum(steps) == 40
    errors = [np.abs(y - photographs).mean() for y in (before, after)]
    assert errors[1] < errors[0] / 2
