"""Training on representations that are computed once, of a few draws of the augmentation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from npr_keras.atomic import write_text
from npr_keras.data.arrays import as_batch
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.records import Record
from npr_keras.data.stream import stream_pixels
from npr_keras.errors import ConfigError
from npr_keras.models import Detector
from npr_keras.scoring.loop import scored

_PART = 32  # images that are represented together: spectra take much memory
_AT_ONCE = 16  # batches from one writing of the index to the next


class Drawn:
    """What the representation makes of the images of the first epochs, kept on disk.

    Where a representation has no weights to learn, as a spectrum, computing it takes nearly all of
    an epoch. It is computed for the first `draws` epochs, as training would meet their images, and
    later epochs meet these again in another order: epoch e those of draw e modulo `draws`.

    Args:
        detector: Its representation has no trainable weights, and gives one size for all images.
        images: What to train on; its recipe has the number of draws.
        folder: Where 2 bytes a value are kept until the run is done. Killed, it goes on there.
        preparing: Called with "draw 1 of 4" or the like, how many batches are done, and how many
            there are.

    Raises:
        ConfigError: If the representation cannot be computed once.
    """

    def __init__(
        self,
        detector: Detector,
        images: TrainingImages,
        folder: Path,
        preparing: Callable[[str, int, int], None] | None = None,
    ):
        layer = detector.representation
        shape = layer.output.shape[1:]
        self.count = min(images.config.draws, images.config.epochs)  # no epoch meets more
        if layer.trainable_weights or None in shape:
            raise ConfigError(
                "draws: keeps what a representation without weights, of one size for all images, makes "
                f"of them, as a spectrum. Received: {layer.name}, {shape}"
            )
        self.detector = detector
        self.images = images
        self.folder = folder
        self.shape = shape
        self._seen = keras.Model(detector.input, layer.output)
        self.tail = keras.Model(layer.output, detector.output)
        self.draws = [self._draw(i, preparing) for i in range(self.count)]

    def _draw(self, draw: int, preparing) -> tuple[np.ndarray, np.ndarray]:
        """Values, float16 (n, ...), mapped from the disk, and labels, float32 (n, 1)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, index = (self.folder / f"draw-{draw:03d}.{ending}" for ending in ("f16", "json"))
        row = 2 * int(np.prod(self.shape))
        labels, done = [], 0
        if index.exists():
            stored = json.loads(index.read_text(encoding="utf-8"))
            labels, done = stored["labels"], stored["batches"]
        count = len(self.images)
        batches = self.images.batches(draw, draw + 1, "pydataset")
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.truncate(row * len(labels))
            file.seek(row * len(labels))
            for i in range(done, count):
                pixels, answers = batches[i]
                found = np.concatenate(
                    [
                        self.predict(part)
                        for part in np.array_split(pixels, -(-len(pixels) // _PART))
                    ]
                )
                file.write(found.astype(np.float16).tobytes())
                labels += answers[:, 0].astype(int).tolist()
                if (i + 1) % _AT_ONCE == 0 or i + 1 == count:
                    file.flush()
                    write_text(index, json.dumps({"batches": i + 1, "labels": labels}))
                if preparing:
                    preparing(f"draw {draw + 1} of {self.count}", i + 1, count)
        values = np.memmap(path, np.float16, "r", shape=(len(labels), *self.shape))
        return values, np.array(labels, np.float32)[:, None]

    def batches(self, first: int, epochs: int) -> keras.utils.PyDataset:
        """The batches of the epochs `first` to `epochs - 1`, for `tail`."""
        return _Batches(self, first, epochs)

    def judge(self, records: Sequence[Record]) -> Callable[[], np.ndarray]:
        """What scores images with the weights as they are: logits, NaN for unreadable images."""
        own = self.detector.preprocessing
        pixels = stream_pixels(records, own, self.images.unreadable, "pydataset")
        values = np.full((len(records), *self.shape), np.nan, np.float32)
        for places, found in scored(self, pixels, self.images.config.batch_size):
            values[places] = found
        return lambda: self.tail.predict(values, self.images.config.batch_size, verbose=0)[:, 0]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Images of one size, uint8 (B, H, W, 3), to what the representation makes of them."""
        return np.asarray(self._seen.predict_on_batch(as_batch(images)), np.float32)


class _Batches(keras.utils.PyDataset):
    """Those of `Drawn`, in an order of each epoch's own; pairs stay together."""

    def __init__(self, drawn: Drawn, first: int, epochs: int):
        super().__init__(workers=1)
        self.drawn = drawn
        self.first = first
        self.epochs = epochs
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, int))

    def __len__(self):
        return len(self.drawn.images) * (self.epochs - self.first)

    def __getitem__(self, index):
        epoch, step = divmod(index, len(self.drawn.images))
        epoch += self.first
        config = self.drawn.images.config
        values, labels = self.drawn.draws[epoch % self.drawn.count]
        if self._order[0] != epoch:
            random = np.random.default_rng([config.seed, epoch, 1])
            couples = random.permutation(-(-len(labels) // 2))
            order = (2 * couples[:, None] + np.arange(2)).ravel()
            self._order = epoch, order[order < len(labels)]
        # Unreadable images leave fewer rows than an epoch has places.
        places = np.arange(step * config.batch_size, (step + 1) * config.batch_size)
        places = places[places < len(self.drawn.images.records)] % len(labels)
        rows = self._order[1][places]
        return values[rows].astype(np.float32), labels[rows]
