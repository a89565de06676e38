import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from npr_keras.data.decode import decode
from npr_keras.data.history import read_history
from npr_keras.data.resampling import THRESHOLD, resampling_strength
from npr_keras.simulation.photographs import embedded_photograph


def history_of(path):
    return read_history(path, decode(path))


@pytest.fixture(scope="module")
def photographs():
    return [embedded_photograph(3, i, 256) for i in range(8)]


def save(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


@pytest.fixture
def picture(random):
    return Image.fromarray(random.integers(0, 256, (80, 96, 3), np.uint8))


def test_compression(tmp_path, picture):
    found = history_of(save(tmp_path, "a.jpg", picture, quality=83, subsampling="4:2:0"))
    assert (found.format, found.quality, found.subsampling, found.lossy) == (
        "JPEG",
        83,
        "4:2:0",
        True,
    )
    found = history_of(save(tmp_path, "a.png", picture))
    assert (found.format, found.quality, found.lossy) == ("PNG", None, False)
    assert (found.width, found.height) == (96, 80)
    assert history_of(save(tmp_path, "a.webp", picture, quality=80)).lossy
    assert not history_of(save(tmp_path, "b.webp", picture, lossless=True)).lossy


def test_claims(tmp_path, picture):
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat, Steps: 20")
    found = history_of(save(tmp_path, "a.png", picture, pnginfo=text))
    assert found.claims == ("PNG text 'parameters', as Stable Diffusion web UI writes it",)
    exif = Image.Exif()
    exif[0x0131] = "Adobe Firefly 2.0"
    found = history_of(save(tmp_path, "a.jpg", picture, exif=exif))
    assert found.claims == ("EXIF software names Firefly",)
    exif[0x0131] = "GIMP 2.10"
    assert history_of(save(tmp_path, "b.jpg", picture, exif=exif)).claims == ()
    xmp = b'<x Iptc4xmpExt:DigitalSourceType=".../digitalsourcetype/trainedAlgorithmicMedia"/>'
    found = history_of(save(tmp_path, "c.jpg", picture, xmp=xmp))
    assert found.claims == ("IPTC digital source type trainedAlgorithmicMedia",)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG")
    box = b"\xff\xeb\x00\x20" + b"JP\x00\x01\x00\x00\x00\x01" + b"jumb" + b"c2pa".ljust(18, b"\0")
    (tmp_path / "d.jpg").write_bytes(jpeg.getvalue()[:2] + box + jpeg.getvalue()[2:])
    assert history_of(tmp_path / "d.jpg").claims == ("C2PA manifest present (not verified)",)


def test_a_claim_cannot_change_a_score(tmp_path, picture):
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "Midjourney")
    plain, claimed = (
        save(tmp_path, "a.png", picture),
        save(tmp_path, "b.png", picture, pnginfo=text),
    )
    np.testing.assert_array_equal(decode(plain), decode(claimed))


@pytest.mark.parametrize("factor", [1.25, 1.5, 1.75])
def test_enlarged_photographs_are_found(photographs, factor):
    side = round(256 * factor)
    strengths = [
        resampling_strength(
            np.array(Image.fromarray(p).resize((side, side), Image.Resampling.BICUBIC))
        )
        for p in photographs
    ]
    assert sum(s > THRESHOLD for s in strengths) >= 7


def test_photographs_as_they_are(photographs, random):
    assert sum(resampling_strength(p) > THRESHOLD for p in photographs) <= 1
    noise = random.integers(0, 256, (4, 128, 128, 3), np.uint8)
    assert all(resampling_strength(p) < THRESHOLD for p in noise)
    assert resampling_strength(np.zeros((100, 100, 3), np.uint8)) < THRESHOLD
    assert resampling_strength(np.zeros((10, 300, 3), np.uint8)) == 0


def test_blocks_of_jpeg_are_no_resize(photographs):
    for pixels in photographs:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=60)
        assert resampling_strength(decode(file.getvalue())) < 2 * THRESHOLD
    strengths = []
    for pixels in photographs:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=80)
        strengths.append(resampling_strength(decode(file.getvalue())))
    assert sum(s > THRESHOLD for s in strengths) <= 1
