"""A small grid, and what it is trained and judged on."""

import pytest
from small_grid import DESCRIBED, GRID, TRAINING

from npr_keras.ablation.plan import Plan
from npr_keras.data.folder import find_sets, find_source


@pytest.fixture
def prepared(source_folder, make_set, tmp_path):
    """A function that makes a plan in a folder, and what `run_grid` takes beside it."""
    sets = find_sets(make_set(tmp_path / "judged", 6, size=32))[0]

    def prepare(name, seeds=(1, 2), training=TRAINING):
        plan = Plan.of(tmp_path / name, GRID, seeds, {"training": training}, DESCRIBED)
        return plan, GRID, lambda variant: find_source(source_folder), sets

    return prepare
