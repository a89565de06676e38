"""Pairs of photographs and reconstructions: equal but for the trace, however they were made."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT, error_of
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from npr_keras.data.folder import find_sets, find_source
from npr_keras.errors import ConfigError, LayoutError, RunError
from npr_keras.evaluation.evaluate import evaluate
from npr_keras.reconstruction.base import Decoder, open_decoder
from npr_keras.reconstruction.families import FAMILIES
from npr_keras.reconstruction.make import reconstruct
from npr_keras.reconstruction.pairs import make_pair, window_of
from npr_keras.reconstruction.plan import ReconstructionConfig
from npr_keras.reconstruction.train_decoder import train_decoder
from npr_keras.runtimes.open import open_predictor


class Darker(Decoder):
    """Half as bright, and nothing of what lies around; remembers what noise it was given."""

    has_latent = True

    def __init__(self):
        super().__init__(())
        self.noises = []

    def reconstruct(self, pixels, random, noise=0.0):
        self.noises.append(noise)
        return pixels / 2


@pytest.fixture
def photos(tmp_path):
    """Six smooth photographs of several sizes, PNG and JPEG 80, and a small one."""
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (height, width) in enumerate([(120, 160), (100, 100), (90, 130)] * 2 + [(40, 40)]):
        noise = random.normal(128, 1500, (height, width, 3))
        pixels = np.clip(gaussian_filter(noise, (6, 6, 0)), 0, 255).astype(np.uint8)
        options = {"quality": 80} if i % 2 else {}
        Image.fromarray(pixels).save(folder / f"{i}.{'jpg' if i % 2 else 'png'}", **options)
    return folder


def files_of(folder):
    left_out = (".lock", "pairs.jsonl")
    paths = sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.name not in left_out)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


SMALL = {"size": 64, "scale": (0.6, 1.0)}


def test_the_identity_gives_equal_files(photos, tmp_path):
    """Whatever is done to one of a pair is done to the other."""
    config = ReconstructionConfig(
        count=12, grid_offset=True, keep_jpeg=0.5, mix="dct", mix_share=0.5, blend=0.5,
        latent_noise=0.3, validation=0.3, **SMALL,
    )  # fmt: skip
    name, decoder = open_decoder("identity")
    report = reconstruct(tmp_path / "out", photos, {name: decoder}, config, "CC0")
    assert report["pairs"] == 12 and len(report["left_out"]) == 1
    source = find_source(tmp_path / "out")
    assert len(source.train) == 16 and len(source.val) == 8
    for real in (tmp_path / "out").rglob("0_real/*.png"):
        fake = real.parent.parent / "1_fake" / real.name
        assert real.read_bytes() == fake.read_bytes()
    rows = list(csv.DictReader((tmp_path / "out" / "pairs.csv").read_text().splitlines()))
    assert {row["licence"] for row in rows} == {"CC0"}
    qualities = {(row["photo"].endswith("jpg"), row["quality"]) for row in rows}
    assert qualities >= {(True, "80"), (False, "0")} and (False, "80") not in qualities
    by_split = {s: {r["photo"] for r in rows if r["pair"].startswith(s)} for s in ("train", "val")}
    assert not by_split["train"] & by_split["val"] and all(by_split.values())


def test_a_pair_is_a_piece_of_the_photograph(photos, tmp_path):
    config = ReconstructionConfig(count=4, size=64, scale=(1.0, 1.0))
    reconstruct(tmp_path / "out", photos, {"darker": Darker()}, config)
    for row in csv.DictReader((tmp_path / "out" / "pairs.csv").read_text().splitlines()):
        photo = np.array(Image.open(photos / row["photo"]))
        left, top, side = map(int, row["crop"].split())
        assert side == 80 and float(row["scale"]) == 1
        real, fake = (
            np.array(Image.open(tmp_path / "out" / Path(row["pair"]).parent / label / name))
            for label in ("0_real", "1_fake")
            for name in [f"{Path(row['pair']).name}.png"]
        )
        margin = 8
        expected = photo[top + margin :, left + margin :][:64, :64]
        np.testing.assert_array_equal(real, expected)
        np.testing.assert_array_equal(fake, np.round(real / 2).astype(np.uint8))
        error = np.mean((real.astype(float) - fake) ** 2)
        assert float(row["psnr"]) == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)


def test_what_can_be_done_to_pairs(photos):
    """Each option by itself, on one photograph."""
    path, decoder = str(photos / "1.jpg"), Darker()

    kept: list[bool] = []

    def pairs(**options):
        config = ReconstructionConfig(count=1, **{**SMALL, **options})
        return [make_pair(path, "darker", i, decoder, config) for i in range(30)]

    plain = pairs()
    for pair in pairs(mix="pixel", mix_share=1.0):
        share = pair.facts["mixed"]
        expected = share * pair.real + (1 - share) * np.round(pair.real / 2)
        assert np.abs(pair.fake - expected).max() <= 1 and 0 <= share <= 0.8
    for pair in pairs(mix="dct", mix_share=1.0):
        real, fake = (
            dctn(one.astype(float).reshape(8, 8, 8, 8, 3), axes=(1, 3), norm="ortho")
            for one in (pair.real, pair.fake)
        )
        bright = real[:, 0, :, 0] > 800  # in dark ones whole levels count
        means = (fake[:, 0, :, 0] / real[:, 0, :, 0])[bright]  # of blocks: all of one picture
        assert np.abs(means - means[0]).max() < 0.02
        assert min(abs(means[0] - 1), abs(means[0] - 0.5)) < 0.02
        kept.append(means[0] > 0.75)
    assert 3 < sum(kept) < 27
    for pair in pairs(blend=1.0):
        inside = np.abs(pair.fake - pair.real / 2.0).max(2) <= 1
        outside = (pair.fake == pair.real).all(2)
        assert inside.any() and outside.any() and 0 < pair.facts["blended"] < 1
    offsets = {tuple(pair.facts["offset"]) for pair in pairs(grid_offset=True)}
    assert len(offsets) > 20 and {n for pair in offsets for n in pair} == set(range(8))
    assert {tuple(pair.facts["offset"]) for pair in plain} == {(0, 0)}
    scales = [pair.facts["scale"] for pair in pairs(scale=(0.5, 1.0))]
    assert min(scales) == pytest.approx(80 / 100, abs=0.2) and max(scales) <= 1
    decoder.noises.clear()
    pairs(latent_noise=0.25)
    assert max(decoder.noises) <= 0.25 and len(set(decoder.noises)) == 30
    twice = [pair.fake for pair in pairs(keep_jpeg=1.0)]
    assert all((a.fake != b).any() for a, b in zip(plain, twice, strict=True))


def test_killed_twice_and_resumed(photos, tmp_path):
    """Byte for byte what an undisturbed run makes; with a network that ONNX cannot hurry."""
    script = f"""
