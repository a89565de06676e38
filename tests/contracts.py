"""What every layer of this project must do, in one helper."""

import inspect

import keras
import numpy as np


def check_layer(layer_class, arguments, input_shape, output_shape, dtype="float32"):
    """Config, symbolic and eager calls, mixed precision, a fit step, and a file.

    Args:
        layer_class: The class.
        arguments: Dict of arguments that differ from every default where possible.
        input_shape, output_shape: With the batch, and spatial axes as in the data format.
        dtype: Of the eager input.
    """
    layer = layer_class(**arguments)
    config = layer.get_config()
    signature = inspect.signature(layer_class.__init__).parameters.values()
    for parameter in signature:
        if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert parameter.name in config, f"{parameter.name} is missing from get_config()"
    for name, value in arguments.items():
        assert config[name] == value
    assert layer_class.from_config(config).get_config() == config

    symbolic = layer(keras.KerasTensor((None, *input_shape[1:])))
    assert symbolic.shape == (None, *output_shape[1:])
    unknown = [None if side > 4 else side for side in input_shape[1:]]
    free = layer_class(**arguments)(keras.KerasTensor((None, *unknown)))
    assert len(free.shape) == len(output_shape)

    x = np.random.default_rng(0).uniform(0, 255, input_shape).astype(dtype)
    y = keras.ops.convert_to_numpy(layer(x))
    assert y.shape == tuple(output_shape)
    assert y.dtype == np.float32

    mixed = layer_class(**arguments, dtype="mixed_bfloat16")(x)
    assert keras.backend.standardize_dtype(mixed.dtype) == "bfloat16"
    mixed = keras.ops.convert_to_numpy(keras.ops.cast(mixed, "float32"))
    # bfloat16 keeps 8 bits: half a step is 2**-9 of the value. Nothing may be lost before the cast.
    np.testing.assert_allclose(mixed, y, rtol=2**-8, atol=1e-6)

    inputs = keras.Input(tuple(unknown))
    outputs = keras.layers.Dense(1)(
        keras.layers.Flatten()(
            keras.layers.GlobalAveragePooling2D(
                data_format=arguments.get("data_format", "channels_last")
            )(layer_class(**arguments)(inputs))
        )
    )
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.fit(x / 255, np.zeros((len(x), 1)), verbose=0)
    return model, x


def check_saving(model, x, path):
    """A `.keras` file gives back a model with the same outputs."""
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(model.predict_on_batch(x), loaded.predict_on_batch(x))
