"""A vision transformer as CLIP has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import layers

from npr_keras.layers.tokens import Attention, FirstToken, QuickGELU, Tokens
from npr_keras.models.backbones.base import CLIP_MEAN, CLIP_STD, Backbone
from npr_keras.settings import field_of, integer


@dataclass(frozen=True)
class ViT(Backbone):
    """CLIP's image encoder: the class token behind the last block, normalised and projected.

    Layers are called as in the official checkpoint, dashes standing for its dots.

    Args:
        width: Of each token.
        depth: Blocks.
        heads: Of the attention; CLIP has one for 64 of the width.
        output: Features of an image.
        patch: Side of a patch, in pixels.
        side: Of an image, in pixels.

    Reference:
        Radford et al., "Learning transferable visual models from natural language supervision", ICML
        2021; Ojha, Li, Lee, "Towards universal fake image detectors", CVPR 2023.
    """

    width: int = field_of(1024, integer(8), "Of each token.")
    depth: int = field_of(24, integer(1), "Blocks.")
    heads: int = field_of(16, integer(1), "Of the attention.")
    output: int = field_of(768, integer(1), "Features of an image.")
    patch: int = field_of(14, integer(1), "Side of a patch, in pixels.")
    side: int = field_of(224, integer(8), "Of an image, in pixels.")

    mean: Any = CLIP_MEAN
    std: Any = CLIP_STD
    head_name = "fc"

    def build(self, x):
        x = layers.Conv2D(
            self.width,
            self.patch,
            self.patch,
            use_bias=False,
            data_format="channels_last",
            name="visual-conv1",
        )(x)
        x = layers.Reshape(((self.side // self.patch) ** 2, self.width), name="patches")(x)
        x = _norm(Tokens(name="visual")(x), "visual-ln_pre")
        for i in range(self.depth):
            x = self._block(x, f"visual-transformer-resblocks-{i}")
        x = _norm(FirstToken(name="class_token")(x), "visual-ln_post")
        return layers.Dense(self.output, use_bias=False, name="visual-proj")(x)

    def _block(self, x, name):
        y = layers.Dense(3 * self.width, name=f"{name}-attn-in_proj")(_norm(x, f"{name}-ln_1"))
        y = Attention(self.heads, name=f"{name}-attn")(y)
        y = layers.Dense(self.width, name=f"{name}-attn-out_proj")(y)
        x = layers.Add(name=f"{name}-add1")([x, y])
        y = layers.Dense(4 * self.width, name=f"{name}-mlp-c_fc")(_norm(x, f"{name}-ln_2"))
        y = layers.Dense(self.width, name=f"{name}-mlp-c_proj")(QuickGELU(name=f"{name}-gelu")(y))
        return layers.Add(name=f"{name}-add2")([x, y])

    def describe(self) -> str:
        return f"ViT of {self.depth} blocks, width {self.width}, patches of {self.patch} pixels"

    def official_parameters(self, layer) -> dict:
        name = self.official_name(layer.name)
        if isinstance(layer, Tokens):
            return {
                f"{name}.class_embedding": (layer.token, "vector"),
                f"{name}.positional_embedding": (layer.position, "plain"),
            }
        if name == "visual.proj":
            return {name: (layer.kernel, "plain")}
        if name.endswith(".in_proj"):
            return {
                f"{name}_weight": (layer.kernel, "dense"),
                f"{name}_bias": (layer.bias, "vector"),
            }
        if isinstance(layer, layers.LayerNormalization):
            return {
                f"{name}.weight": (layer.gamma, "vector"),
                f"{name}.bias": (layer.beta, "vector"),
            }
        return super().official_parameters(layer)


def _norm(x, name):
    return layers.LayerNormalization(epsilon=1e-5, name=name)(x)
