"""`predict`, `calibrate`, `robustness` and `explain`, as a person meets them."""

import csv
import io
import json
import shutil
import threading

import numpy as np
import pytest
from conftest import error_of
from PIL import Image

from npr_keras.config import PROTOCOLS, DetectorConfig
from npr_keras.data.decode import load
from npr_keras.models import Detector, load_detector, save_detector


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    save_detector(Detector(DetectorConfig(blocks=(1, 1), width=8)), path)
    return path


@pytest.fixture
def own_model(model, tmp_path):
    """A copy, to be written to."""
    (tmp_path / "run").mkdir()
    shutil.copy(model, tmp_path / "run" / "model.keras")
    return tmp_path / "run"


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
        pixels = load(row["path"], PROTOCOLS["native"])[None]
        expected = float(np.asarray(detector.predict_on_batch(pixels))[0, 0])
        assert row["logit"] == pytest.approx(expected, abs=1e-5)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-6)
        assert row["verdict"] == ("generated" if expected > 0 else "real")
    assert [row["pixels"] for row in rows][2:] == ["native 24x20", "native 40x40"]
    table = list(
        csv.DictReader(io.StringIO(invoke("predict", *paths, "--model", model, "--csv").stdout))
    )
    assert [float(r["logit"]) for r in table] == pytest.approx([r["logit"] for r in rows])


def test_scores_are_those_of_eval(invoke, model, make_set, tmp_path):
    make_set(tmp_path / "set", 4)
    scores = tmp_path / "s.csv"
    done = invoke("eval", "--model", model, "--data", tmp_path / "set", "--scores", scores,
                  "--protocol", "native", "--pipeline", "pydataset")  # fmt: skip
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
        "bomb.png": "exceeds limit",
    }  # fmt: skip


def test_bad_input(invoke, model, bad_input):
    folder, expected = bad_input
    paths = [folder / name for name in expected]
    extra = [folder / "folder.jpg", folder / "gone.png"]
    done = invoke("predict", *paths, *extra, "--model", model, "--json")
    assert done.returncode == 1
    rows = {
        row["path"].rpartition("/")[2]: row for row in map(json.loads, done.stdout.splitlines())
    }
    assert list(rows) == [*expected, "folder.jpg", "gone.png"]  # each in its place
    for name, reason in expected.items():
        if reason:
            assert reason in rows[name]["error"], rows[name]
            assert "verdict" not in rows[name]
        else:
            assert "verdict" in rows[name], rows[name]
    assert "No image files in the folder" in rows["folder.jpg"]["error"]
    assert "No such file or folder" in rows["gone.png"]["error"]
    assert "7 unreadable" in done.stderr
    table = invoke("predict", *paths, *extra, "--model", model).stdout
    assert table.count("unreadable") == sum(map(bool, expected.values())) + 2
    assert rows["long.png"]["pixels"] == "native 20000x10"


def test_images_that_are_too_large(invoke, model, make_images, tmp_path, monkeypatch):
    make_images(tmp_path, 1, size=40)
    monkeypatch.setattr("npr_keras.predict.score_files.MAX_PIXELS", 1000)
    done = invoke("predict", tmp_path, "--model", model)
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
    from npr_keras.predict import open_predictor
    from npr_keras.predict.score_files import score_files

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
    from npr_keras.predict import open_predictor
    from npr_keras.predict.score_files import score_files

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
    from npr_keras.predict import open_predictor
    from npr_keras.predict.score_files import score_files

    def failing():
        raise OSError("the list is gone")
        yield

    with pytest.raises(OSError, match="the list is gone"):
        list(score_files(open_predictor(model), failing(), PROTOCOLS["native"]))


