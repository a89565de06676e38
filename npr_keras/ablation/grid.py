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
