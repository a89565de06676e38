"""The detector: pixels in, one logit out."""

from __future__ import annotations

import contextlib
import math
import os

import keras
import numpy as np
from keras import initializers, layers, regularizers

from npr_keras.config import PROTOCOLS
from npr_keras.data.arrays import as_batch, require_range
from npr_keras.errors import CheckpointError, ConfigError
from npr_keras.layers.normalise import Normalise
from npr_keras.layers.npr import NPR
from npr_keras.layers.patches import MeanProbability
from npr_keras.layers.precision import at_least_float32
from npr_keras.limits import TILE
from npr_keras.models.backbones.base import Backbone, described, fast_data_format, make_backbone
from npr_keras.models.reach import reach
from npr_keras.presets import get_preset, model_path
from npr_keras.profile import ModelProfile


@keras.saving.register_keras_serializable(package="npr_keras")
class Detector(keras.Model):
    """Normalises pixels, takes a representation of them, and classifies it.

    A functional model: representation, backbone, mean over positions, one dense layer. With the
    defaults it is the official NPR detector: 1,437,761 trainable parameters, and every intermediate
    figure the same.

    Under a half-precision policy the normalised pixels, the representation, the pooling and the
    logit stay in float32: half precision would round away the differences between neighbours that
    NPR is made of.

    A saved file holds the configuration, not the layers' memory layout, so a file written by one
    backend loads on the others, each with the layout that is fast there.

    Args:
        backbone: A `Backbone`. Default: `ResNet()`, NPR's.
        representation: A layer from (B, H, W, 3), float32 normalised pixels, to (B, H', W', C).
            Default: `NPR()`. Ablations and rival representations go in here.
        profile: What is known about it, a `ModelProfile`. Default: images are resized to 256, and
            nothing was measured.
        name: The model's name.
        dtype: A dtype policy for its layers, such as "mixed_bfloat16". Default: the global one.

    Input shape:
        (B, H, W, 3), RGB from 0 to 255, any float or integer dtype; H and W free, unless the
        backbone says otherwise.

    Output shape:
        (B, 1), float32: the logit. Above 0 means generated.

    Raises:
        ConfigError: If an argument is of another kind.

    Example:
        >>> detector = Detector()
        >>> detector.count_params()
        1447873

    Reference:
        Tan et al., CVPR 2024, section 3.3 and the official code's `resnet50` with two stages.
    """

    def __init__(
        self, backbone=None, representation=None, profile=None, name="npr", dtype=None, **kwargs
    ):
        if backbone is None:
            backbone = make_backbone()
        if not isinstance(backbone, Backbone):
            raise ConfigError(f"Detector: `backbone` must be a Backbone. Received: {backbone!r}")
        if profile is None:
            profile = ModelProfile(PROTOCOLS["resize256"])
        if not isinstance(profile, ModelProfile):
            raise ConfigError(f"Detector: `profile` must be a ModelProfile. Received: {profile!r}")
        with _policy(dtype):
            representation, inputs, outputs = _network(backbone, representation)
            super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.backbone = backbone
        self.representation = representation
        self.profile = profile
        self._given_dtype = dtype

    @classmethod
    def from_preset(cls, name):
        """The detector of a preset's name, see `npr_keras.presets`; nothing is downloaded."""
        return keras.saving.load_model(model_path(get_preset(name).name), compile=False)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`, of one image or a list too; pixels scaled to 1 raise PixelError."""
        return super().predict(_batch(x), *args, **kwargs)

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`, of one image or a list too; see `predict`."""
        return super().predict_on_batch(_batch(x))

    # Whoever folds, exports or explains a detector asks for its parts, and knows no layer's name.

    @property
    def stem(self):
        """A padding and the convolution behind it that NPR can fold into; None where there is none."""
        return self.backbone.stem and tuple(map(self.get_layer, self.backbone.stem))

    @property
    def has_positions(self) -> bool:
        """Whether there are features of each position, so that a map can show where."""
        return any(layer.name == self.backbone.pool_name for layer in self.layers)

    def features_in(self, model):
        """Symbolic features: of each position, in `fast_data_format()`, or of the whole image.

        Args:
            model: This detector, or a graph with layers of the same names.
        """
        mean = self.has_positions and self.backbone.pooling == "mean"
        part = self.backbone.pool_name if mean else self.backbone.head_name
        return model.get_layer(part).input

    @property
    def tiling(self) -> tuple[int, int] | None:
        """Stride and halo in pixels of the tiles that it can be run in, see `reach`; None for none."""
        found = reach(self)
        if found and (found[1] > TILE or TILE % found[0]):  # one tile would see nearly all of it
            return None
        return found

    @property
    def side(self) -> int | None:
        """The only side of an image, in pixels, that it takes; None for any."""
        return self.backbone.side or getattr(self.representation, "side", None)

    @property
    def least(self) -> int:
        """The smallest side of an image, in pixels, that it takes."""
        return getattr(self.representation, "least", 2)

    @property
    def head(self):
        """The last dense layer, from features of the image to the logit."""
        return self.get_layer(self.backbone.head_name)

    @property
    def preprocessing(self):
        """How an image file becomes this detector's input: a `Preprocessing`."""
        return self.profile.preprocessing

    def save(self, filepath, *args, **kwargs):
        """As `keras.Model.save`, to a `.keras` file alone."""
        if os.fspath(filepath).endswith((".h5", ".hdf5")):
            raise CheckpointError(
                "An HDF5 file does not hold what this detector is rebuilt from. Expected a name that ends "
                f"in .keras. Received: {os.fspath(filepath)}"
            )
        super().save(filepath, *args, **kwargs)

    def get_config(self):
        dtype = self._given_dtype
        return {
            "name": self.name,
            "trainable": self.trainable,
            "backbone": described(self.backbone),
            "profile": self.profile.to_dict(),
            "representation": keras.saving.serialize_keras_object(self.representation),
            "dtype": dtype if dtype is None else keras.dtype_policies.get(dtype).name,
            # What was done to single layers, by their names.
            "frozen": [layer.name for layer in self.layers if not layer.trainable],
            "quantized": {layer.name: mode for layer in self.layers if (mode := _mode(layer))},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        frozen, quantized = config.pop("frozen", ()), config.pop("quantized", {})
        network = dict(
            config.pop("config", {}) or config["backbone"]
        )  # version 0.1 knew one backbone
        if "profile" not in config:  # and kept both in one
            config["profile"] = {k: network.pop(k) for k in _PROFILE if k in network}
        config["backbone"] = make_backbone(**network)
        config["profile"] = ModelProfile.from_dict(config["profile"])
        config["representation"] = keras.saving.deserialize_keras_object(
            config["representation"], custom_objects=custom_objects
        )
        detector = cls(**config)
        for layer in detector.layers:
            if layer.name in quantized:
                layer.quantize(quantized[layer.name])
            if layer.name in frozen:
                layer.trainable = False
        return detector


def _network(backbone: Backbone, representation):
    """The functional graph: its representation layer, its input and its output."""
    precise = at_least_float32(keras.config.dtype_policy().compute_dtype)
    if representation is None:
        representation = NPR(data_format="channels_last", dtype=precise, name="representation")
    if not isinstance(representation, keras.layers.Layer):
        raise ConfigError(
            "Detector: `representation` must be a Keras layer, such as npr_keras.layers.NPR(). "
            f"Received: {representation!r}"
        )
    inputs = keras.Input((None, None, 3), dtype="float32", name="pixels")
    x = Normalise(backbone.mean, backbone.std, dtype=precise, name="normalise")(inputs)
    x = backbone.build(representation(x))
    alone = len(x.shape) == 4 and backbone.pooling == "probability"
    if alone and fast_data_format() == "channels_first":
        x = layers.Permute((2, 3, 1), name="channels_last")(x)
    elif len(x.shape) == 4 and not alone:
        x = layers.GlobalAveragePooling2D(
            data_format=fast_data_format(), dtype=precise, name=backbone.pool_name
        )(x)
    bound = 1 / math.sqrt(x.shape[-1])  # torch.nn.Linear's default for weight and bias
    starts = [initializers.RandomUniform(-bound, bound) for _ in range(2)]
    if backbone.head_starts:
        starts = [initializers.Constant(value) for value in backbone.head_starts]
    outputs = layers.Dense(
        1,
        kernel_initializer=starts[0],
        kernel_regularizer=regularizers.L2(backbone.head_l2) if backbone.head_l2 else None,
        bias_initializer=starts[1],
        dtype=precise,
        name=backbone.head_name,
    )(x)
    if alone:
        outputs = MeanProbability(dtype=precise, name=backbone.pool_name)(outputs)
    return representation, inputs, outputs


@contextlib.contextmanager
def _policy(dtype):
    """Layers that are made inside have this policy; None leaves the global one."""
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _mode(layer) -> str | None:
    """How a layer was quantised; None where it was not."""
    return getattr(layer.dtype_policy, "quantization_mode", None)


def _batch(x):
    """Lists of images and single images as batches; arrays are checked. Data sets stay as they are."""
    if isinstance(x, (list, tuple)):
        return as_batch(x)
    if isinstance(x, np.ndarray):
        require_range(x)
        return x[None] if x.ndim == 3 else x
    return x


_PROFILE = ("preprocessing", "calibration", "robustness")