import time
from npr_keras.reconstruction import base, make
from npr_keras.reconstruction.plan import ReconstructionConfig
class Slow(base.Decoder):
    has_latent = True
    def reconstruct(self, pixels, random, noise=0.0):
        time.sleep(0.1)
        return pixels * 0.7 + random.uniform(0, 30)
config = ReconstructionConfig(count=12, size=64, latent_noise=0.1, grid_offset=True, keep_jpeg=0.5)
import sys
make.reconstruct(sys.argv[1], {str(photos)!r}, {{"a": Slow(()), "b": Slow(())}}, config)
"""
    subprocess.run([sys.executable, "-c", script, tmp_path / "whole"], check=True, cwd=ROOT)
    for number in (5, 14):
        process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "parts"], cwd=ROOT)
        while process.poll() is None and len(list((tmp_path / "parts").rglob("*.png"))) < number:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "parts" / "pairs.csv").exists()
    log = tmp_path / "parts" / "pairs.jsonl"
    log.write_text(log.read_text() + '{"pair": "torn')
    next((tmp_path / "parts").rglob("1_fake/*.png")).unlink()
    subprocess.run([sys.executable, "-c", script, tmp_path / "parts"], check=True, cwd=ROOT)
    whole, parts = files_of(tmp_path / "whole"), files_of(tmp_path / "parts")
    assert whole == parts and len([name for name in whole if name.endswith(".png")]) == 48


def test_what_is_refused(photos, tmp_path):
    identity = {"identity": open_decoder("identity")[1]}
    config = ReconstructionConfig(count=2, **SMALL)
    with pytest.raises(ConfigError, match="lies in the folder of photographs"):
        reconstruct(photos / "out", photos, identity, config)
    with pytest.raises(LayoutError, match=r"at least 1040 x 1040.*is too small"):
        big = ReconstructionConfig(count=2, size=1024)
        reconstruct(tmp_path / "out", photos, identity, big)
    reconstruct(tmp_path / "out", photos, identity, config)
    with pytest.raises(RunError, match=r"other settings:\n  count: was 2, now 3"):
        other = ReconstructionConfig(count=3, **SMALL)
        reconstruct(tmp_path / "out", photos, identity, other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(RunError, match="is not empty and holds no reconstruction"):
        reconstruct(tmp_path / "full", photos, identity, config)
    for text, said in (
        ("nonsense", "Unknown kind of decoder"),
        ("taesd=one.pth", "takes 2 files, the encoder's"),
        ("gone.onnx", "there is no gone.onnx"),
    ):
        with pytest.raises(ConfigError, match=said):
            open_decoder(text)


def test_an_onnx_network_that_makes_images_larger(tmp_path, random):
    """Twice as large, by repeating pixels; its numbers range from 0 to 1, which is found out."""
    import onnx
    from onnx import TensorProto, helper

    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2])
    node = helper.make_node("Resize", ["x", "", "scales"], ["big"], mode="nearest",
                            coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    low, high = (helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("l", 0), ("h", 1)))
    clip = helper.make_node("Clip", ["big", "l", "h"], ["y"])
    shape = [1, 3, None, None]
    made = helper.make_graph(
        [node, clip], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [scales, low, high],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "twice.onnx")
    name, decoder = open_decoder(f"{tmp_path}/twice.onnx")
    assert (name, decoder.factor, decoder.range, decoder.multiple) == ("twice", 2, "0 to 1", 16)
    pixels = random.integers(0, 256, (32, 48, 3), np.uint8)
    small = Image.fromarray(pixels).resize((24, 16), Image.Resampling.BICUBIC)
    expected = np.array(small).repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(decoder.reconstruct(pixels, random), expected, atol=1e-3)
    name, decoder = open_decoder(f"mine:onnx={tmp_path}/twice.onnx")
    assert name == "mine" and len(decoder.digest) == 64
    assert window_of(decoder, ReconstructionConfig(size=64)) == 96


class TestNcnn:
    """A network of two layers, written by hand: twice as large, then a convolution that loses 2 pixels a side."""

    LAYERS = """7767517