def test_calibrate_then_predict_and_eval(invoke, own_model, make_set, make_images, tmp_path):
    data = make_set(tmp_path / "data", 20)
    before = load_detector(own_model).get_weights()
    done = invoke("calibrate", "--model", own_model, "--data", data, "--figure", tmp_path / "r.svg",
                  "--protocol", "resize256", "--pipeline", "pydataset", "--json")  # fmt: skip
    if done.returncode:  # an untrained detector may rank them the other way round
        assert "cannot be calibrated" in error_of(done)
        shutil.move(data / "0_real", data / "x")
        shutil.move(data / "1_fake", data / "0_real")
        shutil.move(data / "x", data / "1_fake")
        done = invoke("calibrate", "--model", own_model, "--data", data, "--figure",
                      tmp_path / "r.svg", "--protocol", "resize256", "--pipeline", "pydataset", "--json")  # fmt: skip
    found = json.loads(done.stdout)
    detector = load_detector(own_model)
    assert detector.config.calibration.to_dict() == found["calibration"]
    for ours, theirs in zip(before, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "<svg" in (tmp_path / "r.svg").read_text()
    calibration = found["calibration"]
    done = invoke("predict", data, "--model", own_model, "--protocol", "resize256", "--json")
    for row in map(json.loads, done.stdout.splitlines()):
        scaled = (row["logit"] - calibration["shift"]) / calibration["temperature"]
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-scaled)), abs=1e-9)
        assert row["verdict"] == (
            "generated" if row["logit"] > calibration["threshold"] else "real"
        )
    judged = invoke(
        "eval", "--model", own_model, "--data", data, "--json", "--pipeline", "pydataset"
    )
    (own,) = json.loads(judged.stdout)["models"]
    assert own["threshold"] == calibration["threshold"]
    assert own["mean"]["calibrated_accuracy"] is not None
    other = invoke("predict", data / "0_real", "--model", own_model)
    assert "calibrated for resize256 pixels, and these are native" in other.stdout
    assert max(len(line) for line in other.stdout.splitlines() if ".png" not in line) <= 80
    native = invoke("eval", "--model", own_model, "--data", data, "--json", "--pipeline", "pydataset",
                    "--protocol", "native")  # fmt: skip
    assert json.loads(native.stdout)["models"][0]["threshold"] is None

    make_images(tmp_path / "reals", 70)
    command = [
        "calibrate",
        "--protocol",
        "resize256",
        "--model",
        own_model,
        "--pipeline",
        "pydataset",
        "--reals",
        tmp_path / "reals",
    ]
    done = invoke(*command, "--fpr", "5%")
    assert done.returncode == 0, done.stderr
    assert "that takes 59 real images" in done.stdout
    stored = load_detector(own_model).config.calibration
    assert stored.false_positive_rate == 0.05
    assert stored.temperature == calibration["temperature"]  # reals alone say nothing of that
    done = invoke(
        "predict", tmp_path / "reals", "--model", own_model, "--protocol", "resize256", "--json"
    )
    above = [json.loads(line)["verdict"] == "generated" for line in done.stdout.splitlines()]
    assert sum(above) <= 0.05 * 70
    assert "it takes 299. With 70 images" in error_of(invoke(*command, "--fpr", "1%"))
    assert load_detector(own_model).config.calibration == stored  # a failure changes nothing
    done = invoke(*command, "--fpr", "50%", "--dry-run")
    assert done.returncode == 0
    assert load_detector(own_model).config.calibration == stored


def test_calibrate_takes_only_real_ones_for_real(
    invoke, stub_models, make_set, tmp_path, monkeypatch
):
    monkeypatch.setattr("npr_keras.predict.calibration.store", lambda *args, **options: None)
    data = make_set(tmp_path / "train" / "cat", 61)
    command = ["calibrate", "--model", "any", "--reals", tmp_path, "--fpr", "5%"]
    done = invoke(*command, "--pipeline", "pydataset", "--json")
    assert json.loads(done.stdout)["false_positives"]["images"] == 61
    assert data.is_dir()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "either --data DIR or --reals DIR", 2),
        (["--reals", "."], "--reals needs --fpr", 2),
        (["--reals", ".", "--fpr", "0"], "not a share above 0%", 2),
        (["--data", ".", "--figure", "r.pdf"], ".svg, .png", 1),
        (["--reals", ".", "--fpr", "1%", "--figure", "r.svg"], "needs --data", 2),
        (["--reals", "nowhere", "--fpr", "1%"], "no such folder", 1),
    ],
)
def test_calibrate_errors(invoke, stub_models, tmp_path, monkeypatch, arguments, message, code):
    monkeypatch.chdir(tmp_path)
    done = invoke("calibrate", "--model", "any", *arguments)
    assert message in error_of(done, code)


