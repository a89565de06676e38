import contextlib
import os
import stat
import zipfile

import numpy as np
import pytest
from archives import make_7z, make_zip

from npr_keras.download.unpack import unpack
from npr_keras.errors import DownloadError

FILES = {"set/0_real/a.png": b"a" * 4000, "set/1_fake/b.png": b"b" * 5000, "top.txt": b"t"}


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_zip_and_7z(tmp_path):
    for make, name in ((make_zip, "a.zip"), (make_7z, "a.7z")):
        into = tmp_path / f"into-{name}"
        archive = make(tmp_path / name, FILES)
        assert unpack([archive], into) == 3
        assert tree(into) == FILES
        assert unpack([archive], into) == 3  # the same content: nothing to complain of
        assert tree(into) == FILES


def test_archives_in_parts(tmp_path):
    noise = {"set/0_real/a.bin": os.urandom(30_000), "set/1_fake/b.bin": os.urandom(30_000)}
    for make, name in ((make_zip, "a.zip"), (make_7z, "a.7z")):
        whole = make(tmp_path / name, noise).read_bytes()
        for i in range(3):
            (tmp_path / f"{name}.00{i + 1}").write_bytes(whole[i * 25_000 : (i + 1) * 25_000])
        (tmp_path / f"{name}.001.part.json").write_text("{}")  # beside the parts, and none of them
        parts = [tmp_path / f"{name}.00{i}" for i in (1, 2, 3)]
        assert unpack(parts, tmp_path / f"into-{name}", keep=("set",)) == 2
        assert tree(tmp_path / f"into-{name}") == noise


def test_the_archives_own_name_is_left_away(tmp_path):
    inner = {"CNN_synth/biggan/0_real/a.png": b"a", "CNN_synth/biggan/1_fake/a.png": b"b"}
    unpack([make_zip(tmp_path / "a.zip", inner)], tmp_path / "suite", keep=("biggan",))
    assert set(tree(tmp_path / "suite")) == {"biggan/0_real/a.png", "biggan/1_fake/a.png"}
    only = {"val/cat/0_real/a.png": b"a", "val/cat/1_fake/a.png": b"b"}
    unpack([make_zip(tmp_path / "b.zip", only)], tmp_path / "source")
    assert set(tree(tmp_path / "source")) == {"cat/0_real/a.png", "cat/1_fake/a.png"}


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt"])
def test_hostile_names(tmp_path, name):
    folder = tmp_path / "below" / "into"
    archive = make_zip(tmp_path / "a.zip", {"fine.txt": b"x", name: b"evil"})
    with pytest.raises(DownloadError, match="would write outside its folder"):
        unpack([archive], folder)
    assert tree(tmp_path / "below") == {}
    assert not list(folder.iterdir())
    assert not os.path.exists("/evil.txt")


def test_hostile_7z(tmp_path, monkeypatch):
    monkeypatch.setattr("py7zr.py7zr.check_archive_path", lambda name: True)  # or it refuses
    path = make_7z(tmp_path / "a.7z", {"../evil.txt": b"evil"})
    monkeypatch.undo()
    with pytest.raises(DownloadError, match="would write outside its folder"):
        unpack([path], tmp_path / "into")
    assert tree(tmp_path / "into") == {}
    assert not (tmp_path / "evil.txt").exists()


def test_links_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("passwd")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DownloadError, match="holds a link: 'passwd'"):
        unpack([tmp_path / "a.zip"], tmp_path / "into")


def test_nothing_is_replaced(tmp_path):
    into = tmp_path / "into"
    (into / "set" / "0_real").mkdir(parents=True)
    (into / "set" / "0_real" / "a.png").write_bytes(b"the user's")
    with pytest.raises(DownloadError, match="holds other content than"):
        unpack([make_zip(tmp_path / "a.zip", FILES)], into)
    assert tree(into) == {"set/0_real/a.png": b"the user's"}
    other = tmp_path / "other"
    other.mkdir()
    (other / "set").write_bytes(b"a file where a folder belongs")
    with pytest.raises(DownloadError, match="is something else"):
        unpack([make_zip(tmp_path / "a.zip", FILES)], other)
    assert list(tree(other)) == ["set"]


def test_names_that_cannot_be_together(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"1", "a/b": b"2"})
    with pytest.raises(DownloadError, match="more than one thing of the name"):
        unpack([archive], tmp_path / "into")
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "b.zip", "w") as twice:
        twice.writestr("a", b"1")
        twice.writestr("a", b"2")
    with pytest.raises(DownloadError, match="more than one thing of the name a"):
        unpack([tmp_path / "b.zip"], tmp_path / "into")


def test_what_a_killed_call_left_is_taken_away(tmp_path):
    left = tmp_path / "into" / ".unpacking-a.zip"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x")
    unpack([make_zip(tmp_path / "a.zip", FILES)], tmp_path / "into")
    assert not left.exists()
    assert tree(tmp_path / "into") == FILES


def test_flipped_bits(tmp_path, random):
    """Whatever is wrong inside, it is told as such."""
    noise = {f"{i}.txt": bytes(random.integers(97, 100, 5000, np.uint8)) for i in range(4)}
    whole = make_zip(tmp_path / "a.zip", noise).read_bytes()
    for trial in range(120):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 4):
            data[place] ^= int(random.integers(1, 256))
        (tmp_path / "b.zip").write_bytes(data)
        with contextlib.suppress(DownloadError):
            unpack([tmp_path / "b.zip"], tmp_path / f"into{trial}")


def test_larger_than_the_disk(tmp_path, monkeypatch):
    from npr_keras.download import unpack as module

    usage = type("Usage", (), {"free": 8999})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"unpacks to 9,001 bytes, and 8,999 are free"):
        unpack([make_zip(tmp_path / "a.zip", FILES)], tmp_path / "into")


@pytest.mark.parametrize("make", [make_zip, make_7z])
def test_broken_archives(tmp_path, make):
    path = make(tmp_path / f"a.{make.__name__[5:]}", FILES)
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], b"", b"text" * 100, data[:40] + b"\0" * 30 + data[70:]):
        path.write_bytes(broken)
        with pytest.raises(DownloadError, match=r"is broken|other content"):
            unpack([path], tmp_path / "into")
        assert tree(tmp_path / "into") == {}
