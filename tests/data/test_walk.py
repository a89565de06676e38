"""The walk over folders: links, loops, what is no image, archives."""

import os
import subprocess
from pathlib import Path

import pytest
from folders import names, table, touch
from PIL import Image

from npr_keras.data.folder import find_sets, find_source
from npr_keras.data.records import count_labels
from npr_keras.data.walk import Skipped, iter_images
from npr_keras.errors import DataError, LayoutError


def test_a_folder_that_cannot_be_listed_is_no_empty_folder(tmp_path, monkeypatch):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png")
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("1_fake"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(DataError, match=r"Cannot list the folder .*1_fake: Permission denied"):
        find_source(tmp_path)


def test_links_that_lead_back_up(tmp_path):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png")
    (tmp_path / "0_real" / "again").symlink_to(".", target_is_directory=True)
    assert names(find_sets(tmp_path)[0]) == {tmp_path.name: (1, 1)}


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "set", "0_real/a.png", "1_fake/b.png")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "set", target_is_directory=True)
    assert names(find_sets(tmp_path / "root")[0]) == {"linked": (1, 1)}


def test_a_link_never_gives_an_image_the_other_label(tmp_path):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png", "1_fake/c.png")
    (tmp_path / "0_real" / "up").symlink_to("..", target_is_directory=True)
    skipped = Skipped()
    sets, _ = find_sets(tmp_path, skipped=skipped)
    assert names(sets) == {tmp_path.name: (1, 2)}
    (said,) = skipped.named.values()
    assert said.startswith(f"{tmp_path}/0_real/up: the same folder was met before")
    assert count_labels(find_source(tmp_path).train) == (1, 2)
    (tmp_path / "0_real" / "up").unlink()
    (tmp_path / "0_real" / "d.png").symlink_to("../1_fake/b.png")
    with pytest.raises(DataError, match=r"One file is both real and generated: .*b.png"):
        find_source(tmp_path)
    with pytest.raises(DataError, match="Remove one of them, or the link"):
        find_sets(tmp_path)


def test_what_is_no_regular_file_is_named(tmp_path):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png")
    os.mkfifo(tmp_path / "0_real" / "pipe.png")
    (tmp_path / "0_real" / "endless.png").symlink_to("/dev/zero")
    (tmp_path / "0_real" / "itself.png").symlink_to("itself.png")
    (tmp_path / "0_real" / "nowhere.png").symlink_to("nothing")
    skipped = Skipped()
    assert count_labels(find_source(tmp_path, skipped=skipped).train) == (1, 1)
    told = {Path(path).name: text.partition(": ")[2] for path, text in skipped.named.items()}
    assert told["pipe.png"] == told["endless.png"] == "not a regular file; passed over"
    assert "Too many levels of symbolic links" in told["itself.png"]
    assert "No such file or directory" in told["nowhere.png"]


def test_a_very_deep_tree(tmp_path):
    """Deeper than Python's recursion goes."""
    folder, paths = os.open(tmp_path, os.O_RDONLY), []
    for _ in range(1100):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    try:
        paths = list(iter_images(tmp_path))
    except DataError as error:  # the path grows longer than the system takes
        assert "File name too long" in str(error)
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # pytest's clean-up recurses
    assert paths == []


@pytest.mark.parametrize(("name", "command"), [("set.zip", "unzip"), ("set.tar", "tar -xf")])
def test_archives_are_refused_with_the_way_out(tmp_path, name, command):
    touch(tmp_path, name)
    with pytest.raises(LayoutError, match=f"Extract it first: {command} .*{name}"):
        find_sets(tmp_path / name)


def test_one_file_under_two_labels_by_a_hard_link_or_a_table(tmp_path):
    touch(tmp_path / "d", "0_real/a.png", "1_fake/b.png")
    os.link(tmp_path / "d" / "1_fake" / "b.png", tmp_path / "d" / "0_real" / "c.png")
    with pytest.raises(DataError, match="One file is both real and generated"):
        find_sets(tmp_path / "d")
    rows = [{"path": "d/1_fake/b.png", "label": label} for label in (0, 1)]
    with pytest.raises(DataError, match="One file is both real and generated"):
        find_sets(table(tmp_path / "t.csv", rows))
    rows = [{"path": "d/0_real/a.png", "label": 0}] * 3 + [{"path": "d/1_fake/b.png", "label": 1}]
    skipped = Skipped()
    (one,), _ = find_sets(table(tmp_path / "u.csv", rows), skipped=skipped)
    assert count_labels(one.records) == (1, 1)
    assert "listed 3 times; taken once" in next(iter(skipped.named.values()))


def test_raws_and_texts_are_no_images(tmp_path):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png")
    Image.new("RGB", (160, 120)).save(tmp_path / "0_real" / "DSC_1.NEF", format="TIFF")
    (tmp_path / "0_real" / "notes").write_text("P1 incident report")
    (tmp_path / "0_real" / "part.tar").write_bytes(b"x")
    skipped = Skipped()
    assert count_labels(find_source(tmp_path, skipped=skipped).train) == (1, 1)
    assert skipped.endings == {".nef": 1, "(none)": 1, ".tar": 1}
    hints = " ".join(skipped.hints())
    assert "camera raws are not read" in hints and "extract them first" in hints
