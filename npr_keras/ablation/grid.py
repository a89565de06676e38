"""What is varied: variants as data, in named grids or in a file of the user's."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from npr_keras.config import PROTOCOLS, TrainingConfig
from npr_keras.detectors import DETECTORS
from npr_keras.errors import ConfigError
from npr_keras.packages import import_needed
from npr_keras.settings import is_int

if TYPE_CHECKING:
    from npr_keras.models.backbones.base import Backbone

PROTOCOL = "protocol"  # the name that a variant's protocol goes by
# What a variant can set fields of: the representation's are its layer's arguments, and its name; the
# detector's its backbone's settings, and its name.
PARTS = ("representation", "detector", "training")
# The recipe's fields; the others are those of a layer and of a backbone, which say what they have.
# Seeds and protocols have places of their own.
FIELDS = {"training": tuple(n for n in TrainingConfig.__dataclass_fields__ if n != "seed")}


@dataclass(frozen=True)
class Variant:
    """One row of an ablation: what it does differently.

    Args:
        name: What tables call it.
        representation: "layer", one of `npr_keras.tables.REPRESENTATIONS`, by default
            NPR, and its arguments.
        detector: "backbone", one of `npr_keras.tables.BACKBONES`, by default NPR's, and its settings.
        training: Fields of `TrainingConfig`.
        classes: The source's classes that are trained on: their number, the first ones counting, or
            their names; 0 is all.
        protocol: How images become pixels where it is judged; by default as the suite says.
        method: One of `npr_keras.detectors.DETECTORS`, where it is fitted in that one's way.
    """

    name: str
    representation: Mapping = field(default_factory=dict)
    detector: Mapping = field(default_factory=dict)
    training: Mapping = field(default_factory=dict)
    classes: int | tuple[str, ...] = 0
    protocol: str = ""
    method: str = ""

    @property
    def slug(self) -> str:
        """Its folder's name: the name's letters and digits, and more where these do not tell."""
        plain = re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-.")
        if plain and len(plain) <= 80 and self.name.isascii():
            return plain
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{plain[:60]}-{digest}".strip("-.")

    def training_config(self, shared: Mapping, seed: int) -> TrainingConfig:
        """The recipe, from what all variants share of it and what is this one's."""
        return TrainingConfig.from_dict({**shared, **self.training, "seed": seed})

    def backbone(self, shared: Mapping) -> Backbone:
        """The detector's backbone, in the same way."""
        from npr_keras.models.backbones.base import make_backbone  # imports Keras

        return make_backbone(**{**shared, **self.detector})

    def representation_arguments(self, shared: Mapping) -> dict:
        """Those of `npr_keras.layers.representation.make_representation`; what is shared is one
        layer's, and passes others by."""
        ours, common = self.representation, shared.get("layer", "npr")
        return {**shared, **ours} if ours.get("layer", common) == common else dict(ours)

    def to_dict(self) -> dict:
        """What decides its runs."""
        return {
            "representation": dict(self.representation),
            "detector": dict(self.detector),
            "training": dict(self.training),
            "classes": self.classes if isinstance(self.classes, int) else list(self.classes),
            PROTOCOL: self.protocol,
            **({"method": self.method} if self.method else {}),
        }


@dataclass(frozen=True)
class Grid:
    """Variants that are compared.

    Args:
        name: What it is called.
        variants: The rows.
        default: The name of the one that the others are compared with.
    """

    name: str
    variants: tuple[Variant, ...]
    default: str

    def __post_init__(self):
        by_slug: dict[str, str] = {}
        for variant in self.variants:
            if variant.slug in by_slug or not variant.name.strip():
                raise ConfigError(
                    "Variants need names that differ in letters or digits. "
                    f"Received: {by_slug.get(variant.slug, '')!r} and {variant.name!r}"
                )
            by_slug[variant.slug] = variant.name
        if self.default not in [variant.name for variant in self.variants]:
            raise ConfigError(
                f"The default must be one of the variants. Received: {self.default!r}"
            )

    def only(self, names: Sequence[str]) -> Grid:
        """The variants of these names, or methods, and the default; all where there are none.

        Raises:
            ConfigError: If there is no such variant.
        """
        called = {
            word: v.name for v in self.variants for word in (v.method, v.slug, v.name) if word
        }
        unknown = [name for name in names if name not in called]
        if unknown:
            raise ConfigError(
                f"The grid {self.name} has no {', '.join(unknown)}. "
                f"Known: {', '.join(v.method or v.slug for v in self.variants)}"
            )
        kept = {called[name] for name in names} | {self.default}
        chosen = tuple(v for v in self.variants if not names or v.name in kept)
        return Grid(self.name, chosen, self.default)

    def varies(self, part: str, field: str) -> bool:
        """Whether each variant says a field itself, so that what is shared of it counts nowhere."""
        return all(field in getattr(variant, part) for variant in self.variants)


def _table_7() -> Grid:
    variants = [
        Variant(
            f"window {window}, {f'w_{reference}' if isinstance(reference, int) else reference}",
            {"window": window, "reference": reference},
        )
        for window in (2, 3)
        for reference in (1, 2, 3, 4, "avg", "max")
    ]
    return Grid("table7", tuple(variants), "window 2, w_1")


def _scale() -> Grid:
    variants = [Variant(f"scale {shown}", {"scale": value}) for shown, value in
                (("2/3", 2 / 3), ("1/3", 1 / 3), ("1", 1.0), ("2", 2.0))]  # fmt: skip
    return Grid("scale", tuple(variants), "scale 2/3")


