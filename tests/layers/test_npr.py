import keras
import numpy as np
import pytest
from contracts import check_layer, check_saving

from npr_keras.errors import ConfigError
from npr_keras.layers import NPR

pytestmark = pytest.mark.every_backend

VARIANTS = [(w, r) for w in (2, 3, 4) for r in [*range(1, w * w + 1), "avg", "max"]]


def npr_by_loops(image, window, reference, scale):
    """Eq. 4, literally: block by block, pixel by pixel."""
    height, width, channels = image.shape
    height, width = height - height % window, width - width % window
    result = np.zeros((height, width, channels), np.float64)
    for top in range(0, height, window):
        for left in range(0, width, window):
            for channel in range(channels):
                block = [
                    float(image[top + i, left + j, channel])
                    for i in range(window)
                    for j in range(window)
                ]
                if reference == "avg":
                    w_j = sum(block) / len(block)
                elif reference == "max":
                    w_j = max(block)
                else:
                    w_j = block[reference - 1]
                for i in range(window):
                    for j in range(window):
                        x = block[i * window + j]
                        result[top + i, left + j, channel] = scale * (x - w_j)
    return result


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("window", "reference"), VARIANTS)
def test_equals_equation_4(random, window, reference, data_format):
    images = random.normal(size=(2, 14, 9, 3)).astype("float32")
    expected = np.stack([npr_by_loops(image, window, reference, 2 / 3) for image in images])
    layer = NPR(window, reference, data_format=data_format)
    if data_format == "channels_first":
        y = keras.ops.convert_to_numpy(layer(images.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    else:
        y = keras.ops.convert_to_numpy(layer(images))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, atol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("window", "reference"), VARIANTS)
def test_incomplete_blocks_go_on_with_their_last_pixels(random, window, reference, data_format):
    images = random.normal(size=(2, 13, 7, 3)).astype("float32")
    rows, columns = -13 % window, -7 % window
    padded = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    expected = np.stack([npr_by_loops(image, window, reference, 1.0)[:13, :7] for image in padded])
    layer = NPR(window, reference, 1.0, padding="same", data_format=data_format)
    if data_format == "channels_first":
        y = keras.ops.convert_to_numpy(layer(images.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    else:
        y = keras.ops.convert_to_numpy(layer(images))
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_defaults_are_the_papers():
    config = NPR().get_config()
    assert (config["window"], config["reference"], config["scale"]) == (2, 1, 2 / 3)


def test_top_left_pixels_are_exactly_zero(random):
    y = keras.ops.convert_to_numpy(NPR(data_format="channels_last")(random.random((1, 8, 8, 3))))
    assert not y[:, ::2, ::2].any()
    assert y[:, 1::2, ::2].all()


@pytest.mark.parametrize(
    ("arguments", "input_shape", "output_shape"),
    [
        (
            {"window": 3, "reference": "max", "scale": 0.5, "data_format": "channels_last"},
            (2, 10, 13, 3),
            (2, 9, 12, 3),
        ),
        (
            {"window": 2, "reference": 4, "scale": 1.5, "data_format": "channels_first"},
            (2, 3, 9, 12),
            (2, 3, 8, 12),
        ),
        (
            {
                "window": 3,
                "reference": 9,
                "scale": 1.5,
                "padding": "same",
                "data_format": "channels_last",
            },
            (2, 10, 13, 3),
            (2, 10, 13, 3),
        ),
    ],
)
def test_contract(arguments, input_shape, output_shape, tmp_path):
    model, x = check_layer(NPR, arguments, input_shape, output_shape)
    check_saving(model, x, tmp_path / "model.keras")


def test_integer_pixels():
    image = np.array([[10, 250], [0, 255]], np.uint8).reshape(1, 2, 2, 1)
    y = keras.ops.convert_to_numpy(NPR(scale=1, data_format="channels_last")(image))
    np.testing.assert_array_equal(y.ravel(), [0, 240, -10, 245])


def test_half_precision_subtracts_before_it_rounds():
    # 1000 and 1001 are the same number in bfloat16.
    image = np.array([[1000, 1001], [1000, 1000]], np.float32).reshape(1, 2, 2, 1)
    y = NPR(scale=1, data_format="channels_last", dtype="mixed_bfloat16")(image)
    y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    np.testing.assert_array_equal(y.ravel(), [0, 1, 0, 0])


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (2, 2), (31, 64)])
def test_one_model_takes_any_size(random, size):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, NPR(data_format="channels_last")(inputs))
    x = random.random((3, *size, 3)).astype("float32")
    expected = np.stack([npr_by_loops(image, 2, 1, 2 / 3) for image in x])
    np.testing.assert_allclose(model.predict_on_batch(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"window": 1}, "window=1"),
        ({"window": 2.0}, "window=2.0"),
        ({"window": True}, "window=True"),
        ({"reference": 0}, "reference=0"),
        ({"reference": 5}, "reference=5"),
        ({"window": 3, "reference": 10}, "reference=10"),
        ({"reference": "mean"}, "reference='mean'"),
        ({"reference": True}, "reference=True"),
        ({"scale": "2/3"}, "scale='2/3'"),
        ({"data_format": "NHWC"}, "data_format='NHWC'"),
    ],
)
def test_bad_arguments_say_what_was_received(arguments, received):
    with pytest.raises(ConfigError, match=f"Received: {received}"):
        NPR(**arguments)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the fault was JAX's")
def test_keras_exports_it_from_jax(tmp_path, random):
    """Its reshape used to stop where sides are not known."""
    import tensorflow as tf

    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, NPR(data_format="channels_last")(inputs))
    model.export(tmp_path / "m", format="tf_saved_model", verbose=False)
    images = random.normal(size=(2, 13, 8, 3)).astype("float32")
    found = tf.saved_model.load(tmp_path / "m").serve(images)
    np.testing.assert_allclose(found, model.predict_on_batch(images), atol=1e-6)
