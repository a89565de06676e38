"""How far a detector's features look: what makes scoring in tiles exact."""

from __future__ import annotations

from typing import NamedTuple

import keras

# Layers that look at one position alone.
_POINTWISE = ("BatchNorm", "BatchNormalization", "ReLU", "Activation", "Add", "Permute", "Dropout",
              "Identity", "InputLayer", "Normalise")  # fmt: skip


class _Seen(NamedTuple):
    """Position i of a layer's output looks at pixels i * stride - left to i * stride + right."""

    stride: int
    left: int
    right: int
    padded: tuple[int, int] = (0, 0)  # by a layer whose convolution is still to come


def reach(detector) -> tuple[int, int] | None:
    """Pixels between neighbouring features, and pixels around them that they look at, at most.

    Tiles that begin at a multiple of the first, with so many more pixels around them as the second
    says, have the very features that the whole image has there: wherever a layer pads with zeros,
    it does so at the edges of the image alone, or where nothing is kept.

    Args:
        detector: A `Detector`.

    Returns:
        Stride and halo, the second a multiple of the first; None for a detector that is not made of
        local layers with a mean at the end: attention, spectra, squeeze-and-excitation, a fixed size.
    """
    if detector.side or not detector.has_positions or detector.backbone.pooling != "mean":
        return None
    try:
        seen = _seen(detector.features_in(detector), detector.representation, {})
    except _NotLocalError:
        return None
    if seen.stride % detector.representation.local[0]:
        return None
    halo = max(seen.left, seen.right - seen.stride + 1, 0)
    return seen.stride, -(-halo // seen.stride) * seen.stride


class _NotLocalError(Exception):
    """A layer that looks at the whole image, or is not known."""


def _seen(tensor, representation, known: dict) -> _Seen:
    if id(tensor) in known:
        return known[id(tensor)]
    layer, index, _ = tensor._keras_history
    before = [
        _seen(t, representation, known) for t in keras.tree.flatten(layer._inbound_nodes[index].input_tensors)
    ]  # fmt: skip
    if len({one.stride for one in before}) > 1 or len({one.padded for one in before}) > 1:
        raise _NotLocalError
    if not before:
        return known.setdefault(id(tensor), _Seen(1, 0, 0))
    seen = _Seen(
        before[0].stride,
        max(one.left for one in before),
        max(one.right for one in before),
        before[0].padded,
    )
    found = (
        _through_representation(seen, layer) if layer is representation else _through(seen, layer)
    )
    return known.setdefault(id(tensor), found)


def _through_representation(seen: _Seen, layer) -> _Seen:
    """A representation says for itself how far it looks: `local`, (block, pixels around it)."""
    local = getattr(layer, "local", None)
    if local is None or seen != _Seen(1, 0, 0):
        raise _NotLocalError
    block, around = local
    # A pixel's own place within its block is not known: all of the block on either side.
    return _Seen(1, around + block - 1, around + block - 1)


def _through(seen: _Seen, layer) -> _Seen:
    stride, left, right, padded = seen
    kind = type(layer).__name__
    if kind in _POINTWISE:
        return seen
    if kind in ("ZeroPadding2D", "LowestPadding"):
        sides = layer.padding if kind == "ZeroPadding2D" else ((1, 1), (1, 1))
        if sides[0] != sides[1] or padded != (0, 0):
            raise _NotLocalError
        low, high = sides[0]
        return _Seen(stride, left + low * stride, right - low * stride, (low, high))
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D"):
        pooled = kind == "MaxPooling2D"
        kernel, step = (layer.pool_size if pooled else layer.kernel_size), layer.strides
        dilation = (1, 1) if pooled else layer.dilation_rate
        if any(len(set(pair)) > 1 for pair in (kernel, step, dilation)):
            raise _NotLocalError
        width = (kernel[0] - 1) * dilation[0]
        if layer.padding == "same":
            # With a stride, what it pads depends on the image's size.
            if padded != (0, 0) or (step[0] > 1 and width):
                raise _NotLocalError
            left, right = left + width // 2 * stride, right - width // 2 * stride
        elif sum(padded) != width:  # features would be fewer than positions
            raise _NotLocalError
        return _Seen(stride * step[0], left, right + width * stride)
    raise _NotLocalError