def _representation() -> Grid:
    variants = [
        Variant("NPR", {"layer": "npr"}),
        Variant("raw pixels", {"layer": "pixels"}),
        Variant("high-pass", {"layer": "high-pass"}),
        Variant("Haar HH", {"layer": "haar-hh"}),
    ]
    return Grid("representation", tuple(variants), "NPR")


def _trunk() -> Grid:
    variants = [
        Variant(f"blocks {'+'.join(map(str, blocks))}, width {width}",
                detector={"blocks": blocks, "width": width})
        for blocks, width in (
            ((3, 4), 64), ((3,), 64), ((3, 4, 6), 64), ((1, 1), 64), ((3, 4), 32), ((3, 4), 16),
        )
    ]  # fmt: skip
    return Grid("trunk", tuple(variants), variants[0].name)


def _input() -> Grid:
    variants = [
        Variant("resized", training={"resize": 256}, protocol="resize256"),
        Variant("cropped", training={"resize": None}, protocol="centercrop"),
        Variant("native", training={"resize": None}, protocol="native"),
    ]
    return Grid("input", tuple(variants), "resized")


def _augmentation() -> Grid:
    variants = [
        Variant(name, training={"flip": flip, "jpeg": jpeg, "blur": blur})
        for name, flip, jpeg, blur in (
            ("flip", 0.5, 0.0, 0.0),
            ("none", 0.0, 0.0, 0.0),
            ("flip, JPEG", 0.5, 0.5, 0.0),
            ("flip, blur", 0.5, 0.0, 0.5),
        )
    ]
    return Grid("augmentation", tuple(variants), "flip")


def _detectors() -> Grid:
    """Every detector of the table that can begin from nothing, each by its own recipe and pixels."""
    rows = {name: row for name, row in DETECTORS.items() if not row.brings}
    variants = [
        Variant(row.title, row.representation, row.backbone, row.recipe, 0, row.protocol, name)
        for name, row in rows.items()
    ]
    return Grid("detectors", tuple(variants), DETECTORS["npr"].title)


def _classes() -> Grid:
    variants = [Variant("4 classes", classes=4), Variant("2 classes", classes=2),
                Variant("1 class", classes=1)]  # fmt: skip
    return Grid("source-classes", tuple(variants), "4 classes")


GRIDS = {
    grid.name: grid
    for grid in (
        _table_7(),
        _scale(),
        _representation(),
        _trunk(),
        _input(),
        _augmentation(),
        _classes(),
        _detectors(),
    )
}


def get_grid(name: str) -> Grid:
    """A grid of `GRIDS`, or the one in a YAML file.

    Raises:
        ConfigError: If there is neither, or the file is none.
        MissingPackageError: If the file cannot be read for want of PyYAML.
    """
    if name in GRIDS:
        return GRIDS[name]
    if os.path.exists(name):
        return read_grid(name)
    raise ConfigError(
        f"No grid of this name, and no file: {name!r}. Known: {', '.join(GRIDS)}; or a YAML file."
    )


def read_grid(path: str | os.PathLike) -> Grid:
    """A grid from a YAML file: `variants`, each with a `name` and what it does differently, and
    `default`, by default the first.

    Raises:
        ConfigError: If it is none.
    """
    yaml = import_needed("yaml", "A grid in YAML")
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read the grid {os.fspath(path)}: {error}") from error
    rows = found.get("variants") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows or set(found) - {"variants", "default"}:
        raise ConfigError(
            f"{os.fspath(path)}: expected `variants`, a list, and perhaps `default`. Received: {found}"
        )
    variants = tuple(_variant(row, os.fspath(path)) for row in rows)
    return Grid(Path(path).stem, variants, found.get("default", variants[0].name))


def _variant(row, path: str) -> Variant:
    known = {"name", *PARTS, "classes", PROTOCOL}
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or set(row) - known:
        raise ConfigError(
            f"{path}: each variant has a name and some of {', '.join(sorted(known - {'name'}))}. "
            f"Received: {row}"
        )
    for part in PARTS:
        fields = row.get(part, {})
        if not isinstance(fields, dict):
            raise ConfigError(f"{path}, {row['name']}: {part} holds fields. Received: {fields!r}")
        unknown = sorted(set(fields) - set(FIELDS.get(part, fields)), key=str)
        if unknown:
            raise ConfigError(
                f"{path}, {row['name']}: {part} has no {', '.join(map(str, unknown))}. "
                f"Known: {', '.join(FIELDS[part])}"
            )
    try:
        Variant(row["name"], detector=row.get("detector", {})).backbone({})
    except ConfigError as error:
        raise ConfigError(f"{path}, {row['name']}: {error}") from error
    if row.get(PROTOCOL, "") not in ("", *PROTOCOLS):
        raise ConfigError(
            f"{path}, {row['name']}: the protocol is one of {', '.join(PROTOCOLS)}. "
            f"Received: {row[PROTOCOL]!r}"
        )
    classes = row.get("classes", 0)
    if isinstance(classes, list) and classes:
        row = {**row, "classes": tuple(map(str, classes))}
    elif not is_int(classes) or classes < 0:
        raise ConfigError(
            f"{path}, {row['name']}: classes are how many, or a list of names. Received: {classes!r}"
        )
    return Variant(**row)
