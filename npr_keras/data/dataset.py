"""Records to batches: `tf.data` where TensorFlow is installed, a `keras.utils.PyDataset` elsewhere.

Both give the same batches, bit for bit: the pixels follow one rule, and all randomness comes from
`plan_epoch`. An image that the graph cannot decode goes to Pillow, which reads it (TIFF, say) or
says what is wrong with it; then the batch is one image smaller.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from npr_keras.config import TrainingConfig
from npr_keras.data.augment import EpochPlan, is_spoilt, paired, plan_epoch, random_crop, spoil
from npr_keras.data.decode import decode, path_for_graph, resize
from npr_keras.data.decoded import DecodedImages
from npr_keras.data.pipeline import choose_pipeline, import_tensorflow, worker_count
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ConfigError, UnreadableImageError

_BATCHES_AHEAD = 4


class TrainingImages:
    """Labelled images, cropped, mirrored and so on at random, in a fresh order every epoch.

    Args:
        records: What to train on.
        config: The recipe: seed, batch size, resize, blur, compression, crop and flip.
        unreadable: Where images that cannot be read are reported.
        decoded: The same images, decoded before; None: they are decoded every time.
    """

    def __init__(
        self,
        records: Sequence[Record],
        config: TrainingConfig,
        unreadable: Unreadable,
        decoded: DecodedImages | None = None,
    ):
        self.records = records
        self.config = config
        self.unreadable = unreadable
        self.decoded = decoded
        self._pairs = pairs_of(records) if config.pairs else None

    def __len__(self) -> int:
        """Batches an epoch; the last one may be smaller."""
        return -(-len(self.records) // self.config.batch_size)

    def plan(self, epoch: int) -> EpochPlan:
        """The randomness of an epoch, counted from 0."""
        if self._pairs is None:
            return plan_epoch(len(self.records), epoch, self.config)
        return paired(plan_epoch(len(self._pairs), epoch, self.config), self._pairs)

    def load(self, index, row, column, flip, blur, jpeg, seed) -> np.ndarray:
        """One training image by Pillow: uint8, (crop, crop, 3). The arguments: see `EpochPlan`."""
        if self.decoded is not None:
            pixels = self.decoded[index]
        else:
            pixels = decode(self.records[index].path)
            if self.config.resize:
                pixels = resize(pixels, self.config.resize)
        pixels = spoil(pixels, blur, jpeg, seed, self.config)
        pixels = random_crop(pixels, self.config.crop, row, column)
        return pixels[:, ::-1] if flip else pixels

    def batch(self, plan: EpochPlan, loaded=None):
        """Loads a batch by Pillow.

        Args:
            plan: This batch's part of the epoch's.
            loaded: Dict from image index to pixels that need no loading.

        Returns:
            uint8 (b', crop, crop, 3) and float32 (b', 1), unreadable images left out.
        """
        images, labels = [], []
        for index, *draw in zip(*plan, strict=True):
            try:
                image = loaded.get(index) if loaded else None
                images.append(self.load(index, *draw) if image is None else image)
                labels.append(self.records[index].label)
            except UnreadableImageError as error:
                self.unreadable.add(self.records[index].path, str(error))
        if not images:
            image, label = self._next_readable(plan.order[-1], *(drawn[0] for drawn in plan[1:]))
            images, labels = [image], [label]
        return np.stack(images), np.array(labels, np.float32)[:, None]

    def _next_readable(self, index, *draw):
        """The next image that can be read: no batch is empty."""
        for i in range(index + 1, index + len(self.records)):
            record = self.records[i % len(self.records)]
            with contextlib.suppress(UnreadableImageError):
                return self.load(i % len(self.records), *draw), record.label
        self.unreadable.nothing_left("the training set")

    def batches(self, first: int, epochs: int, pipeline: str = "auto"):
        """The batches of the epochs `first` to `epochs - 1`, one after the other.

        Returns:
            A `tf.data.Dataset` or a `keras.utils.PyDataset` for `keras.Model.fit`, which needs
            `steps_per_epoch=len(self)` to know the epochs apart.
        """
        if self.decoded is None and choose_pipeline(pipeline) == "tf.data":
            return self._tf_dataset(first, epochs)
        return _PyBatches(self, first, epochs)

    def _tf_dataset(self, first, epochs):
        tf = import_tensorflow()
        from npr_keras.data import graph

        size = self.config.crop
        paths = tf.constant([path_for_graph(record.path) for record in self.records])
        labels = tf.constant([record.label for record in self.records], tf.float32)

        spoils = self.config.blur > 0 or self.config.jpeg > 0 or is_spoilt(self.config)

        def load_image(index, row, column, flip, blur, jpeg, seed):
            pixels = graph.decode(tf.io.read_file(paths[index]))
            if self.config.resize:
                pixels = graph.resize(pixels, self.config.resize)
            if spoils:
                pixels = graph.spoil(pixels, blur, jpeg, seed, self.config)
            pixels = graph.random_crop(pixels, size, row, column)
            return index, tf.cond(flip, lambda: tf.reverse(pixels, [1]), lambda: pixels)

        def load_batch(*draws):
            # A row of index -1 in front keeps a batch alive of which no image could be decoded.
            nothing = (tf.constant([-1], tf.int64), tf.zeros([1, size, size, 3], tf.uint8))
            images = tf.data.Dataset.from_tensor_slices(draws)
            images = images.map(load_image, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
            images = tf.data.Dataset.from_tensor_slices(nothing).concatenate(images)
            return images.batch(self.config.batch_size + 1).map(lambda *batch: (draws, *batch))

        def mend_batch(draws, indices, pixels):
            indices, pixels = indices[1:], pixels[1:]
            return tf.cond(
                tf.size(indices) == tf.size(draws[0]),
                lambda: (pixels, tf.gather(labels, indices)[:, None]),
                lambda: ask_pillow(draws, indices, pixels),
            )

        def ask_pillow(draws, indices, pixels):
            def fill(*arrays):
                *draws, indices, pixels = arrays
                return self.batch(EpochPlan(*draws), dict(zip(indices, pixels, strict=True)))

            x, y = tf.numpy_function(fill, (*draws, indices, pixels), (tf.uint8, tf.float32))
            return tf.ensure_shape(x, [None, size, size, 3]), tf.ensure_shape(y, [None, 1])

        def epoch_draws(epoch):
            types = (tf.int64, tf.float64, tf.float64, tf.bool, tf.float64, tf.int64, tf.int64)
            draws = tf.numpy_function(lambda e: tuple(self.plan(int(e))), (epoch,), types)
            draws = tuple(tf.ensure_shape(d, [len(self.records)]) for d in draws)
            return tf.data.Dataset.from_tensor_slices(draws).batch(self.config.batch_size)

        # Whole batches are loaded side by side, each with its images side by side. One iterator
        # runs through all epochs: starting one takes over a second.
        dataset = tf.data.Dataset.range(first, epochs).flat_map(epoch_draws)
        dataset = dataset.interleave(
            load_batch,
            cycle_length=_BATCHES_AHEAD,
            block_length=1,
            num_parallel_calls=_BATCHES_AHEAD,
            deterministic=True,
        )
        dataset = dataset.map(mend_batch, num_parallel_calls=1, deterministic=True)
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(len(self) * (epochs - first))
        )
        return dataset.prefetch(2)


def pairs_of(records: Sequence[Record]) -> np.ndarray:
    """Which images belong together: real and generated ones of one class and name.

    Returns:
        int64 (n, 2): a pair's images, or twice an image that has no partner, with -1 where there is
        no second one.

    Raises:
        ConfigError: If there is no pair at all.
    """
    waiting: dict[tuple[str, str], int] = {}
    pairs, alone = [], []
    for i, record in enumerate(records):
        stem = os.path.splitext(os.path.basename(record.path))[0]
        other = waiting.pop((record.class_name, stem), None)
        if other is not None and records[other].label != record.label:
            pairs.append((other, i))
        else:
            alone += [] if other is None else [other]
            waiting[record.class_name, stem] = i
    if not pairs:
        raise ConfigError(
            "--pairs takes images of which a real and a generated one have the same class and name, as "
            f"npr-keras data reconstruct makes them. Received: {len(records)} images without such."
        )
    alone = sorted([*alone, *waiting.values()])
    pairs += list(
        zip(alone[::2], [*alone[1::2], -1] if len(alone) % 2 else alone[1::2], strict=True)
    )
    return np.array(pairs, np.int64)


class _PyBatches(keras.utils.PyDataset):
    """`TrainingImages` by Pillow, some batches ahead, in threads, because Pillow frees the GIL.

    The threads are ours: Keras' own keep the batches that they have loaded ahead when Keras peeks
    at the first one, and give them out again in the middle of an epoch.
    """

    def __init__(self, images: TrainingImages, first: int, epochs: int):
        super().__init__(workers=1)
        self.images = images
        self.first = first
        self.epochs = epochs
        self._ahead = worker_count()
        self._pool = ThreadPoolExecutor(self._ahead)
        self._loading: dict = {}

    def __len__(self):
        return len(self.images) * (self.epochs - self.first)

    def __getitem__(self, index):
        for i in range(index, min(index + self._ahead + 1, len(self))):
            if i not in self._loading:
                self._loading[i] = self._pool.submit(self._load, i)
        return self._loading.pop(index).result()

    def _load(self, index):
        epoch, step = divmod(index, len(self.images))
        plan = self.images.plan(self.first + epoch)
        size = self.images.config.batch_size
        return self.images.batch(plan.part(slice(step * size, (step + 1) * size)))