def test_robustness_is_stored_and_used(invoke, own_model, make_set, tmp_path):
    data = make_set(tmp_path / "data", 20, size=16)
    few = make_set(tmp_path / "few", 3)
    refused = invoke("robustness", "--model", own_model, "--data", few, "--store")
    assert "at least 20 real and 20 generated images. Received: 3 and 3" in error_of(refused)
    command = ["robustness", "--model", own_model, "--data", data, "--condition", "jpeg=90,50"]
    done = invoke(*command, "--store", "--json", "--figure", tmp_path / "r.png")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    stored = [c.to_dict() for c in load_detector(own_model).config.robustness]
    assert stored == rows
    assert [(r["kind"], r["amount"]) for r in rows] == [("jpeg", 90), ("jpeg", 50)]
    assert invoke(*command[:-1], "jpeg=70", "--store").returncode == 0
    kept = [c.amount for c in load_detector(own_model).config.robustness]
    assert kept == [90, 50, 70]  # beside what was there
    Image.open(tmp_path / "r.png").verify()
    Image.open(data / "1_fake" / "000.png").save(tmp_path / "a.jpg", quality=70)
    (line,) = invoke(
        "predict", tmp_path / "a.jpg", "--model", own_model, "--json"
    ).stdout.splitlines()
    row = json.loads(line)
    assert row["quality"] == 70
    # Untrained: all are called the same, so one kind of picture is never recognised.
    assert row["verdict"] == "inconclusive"
    assert "JPEG quality 70: of " in row["reasons"][0]
    table = invoke(*command, "--condition", "none", "--condition", "resize=0.5")
    assert table.stdout.splitlines()[0].split() == ["condition", "bal", "acc", "AP", "real", "fake"]
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "none " in table.stdout
    csv_rows = list(csv.DictReader(io.StringIO(invoke(*command, "--csv").stdout)))
    assert float(csv_rows[1]["real_accuracy"]) == rows[1]["real_accuracy"]


@pytest.mark.parametrize("wrong", ["jpeg", "jpeg=0", "jpeg=90.5", "rotate=3", "resize=0", "blur=x"])
def test_robustness_conditions(invoke, wrong, tmp_path):
    done = invoke("robustness", "--model", "m", "--data", tmp_path, "--condition", wrong)
    assert "is no condition. Expected jpeg=90,70" in error_of(done, 2)


def test_explain(invoke, model, make_images, tmp_path):
    make_images(tmp_path / "a", 1, size=64)
    make_images(tmp_path / "b", 1, size=64)
    (tmp_path / "broken.png").write_text("broken")
    images = [tmp_path / "a" / "000.png", tmp_path / "b" / "000.png"]
    out = tmp_path / "figures"
    done = invoke("explain", *images, tmp_path / "broken.png", "--model", model, "--out", out,
                  "--arrays", "--format", "png", "--format", "svg")  # fmt: skip
    assert done.returncode == 1
    assert "broken.png: not an image" in done.stdout
    names = {path.name for path in out.iterdir()}
    assert len(names) == 2 * (2 + 3)
    stem = "000-explained"
    assert {f"{stem}.png", f"{stem}.svg", f"{stem}-2.png", f"{stem}-2-regions.npy"} <= names
    assert Image.open(out / f"{stem}.png").width > 1000
    activation = np.load(out / f"{stem}-activation.npy")
    bias = float(np.asarray(load_detector(model).get_layer("fc1").bias)[0])
    logit = float(done.stdout.splitlines()[1].split()[0])
    assert activation.mean() + bias == pytest.approx(logit, abs=1e-4)
    done = invoke("explain", "--compare", *images, "--model", model, "--out", out, "--arrays")
    assert done.returncode == 0, done.stderr
    assert (out / "000-compared-000.png").exists()
    assert len(list(out.glob("000-compared*.npy"))) == 2 * 3
    named = tmp_path / f"{stem}.png"
    shutil.copy(images[0], named)
    both = ["explain", named, images[0], "--model", model, "--out", tmp_path]
    assert "is one of the images" in error_of(invoke(*both))
    assert Image.open(named).size == (64, 64)  # the picture is still the picture
    make_images(tmp_path / "c", 1, size=50)
    other = tmp_path / "c" / "000.png"
    refused = invoke("explain", "--compare", images[0], other, "--model", model, "--out", out)
    assert "Received: 64 x 64 and 50 x 50" in error_of(refused)
    alone = invoke("explain", "--compare", other, "--model", model, "--out", out)
    assert "takes two images" in error_of(alone, 2)
