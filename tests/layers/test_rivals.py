"""The other representations, beside what SciPy and plain loops make of the same images."""

import keras
import numpy as np
import pytest
from contracts import check_layer, check_saving
from scipy import signal

from npr_keras.errors import ConfigError
from npr_keras.layers import HaarHH, HighPass
from npr_keras.layers.representation import (
    make_representation,
    representation_text,
)
from npr_keras.tables import REPRESENTATIONS, load_code

pytestmark = pytest.mark.every_backend

SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4


def maps_of(layer, images):
    return keras.ops.convert_to_numpy(layer(images))


@pytest.mark.parametrize("sides", [(8, 8), (9, 14), (3, 3), (4, 3)])
def test_high_pass_is_the_square_filter(random, sides):
    images = random.normal(size=(2, *sides, 3)).astype("float32")
    y = maps_of(HighPass(), images)
    for image, found in zip(images, y, strict=True):
        for channel in range(3):
            expected = signal.correlate2d(image[:, :, channel].astype(float), SQUARE, "valid")
            np.testing.assert_allclose(found[:, :, channel], expected, atol=1e-6)


def test_high_pass_sees_no_slope_and_no_line(random):
    """A plane, and whatever changes along rows or columns alone, leave nothing."""
    rows, columns = np.mgrid[:9, :12].astype("float32")
    for plane in (3 + 2 * rows - 5 * columns, np.round(random.normal(size=12) * 9) + 0 * rows):
        image = np.repeat(plane[None, :, :, None], 3, 3).astype("float32")
        np.testing.assert_array_equal(maps_of(HighPass(), image), 0)


@pytest.mark.parametrize("sides", [(8, 8), (9, 14), (2, 3), (7, 7)])
def test_haar_hh_by_loops(random, sides):
    images = random.normal(size=(2, *sides, 3)).astype("float32")
    y = maps_of(HaarHH(), images)
    assert y.shape == (2, sides[0] // 2, sides[1] // 2, 3)
    for i, row, column, channel in np.ndindex(y.shape):
        (a, b), (c, d) = images[
            i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel
        ].astype(float)
        np.testing.assert_allclose(y[i, row, column, channel], (a - b - c + d) / 2, atol=1e-6)


def test_haar_hh_keeps_the_energy_of_a_checkerboard():
    """Orthonormal: a picture that is all diagonal detail has that detail's energy."""
    board = ((np.indices((8, 10)).sum(0) % 2) * 2.0 - 1)[None, :, :, None].repeat(3, 3)
    y = maps_of(HaarHH(), board.astype("float32"))
    assert np.square(y).sum() == pytest.approx(np.square(board).sum())


@pytest.mark.parametrize(
    ("layer_class", "output_shape"), [(HighPass, (2, 8, 11, 3)), (HaarHH, (2, 5, 6, 3))]
)
def test_contract(layer_class, output_shape, tmp_path):
    model, x = check_layer(layer_class, {}, (2, 10, 13, 3), output_shape)
    check_saving(model, x, tmp_path / "model.keras")


@pytest.mark.parametrize("layer_class", [HighPass, HaarHH])
def test_integers_are_taken_as_numbers(layer_class, random):
    pixels = random.integers(0, 256, (1, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(
        maps_of(layer_class(), pixels), maps_of(layer_class(), pixels.astype("float32"))
    )


# Those of one size alone, and what large images take: tests/test_detectors.py.
OF_ANY_SIZE = [
    n
    for n in REPRESENTATIONS
    if n
    not in (
        "log-dct",
        "bands",
        "spectrum",
        "gradient",
        "bihpf",
        "perturbation",
        "diffusion-error",
        "periodogram",
        "cyclic-spectrum",
    )
]


@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_a_detector_with_each_of_them(name, random, tmp_path):
    from npr_keras.models import Detector, load_detector
    from npr_keras.models.backbones.resnet import ResNet

    layer = make_representation(name)
    detector = Detector(ResNet(blocks=(1,), width=8), layer)
    pixels = random.integers(0, 256, (2, 33, 46, 3)).astype("float32")
    logits = keras.ops.convert_to_numpy(detector(pixels, training=False))
    assert logits.shape == (2, 1)
    detector.save(tmp_path / "model.keras")
    loaded = load_detector(tmp_path / "model.keras")
    assert type(loaded.representation) is load_code(REPRESENTATIONS[name])
    again = keras.ops.convert_to_numpy(loaded(pixels, training=False))
    np.testing.assert_allclose(again, logits, atol=1e-6)


def test_by_name():
    layer = make_representation("npr", window=3, reference="max")
    assert (layer.window, layer.data_format, layer.name) == (3, "channels_last", "representation")
    text = representation_text("NPR", layer.get_config())
    assert text.startswith("NPR(window=3, reference=max, scale=0.66")
    assert text.endswith("padding=valid)")
    assert representation_text("HaarHH", make_representation("haar-hh").get_config()) == "HaarHH()"
    assert (
        make_representation("npr", incomplete="pad").padding == "same"
    )  # as version 0.1 called it
    with pytest.raises(
        ConfigError,
        match="one of npr, npr-pyramid, periodogram, cyclic-spectrum, pixels, high-pass",
    ):
        make_representation("wavelet")
    with pytest.raises(ConfigError, match="Received: \\['npr'\\]"):
        make_representation(["npr"])
    with pytest.raises(ConfigError, match=r"haar-hh has no window\. Known: no argument"):
        make_representation("haar-hh", window=2)
    with pytest.raises(ConfigError, match="`window` must be"):
        make_representation(window=1)
