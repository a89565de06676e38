"""One file, one probability, one verdict: by predict, query, every export, eval and npr_keras.score."""

import csv
import io
import json

import keras
import numpy as np
import pytest
from PIL import Image

import npr_keras
from npr_keras.config import PROTOCOLS
from npr_keras.data.decode import FORMATS
from npr_keras.evaluation.calibrate import threshold_at_rate
from npr_keras.models import Detector, load_detector, save_detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.profile import Calibration, Condition, ModelProfile
from npr_keras.server.models import ModelSettings
from npr_keras.simulation.photographs import embedded_photograph

from .conftest import Running

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)


def copies(folder):
    """A photograph as it reaches people: as it was, compressed, resized, re-saved, with a claim, tiny."""
    pixels = embedded_photograph(7, 3, 160)
    image = Image.fromarray(pixels)
    image.save(folder / "plain.png")
    for quality in (95, 80, 40):
        image.save(folder / f"q{quality}.jpg", quality=quality)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    Image.open(file).save(folder / "screenshot.png")
    image.resize((240, 240), Image.Resampling.BICUBIC).save(folder / "larger.png")
    image.save(folder / "progressive.jpg", quality=90, progressive=True)
    # What the graph does not read as Pillow does.
    image.save(folder / "scan.tif")
    image.quantize(64).save(folder / "palette.bmp")
    image.quantize(64).save(folder / "palette.gif")
    image.save(
        folder / "moving.webp", save_all=True, append_images=[image.rotate(90)], lossless=True
    )
    ink = np.dstack([255 - pixels, np.full(pixels.shape[:2], 40, np.uint8)])
    Image.fromarray(ink, "CMYK").save(folder / "ink.jpg", quality=95)
    if "AVIF" in FORMATS:
        image.save(folder / "phone.avif", quality=80)
    image.save(folder / "web.webp", quality=70)
    image.crop((0, 0, 20, 20)).save(folder / "icon.png")
    Image.new("RGB", (90, 80), (200, 10, 10)).save(folder / "flat.bmp")
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    said.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler")
    image.save(folder / "claims.png", pnginfo=said)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A detector that was calibrated and measured, its exports, and a server with one of them."""
    from npr_keras.exporting.export import export_detector

    run = tmp_path_factory.mktemp("truth") / "npr"
    run.mkdir()
    keras.utils.set_random_seed(5)
    native = PROTOCOLS["native"]
    conditions = tuple(
        Condition(kind, amount, 0.97, found, 0.9, 200, "native", -0.4)
        for kind, amount, found in (
            ("none", 0.0, 0.9), ("jpeg", 95.0, 0.9), ("jpeg", 80.0, 0.8), ("jpeg", 50.0, 0.3),
            ("resize", 1.5, 0.4), ("webp", 75.0, 0.2), ("crop", 64.0, 0.9),
        )
    )  # fmt: skip
    profile = ModelProfile(native, Calibration(0.5, -0.4, -0.4, 400, protocol="native"), conditions)
    detector = Detector(ResNet(blocks=(1, 1), width=8), profile=profile)
    save_detector(detector, run / "model.keras")
    made = export_detector(run, ["savedmodel", "tflite", "onnx", "openvino"])
    server = Running([ModelSettings("npr", str(run))])
    yield run, [one.path for one in made], server
    server.stop()


def rows_of(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_probability_and_one_verdict(invoke, measured, tmp_path):
    run, exports, server = measured
    files = copies(tmp_path)
    expected = rows_of(invoke("predict", *files, "--model", run, "--json"))
    verdicts = {row["path"].rpartition("/")[2]: row["verdict"] for row in expected}
    assert len(set(verdicts.values())) >= 2, verdicts
    assert verdicts["q40.jpg"] == verdicts["icon.png"] == verdicts["flat.bmp"] == "inconclusive"
    ways = {
        **{path: ["predict", *files, "--model", path] for path in exports},
        "predict rest": ["predict", *files, "--model", server.rest()],
        "predict grpc": ["predict", *files, "--model", server.grpc()],
        "query rest": ["query", *files, "--url", server.rest()],
        "query grpc": ["query", tmp_path, "--url", server.grpc()],
    }
    for name, command in ways.items():
        found = rows_of(invoke(*command, "--json"))
        assert [row["path"] for row in found] == [row["path"] for row in expected], name
        for ours, theirs in zip(found, expected, strict=True):
            for key in ("verdict", "reasons", "pixels", "quality", "claims"):
                assert ours.get(key) == theirs.get(key), (name, ours["path"])
            assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-5), name
    for row, found in zip(expected, npr_keras.score(list(files), model=run), strict=True):
        assert found.verdict == row["verdict"] and list(found.reasons) == row.get("reasons", [])
        assert found.probability == pytest.approx(row["probability"], abs=1e-5)


def test_evals_scores_are_the_same(invoke, measured, tmp_path):
    run, _, _ = measured
    for label in ("0_real", "1_fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
    files = copies(tmp_path / "set" / "0_real")
    Image.open(files[0]).rotate(90).save(tmp_path / "set" / "1_fake" / "a.png")
    scores = tmp_path / "scores.csv"
    done = invoke(
        "eval", "--model", run, "--data", tmp_path / "set", "--scores", scores, "--verdicts"
    )
    assert done.returncode == 0, done.stderr
    evaluated = {row["path"]: row for row in csv.DictReader(scores.open())}
    for row in rows_of(invoke("predict", tmp_path / "set", "--model", run, "--json")):
        other = evaluated[row["path"]]
        assert float(other["probability"]) == pytest.approx(row["probability"], abs=1e-5)
        assert other["verdict"] == row["verdict"]
        assert other["reasons"] == "; ".join(row.get("reasons", []))


@pytest.mark.slow
def test_an_export_follows_the_rule_that_was_calibrated(invoke, tmp_path, random):
    """Found on native pixels, exported with the model's own: the label is that threshold's."""
    import tensorflow as tf

    reals = tmp_path / "reals"
    reals.mkdir()
    for i in range(70):
        pixels = embedded_photograph(9, i, 64)[:, : 40 + i % 20]
        Image.fromarray(pixels).save(reals / f"{i}.png")
    run = tmp_path / "npr"
    run.mkdir()
    keras.utils.set_random_seed(6)
    save_detector(Detector(ResNet(blocks=(1,), width=8)), run / "model.keras")
    done = invoke(
        "calibrate", "--model", run, "--reals", reals, "--fpr", "20%", "--protocol", "native"
    )
    assert done.returncode == 0, done.stderr
    assert "makes native pixels from now on" in " ".join(done.stderr.split())
    assert invoke("export", run).returncode == 0
    files = sorted(reals.iterdir())
    predictor = npr_keras.open_predictor(run)
    logits = np.array(
        [predictor.predict(npr_keras.load_image(f, PROTOCOLS["native"])[None])[0] for f in files]
    )
    threshold = threshold_at_rate(logits, 0.2).threshold
    serve = tf.saved_model.load(str(run / "1")).signatures["serving_default"]
    answer = serve(tf.constant([f.read_bytes() for f in files]))
    labels = [label.decode() for label in answer["label"].numpy()]
    clear = np.abs(logits - threshold) > 1e-4  # rounding may move the score that is the threshold
    expected = np.where(logits > threshold, "generated", "no trace")
    assert (np.array(labels) == expected)[clear].all()
    assert 1 <= labels.count("generated") <= 14
    assert load_detector(run).profile.calibration.threshold == pytest.approx(threshold, abs=1e-4)
    made = invoke("export", run, "--protocol", "resize256")
    assert "calibration is not used: it was found on native pixels" in " ".join(made.stderr.split())
    assert "Uncalibrated" in made.stdout
    answer = tf.saved_model.load(str(run / "2")).signatures["serving_default"](
        tf.constant([files[0].read_bytes()])
    )
    assert answer["label"].numpy().tolist() == [b"uncalibrated"]


@pytest.mark.parametrize("own", list(PROTOCOLS))
def test_a_served_model_scores_the_pixels_that_were_asked_for(own):
    """Prepared pixels travel as PNG only where the server's own preprocessing leaves them alone."""
    from npr_keras.data.decode import preprocess
    from npr_keras.runtimes.remote import is_kept

    kept = 0
    for other in PROTOCOLS.values():
        for side in (90, 224, 256, 301):
            pixels = preprocess(embedded_photograph(7, 4, 304)[:side, : side + 1], other)
            if is_kept(PROTOCOLS[own], pixels.shape[:2]):
                kept += 1
                np.testing.assert_array_equal(preprocess(pixels, PROTOCOLS[own]), pixels)
    assert kept >= 3 or own == "resize256_centercrop224"  # that one leaves nothing alone
