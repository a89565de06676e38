"""What was asked for as an ablation, to what there is to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npr_keras.ablation.grid import Grid, Variant
from npr_keras.ablation.grids import get_grid
from npr_keras.ablation.plan import Plan
from npr_keras.data.folder import find_source
from npr_keras.data.records import ImageSet, Source
from npr_keras.errors import ConfigError


@dataclass(frozen=True)
class Prepared:
    """An ablation that can begin.

    Attributes:
        grid, plan: See there.
        source_of: A variant's training images.
        sets: What all are evaluated on.
    """

    grid: Grid
    plan: Plan
    source_of: Callable[[Variant], Source]
    sets: Sequence[ImageSet]

    def estimate(self) -> list[dict]:
        """A row for each run: "variant", "seed", "done", "seconds" from a few steps of it, and
        "fails", why it would, or None."""
        from npr_keras.ablation.estimate import seconds_of
        from npr_keras.ablation.run import check_default, said_by

        check_default(self.plan, self.grid, self.source_of)
        self.plan.joined(self.grid, self.sets)  # refuses what a run would
        variants = {variant.slug: variant for variant in self.grid.variants}
        found: dict[str, float | str] = {}
        rows = []
        for run in self.plan.runs:
            variant = variants[run.variant]
            if run.variant not in found and not run.is_done:
                try:
                    source = self.source_of(variant)
                    found[run.variant] = seconds_of(variant, self.plan, source, self.sets)
                except Exception as error:  # whatever it is, it is said, and the others go on
                    found[run.variant] = said_by(error)
            one = 0.0 if run.is_done else found[run.variant]
            fails = one if isinstance(one, str) else None
            row = {"variant": variant.name, "seed": run.seed, "done": run.is_done}
            rows.append({**row, "seconds": None if fails else one, "fails": fails})
        return rows


def prepare(
    grid: str,
    folder: str | os.PathLike,
    sets: Sequence[ImageSet],
    evaluated_on: str,
    seeds: Sequence[int],
    shared: Mapping[str, Mapping],
    classes: Sequence[str] = (),
    out: str | os.PathLike | None = None,
    backend: str = "",
    only: Sequence[str] = (),
) -> Prepared:
    """Makes the plan of an ablation.

    Args:
        grid: See `npr_keras.ablation.grids.get_grid`.
        folder: The training source's.
        sets: What to evaluate on; `evaluated_on` is what tables call it.
        seeds: Of each variant.
        shared: What all variants share of each of `npr_keras.ablation.grid.PARTS`.
        classes: Of the source; all by default.
        out: Where it lies; by default ablations/<grid>.
        backend: That runs it.
        only: Names of variants, where not all are asked for, see `Grid.only`.

    Raises:
        ConfigError: If what is shared would change nothing.
        DataError: If there is nothing to train on.
    """
    chosen = get_grid(grid).only(only)
    for part, fields in shared.items():
        for field in fields:
            if chosen.varies(part, field):
                raise ConfigError(
                    f"--set {part}.{field} would change nothing: each variant of {chosen.name} says "
                    "itself what it is."
                )
    for variant in chosen.variants:  # refuses settings that the backbone does not have
        variant.backbone(shared.get("detector", {}))
    source = find_source(folder, classes)

    def source_of(variant: Variant) -> Source:
        own = variant.classes
        if isinstance(own, int) and own:
            if own > len(source.classes):
                raise ConfigError(
                    f"{variant.name}: the source has {len(source.classes)} classes, not {own}."
                )
            own = source.classes[:own]
        return find_source(folder, own) if own else source

    described = {
        "source": Path(folder).resolve().name,
        "judged on": evaluated_on,
        "fingerprint": source.fingerprint(),
        "backend": backend,
    }
    place = Path(out or Path("ablations", chosen.name))
    return Prepared(chosen, Plan.of(place, chosen, seeds, shared, described), source_of, sets)
