"""A small grid for real: broken off, shared, with a variant that cannot be; and what is made of it."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import error_of

from npr_keras.ablation import run as module
from npr_keras.ablation.differences import FIGURES, paired_difference
from npr_keras.ablation.grid import Grid, Variant
from npr_keras.ablation.plan import Plan
from npr_keras.ablation.result import ablation_result
from npr_keras.ablation.run import run_grid
from npr_keras.ablation.written import ENDINGS, write_result
from npr_keras.data.folder import find_sets, find_source
from npr_keras.errors import ConfigError, RunError
from npr_keras.evaluation.metrics import compute_metrics

TINY = {"blocks": [1], "width": 8}
TRAINING = {"epochs": 1, "batch_size": 4, "resize": None, "crop": 24, "learning_rate": 1e-3}
GRID = Grid(
    "tiny",
    (
        Variant("first", detector=TINY),
        Variant("no flip", detector=TINY, training={"flip": 0.0}),
        Variant("impossible", {"reference": 99}, detector=TINY),
    ),
    "first",
)


@pytest.fixture
def prepared(source_folder, make_set, tmp_path):
    """A function that makes a plan in a folder, and what `run_grid` takes beside it."""
    sets = find_sets(make_set(tmp_path / "judged", 6, size=32))[0]

    def prepare(name, seeds=(1, 2), training=TRAINING):
        plan = Plan.of(tmp_path / name, GRID, seeds, {"training": training}, {"backend": "b"})
        return plan, GRID, lambda variant: find_source(source_folder), sets

    return prepare


def logits_of(plan):
    return {
        (run.variant, run.seed): {name: z for name, (_, z) in run.read_logits().items()}
        for run in plan.runs
        if run.is_done
    }


def same(ours, theirs):
    assert set(ours) == set(theirs)
    for key, sets in ours.items():
        for name, z in sets.items():
            np.testing.assert_array_equal(z, theirs[key][name])


def test_faults_interruptions_and_company(prepared, tmp_path, monkeypatch):
    import filelock

    monkeypatch.setattr(module, "_WAIT", 0.05)
    whole = prepared("whole")
    seen = []
    run_grid(*whole, seen.append, pipeline="pydataset")
    # The impossible one is named, the others are done.
    assert [(p.run.variant, p.run.seed) for p in seen if p.state == "failed"] == [
        ("impossible", 1), ("impossible", 2),
    ]  # fmt: skip
    assert "`reference` must be an integer" in whole[0].runs[2].failure
    expected = logits_of(whole[0])
    assert len(expected) == 4

    # Broken off in the middle, twice, and gone on with.
    parts = prepared("parts")
    for _ in range(2):

        def stop(what):
            if what.state == "done":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_grid(*parts, stop, pipeline="pydataset")
    assert 0 < len(logits_of(parts[0])) < 4
    run_grid(*parts, pipeline="pydataset")
    same(logits_of(parts[0]), expected)

    # Another process is at the first one: it is left to it, and waited for.
    shared = prepared("shared")
    first = shared[0].runs[0]
    first.folder.mkdir(parents=True)
    (first.folder / "owner").write_text("process 7 on elsewhere")
    lock = filelock.FileLock(first.folder / ".lock")
    lock.acquire()
    states = []

    def until_waited_for(what):
        states.append((what.run.variant, what.state, what.note))
        if what.state == "waiting":
            lock.release()

    run_grid(*shared, until_waited_for, pipeline="pydataset")
    assert ("first", "waiting", "process 7 on elsewhere") in states
    assert states.index(("no-flip", "done", "")) < states.index(("first", "begun", ""))
    same(logits_of(shared[0]), expected)

    # Done is done; another recipe in the same folder is refused.
    again = []
    run_grid(*whole, again.append, pipeline="pydataset")
    assert {p.state for p in again if p.run.variant != "impossible"} == set()
    with pytest.raises(ConfigError, match=r"made in another way \(training\)"):
        run_grid(*prepared("whole", training={**TRAINING, "crop": 16}))
    check_result(whole[0], expected, tmp_path)


def check_result(plan, expected, tmp_path):
    """The figures by hand, and every form they are written in."""
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
        found = paired_difference(truth, ours, theirs, figure, repetitions=50)
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
    assert {row["variant"] for row in rows} == {"first", "no flip"}
    assert "| no flip | 2 |" in (tmp_path / "table.md").read_text()
    latex = (tmp_path / "table.tex").read_text()
    assert latex.count(r"\midrule") == 2 and r"$\pm$" in latex
    for name in result["sets"]:
        assert name.replace("_", r"\_") in latex
    page = (tmp_path / "table.md").read_text()
    one = other["figures"]["accuracy"]["by_set"][result["sets"][0]]
    assert f"| no flip | {100 * one['mean']:.1f} ±{100 * one['std']:.1f} |" in page
    assert "For all: epochs 1, batch_size 4, resize None, crop 24" in page


def test_at_the_command_line(invoke, source_folder, make_set, tmp_path):
    data = make_set(tmp_path / "judged", 4, size=32)
    grid = tmp_path / "mine.yaml"
    grid.write_text(
        "variants:\n- {name: small, detector: {blocks: [1], width: 8}}\n"
        "- {name: broken, representation: {window: 1}}\n"
    )
    arguments = ["--grid", grid, "--source", source_folder, "--data", data, "--seeds", "2",
                 "--set", "epochs=1", "--set", "crop=24", "--set", "resize=none",
                 "--set", "batch_size=4", "--out", tmp_path / "out",
                 "--pipeline", "pydataset"]  # fmt: skip
    done = invoke("ablate", *arguments)
    assert done.returncode == 1  # one variant failed
    assert "failed: broken, seed 100: NPR: `window` must be" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:3])) <= 80
    assert "2 of 4 runs" in done.stdout
    shown = invoke("ablate", "report", tmp_path / "out", "--write", tmp_path / "t.md")
    assert shown.returncode == 0
    assert shown.stdout == done.stdout
    assert (tmp_path / "t.md").exists()
    by_set = invoke("ablate", "report", tmp_path / "out", "--by-set").stdout
    assert "AP by set" in by_set and max(map(len, by_set.splitlines())) <= 80
    fresh = [*arguments, "--out", tmp_path / "other", "--dry-run", "--set", "detector.width=16"]
    dry = invoke("ablate", *fresh)
    assert dry.returncode == 0 and not (tmp_path / "other").exists()
    assert dry.stdout.count("fails: NPR: `window` must be") == 2
    assert "4 runs, about" in dry.stderr
    refused = error_of(invoke("ablate", *arguments, "--set", "detector.width=16"))
    assert "made in another way (detector)" in refused
    assert "ends in .md" in error_of(
        invoke("ablate", "report", tmp_path / "out", "--write", "t.doc")
    )
    assert "No ablation in" in error_of(invoke("ablate", "report", tmp_path / "nothing"))
    assert "Which grid" in error_of(invoke("ablate"), 2)
    assert "expected FIELD=VALUE" in error_of(
        invoke("ablate", "--grid", "scale", "--set", "x=1"), 2
    )
    assert "detector.FIELD (blocks, width)" in error_of(
        invoke("ablate", "--grid", "scale", "--set", "detector.depth=1"), 2
    )
    assert "different seeds" in error_of(invoke("ablate", "--grid", "scale", "--seeds", "1,1"), 2)


def test_nothing_is_done_yet(prepared):
    plan, grid, _, sets = prepared("empty")
    plan.begin(grid, sets)
    with pytest.raises(RunError, match="is done yet"):
        ablation_result(plan.folder)
