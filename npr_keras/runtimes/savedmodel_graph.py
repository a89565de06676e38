"""A SavedModel as TF Serving takes it: encoded images in, the score of `npr-keras predict` out."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from npr_keras.data import graph
from npr_keras.limits import MOST_SCORED, MOST_UNTILED
from npr_keras.models.detector import Detector
from npr_keras.profile import Calibration
from npr_keras.runtimes.exported import LABELS, UNCALIBRATED_LABEL, Facts
from npr_keras.runtimes.freeze import freeze, head_weights
from npr_keras.runtimes.savedmodel_tiles import logit_in_tiles
from npr_keras.runtimes.tiles import MOST_WHOLE

# Of a larger network the weights are variables: while a model is saved and loaded, every signature's
# graph holds its own copy of all constants (ResNet-50: 11 GB), and no graph may exceed 2 GB.
_MOST_CONSTANTS = 4_000_000
FEATURE = "image/encoded"  # of a tf.Example, as TensorFlow's own image sets call it


class ServedDetector(tf.Module):
    """The signatures around a folded detector.

    Args:
        detector: Where pixels and calibration come from.
        folded: See `npr_keras.models.fold.fold`; in the TensorFlow backend.
        facts: What it says of itself.
    """

    def __init__(self, detector: Detector, folded: keras.Model, facts: Facts):
        super().__init__()
        dense = folded.get_layer(detector.head.name)
        features = detector.features_in(folded)
        model = keras.Model(folded.input, [features, folded.output])
        self._large = model.count_params() > _MOST_CONSTANTS
        if self._large:
            self._weights = [variable.value for variable in model.variables]
            self._network = tf.function(lambda pixels: model(pixels, training=False))
        else:
            self._network = freeze(model)
        self._has_positions = detector.has_positions
        self._kernel, self._bias = head_weights(dense)
        self._tiling = facts.tiling
        fixed = detector.preprocessing.fixed_size
        self._most = MOST_SCORED if self._tiling or fixed else MOST_UNTILED
        self.protocol = detector.preprocessing
        self._facts = facts.to_json()
        self.calibration = detector.profile.calibration_for(self.protocol)

    def score(self, pixels):
        """float32 pixels, (B, H, W, 3), to features, (B, h, w, C) or (B, C), and logits, (B,)."""
        features, logits = self._network(pixels)
        return features, tf.reshape(logits, [-1])

    def logits(self, pixels):
        """Logits, (B,), of any batch: none of an empty one, NaN for fewer than 2 x 2 pixels."""
        shape = tf.shape(pixels, tf.int64)
        area = shape[1] * shape[2]
        with tf.control_dependencies([tf.debugging.Assert(area <= self._most, ["too large"])]):
            pixels = tf.identity(pixels)
        return tf.case(
            [
                (
                    (shape[0] == 0) | (tf.minimum(shape[1], shape[2]) < 2),
                    lambda: tf.fill(shape[:1], np.float32(np.nan)),
                ),
                (
                    (area > MOST_WHOLE) & (self._tiling is not None),
                    lambda: tf.map_fn(
                        self._in_tiles,
                        pixels,
                        parallel_iterations=1,
                        fn_output_signature=tf.TensorSpec([], tf.float32),
                    ),
                ),
            ],
            default=lambda: self.score(pixels)[1],
        )

    def _in_tiles(self, pixels):
        """The logit of one image, (H, W, 3), of any numbers."""
        if not self._tiling:
            return tf.constant(np.nan)  # in no branch that is taken
        return logit_in_tiles(lambda part: self._map(self.score(part)[0]), pixels, self._tiling)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="images")])
    def images(self, images):
        """Encoded images of any size; one that cannot be decoded spoils its own row alone."""
        logits = self._score_encoded(images)
        return self._answer(logits, _why_unscored(images, tf.math.is_nan(logits)))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")])
    def pixels(self, pixels):
        """Pixels that the protocol was applied to already."""
        logits = self.logits(tf.cast(pixels, tf.float32))
        tiny = tf.where(tf.math.is_nan(logits), "fewer than 2 x 2 pixels", "")
        return self._answer(logits, tiny)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="pixels")])
    def pixels_float32(self, pixels):
        """The same, values from 0 to 255 as floats; other values spoil their own row.

        Fractions that all lie between 0 and 1 are an image scaled to 1.
        """
        axes = [1, 2, 3]
        low, high = tf.reduce_min(pixels, axes), tf.reduce_max(pixels, axes)
        scaled = (high <= 1) & tf.reduce_any((pixels > 0) & (pixels < 1), axes)
        finite = tf.reduce_all(tf.math.is_finite(pixels), axes)
        fits = finite & (low >= 0) & (high <= 255) & ~scaled
        logits = tf.where(fits, self.logits(pixels), np.float32(np.nan))
        wrong = tf.where(scaled, "an image scaled to 1: expected 0 to 255", "not 0 to 255")
        return self._answer(logits, tf.where(fits, "", wrong))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs):
        """Serialised tf.Examples with the feature `image/encoded`."""
        generated = self._probability(self._score_encoded(inputs, _image_of_example))
        scores = tf.stack([1 - generated, generated], axis=1)
        classes = tf.tile(tf.constant([LABELS]), [tf.shape(inputs)[0], 1])
        return {"classes": classes, "scores": scores}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs):
        """The same examples to their probability of being generated."""
        return {"outputs": self._probability(self._score_encoded(inputs, _image_of_example))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="about")])
    def facts(self, about):
        """What a client has to know to prepare images itself; as JSON, once for each row."""
        return {"facts": tf.fill(tf.shape(about), self._facts)}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")])
    def activation(self, pixels):
        """The class activation map: its mean over positions is the logit."""
        features, logits = self.score(tf.cast(pixels, tf.float32))
        return {"activation": self._map(features), "logit": logits}

    def _map(self, features):
        """Features of each position, (B, h, w, C), to their logits, (B, h, w)."""
        return tf.tensordot(features, self._kernel, 1) + self._bias

    def _score_encoded(self, images, unwrap=tf.identity):
        """Logits, (B,); NaN for what cannot be decoded, or unwrapped before that.

        A failing operation fails its whole graph, except in a data set that ignores errors: the
        images go through one, each with its place, and come back without those that failed.
        """
        count = tf.shape(images)[0]
        size = self.protocol.fixed_size

        def load(index, data):
            pixels = graph.preprocess(graph.decode(unwrap(data), alone=True), self.protocol)
            fits = tf.size(pixels, tf.int64) <= 3 * self._most
            with tf.control_dependencies([tf.debugging.Assert(fits, ["too large"])]):
                pixels = tf.identity(pixels)
            if size:
                return index, pixels
            if self._large:  # a data set's function cannot see variables, see `freeze`
                return index, tf.io.serialize_tensor(pixels)
            return index, score_one(pixels)

        def score_whole(pixels):
            return tf.reshape(self.score(tf.cast(pixels, tf.float32)[None])[1][0], [])

        def score_one(pixels):
            if not self._tiling:
                return score_whole(pixels)
            large = tf.size(pixels) > 3 * MOST_WHOLE
            return tf.cond(large, lambda: self._in_tiles(pixels), lambda: score_whole(pixels))

        def score_serialised(text):
            pixels = tf.io.parse_tensor(text, tf.uint8)
            return score_one(tf.ensure_shape(pixels, [None, None, 3]))

        found = tf.data.Dataset.from_tensor_slices(images).enumerate()
        found = found.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
        found = found.ignore_errors()
        # Never empty, whatever fails: the last row belongs to no image.
        shape = [size, size, 3] if size else []
        kind = tf.uint8 if size else tf.string if self._large else tf.float32
        spare = tf.fill(shape, "") if kind == tf.string else tf.zeros(shape, kind)
        found = found.concatenate(tf.data.Dataset.from_tensors((tf.constant(-1, tf.int64), spare)))
        indices, values = found.batch(tf.cast(count, tf.int64) + 1).get_single_element()
        indices, values = indices[:-1], values[:-1]
        logits = values
        if kind == tf.string:
            logits = tf.map_fn(score_serialised, values, fn_output_signature=tf.float32)
        if size:  # no image at all is more than the convolutions' kernels bear
            logits = self.logits(tf.cast(values, tf.float32))
        empty = tf.fill([count], tf.constant(np.nan, tf.float32))
        return tf.tensor_scatter_nd_update(empty, indices[:, None], logits)

    def _probability(self, logits):
        calibration: Calibration = self.calibration
        return tf.sigmoid((logits - calibration.shift) / calibration.temperature)

    def _answer(self, logits, errors=None):
        valid = ~tf.math.is_nan(logits)
        labels = tf.where(logits > self.calibration.threshold, LABELS[1], LABELS[0])
        if not self.calibration.images:
            labels = tf.fill(tf.shape(logits), UNCALIBRATED_LABEL)
        return {
            "probability": self._probability(logits),
            "logit": logits,
            "label": tf.where(valid, labels, ""),
            "valid": valid,
            "error": tf.fill(tf.shape(logits), "") if errors is None else errors,
        }

    @property
    def signatures(self) -> dict:
        """By the names that clients ask for."""
        with_positions = {"activation": self.activation} if self._has_positions else {}
        return {
            "serving_default": self.images,
            "pixels": self.pixels,
            "pixels_float32": self.pixels_float32,
            "classify": self.classify,
            "regress": self.regress,
            **with_positions,
            "facts": self.facts,
        }


def _why_unscored(images, unscored):
    """A sentence for each image that has no score, "" for the others."""

    def starts_with(prefix, at=0):
        return tf.strings.substr(tf.strings.join([images, " " * 16]), at, len(prefix)) == prefix

    known = starts_with("BM") | starts_with("GIF8")
    for prefix in (b"\xff\xd8\xff", b"\x89PNG"):
        known |= starts_with(prefix)
    webp = starts_with("RIFF") & starts_with("WEBP", 8)
    reason = tf.where(
        known,
        "cannot be decoded: broken, or of a kind that this graph leaves to Pillow; or too large, or "
        "too small",
        "not a JPEG, PNG, WebP, BMP or GIF file",
    )
    reason = tf.where(
        webp,
        "this WebP cannot be decoded: broken, animated, or the server's TensorFlow is older than 2.20",
        reason,
    )
    reason = tf.where(tf.strings.length(images) == 0, "empty", reason)
    return tf.where(unscored, reason, "")


def _image_of_example(data):
    feature = tf.io.FixedLenFeature([], tf.string)
    return tf.io.parse_single_example(data, {FEATURE: feature})[FEATURE]
