"""What is made of the runs: figures, tables, a drawing."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_grid import DESCRIBED

from npr_keras.ablation.figure import _drawn
from npr_keras.ablation.grid import Grid, Variant
from npr_keras.ablation.images import groups_of
from npr_keras.ablation.plan import Plan, Run, read_groups
from npr_keras.ablation.result import _published, ablation_result
from npr_keras.ablation.write import ENDINGS, markdown, write_result
from npr_keras.data.folder import find_sets
from npr_keras.errors import RunError
from npr_keras.evaluation.differences import FIGURES, paired_difference, resample
from npr_keras.evaluation.metrics import compute_metrics


@pytest.fixture
def scored(prepared, random):
    """A plan of which two variants have logits, made up, with two seeds; the third failed."""
    plan, grid, _, sets = prepared("scored")
    plan.begin(grid, sets)
    labels = {s.name: np.array([r.label for r in s.records]) for s in sets}
    expected = {}
    for run in plan.runs:
        run.folder.mkdir(parents=True)
        if run.variant == "impossible":
            run.fail("NPR: `reference` must be an integer")
            continue
        logits = {n: random.normal(y - 0.5, 1.0) for n, y in labels.items()}
        expected[run.variant, run.seed] = logits
        run.write_logits(logits, labels)
    return plan, expected


def test_figures_by_hand_and_every_form_they_are_written_in(scored, tmp_path):
    plan, expected = scored
    result = ablation_result(plan.folder, repetitions=50)
    first, other, impossible = result["variants"]
    assert (result["done"], result["runs"], result["default"]) == (4, 6, "first")
    labels = {run.seed: run.read_logits() for run in plan.runs if run.is_done}[1]
    for figure in FIGURES:
        values = [
            np.mean([getattr(compute_metrics(labels[n][0], z), figure) for n, z in sets.items()])
            for (variant, _), sets in expected.items()
            if variant == "no-flip"
        ]
        assert other["figures"][figure]["mean"] == pytest.approx(np.mean(values))
        assert other["figures"][figure]["std"] == pytest.approx(np.std(values, ddof=1))
        ours, theirs = (
            [[expected[v, s][n] for n in labels] for s in (1, 2)] for v in ("no-flip", "first")
        )
        truth = [labels[n][0] for n in labels]
        groups = [read_groups(plan.folder)[name] for name in labels]
        assert [len(np.unique(g)) for g in groups] == [6]  # each has a photograph's name
        runs = ([resample(truth, z, groups, 50)[figure] for z in g] for g in (ours, theirs))
        found = paired_difference(*runs)
        assert other["figures"][figure]["difference"]["low"] == pytest.approx(found.low)
        assert found.seeds == 2 and np.mean(found.of_seeds) == pytest.approx(found.mean)
        assert other["figures"][figure]["difference"]["of_seeds"] == found.of_seeds
        assert first["figures"][figure]["difference"] is None
    assert impossible["figures"] == {} and set(impossible["failures"]) == {1, 2}
    for ending in ENDINGS:
        write_result(result, tmp_path / f"table{ending}")
    assert (tmp_path / "table.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((tmp_path / "table.json").read_text())["done"] == 4
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert {row["variant"] for row in rows} == {"first", "no flip", "impossible"}
    assert rows[-1]["failed_seeds"] == "1 2" and rows[-1]["mean"] == ""
    means = {(r["variant"], r["figure"]): r for r in rows if not r["set"]}
    assert means["no flip", "accuracy"]["pairs"] == "2"
    assert float(means["no flip", "accuracy"]["mean"]) == other["figures"]["accuracy"]["mean"]
    assert "| no flip | 2 |" in (tmp_path / "table.md").read_text()
    latex = (tmp_path / "table.tex").read_text()
    assert latex.count(r"\midrule") == 2 and r"$\pm$" in latex
    for name in result["sets"]:
        assert name.replace("_", r"\_") in latex
    page = (tmp_path / "table.md").read_text()
    one = other["figures"]["accuracy"]["by_set"][result["sets"][0]]
    assert f"| no flip | {100 * one['mean']:.1f} ±{100 * one['std']:.1f} |" in page
    assert r"For all: epochs 1, batch\_size 4, resize None, crop 24" in page
    assert "Failed: impossible, seed 1: NPR: `reference`" in page.replace("\\", "")


def test_the_published_column():
    """Only of what Table 7 has, as it has it."""
    shared = {"detector": {}, "representation": {}, "training": {"epochs": 3}}
    of_table = {"detector": {}, "training": {}, "classes": 0, "protocol": ""}
    row = {**of_table, "representation": {"window": 2, "reference": "max"}}
    assert _published(row, shared) == {"accuracy": 0.909, "average_precision": 0.956}
    assert _published(row, {**shared, "representation": {"scale": 1.0}}) is None
    for own in (
        {"representation": {"window": 2, "reference": "max", "scale": 1.0}},
        {"representation": {"layer": "haar-hh"}},
        {"representation": {}},
        {"detector": {"width": 96}},
        {"classes": 2},
        {"protocol": "native"},
    ):
        assert _published({**row, **own}, shared) is None


def test_images_that_belong_together(tmp_path, random):
    """The same file in two sets; a photograph and what was made from it; nothing else."""
    sets = []
    same = random.integers(0, 256, (9, 9, 3), np.uint8)
    for name in ("one", "two"):
        for label in ("0_real", "1_fake"):
            folder = tmp_path / name / "cat" / label
            folder.mkdir(parents=True)
            for i in range(3):
                shared = label == "0_real" and i == 1
                pixels = same if shared else random.integers(0, 256, (9, 9, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    (tmp_path / "two" / "cat" / "1_fake" / "2.png").rename(
        tmp_path / "two" / "cat" / "1_fake" / "alone.png"
    )
    sets, _ = find_sets(tmp_path)
    one, two = groups_of(sets)
    names = [[f"{r.label}/{Path(r.path).stem}" for r in s.records] for s in sets]
    of = {
        (k, name): int(group)
        for k, groups in enumerate((one, two))
        for name, group in zip(names[k], groups, strict=True)
    }
    assert of[0, "0/0"] == of[0, "1/0"] != of[1, "0/0"] == of[1, "1/0"]
    assert len({of[k, f"{label}/1"] for k in (0, 1) for label in (0, 1)}) == 1
    assert of[1, "0/2"] != of[1, "1/alone"]
    assert len(set(of.values())) == 6


def test_names_that_are_no_text(tmp_path, random):
    """A folder's name need not be UTF-8."""
    run = Run("v", 1, tmp_path)
    name = "se\udcfft/a b%"
    run.write_logits({name: np.ones(3)}, {name: np.zeros(3)})
    assert list(run.read_logits()) == [name]


