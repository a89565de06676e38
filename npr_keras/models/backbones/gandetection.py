"""Five EfficientNets, each over patches of the image: GANDetection's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from keras import layers

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.layers.patches import Patches, SurestPatch
from npr_keras.models.backbones.base import fast_data_format, to_fast_format
from npr_keras.models.backbones.efficientnet import EfficientNet
from npr_keras.settings import field_of, integer

_RANDOM, _SEED = 200, 21  # the first network's patches


@dataclass(frozen=True)
class GANDetection(EfficientNet):
    """The mean of five networks' surest patches.

    Each gives two logits for every patch. The first network sees 200 patches drawn at random, the
    same ones of every image; the others a grid of about 200, in steps of 8 pixels. The more patches,
    the more often one of them is called generated: that rule is theirs.

    Args:
        networks: How many, called A, B, ...
        image: Side of the images, in pixels. Theirs takes any; here the patches are part of the graph.
        patch: Side of the patches, in pixels.

    Reference:
        Mandelli et al., "Detecting GAN-generated images by orthogonal training of multiple CNNs", ICIP
        2022.
    """

    networks: int = field_of(5, integer(1, 26), "How many networks.")
    image: int = field_of(256, integer(16), "Side of the images, in pixels.")
    patch: int = field_of(128, integer(8), "Side of the patches, in pixels.")

    mean: Any = IMAGENET_MEAN
    std: Any = IMAGENET_STD
    head_name: Any = "head"
    head_starts: Any = (1.0, 0.0)  # the mean itself
    at_once: ClassVar[int | None] = 1  # 200 patches of each

    @property
    def side(self) -> int:  # type: ignore[override]
        return self.image

    def places(self, network: int) -> list[tuple[int, int]]:
        """Top and left of a network's patches."""
        room = self.image - self.patch
        if network == 0:
            drawn = np.random.default_rng(_SEED).integers(0, room + 1, (_RANDOM, 2))
            return [(int(top), int(left)) for top, left in drawn]
        rows, columns = (range(0, room + 1, max(8, -(-(room // k) // 8) * 8)) for k in (20, 10))
        return [(top, left) for top in rows for left in columns]

    def build(self, x):
        scores = []
        for i in range(self.networks):
            name = chr(ord("A") + i)
            places = self.places(i)
            patches = Patches(places, self.patch, name=f"{name}-patches")(x)
            seen = self.network(to_fast_format(patches, f"{name}-channels_first"), f"{name}-")
            seen = layers.GlobalAveragePooling2D(
                data_format=fast_data_format(), name=f"{name}-pool"
            )(seen)
            seen = layers.Dense(2, name=f"{name}-classifier")(seen)
            scores.append(SurestPatch(len(places), name=f"{name}-surest")(seen))
        if len(scores) == 1:
            return scores[0]
        return layers.Average(name="mean")(scores)

    def official_name(self, name: str) -> str:
        network, _, rest = name.partition("-")
        if rest == "classifier":
            return f"{network}.classifier"
        return f"{network}.efficientnet.{super().official_name(rest)}"

    def official_parameters(self, layer):
        if layer.name == self.head_name:
            return {}
        return super().official_parameters(layer)

    def describe(self) -> str:
        return f"{self.networks} EfficientNets over patches of {self.patch} pixels"
