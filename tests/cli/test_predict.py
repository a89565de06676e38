"""`predict`, as a person meets it."""

import csv
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from npr_keras.config import PROTOCOLS
from npr_keras.data.decode import load
from npr_keras.models import load_detector


def test_files_and_folders_in_order(invoke, model, make_images, tmp_path):
    make_images(tmp_path / "b", 2, size=30)
    make_images(tmp_path / "a" / "deep", 1, size=41)
    Image.fromarray(np.zeros((20, 25, 3), np.uint8)).save(tmp_path / "single.bmp")
    paths = [tmp_path / "b", tmp_path / "single.bmp", tmp_path / "a"]
    done = invoke("predict", *paths, "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == [
        str(tmp_path / p) for p in ("b/000.png", "b/001.png", "single.bmp", "a/deep/000.png")
    ]
    detector = load_detector(model)
    for row in rows:
        pixels = load(row["path"], PROTOCOLS["resize256"])[None]  # the model's own
        expected = float(np.asarray(detector.predict_on_batch(pixels))[0, 0])
        assert row["logit"] == pytest.approx(expected, abs=1e-5)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-6)
        assert "verdict" not in row  # nothing is known of this model
        assert "neither calibrated nor measured on resize256 pixels" in row["reasons"][0]
    assert {row["pixels"] for row in rows} == {"resize256 256x256"}
    native = invoke("predict", *paths[1:], "--model", model, "--json", "--protocol", "native")
    sizes = [json.loads(line)["pixels"] for line in native.stdout.splitlines()]
    assert sizes == ["native 24x20", "native 40x40"]
    table = list(
        csv.DictReader(io.StringIO(invoke("predict", *paths, "--model", model, "--csv").stdout))
    )
    assert [float(r["logit"]) for r in table] == pytest.approx([r["logit"] for r in rows])


def test_scores_are_those_of_eval(invoke, model, make_set, tmp_path):
    make_set(tmp_path / "set", 4)
    scores = tmp_path / "s.csv"
    done = invoke("eval", "--model", model, "--data", tmp_path / "set", "--scores", scores,
                  "--pipeline", "pydataset")  # fmt: skip
    assert done.returncode == 0, done.stderr
    judged = {r["path"]: float(r["logit"]) for r in csv.DictReader(scores.open())}
    done = invoke("predict", tmp_path / "set", "--model", model, "--json")
    predicted = [json.loads(line) for line in done.stdout.splitlines()]
    assert {r["path"]: r["logit"] for r in predicted} == pytest.approx(judged, abs=1e-5)
    assert "8 images: " in done.stderr


@pytest.fixture
def bad_input(tmp_path, random):
    """Whatever people have in their folders; what is said of each."""
    folder = tmp_path / "bad"
    folder.mkdir()
    pixels = random.integers(0, 256, (40, 50, 3), np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(folder / "fine.png")
    (folder / "truncated.png").write_bytes((folder / "fine.png").read_bytes()[:2000])
    (folder / "zero.jpg").write_bytes(b"")
    (folder / "text.png").write_text("not an image")
    Image.fromarray(pixels[:1, :1]).save(folder / "one.png")
    Image.fromarray(pixels[:10].repeat(400, 1)).save(folder / "long.png")  # 20000 x 10
    frames = [Image.fromarray(pixels), Image.fromarray(pixels[::-1])]
    frames[0].save(folder / "moving.gif.png", format="GIF", save_all=True, append_images=frames[1:])
    Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 256).save(folder / "sixteen.png")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("RGBA").save(folder / "alpha.png")
    Image.new("1", (20000, 20000)).save(folder / "bomb.png")
    (folder / "folder.jpg").mkdir()
    return folder, {
        "fine.png": "", "truncated.png": "truncated", "zero.jpg": "the file is empty",
        "text.png": "not an image in a format that is known", "one.png": "needs at least 2 x 2",
        "long.png": "", "moving.gif.png": "", "sixteen.png": "", "cmyk.jpg": "", "alpha.png": "",
        "bomb.png": "more than the 200,000,000 that are decoded",
    }  # fmt: skip