def test_hostile_names_in_every_file(prepared, tmp_path):
    """Names are no markup, no formulas, no options."""
    plan, *_ = prepared("one", seeds=(1,))
    name = "[a] $b$ & c_d | {e} # 5%"
    grid = Grid("tiny", (Variant("first"), Variant(name)), "first")
    plan = Plan.of(plan.folder, grid, [1, 2], {}, DESCRIBED)
    (judged,) = prepared("one")[3]
    plan.begin(grid, [judged])
    y = np.arange(12) % 2
    for run in plan.runs:
        run.folder.mkdir(parents=True, exist_ok=True)
        if run.variant != "first" or run.seed == 1:  # the default lacks a seed
            run.write_logits({judged.name: y + 0.5 * (y == run.seed)}, {judged.name: y})
    result = ablation_result(plan.folder, repetitions=20)
    assert result["variants"][1]["seeds"] == [1, 2]
    for ending in ENDINGS:
        write_result(result, tmp_path / f"hostile{ending}")
    latex = (tmp_path / "hostile.tex").read_text()
    assert r"{}[a] \$b\$ \& c\_d | \{e\} \# 5\%" in latex
    assert "(1 pair)" in latex and "(1 pair)" in (tmp_path / "hostile.md").read_text()
    assert r"\[a\] $b$ & c\_d \| \{e\} \# 5%" in (tmp_path / "hostile.md").read_text()
    json.loads((tmp_path / "hostile.json").read_text(), parse_constant=pytest.fail)
    assert "$b$" in (tmp_path / "hostile.svg").read_text()


def test_a_figure_without_the_default(prepared, tmp_path):
    """Nothing to compare with is not shown as no difference."""
    plan, grid, _, sets = prepared("one")
    plan.begin(grid, sets)
    y = np.arange(12) % 2
    run = plan.runs[1]
    run.folder.mkdir(parents=True)
    run.write_logits({sets[0].name: y}, {sets[0].name: y})
    result = ablation_result(plan.folder, repetitions=20)
    assert result["variants"][1]["figures"]["accuracy"]["difference"] is None
    drawing = _drawn(result)
    assert not [line for axes in drawing.axes for line in axes.lines if line.get_marker() == "D"]
    assert "| no flip | 1 | 100.0 | 100.0 |  |  |" in markdown(result)


def test_what_is_broken_is_named(scored):
    plan, _ = scored
    (plan.runs[0].folder / "logits.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"scores in .*first.seed-1.logits.npz"):
        ablation_result(plan.folder)
    for text in ("[]", "{}", "{"):
        (plan.folder / "plan.json").write_text(text)
        with pytest.raises(RunError, match="No ablation in"):
            ablation_result(plan.folder)


def test_what_is_said_beside_the_figures(scored):
    plan, _ = scored
    labels = np.array([1, 1, 0, 0])
    for run in plan.runs:
        if run.is_done:
            run.write_logits(
                {"two": np.array([9.0, 8, -1, np.nan]), "one": np.ones(2)},
                {"two": labels, "one": np.ones(2, int)},
            )
    groups = {"two": np.array([0, 1, 0, 1]), "one": np.array([2, 3])}
    np.savez(plan.folder / "images.npz", **groups)
    result = ablation_result(plan.folder, repetitions=20)
    assert (result["images"], result["groups"], result["unreadable"]) == (6, 4, 1)
    page = markdown(result).replace("\\", "")
    assert "6 judged images, 4 of them independent." in page
    assert "1 judged images could not be read" in page
    assert "No AP, for want of both classes: one." in page
    assert "none on any image" in page  # all alike: not an exact 0 with an exact interval
    row = result["variants"][1]["figures"]["average_precision"]
    assert row["mean"] == 1.0 and np.isnan(row["by_set"]["one"]["mean"])


def test_nothing_is_done_yet(prepared):
    plan, grid, _, sets = prepared("empty")
    plan.begin(grid, sets)
    with pytest.raises(RunError, match="is done yet"):
        ablation_result(plan.folder)
    plan.runs[0].folder.mkdir(parents=True)
    plan.runs[0].fail("the reason")
    with pytest.raises(RunError, match="1 failed, the first with: the reason"):
        ablation_result(plan.folder)
