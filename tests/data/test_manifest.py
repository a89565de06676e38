"""Tables of labelled images as sources."""

from pathlib import Path

import pytest
from folders import names, table

from npr_keras.data.folder import find_sets, find_source
from npr_keras.data.records import count_labels
from npr_keras.errors import LayoutError


@pytest.mark.parametrize("name", ["images.csv", "images.parquet"])
def test_a_table_is_a_source(tmp_path, name):
    rows = [
        {"path": f"{split}{c}{label}{i}.png", "label": label, "class": c, "split": split}
        for split in ("train", "val", "test")
        for c in ("car", "cat")
        for label in ("real", "fake")
        for i in range(2)
    ]
    source = find_source(table(tmp_path / name, rows))
    assert source.classes == ("car", "cat") and source.root == str(tmp_path)
    assert count_labels(source.train) == count_labels(source.val) == (4, 4)
    assert source.train[0].path == str(tmp_path / "traincarfake0.png")
    assert len(source.fingerprint()) == 64
    sets, ignored = find_sets(tmp_path / name)
    assert names(sets) == {"test": (4, 4)} and ignored == ["train", "val"]


def test_a_table_of_sets_and_numbers(tmp_path):
    rows = [{"path": f"/elsewhere/{i}.png", "label": i % 2, "set": f"s{i // 4}"} for i in range(8)]
    sets, _ = find_sets(table(tmp_path / "a.csv", rows, encoding="utf-8-sig"))
    assert names(sets) == {"s0": (2, 2), "s1": (2, 2)}
    assert sets[0].records[0].path == "/elsewhere/0.png"
    assert find_source(tmp_path / "a.csv").fingerprint()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"file": "a.png", "label": 1}], "row 1: no path. Expected the columns path and label"),
        ([{"path": "a.png", "label": 0}, {"path": "b.png", "label": "x"}], "row 2: label 'x'"),
        ([{"path": "a.png"}], "row 1: label None"),
    ],
)
def test_tables_that_do_not_say_it(tmp_path, rows, message):
    with pytest.raises(LayoutError, match=message):
        find_sets(table(tmp_path / "a.csv", rows))


def test_tables_that_are_none(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LayoutError, match="not a CSV table in UTF-8"):
        find_sets(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("path,label\n")
    with pytest.raises(LayoutError, match="has no rows"):
        find_sets(tmp_path / "b.csv")
    (tmp_path / "c.parquet").write_text("none")
    with pytest.raises(LayoutError, match=r"Cannot read .*c\.parquet"):
        find_sets(tmp_path / "c.parquet")


def test_splits_of_a_table_are_splits(tmp_path):
    rows = [
        {"path": f"{split}{label}.png", "label": label, "split": split, "class": "train"}
        for split in ("training", "testing")
        for label in (0, 1)
    ]
    source = find_source(table(tmp_path / "a.csv", rows))
    assert {Path(r.path).name[:5] for r in source.train} == {"train"} and len(source.train) == 2
    assert source.classes == ("train",)
    rows[0]["split"] = "holdout"
    with pytest.raises(LayoutError, match=r"row 1: split 'holdout'\. Expected one of train"):
        find_source(table(tmp_path / "b.csv", rows))
    (tmp_path / "c.csv").write_text("Path;Label\nx.png;real\ny.png;FAKE\n")
    sets, _ = find_sets(tmp_path / "c.csv")
    assert names(sets) == {"c": (1, 1)}
    assert sets[0].records[0].path == str(tmp_path / "x.png")
