"""The grids that have names."""

from __future__ import annotations

import os

from npr_keras.ablation.grid import Grid, Variant, read_grid
from npr_keras.config import RECIPES
from npr_keras.detectors import DETECTORS
from npr_keras.errors import ConfigError


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


_ROBUST = RECIPES["robust"]
_SMALL = {"backbone": "ferretnet"}


def _map_trunk() -> Grid:
    """Maps before one small trunk, and trunks behind NPR, by the robust recipe."""
    variants = [
        Variant(name, {"layer": layer}, trunk, _ROBUST)
        for name, layer, trunk in (
            ("NPR, small trunk", "npr", _SMALL),
            ("NPR, official trunk", "npr", {}),
            ("NPR, official trunk, half as wide", "npr", {"width": 32}),
            ("pyramid, small trunk", "npr-pyramid", _SMALL),
            ("pyramid, twice as wide", "npr-pyramid", {**_SMALL, "width": 64}),
            ("periodogram, perceptron", "periodogram", {"backbone": "mlp", "hidden": (256, 64)}),
            (
                "cyclic spectrum, perceptron",
                "cyclic-spectrum",
                {"backbone": "mlp", "hidden": (192, 64)},
            ),
            ("median, small trunk", "median", _SMALL),
            ("Haar HH, small trunk", "haar-hh", _SMALL),
            ("pixels, small trunk", "pixels", _SMALL),
        )
    ]
    return Grid("map-trunk", tuple(variants), variants[0].name)


def _robust() -> Grid:
    """What each ingredient of the robust recipe is worth: all of it, and all but one."""
    shares = ("jpeg", "webp", "rescale", "blur", "noise", "colour", "rotate", "cutout")
    variants = [Variant("all", detector=_SMALL, training=_ROBUST)]
    variants += [
        Variant(f"without {share}", detector=_SMALL, training={**_ROBUST, share: 0.0})
        for share in shares
    ]
    steps = {**_ROBUST, "schedule": "step"}
    clean = {**_ROBUST, **dict.fromkeys(shares, 0.0)}
    variants += [
        Variant("step schedule", detector=_SMALL, training=steps),
        Variant("none of it", detector=_SMALL, training=clean),
    ]
    return Grid("robust", tuple(variants), "all")


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
        _map_trunk(),
        _robust(),
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
