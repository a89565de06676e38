"""Decoded images in one file, beside Pillow's."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from npr_keras.data import decoded
from npr_keras.data.decode import decode, resize
from npr_keras.data.decoded import DecodedImages
from npr_keras.data.records import Record
from npr_keras.errors import DataError, RunError, UnreadableImageError
from npr_keras.locks import locked


@pytest.fixture
def records(tmp_path, random):
    found = []
    for i in range(11):
        path = tmp_path / f"{i}.png"
        Image.fromarray(random.integers(0, 256, (20 + i, 30, 3), np.uint8)).save(path)
        found.append(Record(str(path), i % 2))
    (tmp_path / "4.png").write_bytes(b"no image")
    return found


def assert_whole(images, records, size=None):
    for i, record in enumerate(records):
        if i == 4:
            with pytest.raises(UnreadableImageError, match=r"4\.png"):
                images[i]
        else:
            expected = decode(record.path)
            expected = resize(expected, size) if size else expected
            np.testing.assert_array_equal(images[i], expected)


@pytest.mark.parametrize("size", [None, 16])
def test_pixels_beside_pillow(records, tmp_path, size):
    seen = []
    images = DecodedImages(tmp_path / "cache", records, size, lambda *n: seen.append(n))
    assert seen == [(i + 1, 11) for i in range(11)] and len(images) == 11
    assert_whole(images, records, size)
    DecodedImages(tmp_path / "cache", records, size, lambda *n: seen.append(n))
    assert len(seen) == 11  # nothing was decoded again


def test_a_changed_file_and_another_size_are_decoded_anew(records, tmp_path):
    DecodedImages(tmp_path / "cache", records, None)
    Image.new("RGB", (9, 9), "red").save(records[0].path)
    images = DecodedImages(tmp_path / "cache", records, None)
    assert images[0].shape == (9, 9, 3) and (images[0] == (255, 0, 0)).all()
    assert DecodedImages(tmp_path / "cache", records, 8)[1].shape == (8, 8, 3)


def test_killed_on_the_way(records, tmp_path, monkeypatch):
    """What the index does not hold yet is cut off; what it holds is not decoded again."""
    monkeypatch.setattr(decoded, "_AT_ONCE", 3)

    def kill(done, count):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DecodedImages(tmp_path / "cache", records, None, kill)
    (part,) = (tmp_path / "cache").glob("*.part")
    assert len(json.loads(part.read_text())["rows"]) == 6
    seen = []
    images = DecodedImages(tmp_path / "cache", records, None, lambda *n: seen.append(n))
    assert seen[0] == (7, 11)
    assert_whole(images, records)
    whole = DecodedImages(tmp_path / "other", records, None)
    assert images.path.read_bytes() == whole.path.read_bytes()


def test_a_disk_without_room(records, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DataError, match="GB are needed for 11 decoded images"):
        DecodedImages(tmp_path / "cache", records, None)


def test_another_process_is_at_it(records, tmp_path):
    lock = locked(tmp_path / "cache", "decoding images")
    with lock, pytest.raises(RunError, match="another process is decoding images there"):
        DecodedImages(tmp_path / "cache", records, None)
    assert not (tmp_path / "cache").exists()