def test_bad_input(invoke, model, bad_input):
    folder, expected = bad_input
    paths = [folder / name for name in expected]
    extra = [folder / "folder.jpg", folder / "gone.png"]
    done = invoke("predict", *paths, *extra, "--model", model, "--json", "--protocol", "native")
    assert done.returncode == 1
    rows = {
        row["path"].rpartition("/")[2]: row for row in map(json.loads, done.stdout.splitlines())
    }
    assert list(rows) == [*expected, "folder.jpg", "gone.png"]  # each in its place
    for name, reason in expected.items():
        if reason:
            assert reason in rows[name]["error"], rows[name]
            assert "logit" not in rows[name]
        else:
            assert "logit" in rows[name], rows[name]
    assert "No image files in the folder" in rows["folder.jpg"]["error"]
    assert "No such file or folder" in rows["gone.png"]["error"]
    assert "7 unreadable" in done.stderr
    table = invoke("predict", *paths, *extra, "--model", model, "--protocol", "native").stdout
    assert table.count("unreadable") == sum(map(bool, expected.values())) + 2
    assert rows["long.png"]["pixels"] == "native 20000x10"


def test_images_that_are_too_large(invoke, model, make_images, tmp_path, monkeypatch):
    make_images(tmp_path, 1, size=40)
    monkeypatch.setattr("npr_keras.forensics.examine.MOST_SCORED", 1000)
    done = invoke("predict", tmp_path, "--model", model, "--protocol", "native")
    assert done.returncode == 1
    assert "40 x 40 pixels are more than are scored at once" in done.stdout
    assert invoke("predict", tmp_path, "--model", model, "--protocol", "resize256").returncode == 1


@pytest.fixture
def invoke_with_input():
    from click.testing import CliRunner

    from npr_keras_cli.main import main

    def run(data, *args):
        done = CliRunner().invoke(main, list(map(str, args)), input=data)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done

    return run


def test_standard_input(invoke_with_input, model, make_images, tmp_path):
    make_images(tmp_path / "a", 2)
    paths = sorted((tmp_path / "a").iterdir())

    def piped(data):
        done = invoke_with_input(data, "predict", "-", "--model", model, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    lines = piped("".join(f"{path}\n" for path in paths) + f"\n{tmp_path}/gone.png\n")
    assert [row["path"] for row in lines] == [*map(str, paths), f"{tmp_path}/gone.png"]
    (image,) = piped(paths[1].read_bytes())
    assert image["path"] == "(standard input)"
    assert image["logit"] == pytest.approx(lines[1]["logit"], abs=1e-5)
    (broken,) = piped(paths[1].read_bytes()[:200])
    assert broken["error"].startswith("Cannot read (standard input): ")


@pytest.mark.parametrize("name", ["P6010023.png", "BMW.png", "RIFF.png", "GIF8.png"])
def test_paths_that_begin_as_images_do(
    invoke_with_input, model, make_images, tmp_path, monkeypatch, name
):
    make_images(tmp_path, 1)
    (tmp_path / "000.png").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    done = invoke_with_input(f"{name}\n{name}\n", "predict", "-", "--model", model, "--json")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [name, name]


def test_it_may_be_endless(model, make_images, tmp_path):
    """Predictions come while paths do: nothing waits for the end of the list."""
    from npr_keras.runtimes.open import open_predictor
    from npr_keras.scoring.files import score_files

    make_images(tmp_path, 1)
    taken = []

    def forever():
        while True:
            taken.append(1)
            yield tmp_path / "000.png"

    predictions = score_files(open_predictor(model), forever(), PROTOCOLS["native"])
    first = [next(predictions) for _ in range(40)]
    np.testing.assert_allclose([p.logit for p in first], first[0].logit, atol=1e-5)
    predictions.close()
    assert len(taken) < 40 + 32


def test_a_slow_list_is_not_waited_for(model, make_images, tmp_path):
    """What was named is scored before the next name comes."""
    from npr_keras.runtimes.open import open_predictor
    from npr_keras.scoring.files import score_files

    make_images(tmp_path, 1)
    asked, more = threading.Event(), threading.Event()

    def slowly():
        yield tmp_path / "000.png"
        asked.set()
        more.wait(60)
        yield tmp_path / "gone.png"

    predictions = score_files(open_predictor(model), slowly(), PROTOCOLS["native"])
    assert next(predictions).error == ""
    assert asked.wait(10)
    more.set()
    assert "No such file" in next(predictions).error
    assert list(predictions) == []


def test_a_list_that_fails_is_an_error(model):
    from npr_keras.runtimes.open import open_predictor
    from npr_keras.scoring.files import score_files

    def failing():
        raise OSError("the list is gone")
        yield

    with pytest.raises(OSError, match="the list is gone"):
        list(score_files(open_predictor(model), failing(), PROTOCOLS["native"]))
