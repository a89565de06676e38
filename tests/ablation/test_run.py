"""A small grid for real: broken off, shared, with a variant that cannot be; and what is made of it."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from conftest import error_of
from small_grid import GRID, TINY, TRAINING

from npr_keras.ablation import run as module
from npr_keras.ablation.grid import Grid, Variant
from npr_keras.ablation.plan import Plan, read_plan
from npr_keras.ablation.run import Progress, run_grid
from npr_keras.config import PROTOCOLS
from npr_keras.data.decode import load
from npr_keras.data.folder import find_source
from npr_keras.errors import ConfigError
from npr_keras.models import load_detector
from npr_keras.runtimes.keras_file import KerasPredictor

DONE = Progress(None, "done", 0, 0)


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


@pytest.mark.slow
def test_faults_interruptions_and_company(prepared, monkeypatch):
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

    # Broken off: between runs, inside an epoch, and when it was trained but not judged.
    parts = prepared("parts")

    def stop(what):
        if what.state == "done":
            raise KeyboardInterrupt

    def stop_inside(run):
        return [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: stop(DONE))]

    def stop_judging(*arguments, **options):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_grid(*parts, stop, pipeline="pydataset")
    with pytest.raises(KeyboardInterrupt):
        run_grid(*parts, callbacks=stop_inside, pipeline="pydataset")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "evaluate", stop_judging)
        run_grid(*parts, pipeline="pydataset")
    assert len(logits_of(parts[0])) == 1
    assert parts[0].runs[1].is_begun and not parts[0].runs[1].is_done
    run_grid(*parts, pipeline="pydataset")
    same(logits_of(parts[0]), expected)

    # Another process is at the first one: it is left to it, and waited for.
    shared = prepared("shared")
    shared[0].begin(GRID, shared[3])
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
    with pytest.raises(ConfigError, match=r"another way:\n  training.crop: 24 there, 16 here"):
        run_grid(*prepared("whole", training={**TRAINING, "crop": 16}))


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
    assert "Failed: broken, seed 100: NPR: `window` must be" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:3])) <= 80
    assert "2 of 4 runs" in done.stdout
    shown = invoke("ablate", "report", tmp_path / "out", "--write", tmp_path / "t.md")
    assert shown.returncode == 0
    assert shown.stdout == done.stdout
    assert (tmp_path / "t.md").exists()
    by_set = invoke("ablate", "report", tmp_path / "out", "--by-set").stdout
    assert "AP by set" in by_set
    wide = [line for line in by_set.splitlines() if len(line) > 80]
    assert all(line.startswith("Failed: ") for line in wide)  # whole, for who searches them
    elsewhere = [tmp_path / "other" if a == tmp_path / "out" else a for a in arguments]
    fresh = [*elsewhere, "--dry-run", "--set", "detector.width=16"]
    dry = invoke("ablate", *fresh)
    assert dry.returncode == 1 and not (tmp_path / "other").exists()
    assert dry.stdout.count("fails: NPR: `window` must be") == 2
    assert "2 runs, about" in dry.stderr and "2 would fail." in dry.stderr
    rows = json.loads(invoke("ablate", *fresh, "--json").stdout)
    assert [(r["variant"], r["seed"], r["fails"] is None) for r in rows] == [
        ("small", 100, True), ("broken", 100, False), ("small", 101, True), ("broken", 101, False),
    ]  # fmt: skip
    assert "would change nothing" in error_of(
        invoke("ablate", "--grid", "scale", *arguments[2:], "--set", "representation.scale=1")
    )
    refused = error_of(invoke("ablate", *arguments, "--set", "detector.width=16"))
    assert "detector.width: null there, 16 here" in refused
    assert "ends in one of .md" in error_of(
        invoke("ablate", "report", tmp_path / "out", "--write", "t.doc")
    )
    assert "No ablation in" in error_of(invoke("ablate", "report", tmp_path / "nothing"))
    assert "Which grid" in error_of(invoke("ablate"), 2)
    assert "expected FIELD=VALUE" in error_of(
        invoke("ablate", "--grid", "scale", "--set", "x=1"), 2
    )
    assert "ResNet: unknown field depth. Known: blocks, kernel, mean, std, width" in error_of(
        invoke("ablate", "--grid", "scale", *arguments[2:], "--set", "detector.depth=1")
    )
    for seeds in ("1,1", "0", "99999999999", "4294967296,"):
        refused = error_of(invoke("ablate", "--grid", "scale", "--seeds", seeds), 2)
        assert "different seeds" in refused
    assert "report takes no --grid" in error_of(
        invoke("ablate", "--grid", "scale", "report", tmp_path / "out"), 2
    )


def test_seeds_that_come_at_the_same_time(prepared):
    """Neither is lost."""
    from concurrent.futures import ThreadPoolExecutor

    plans = [prepared("one", seeds=(seed,)) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda prepared: prepared[0].begin(GRID, prepared[3]), plans))
    assert read_plan(plans[0][0].folder)["seeds"] == [0, 1, 2, 3, 4, 5]


def test_plans_that_are_refused_and_variants_that_are_mended(prepared):
    plan, grid, _, sets = prepared("one")
    plan.begin(grid, sets)
    first, other, impossible = grid.variants
    mended = dataclasses.replace(impossible, representation={"reference": 2})
    changed = dataclasses.replace(other, training={"flip": 0.25})
    # What never began may become another one; what did may not.
    plan.begin(Grid("tiny", (first, other, mended), "first"), sets)
    assert read_plan(plan.folder)["variants"]["impossible"]["representation"] == {"reference": 2}
    plan.runs[1].folder.mkdir(parents=True)
    (plan.runs[1].folder / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"no-flip: training.flip: 0.0 there, 0.25 here"):
        plan.begin(Grid("tiny", (first, changed), "first"), sets)
    with pytest.raises(ConfigError, match=r"default: first there, no-flip here"):
        plan.begin(Grid("tiny", (first, other), "no flip"), sets)
    with pytest.raises(ConfigError, match=r"images: .* there"):
        plan.begin(grid, [*sets[:-1], dataclasses.replace(sets[-1], name="other")])


def test_a_variant_that_failed_and_is_no_longer_asked_for_goes(prepared):
    plan, grid, _, sets = prepared("one")
    plan.begin(grid, sets)
    plan.runs[2].folder.mkdir(parents=True)
    plan.runs[2].fail("NPR: `reference` must be an integer")
    fewer = Grid("tiny", grid.variants[:2], "first")
    Plan.of(plan.folder, fewer, (1,), plan.shared, plan.described).begin(fewer, sets)
    assert list(read_plan(plan.folder)["variants"]) == ["first", "no-flip"]


def test_folders_that_hold_something_else(prepared):
    plan, grid, _, sets = prepared("one")
    plan.folder.mkdir()
    (plan.folder / ".1a2b.plan.json").touch()  # of a process that was killed while writing
    plan.begin(grid, sets)
    (plan.folder / "plan.json").rename(plan.folder / "photo.jpg")
    with pytest.raises(ConfigError, match="holds something else"):
        plan.begin(grid, sets)
    assert not (plan.folder / "plan.json").exists()


def test_what_no_run_could_do_is_refused_before_anything_is_written(prepared):
    plan, grid, source_of, sets = prepared("none", training={**TRAINING, "crop": 0})
    with pytest.raises(ConfigError, match="crop=0"):
        run_grid(plan, grid, source_of, sets)
    assert not plan.folder.exists()


def test_a_variants_own_pixels_and_classes(prepared, source_folder):
    """The model of a run prepares pixels as it was judged, and was trained on what it says."""
    grid = Grid("g", (Variant("v", {"layer": "haar-hh"}, TINY, {}, ("cat",), "native"),), "v")
    plan, _, _, sets = prepared("own", seeds=(3,))
    plan = Plan.of(plan.folder, grid, [3], {"training": TRAINING}, plan.described)
    run_grid(
        plan, grid, lambda v: find_source(source_folder, v.classes), sets, pipeline="pydataset"
    )
    folder = plan.runs[0].folder
    detector = load_detector(folder)
    assert detector.preprocessing.name == "native"
    assert type(detector.representation).__name__ == "HaarHH"
    assert json.loads((folder / "config.json").read_text())["settings"]["source"]["classes"] == [
        "cat"
    ]
    predictor = KerasPredictor(folder)
    for name, (labels, logits) in plan.runs[0].read_logits().items():
        records = next(s.records for s in sets if s.name == name)
        assert labels.tolist() == [r.label for r in records]
        pixels = np.stack([load(r.path, PROTOCOLS["native"]) for r in records])
        np.testing.assert_allclose(predictor.predict(pixels), logits, atol=1e-5)
