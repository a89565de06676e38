"""Files that appear whole, and what killed processes left."""

import os
import subprocess
import sys

import pytest

from npr_keras import atomic
from npr_keras.atomic import is_abandoned, owner, replacing, write_text


@pytest.fixture
def gone():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_the_killed_left_goes(tmp_path, gone):
    """Of this machine's dead processes alone, and nothing that only looks alike."""
    host = owner().partition("-")[0]
    left = [f".{host}-{gone}-0123ab.a.csv", f".{host}-{gone}-ffffff.other name.keras"]
    stays = [f".{owner()}-0123ab.a.csv", f".00000000-{gone}-0123ab.a.csv", f"{host}-{gone}-0123ab.a.csv",
             f".{host}-{gone}-0123a.csv", ".hidden", f".{host}-{10**20}-0123ab.a.csv"]  # fmt: skip
    for name in left + stays:
        (tmp_path / name).write_text("x")
    write_text(tmp_path / "a.csv", "whole")
    assert sorted(os.listdir(tmp_path)) == sorted([*stays, "a.csv"])
    assert (tmp_path / "a.csv").read_text() == "whole"


def test_folders_are_looked_at_once(tmp_path, monkeypatch):
    """A folder of a million pictures is not listed a million times."""
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(atomic.os, "scandir", lambda path: listed.append(path) or scandir(path))
    for i in range(5):
        write_text(tmp_path / f"{i}.txt", "x")
    assert listed == [str(tmp_path)]


def test_a_name_is_abandoned(gone):
    host = owner().partition("-")[0]
    assert is_abandoned(f"{host}-{gone}-x")
    for name in (owner(), f"{host}-x-y", "", "-", f"00000000-{gone}", f"{host}-{10**30}"):
        assert not is_abandoned(name)


def test_a_block_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"
    with pytest.raises(FileNotFoundError, match="No such folder"), replacing(tmp_path / "b" / "c"):
        pass
