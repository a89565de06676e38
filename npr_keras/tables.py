"""The tables: what can be added to the toolkit is a row here, and its code a file of its own.

A row names its code as "module:attribute", so that a table is light and the code is imported when it
is asked for. Rows of others come from modules that the environment variable NPR_PLUGINS names, with
commas between them: `npr_keras` imports these, and they add to the tables. docs/extend.md shows how.

Suites are rows too, of `evaluation/suites.toml`, or a TOML file of one's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from npr_keras.errors import ConfigError


def load_code(code: str) -> Any:
    """What a row names: "module:attribute"."""
    module, _, attribute = code.partition(":")
    return getattr(importlib.import_module(module), attribute)


# Representations: layers from normalised pixels, (B, H, W, 3), float32, to (B, H', W', C).
REPRESENTATIONS: dict[str, str] = {
    "npr": "npr_keras.layers.npr:NPR",
    "pixels": "keras.layers:Identity",
    "high-pass": "npr_keras.layers.high_pass:HighPass",
    "haar-hh": "npr_keras.layers.haar:HaarHH",
    "wavelet-hh": "npr_keras.layers.wavelet:WaveletHH",
    "median": "npr_keras.layers.median:MedianResidual",
    "log-dct": "npr_keras.layers.dct:LogDCT",
    "bands": "npr_keras.layers.dct:FrequencyBands",
    "spectrum": "npr_keras.layers.spectrum:AzimuthalSpectrum",
}

# Backbones: `npr_keras.models.backbones.base.Backbone`, from a representation to features.
BACKBONES: dict[str, str] = {
    "resnet": "npr_keras.models.backbones.resnet:ResNet",
    "ferretnet": "npr_keras.models.backbones.ferretnet:FerretNet",
    "xception": "npr_keras.models.backbones.xception:Xception",
    "flat": "npr_keras.models.backbones.flat:Flat",
    "vector": "npr_keras.models.backbones.vector:Vector",
    "vit": "npr_keras.models.backbones.vit:ViT",
}


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
        fitted: "gradient", the whole network by Adam; or "features", the last layer alone, by
            logistic regression on features that are computed once.
        source: The paper, and what in it.
        fake_class: Which of two outputs says generated, in official checkpoints that have two; None
            where they have one.
        weights: The licence of published weights that `npr-keras convert` reads; "" where there are
            none that it does.
        brings: The backbone's weights that the user brings, without which training has no sense.
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
    "patchfor": Method(
        "Patchfor",
        {"layer": "pixels"},
        {"backbone": "xception"},
        {"learning_rate": 1e-3, "decay": 1.0},
        source="Chai et al., ECCV 2020, block 2",
        fake_class=0,
        weights="none stated",
    ),
    "univfd": Method(
        "UnivFD",
        {"layer": "pixels"},
        {"backbone": "vit"},
        {"resize": None},
        "centercrop",
        "features",
        source="Ojha, Li, Lee, CVPR 2023: a linear classifier on CLIP's features",
        weights="MIT",
        brings="CLIP ViT-L/14's state dict (OpenAI, MIT)",
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


@dataclass(frozen=True)
class Format:
    """A kind of file that models are kept in.

    Attributes:
        ending: Of its file; "" for a folder.
        reads: A class: `npr_keras.runtimes.exported.Exported`, made of a path.
        writes: A function of `npr_keras.runtimes.exported.Artefact` and a path; "" where it is not
            exported to.
        quantize: What its arithmetic can be reduced to; the first one is the default.
        packages: The names that are imported to write it.
        tensorflow: Whether reading it imports TensorFlow.
    """

    ending: str
    reads: str
    writes: str = ""
    quantize: tuple[str, ...] = ("float32",)
    packages: tuple[str, ...] = ()
    tensorflow: bool = False


_ONNX = ("onnx", "onnxruntime", "tf2onnx")
FORMATS: dict[str, Format] = {
    "keras": Format(".keras", "npr_keras.runtimes.keras_file:KerasPredictor", tensorflow=True),
    "savedmodel": Format(
        "",
        "npr_keras.runtimes.savedmodel:SavedModelPredictor",
        "npr_keras.runtimes.savedmodel:write",
        packages=("tensorflow_serving",),
        tensorflow=True,
    ),
    "tflite": Format(
        ".tflite",
        "npr_keras.runtimes.tflite:TFLitePredictor",
        "npr_keras.runtimes.tflite:write",
        ("float32", "float16", "int8"),
        ("ai_edge_litert",),
    ),
    "onnx": Format(
        ".onnx",
        "npr_keras.runtimes.onnx:ONNXPredictor",
        "npr_keras.runtimes.onnx:write",
        ("float32", "int8"),
        _ONNX,
    ),
    "openvino": Format(
        ".xml",
        "npr_keras.runtimes.openvino:OpenVINOPredictor",
        "npr_keras.runtimes.openvino:write",
        ("float32", "bf16", "int8"),
        ("openvino", *_ONNX),
    ),
}


def exports() -> dict[str, Format]:
    """The formats that detectors can be exported to."""
    return {name: row for name, row in FORMATS.items() if row.writes}


def quantizations() -> tuple[str, ...]:
    """All that arithmetic can be reduced to, of any format."""
    return tuple(dict.fromkeys(q for row in exports().values() for q in row.quantize))


@dataclass(frozen=True)
class Perturbation:
    """Something that happens to images on their way.

    Attributes:
        apply: A function of uint8 pixels, (H, W, 3), an amount and a seed, to uint8 (H', W', 3).
        least, most: Of the amount.
        whole: Whether it is an integer.
        amount: What it is.
        standard: Amounts that are measured unless one asks for others.
    """

    apply: str
    least: float = 0
    most: float = 0
    whole: bool = False
    amount: str = ""
    standard: tuple[float, ...] = ()

    def takes(self, amount: float) -> bool:
        """Whether an amount can be had."""
        return self.least <= amount <= self.most and not (self.whole and amount != int(amount))


_BY = "npr_keras.data.perturb:"
PERTURBATIONS: dict[str, Perturbation] = {
    "none": Perturbation(_BY + "unchanged", standard=(0,)),
    "jpeg": Perturbation(_BY + "jpeg", 1, 100, True, "quality", (98, 95, 90, 80, 70, 50)),
    "webp": Perturbation(_BY + "webp", 1, 100, True, "quality", (90, 75)),
    "resize": Perturbation(_BY + "resize", 0.01, 8, False, "factor", (0.5, 0.75, 1.5, 2)),
    "blur": Perturbation(_BY + "blur", 0, 100, False, "standard deviation in pixels", (0.5, 1)),
    "noise": Perturbation(
        _BY + "noise", 0, 100, False, "standard deviation in grey levels", (1, 3)
    ),
    "crop": Perturbation(
        _BY + "crop", 2, 1 << 15, True, "side of the centre in pixels", (128, 64, 32)
    ),
}


def standard_conditions() -> tuple[tuple[str, float], ...]:
    """What is measured of robustness unless one asks for something else: kinds and amounts."""
    return tuple((kind, a) for kind, row in PERTURBATIONS.items() for a in row.standard)