4 4
Input in0 0 1 in0
Interp big 1 1 in0 big 0=1 1=2.0 2=2.0
Convolution less 1 1 big less 0=3 1=5 6=225
Clip out0 1 1 less out0 0=0.0 1=1.0
"""

    def test_borders_that_are_lost(self, tmp_path, random):
        pytest.importorskip("ncnn")
        (tmp_path / "twice.param").write_text(self.LAYERS)
        kernels = np.zeros((3, 3, 5, 5), np.float32)
        kernels[range(3), range(3), 2, 2] = 1
        (tmp_path / "twice.bin").write_bytes(bytes(4) + kernels.tobytes())
        name, decoder = open_decoder(f"{tmp_path}/twice.param")
        assert (name, decoder.factor, decoder.range, decoder.border) == ("twice", 2, "0 to 1", 1)
        pixels = random.integers(0, 256, (32, 48, 3), np.uint8)
        small = Image.fromarray(pixels).resize((24, 16), Image.Resampling.BICUBIC)
        expected = np.array(small).repeat(2, 0).repeat(2, 1)
        np.testing.assert_allclose(decoder.reconstruct(pixels, random), expected, atol=1e-3)
        weights = decoder.digest
        (tmp_path / "twice.bin").write_bytes(bytes(4) + kernels[..., ::-1, :].tobytes() + b"1")
        assert open_decoder(f"{tmp_path}/twice.param")[1].digest != weights

    def test_what_is_no_network(self, tmp_path):
        pytest.importorskip("ncnn")
        (tmp_path / "broken.param").write_text("broken")
        with pytest.raises(ConfigError, match=r"There is no .*broken\.bin"):
            open_decoder(f"{tmp_path}/broken.param")
        (tmp_path / "broken.bin").write_bytes(b"")
        with pytest.raises(ConfigError, match=r"broken\.param: cannot be read as ncnn"):
            open_decoder(f"{tmp_path}/broken.param")


def test_an_onnx_file_that_is_none_or_takes_one_size(tmp_path):
    from onnx import TensorProto, helper, save

    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(ConfigError, match=r"broken\.onnx: cannot be read as ONNX"):
        open_decoder(f"{tmp_path}/broken.onnx")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in "xy"]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "eight.onnx")
    with pytest.raises(ConfigError, match="does not take images of 64 x 64 pixels"):
        open_decoder(f"{tmp_path}/eight.onnx")


def test_a_decoder_that_changes_the_size(photos):
    class Smaller(Decoder):
        def reconstruct(self, pixels, random, noise=0.0):
            return pixels[:-8]

    config = ReconstructionConfig(count=1, **SMALL)
    with pytest.raises(ConfigError, match=r"smaller makes 80 x 72 pixels of 80 x 80"):
        make_pair(str(photos / "1.jpg"), "smaller", 0, Smaller(()), config)


def test_names_stay_inside_the_folder():
    assert open_decoder("../x:identity=")[0] == "-x"
    with pytest.raises(ConfigError, match="a name has letters or digits"):
        open_decoder("..:identity=")


def test_taesd_beside_torch(tmp_path, random):
    """A small autoencoder of that family, written down in torch layers."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self, pooled):
            super().__init__()
            convs = [nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)]
            self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
            if pooled:
                self.pool = nn.Sequential(
                    nn.Conv2d(8, 16, 1, bias=False), nn.GroupNorm(4, 16), nn.ReLU(),
                    nn.Conv2d(16, 8, 1, bias=False),
                )  # fmt: skip

        def forward(self, x):
            x = x + self.pool(x) if hasattr(self, "pool") else x
            return torch.relu(self.conv(x) + x)

    class Clamp(nn.Module):
        def forward(self, x):
            return torch.tanh(x / 3) * 3

    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Block(False),
        nn.Conv2d(8, 8, 3, 2, 1, bias=False), Block(True), nn.Conv2d(8, 4, 3, padding=1),
    )  # fmt: skip
    decoder = nn.Sequential(
        Clamp(), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), Block(True), nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 3, padding=1, bias=False), Block(False), nn.Conv2d(8, 3, 3, padding=1),
    )  # fmt: skip
    for part, name in ((encoder, "e"), (decoder, "d")):
        torch.save(part.state_dict(), tmp_path / f"{name}.pth")
    name, found = open_decoder(f"{tmp_path}/e.pth,{tmp_path}/d.pth")
    assert (name, found.multiple, found.has_latent) == ("d", 2, True)
    pixels = random.integers(0, 256, (16, 24, 3), np.uint8)
    with torch.no_grad():
        x = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
        expected = decoder(encoder(x))[0].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(found.reconstruct(pixels, random), expected, atol=1e-2)
    noisy = found.reconstruct(pixels, np.random.default_rng(0), 0.5)
    assert np.abs(noisy - expected).max() > 0.1
    with pytest.raises(ConfigError, match="Expected the encoder's state dict first"):
        open_decoder(f"{tmp_path}/d.pth,{tmp_path}/e.pth")
    torch.save({"encoder.weight": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(ConfigError, match="no state dict of the TAESD family"):
        open_decoder(f"{tmp_path}/x.pth,{tmp_path}/d.pth")


def test_a_keras_model(tmp_path, random):
    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, keras.layers.Rescaling(0.5, 10)(pixels))
    model.save(tmp_path / "half.keras")
    _, decoder = open_decoder(str(tmp_path / "half.keras"))
    given = random.integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_allclose(decoder.reconstruct(given, random), given / 2 + 10, atol=1e-4)


def test_aeroblade_ranks_by_reconstruction(make_set, tmp_path, invoke):
    """What a decoder makes, it makes again: here all of one grey level in 2 x 2 blocks."""
    pixels = keras.Input((None, None, 3))
    small = keras.layers.AveragePooling2D(2)(pixels)
    keras.Model(pixels, keras.layers.UpSampling2D(2)(small)).save(tmp_path / "blocks.keras")
    folder = make_set(tmp_path / "sets" / "one", 4)  # its generated images are made of such blocks
    model = f"aeroblade={tmp_path}/blocks.keras"
    predictor = open_predictor(model)
    (images,) = find_sets(tmp_path / "sets")[0]
    (found,) = evaluate(predictor, [images], predictor.preprocessing)
    assert found.metrics.average_precision == 1
    assert found.logits.max() == pytest.approx(10 * np.log10(255**2 / 1e-4) - 30, abs=1e-3)
    one = np.array(Image.open(next((folder / "0_real").iterdir())))
    means = one.astype(float).reshape(16, 2, 16, 2, 3).mean((1, 3)).repeat(2, 0).repeat(2, 1)
    expected = 10 * np.log10(255**2 / np.mean((one - means) ** 2)) - 30
    assert float(predictor.predict(one[None])[0]) == pytest.approx(expected, abs=1e-3)
    done = invoke("eval", "--model", model, "--data", tmp_path / "sets")
    assert done.returncode == 0, done.stderr
    with pytest.raises(ConfigError, match="aeroblade= takes autoencoders"):
        open_predictor("aeroblade=")


def test_self_blend(tmp_path, monkeypatch, photos):
    """A part is as it was, a part is not; landmarks say which."""
    pixels = np.array(Image.open(photos / "0.png"))
    _, decoder = open_decoder("self-blend")
    found = [decoder.reconstruct(pixels, np.random.default_rng(i)) for i in range(8)]
    apart = [np.abs(one - pixels).max(2) for one in found]
    assert all((one > 4).any() for one in apart) and any((one < 0.5).any() for one in apart)
    (tmp_path / "faces.py").write_text(
        "import numpy as np\n"
        "def find(pixels):\n    return np.array([[60, 40], [100, 40], [100, 80], [60, 80]])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _, decoder = open_decoder("self-blend=faces:find")
    inside = []
    for i in range(12):
        apart = np.abs(decoder.reconstruct(pixels, np.random.default_rng(i)) - pixels).max(2)
        edge = np.r_[apart[:5].ravel(), apart[-5:].ravel()]
        inside.append(apart[55:65, 75:85].mean() > edge.mean())
    assert 3 <= sum(inside) <= 9  # either copy may be the one inside
    with pytest.raises(ConfigError, match="expected module:function"):
        open_decoder("self-blend=faces:gone")
    del sys.modules["faces"]


def test_what_comes_with_the_package(invoke, photos, tmp_path):
    """Without --decoder: three of our own, and nothing has to be fetched."""
    result = invoke("data", "reconstruct", "--photos", photos, "--out", tmp_path / "pairs",
                    "--count", 1, "--size", 64, "--validation", 0)  # fmt: skip
    assert result.returncode == 0, result.stderr
    made = sorted(path.name for path in (tmp_path / "pairs" / "train").iterdir())
    assert made == ["npr-ldm", "npr-progan", "npr-stylegan"]
    for name in made:
        real, fake = (
            np.array(Image.open(next((tmp_path / "pairs/train" / name / label).iterdir())), float)
            for label in ("0_real", "1_fake")
        )
        assert 0 < np.abs(real - fake).mean() < 30  # the same picture, not the same pixels


def test_at_the_command_line(cli, invoke, photos, tmp_path):
    command = ["data", "reconstruct", "--photos", photos, "--out", tmp_path / "out"]
    command += ["--decoder", "identity", "--count", "4", "--size", "64"]
    done = cli(*command, "--keep-jpeg", "1", "--grid-offset")
    assert done.returncode == 0, done.stderr
    assert "1 image is left out" in done.stderr and "npr-keras train --source" in done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["identity", "4"]
    again = invoke(*command)
    assert "keep_jpeg: was 1.0, now 0.0" in error_of(again)
    assert "Two decoders are called identity" in error_of(invoke(*command, "--decoder", "identity"))
    listed = invoke("data", "decoders")
    assert max(map(len, listed.stdout.splitlines())) <= 80 and "MIT" in listed.stdout
    assert len(json.loads(invoke("data", "decoders", "--json").stdout)) >= 7


@pytest.mark.parametrize(
    "family",
    ["ldm", *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES if name != "ldm")],
)
def test_families_learn_and_travel(family, photos, tmp_path):
    """A few steps: what comes out is nearer then; equal for equal seeds, known after loading."""
    found = [
        train_decoder(family, photos, tmp_path / name, stages=1, steps=steps, seed=3)
        for name, steps in (("short.keras", 2), ("long.keras", 60))
    ]
    assert found[1] > found[0]
    name, decoder = open_decoder(str(tmp_path / "long.keras"))
    pixels = np.array(Image.open(photos / "0.png"))[:64, :96]
    made = decoder.reconstruct(pixels, np.random.default_rng(0))
    assert name == "long" and made.shape == pixels.shape
    train_decoder(family, photos, tmp_path / "again.keras", stages=1, steps=2, seed=3)
    weights = [
        keras.saving.load_model(tmp_path / f"{n}.keras").get_weights() for n in ("short", "again")
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_learnt(photos, tmp_path):
    with pytest.raises(ConfigError, match="The family must be one of ldm, vq"):
        train_decoder("gan", photos, tmp_path / "x.keras")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LayoutError, match="at least 64 pixels"):
        train_decoder("ldm", tmp_path / "empty", tmp_path / "x.keras")
