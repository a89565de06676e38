"""Neighbouring Pixel Relationships as a Keras layer."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.errors import ConfigError

_DATA_FORMATS = ("channels_last", "channels_first")
_PADDINGS = ("valid", "same")
_BEFORE = {"drop": "valid", "pad": "same"}  # version 0.1, as `incomplete`


@keras.saving.register_keras_serializable(package="npr_keras")
class NPR(keras.layers.Layer):
    """Subtracts one pixel of each block from every pixel of the block (Eq. 4).

    The image is cut into `window` x `window` blocks. In each block every pixel `x` becomes
    `scale * (x - w_j)`, where `w_j` is the block's reference pixel. Generators end in up-sampling
    layers; those leave a relation among the pixels of a block that photographs do not have.

    The paper does not say what happens to rows and columns that do not fill a block, at the bottom
    and on the right, and the official code fails on odd sizes: see `padding`.

    The difference is taken in the dtype of the input and only then cast to the layer's compute
    dtype: under mixed precision the small differences between large pixel values survive.

    Args:
        window: Integer of at least 2. The side `l` of a block, in pixels.
        reference: Which `w_j` is subtracted: 1..window², counted row by row from the block's
            top left corner, `"avg"` for the block's mean, or `"max"` for its maximum (Table 7).
        scale: Float. Factor on the differences. 2/3 is not in the paper, but the official
            weights were trained with it.
        padding: What becomes of blocks that are not whole: `"valid"` drops them; with `"same"` the
            last row or column goes on until they are, and what was added is cut off again.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `"channels_first"`. Height and width may be unknown; both at least `window`.

    Output shape:
        As the input, height and width cut down to a multiple of `window` (`"valid"`).

    Raises:
        ConfigError: If an argument has a value it cannot have.

    Example:
        >>> image = np.array([[10, 12], [13, 9]], "float32").reshape(1, 2, 2, 1)
        >>> np.squeeze(NPR(scale=1.0, data_format="channels_last")(image))
        array([[ 0.,  2.],
               [ 3., -1.]], dtype=float32)

    Reference:
        Tan et al., "Rethinking the Up-Sampling Operations in CNN-based Generative Network for
        Generalizable Deepfake Detection", CVPR 2024, Eq. 4 and Table 7.
    """

    def __init__(
        self, window=2, reference=1, scale=2 / 3, padding="valid", data_format=None, **kwargs
    ):
        super().__init__(**kwargs)
        if isinstance(window, bool) or not isinstance(window, int) or window < 2:
            raise ConfigError(
                "NPR: `window` must be an integer of at least 2 (the side of a block, in pixels). "
                f"Received: window={window!r}"
            )
        in_block = isinstance(reference, int) and not isinstance(reference, bool)
        in_block = in_block and 1 <= reference <= window**2
        if not in_block and reference not in ("avg", "max"):
            raise ConfigError(
                f"NPR: `reference` must be an integer from 1 to {window**2} (the block's pixels, "
                f'row by row), "avg" or "max". Received: reference={reference!r}'
            )
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ConfigError(f"NPR: `scale` must be a number. Received: scale={scale!r}")
        if padding not in _PADDINGS:
            raise ConfigError(
                f"NPR: `padding` must be one of {_PADDINGS}. Received: padding={padding!r}"
            )
        if data_format is None:
            data_format = keras.config.image_data_format()
        if data_format not in _DATA_FORMATS:
            raise ConfigError(
                f"NPR: `data_format` must be one of {_DATA_FORMATS} or None. "
                f"Received: data_format={data_format!r}"
            )
        self.window = window
        self.reference = reference
        self.scale = float(scale)
        self.padding = padding
        self.data_format = data_format
        self.autocast = False  # the subtraction comes before the cast, see the docstring

    @property
    def local(self) -> tuple[int, int]:
        """Side of the blocks that it looks at one by one, and pixels around them; see `reach`."""
        return self.window, 0

    def call(self, inputs):
        x = ops.convert_to_tensor(inputs)
        if not keras.backend.is_float_dtype(x.dtype):
            x = ops.cast(x, "float32")
        sides = [ops.shape(x)[axis] for axis in self._spatial_axes()]
        for axis in self._spatial_axes():
            x = self._whole_blocks(x, axis)
        blocks, flat = self._block_shapes(ops.shape(x))
        x = ops.reshape(x, blocks)  # (B, H/l, l, W/l, l, C) or (B, C, H/l, l, W/l, l)
        x = (x - self._reference_pixels(x)) * self.scale
        x = ops.reshape(x, flat)
        if self.padding == "same":
            for axis, side in zip(self._spatial_axes(), sides, strict=True):
                x = _cut(x, axis, side)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        for axis in self._spatial_axes():
            if shape[axis] is not None and self.padding == "valid":
                shape[axis] -= shape[axis] % self.window
        return tuple(shape)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            window=self.window,
            reference=self.reference,
            scale=self.scale,
            padding=self.padding,
            data_format=self.data_format,
        )
        return config

    @classmethod
    def from_config(cls, config):
        return super().from_config(cls.upgraded(config))

    @staticmethod
    def upgraded(arguments) -> dict:
        """The layer's arguments as version 0.1 wrote them, as they are called now."""
        arguments = dict(arguments)
        if "incomplete" in arguments:
            before = arguments.pop("incomplete")
            arguments["padding"] = _BEFORE.get(before, before)
        return arguments

    def _spatial_axes(self):
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def _whole_blocks(self, x, axis):
        """Both sides a multiple of the window."""
        side = ops.shape(x)[axis]
        if isinstance(side, int) and side % self.window == 0:
            return x
        if self.padding == "valid":
            # In this form JAX sees, for a side that is not known yet, that blocks fill it.
            return _cut(x, axis, side // self.window * self.window)
        last = [slice(None)] * 4
        last[axis] = slice(-1, None)
        # One pixel less than a block is always enough; what is too much is cut off here.
        x = ops.concatenate([x, *[x[tuple(last)]] * (self.window - 1)], axis=axis)
        return _cut(x, axis, -(-side // self.window) * self.window)

    def _block_shapes(self, shape):
        """The shape with each spatial axis split in two, and the shape to come back to."""
        split, flat = [], []
        for axis, side in enumerate(shape):
            if axis in self._spatial_axes():
                split += [side // self.window, self.window]
            else:
                # -1 lets one unknown axis, the batch, through every backend's reshape.
                split.append(-1 if axis == 0 else side)
            flat.append(-1 if axis == 0 else side)
        return tuple(split), tuple(flat)

    def _reference_pixels(self, blocks):
        """w_j of every block, broadcastable against `blocks`."""
        row_axis, column_axis = (2, 4) if self.data_format == "channels_last" else (3, 5)
        if self.reference == "avg":
            return ops.mean(blocks, axis=(row_axis, column_axis), keepdims=True)
        if self.reference == "max":
            return ops.max(blocks, axis=(row_axis, column_axis), keepdims=True)
        row, column = divmod(self.reference - 1, self.window)
        index = [slice(None)] * 6
        index[row_axis] = slice(row, row + 1)
        index[column_axis] = slice(column, column + 1)
        return blocks[tuple(index)]


def _cut(x, axis, side):
    """The first `side` positions along an axis."""
    index = [slice(None)] * 4
    index[axis] = slice(0, side)
    return x[tuple(index)]
