"""Archives that would fill the memory are not unpacked."""

import zipfile

import pytest

from npr_keras import limits
from npr_keras.errors import CheckpointError
from npr_keras.limits import require_sane_archive
from npr_keras.models import load_detector


def bomb(path, size=100 << 20, name="config.json"):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as file,
    ):
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


def test_a_zip_bomb(tmp_path):
    path = bomb(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="an archive that grows"):
        require_sane_archive(path)
    with pytest.raises(CheckpointError, match=r"Cannot read the model .*an archive that grows"):
        load_detector(path)


def test_many_and_large(tmp_path, monkeypatch):
    path = bomb(tmp_path / "a.zip", 2 << 20)
    require_sane_archive(path)
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1 << 20)
    with pytest.raises(ValueError, match="more than the 1,048,576 allowed"):
        require_sane_archive(path)
    monkeypatch.setattr(limits, "MOST_MEMBERS", 0)
    with pytest.raises(ValueError, match="an archive of 1 files"):
        require_sane_archive(path)


def test_what_is_no_archive(tmp_path):
    (tmp_path / "text").write_text("no archive")
    require_sane_archive(tmp_path / "text")
