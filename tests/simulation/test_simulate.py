"""A simulated source: what is in it, that it repeats to the last bit, and what it refuses."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npr_keras.data.decode import decode
from npr_keras.data.folder import find_sets, find_source
from npr_keras.data.records import count_labels
from npr_keras.errors import ConfigError, LayoutError, RunError
from npr_keras.simulation.photographs import FolderPhotographs
from npr_keras.simulation.plan import (
    NETWORKS,
    OTHER_NETWORKS,
    SIMULATION_FILE,
    SimulationConfig,
    parse_network,
)
from npr_keras.simulation.sharpness import sharpness
from npr_keras.simulation.simulate import simulate

SMALL = {"count": 9, "size": 32, "steps": 3, "networks": ("x2k3t0", "x4k3t1")}


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*.png")
    }


@pytest.mark.every_backend
def test_same_seed_same_files_however_often_interrupted(tmp_path):
    config = SimulationConfig("transposed", validation=0.3, **SMALL)
    simulate(tmp_path / "whole", config)
    expected = digests(tmp_path / "whole")
    assert len(expected) == 18

    for stop_at in (("generators", 2), ("pictures", 3), ("pictures", 6)):

        def interrupt(what, done, total, stop_at=stop_at):
            if what == stop_at[0] and done >= stop_at[1]:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            simulate(tmp_path / "broken", config, interrupt)
    report = simulate(tmp_path / "broken", config)
    assert digests(tmp_path / "broken") == expected
    whole = json.loads((tmp_path / "whole" / SIMULATION_FILE).read_text())
    assert report["networks"] == whole["networks"]
    assert report["sharpness_average_precision"] == whole["sharpness_average_precision"]
    assert [path.name for path in (tmp_path / "broken").rglob(".*")] == [".simulation.lock"]

    other = SimulationConfig("transposed", validation=0.3, seed=2, **SMALL)
    simulate(tmp_path / "other", other)
    assert not set(digests(tmp_path / "other").values()) & set(expected.values())


def test_a_source_is_found_as_the_published_ones_are(tmp_path):
    simulate(tmp_path / "s", SimulationConfig("nearest", validation=0.3, **SMALL))
    source = find_source(tmp_path / "s")
    assert source.classes == ("x2k3t0", "x4k3t1")
    assert count_labels(source.train) == (6, 6)
    assert count_labels(source.val) == (3, 3)
    contents = [path.read_bytes() for path in (tmp_path / "s").rglob("*.png")]
    assert len(set(contents)) == 18
    pair = [
        decode(tmp_path / f"s/train/x2k3t0/{label}/00000.png") for label in ("0_real", "1_fake")
    ]
    assert pair[0].shape == (32, 32, 3)
    assert np.corrcoef(*[p.mean(2).ravel() for p in pair])[0, 1] > 0.3  # the same content


def test_a_set_is_found_as_one_and_may_have_its_sharpness_matched(tmp_path):
    config = SimulationConfig("bilinear", layout="set", match_sharpness=True, **SMALL)
    report = simulate(tmp_path / "bilinear", config)
    (found,), _ = find_sets(tmp_path / "bilinear", pool=True)
    assert found.name == "bilinear"
    assert count_labels(found.records) == (9, 9)
    assert report["networks"]["x2k3t0"]["pictures"] == 5
    for real in (tmp_path / "bilinear").rglob("0_real/*.png"):
        fake = str(real).replace("0_real", "1_fake")
        assert sharpness(decode(fake)) == pytest.approx(sharpness(decode(real)), rel=0.1)
    assert 0.4 < report["sharpness_average_precision"] < 0.65


def test_the_users_photographs(tmp_path, make_images):
    photos = tmp_path / "photos"
    make_images(photos, 6, size=90)
    make_images(photos / "small", 1, size=50)
    (photos / "note.txt").write_text("not a photograph")
    (photos / "broken.jpg").write_bytes(b"nothing")
    # Its head can be read, its pixels cannot.
    whole = (photos / "000.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 3])
    config = SimulationConfig("nearest", photos=str(photos), validation=0.3, **SMALL)
    report = simulate(tmp_path / "out", config)
    assert len(digests(tmp_path / "out")) == 18
    left_out = {Path(path).name: reason for path, reason in report["left_out"].items()}
    assert "50 x 50 pixels is too small" in left_out["000.png"]
    assert {"broken.jpg", "cut.png"} <= set(left_out)
    assert simulate(tmp_path / "out", config) == report
    next((tmp_path / "out").rglob("1_fake/*.png")).unlink()
    before = digests(tmp_path / "out")
    assert simulate(tmp_path / "out", config)["networks"] == report["networks"]  # made again
    assert len(digests(tmp_path / "out")) == 18
    assert before.items() <= digests(tmp_path / "out").items()
    make_images(photos / "more", 1, size=95)
    with pytest.raises(RunError, match="photographs: was"):
        simulate(tmp_path / "out", config)
    with pytest.raises(ConfigError, match="lies in the folder of photographs"):
        simulate(photos / "out", config)


def test_training_and_validation_share_no_photograph(tmp_path, make_images):
    make_images(tmp_path, 5, size=64)
    photographs = FolderPhotographs(tmp_path, 64, seed=0, validation=0.4)
    train = {photographs.piece(i).tobytes() for i in range(40)}
    validation = {photographs.piece(i, validation=True).tobytes() for i in range(40)}
    assert len(train) == 3  # pieces of their own size: the photographs themselves
    assert len(validation) == 2
    assert not train & validation
    alone = FolderPhotographs(tmp_path, 64, seed=0, validation=0.99)
    assert len({alone.piece(i).tobytes() for i in range(9)}) == 1
    # Four networks that take turns see all of three photographs, or four.
    four = FolderPhotographs(tmp_path, 64, seed=0, validation=0.2)
    assert len({four.piece(i).tobytes() for i in range(0, 32, 4)}) == 4


def test_unfinished_work_of_another_backend_is_not_gone_on_with(tmp_path):
    config = SimulationConfig("nearest", **SMALL)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "s", config, interrupt)
    file = tmp_path / "s" / SIMULATION_FILE
    file.write_text(file.read_text().replace('"backend": "', '"backend": "other_'))
    with pytest.raises(RunError, match="unfinished simulation of the other_"):
        simulate(tmp_path / "s", config)


def test_photographs_that_cannot_be_used(tmp_path, make_images):
    with pytest.raises(LayoutError, match="No such folder of photographs"):
        simulate(tmp_path / "a", SimulationConfig("nearest", photos="/no/photos", **SMALL))
    make_images(tmp_path / "tiny", 2, size=40)
    config = SimulationConfig("nearest", photos=str(tmp_path / "tiny"), **SMALL)
    with pytest.raises(LayoutError, match=r"at least 80 x 80 .* 40 x 40 pixels is too small"):
        simulate(tmp_path / "b", config)


def test_folders_that_hold_something_else(tmp_path):
    simulate(tmp_path / "s", SimulationConfig("nearest", layout="set", **SMALL))
    before = digests(tmp_path / "s")
    with pytest.raises(RunError, match=r"seed: was 1, now 5\nUse the old settings"):
        simulate(tmp_path / "s", SimulationConfig("nearest", layout="set", seed=5, **SMALL))
    assert digests(tmp_path / "s") == before
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "mine" / "holiday.png")
    with pytest.raises(RunError, match="is not empty and holds no simulation"):
        simulate(tmp_path / "mine", SimulationConfig("nearest", **SMALL))
    (tmp_path / "s" / SIMULATION_FILE).write_text("{")
    with pytest.raises(RunError, match="does not describe a simulation"):
        simulate(tmp_path / "s", SimulationConfig("nearest", layout="set", **SMALL))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upsampler": "bicubic"}, "`upsampler` must be one of nearest"),
        ({"count": 0}, "`count` must be an integer from 1"),
        (
            {"count": 4, "validation": 0.9},
            "`count` must be large enough for one photograph a network",
        ),
        ({"size": 60}, "`size` must be a multiple of 8"),
        ({"size": 2048}, "`size` must be a multiple of 8 from 32 to 1024"),
        ({"jpeg": 100}, "`jpeg` must be None or an integer from 1 to 95"),
        ({"networks": ()}, "`networks` must be different names"),
        ({"networks": ("x3k3t0",)}, "written like x4k3t1.*Received: 'x3k3t0'"),
        ({"layout": "tree"}, "`layout` must be one of source, set"),
        ({"validation": 1.0}, "`validation` must be a number from 0 below 1"),
        ({"seed": -1}, "`seed` must be an integer from 0"),
        ({"steps": 0}, "`steps` must be an integer from 1"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        SimulationConfig(**{"upsampler": "nearest", **settings})


def test_settings_travel():
    config = SimulationConfig("nearest", photos="photos", networks=("x8k7t2",))
    assert SimulationConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert parse_network("x8k7t2").stages == 3


def test_what_is_judged_is_not_what_was_learned(tmp_path, monkeypatch):
    from npr_keras.simulation.builtin import SIMULATED, simulated_folder

    assert not set(NETWORKS) & set(OTHER_NETWORKS)
    (source,) = SIMULATED["source"].values()
    for name, config in SIMULATED["suite"].items():
        assert config.upsampler == name
        assert config.seed != source.seed
        assert not set(config.networks) & set(source.networks)
    assert source.upsampler == "nearest"
    monkeypatch.setenv("NPR_CACHE", str(tmp_path))
    assert simulated_folder("source").parent == tmp_path
    before = simulated_folder("source")
    monkeypatch.setitem(SIMULATED["source"], ".", SimulationConfig("nearest", count=8))
    assert simulated_folder("source") != before
    with pytest.raises(ConfigError, match="must be one of source, suite"):
        simulated_folder("test")
