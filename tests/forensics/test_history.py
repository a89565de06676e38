import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from npr_keras.data.decode import decode
from npr_keras.forensics.history import read_history
from npr_keras.forensics.resampling import THRESHOLD, resampling_strength
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
    text.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a")
    found = history_of(save(tmp_path, "a.png", picture, pnginfo=text))
    assert found.claims == ("PNG text 'parameters', as Stable Diffusion web UI writes it",)
    exif = Image.Exif()
    exif[0x0131] = "Adobe Firefly 2.0"
    found = history_of(save(tmp_path, "a.jpg", picture, exif=exif))
    assert found.claims == ("EXIF software names Adobe Firefly",)
    exif[0x0131] = "GIMP 2.10"
    assert history_of(save(tmp_path, "b.jpg", picture, exif=exif)).claims == ()
    exif[0x0131] = ""
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "Steps: 20, Sampler: Euler a".encode("utf-16-be")
    found = history_of(save(tmp_path, "e.jpg", picture, exif=exif))
    assert found.claims == ("EXIF comment, as Stable Diffusion web UI writes it",)
    xmp = b'<x Iptc4xmpExt:DigitalSourceType=".../digitalsourcetype/trainedAlgorithmicMedia"/>'
    found = history_of(save(tmp_path, "c.jpg", picture, xmp=xmp))
    assert found.claims == ("IPTC digital source type trainedAlgorithmicMedia",)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG")
    box = b"\xff\xeb\x00\x20" + b"JP\x00\x01\x00\x00\x00\x01" + b"jumb" + b"c2pa".ljust(18, b"\0")
    (tmp_path / "d.jpg").write_bytes(jpeg.getvalue()[:2] + box + jpeg.getvalue()[2:])
    assert history_of(tmp_path / "d.jpg").claims == ("C2PA manifest present (not verified)",)


def test_claims_of_other_containers(tmp_path, picture):
    found = save(tmp_path, "a.png", picture)
    data = found.read_bytes()
    chunk = (4).to_bytes(4, "big") + b"caBX" + b"jumb" + zlib.crc32(b"caBXjumb").to_bytes(4, "big")
    (tmp_path / "b.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert history_of(tmp_path / "b.png").claims == ("C2PA manifest present (not verified)",)
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", '{"3": {"class_type": "KSampler"}}')
    data = save(tmp_path, "c.png", picture, pnginfo=text).read_bytes()
    begin, end = data.index(b"tEXt") - 4, data.index(b"IDAT") - 4
    (tmp_path / "c.png").write_bytes(data[:begin] + data[end:-12] + data[begin:end] + data[-12:])
    (claim,) = history_of(tmp_path / "c.png").claims  # behind the pixels
    assert "ComfyUI" in claim


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parameters", "ISO 200 f/8"),
        ("prompt", "a line for the archive"),
        ("Comment", "C2PA data removed with c2patool, jumb"),
        ("Description", "ImageNet validation"),
        ("Description", "Imagen de mi casa"),
        ("Description", "Panorama dalle Dolomiti"),
        ("Description", "Photo of a firefly"),
        ("Description", "not trainedAlgorithmicMedia"),
    ],
)
def test_innocent_files_claim_nothing(tmp_path, picture, key, value):
    text = PngImagePlugin.PngInfo()
    text.add_text(key, value)
    assert history_of(save(tmp_path, "a.png", picture, pnginfo=text)).claims == ()


def test_lossy_formats(tmp_path, picture):
    alpha = picture.convert("RGBA")
    alpha.putalpha(Image.effect_noise(picture.size, 90))
    profile = bytes(6000)
    for name, image, options in (
        ("a.webp", alpha, {"quality": 80}),
        ("b.webp", picture, {"quality": 80, "icc_profile": profile}),
        ("c.tif", picture, {"compression": "jpeg"}),
        ("d.gif", picture, {}),
        ("e.png", picture.quantize(64), {}),
        ("f.jp2", picture, {}),
    ):
        assert history_of(save(tmp_path, name, image, **options)).lossy, name
    assert not history_of(save(tmp_path, "g.tif", picture)).lossy
    assert not history_of(save(tmp_path, "h.webp", alpha, lossless=True)).lossy


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
    strengths = []
    for pixels in photographs:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=60)
        strengths.append(resampling_strength(decode(file.getvalue())))
    assert sum(s > THRESHOLD for s in strengths) <= 1
