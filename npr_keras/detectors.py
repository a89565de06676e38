"""The table of detectors that can be trained by their names; see `npr_keras.tables`. Light."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from npr_keras.config import RECIPES, TrainingConfig
from npr_keras.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """A detector that can be trained by its name.

    Attributes:
        title: What tables call it.
        representation: A name in `REPRESENTATIONS` and the layer's arguments, see
            `npr_keras.layers.representation.make_representation`.
        backbone: A name in `BACKBONES` and its settings, see
            `npr_keras.models.backbones.base.make_backbone`.
        recipe: Fields of `npr_keras.config.TrainingConfig`, where they are not the official NPR's.
        protocol: How it makes pixels when it scores; "" leaves that to the recipe.
        fitted: "gradient", the whole network by Adam; "features", the last layer alone, by logistic
            regression on features that are computed once; or "never": its training was not
            published, and official weights become one of our files by `npr-keras convert`.
        source: The paper, and what in it.
        fake_class: Which of two outputs says generated, in official checkpoints that have two; None
            where they have one.
        weights: The licence of published weights that `npr-keras convert` reads; "" where there are
            none that it does.
        brings: Weights that the user brings, without which training has no sense.
    """

    title: str
    representation: Mapping = field(default_factory=lambda: {"layer": "npr"})
    backbone: Mapping = field(default_factory=lambda: {"backbone": "resnet"})
    recipe: Mapping = field(default_factory=dict)
    protocol: str = ""
    fitted: str = "gradient"
    source: str = ""
    fake_class: int | None = None
    weights: str = ""
    brings: str = ""


_RESNET_50 = {"backbone": "resnet", "blocks": (3, 4, 6, 3), "kernel": 7}
_ADAM = {"learning_rate": 1e-4, "batch_size": 64, "decay": 1.0}
DETECTORS: dict[str, Method] = {
    "npr": Method(
        "NPR",
        source="Tan et al., CVPR 2024, Eq. 4 and section 3.3",
        weights="none stated",
    ),
    "lab": Method(
        "NPR lab",
        {"layer": "cyclic-spectrum"},
        {"backbone": "mlp", "hidden": (192, 64), "dropout": 0.3},
        {
            **RECIPES["robust"],
            "crop": 192,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "epochs": 110,
            "draws": 5,
            "jpeg": 0.5,
            "jpeg_quality": (50, 100),
            "rescale": 0.4,
            "rescale_factor": (0.4, 2.2),
        },
        "centercrop1024",
        source="ours: a perceptron on spectra and the coherence of their frequencies; docs/results/npr-lab.md",
    ),
    "cnndetection": Method(
        "CNNDetection (0.5)",
        {"layer": "pixels"},
        _RESNET_50,
        {**_ADAM, "blur": 0.5, "jpeg": 0.5},
        "centercrop",
        source="Wang et al., CVPR 2020; not pretrained",
        weights="CC BY-NC-SA 4.0",
    ),
    "cnndetection-0.1": Method(
        "CNNDetection (0.1)",
        {"layer": "pixels"},
        _RESNET_50,
        {**_ADAM, "blur": 0.1, "jpeg": 0.1},
        "centercrop",
        source="Wang et al., CVPR 2020; not pretrained",
        weights="CC BY-NC-SA 4.0",
    ),
    "frank": Method(
        "Frank",
        {"layer": "log-dct", "side": 256},
        {"backbone": "flat", "side": 256},
        {"learning_rate": 1e-3, "decay": 1.0, "crop": 256, "flip": 0.0},
        "resize256",
        source="Frank et al., ICML 2020: ridge regression on log-DCT coefficients",
    ),
    "fredect": Method(
        "FreDect",
        {"layer": "log-dct", "side": 224},
        {**_RESNET_50, "mean": (0.0, 0.0, 0.0), "std": (1 / 255, 1 / 255, 1 / 255)},
        {**_ADAM, "flip": 0.0},
        "resize256_centercrop224",
        source="ResNet-50 on log-DCT coefficients, as the AIGCDetectBenchmark has it",
    ),
    "durall": Method(
        "Durall",
        {"layer": "spectrum", "side": 256},
        {"backbone": "vector"},
        {"crop": 256},
        "resize256",
        "features",
        source="Durall et al., CVPR 2020: logistic regression on the azimuthal spectrum",
    ),
    "f3net": Method(
        "F3Net (FAD)",
        {"layer": "bands", "side": 256},
        {"backbone": "xception", "widths": (128, 256, 728), "middle": 8, "exit": True},
        {"learning_rate": 2e-4, "crop": 256},
        "resize256",
        source="Qian et al., ECCV 2020, its first branch; there is no official code; not pretrained",
    ),
    "f3net-lfs": Method(
        "F3Net (LFS)",
        {"layer": "local-frequency"},
        {
            "backbone": "xception",
            "widths": (128, 256, 728),
            "middle": 8,
            "exit": True,
            "first_stride": 1,
        },
        {"learning_rate": 2e-4, "crop": 256},
        "resize256",
        source="Qian et al., ECCV 2020, its second branch, of which the author of the public code says "
        "that something is wrong with it; not pretrained",
    ),
    "bihpf": Method(
        "BiHPF (after the description)",
        {"layer": "bihpf", "side": 224},
        {**_RESNET_50, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
        _ADAM,
        "resize256_centercrop224",
        source="after the description of Jeong et al., WACV 2022; no reproduction: there is no code",
    ),
    "frepgan": Method(
        "FrePGAN (after the description)",
        {"layer": "perturbation", "side": 224},
        {**_RESNET_50, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        _ADAM,
        "resize256_centercrop224",
        source="after the description of Jeong et al., AAAI 2022; no reproduction: there is no code",
    ),
    "patchfor": Method(
        "Patchfor",
        {"layer": "pixels"},
        {"backbone": "xception"},
        {"learning_rate": 1e-3, "decay": 1.0},
        source="Chai et al., ECCV 2020, block 2",
        fake_class=0,
        weights="none stated",
    ),
    "lgrad": Method(
        "LGrad",
        {"layer": "gradient", "side": 256},
        {**_RESNET_50, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        {"learning_rate": 5e-4, "batch_size": 16, "decay": 0.8, "crop": 256},
        "resize256",
        source="Tan et al., CVPR 2023; by whole images, and not pretrained",
        brings="the discriminator of StyleGAN for 256 x 256 bedrooms, converted (CC BY-NC 4.0)",
    ),
    "dire": Method(
        "DIRE",
        {"layer": "diffusion-error", "side": 256},
        {**_RESNET_50, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
        {**_ADAM, "crop": 256},
        "resize256",
        source="Wang et al., ICCV 2023, in memory; by whole images, and not pretrained; needs a GPU, the "
        "torch backend and diffusers",
        brings="an unconditional diffusion model for 256 x 256 pixels, a folder that diffusers reads",
    ),
    "univfd": Method(
        "UnivFD",
        {"layer": "pixels"},
        {"backbone": "vit"},
        {"resize": None},
        "tile",
        "features",
        source="Ojha, Li, Lee, CVPR 2023: a linear classifier on CLIP's features",
        brings="CLIP ViT-L/14's state dict (OpenAI, MIT)",
    ),
    "sbi": Method(
        "Self-blended images",
        {"layer": "pixels"},
        {"backbone": "efficientnet"},
        {"learning_rate": 1e-3, "batch_size": 8, "resize": 380, "crop": 380},
        "resize380",
        source="Shiohara, Yamasaki, CVPR 2022: EfficientNet-B4, to be trained on the pairs of "
        "`npr-keras data reconstruct --decoder self-blend`; by Adam, in batches of 8 for want of memory, not pretrained",
        fake_class=1,
        weights="its own, academic and non-commercial",
    ),
    "gandetection": Method(
        "GANDetection",
        {"layer": "pixels"},
        {"backbone": "gandetection"},
        {"resize": 256, "crop": 256},
        "resize256",
        "never",
        source="Mandelli et al., ICIP 2022: five EfficientNet-B4 over patches of 128 pixels",
        weights="GPL-3.0",
        brings="the five networks' weights, method_A.pth to method_E.pth in a folder (GPL-3.0)",
    ),
    "safe": Method(
        "SAFE",
        {"layer": "wavelet-hh"},
        {"backbone": "resnet", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
        {"learning_rate": 5e-3, "resize": None, "crop": 256},
        "centercrop256",
        source="SAFE, KDD 2025; by Adam, without rotation, colour jitter and masks",
        fake_class=1,
        weights="Apache-2.0",
    ),
    "ferretnet": Method(
        "FerretNet-S",
        {"layer": "median"},
        {"backbone": "ferretnet"},
        {"beta_1": 0.937, "resize": None},
        "centercrop256",
        source="FerretNet, NeurIPS 2025",
        weights="Apache-2.0",
    ),
}


def get_method(name: str) -> Method:
    """The detector of that name; raises ConfigError, with the known names, where there is none."""
    if name not in DETECTORS:
        raise ConfigError(f"Unknown detector. Known: {', '.join(DETECTORS)}. Received: {name!r}")
    return DETECTORS[name]


def recipe_of(method: Method, config: TrainingConfig | None = None) -> TrainingConfig:
    """A recipe, by default the method's; features are fitted once, whatever it says of epochs."""
    recipe = config or TrainingConfig.from_dict(method.recipe)
    return dataclasses.replace(recipe, epochs=1) if method.fitted == "features" else recipe
