import csv
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from npr_keras.data.folder import find_sets, find_source
from npr_keras.data.records import count_labels
from npr_keras.data.sources import locate_source
from npr_keras.data.walk import Skipped, iter_images, list_images
from npr_keras.errors import DataError, LayoutError, UnknownClassError


def touch(root, *paths):
    for path in paths:
        file = Path(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def names(sets):
    return {s.name: count_labels(s.records) for s in sets}


def test_official_training_layout(tmp_path):
    touch(
        tmp_path,
        *(
            f"{s}/{c}/{label}/{i}.png"
            for s in ("train", "val", "test")
            for c in ("car", "cat")
            for label in ("0_real", "1_fake")
            for i in range(2)
        ),
    )
    source = find_source(tmp_path)
    assert source.classes == ("car", "cat")
    assert count_labels(source.train) == count_labels(source.val) == (4, 4)
    assert {r.class_name for r in find_source(tmp_path, ["cat"]).train} == {"cat"}
    assert find_source(tmp_path, ["cat"]).fingerprint() != source.fingerprint()


def test_genimage_layout(tmp_path):
    touch(
        tmp_path,
        *(
            f"sd/{s}/{label}/{i}.jpg"
            for s in ("train", "val")
            for label in ("nature", "ai")
            for i in range(3)
        ),
    )
    source = find_source(tmp_path)
    assert source.classes == ("sd",)
    assert count_labels(source.train) == count_labels(source.val) == (3, 3)


def test_source_without_splits_is_all_trained_on(tmp_path):
    touch(tmp_path, "0_real/a.png", "1_fake/b.png")
    source = find_source(tmp_path)
    assert source.classes == ("",)
    assert len(source.train) == 2
    assert not source.val


def test_extensions_stray_and_hidden_files(tmp_path):
    good = [
        "a.JPG",
        "b.jpeg",
        "c.png",
        "d.bmp",
        "e.tif",
        "f.TIFF",
        "g.webp",
        "h.ppm",
        "i.pgm",
        "deep/er/j.png",
        *(f"k.{ending}" for ending in ("gif", "avif", "jfif", "jpe", "jp2", "mpo", "dib", "pnm")),
    ]
    stray = ["notes.txt", "Thumbs.db", ".DS_Store", "._a.jpg", ".hidden/x.png", "png", "b.txt"]
    touch(tmp_path / "0_real", *good, *stray)
    Image.new("RGB", (4, 4)).save(tmp_path / "0_real" / "no_ending", format="PNG")
    Image.new("RGB", (4, 4)).save(tmp_path / "0_real" / "l.dat", format="WEBP")
    skipped = Skipped()
    found = [
        Path(p).relative_to(tmp_path / "0_real").as_posix()
        for p in list_images(tmp_path / "0_real", skipped)
    ]
    assert sorted(found) == sorted([*good, "no_ending", "l.dat"])
    assert skipped.endings == {".txt": 2, ".db": 1, "(none)": 1}
    assert skipped.summary() == "2 .txt, 1 .db, 1 (none)"
    assert not skipped.named


def test_sets(tmp_path):
    touch(
        tmp_path,
        "biggan/0_real/a.png",
        "biggan/1_fake/b.png",
        "stylegan/car/0_real/a.png",
        "stylegan/car/1_fake/b.png",
        "stylegan/cat/1_fake/c.png",
        "real_only/0_real/a.png",
        "empty/0_real/readme.txt",
        "readme.txt",
    )
    sets, ignored = find_sets(tmp_path)
    assert names(sets) == {"biggan": (1, 1), "real_only": (1, 0), "stylegan": (1, 2)}
    assert not ignored
    assert {r.class_name for r in sets[-1].records} == {"car", "cat"}
    assert names(find_sets(tmp_path / "biggan")[0]) == {"biggan": (1, 1)}
    assert names(find_sets(tmp_path, pool=True)[0]) == {tmp_path.name: (3, 3)}


def test_sets_of_several_suites_keep_their_names(tmp_path):
    touch(
        tmp_path,
        "one/biggan/0_real/a.png",
        "one/stylegan/car/0_real/a.png",
        "one/stylegan/cat/0_real/a.png",
        "two/glide/1_fake/a.png",
    )
    assert set(names(find_sets(tmp_path)[0])) == {"one/biggan", "one/stylegan", "two"}


def test_training_images_are_not_judged(tmp_path):
    touch(tmp_path, "train/0_real/a.png", "val/0_real/b.png", "val/1_fake/c.png")
    sets, ignored = find_sets(tmp_path)
    assert names(sets) == {"val": (1, 1)}
    assert ignored == ["train"]
    assert names(find_sets(tmp_path / "train")[0]) == {"train": (1, 0)}


def test_a_class_may_be_called_train(tmp_path):
    """LSUN has such a class, and ProGAN's set is made of LSUN's."""
    labels = ("0_real", "1_fake")
    for split in ("train", "val"):
        touch(tmp_path, *(f"{split}/{c}/{y}/a.png" for c in ("airplane", "train") for y in labels))
    touch(tmp_path, *(f"test/progan/{c}/{y}/a.png" for c in ("airplane", "train") for y in labels))
    source = find_source(tmp_path)
    assert source.classes == ("airplane", "train")
    assert count_labels(source.train) == count_labels(source.val) == (2, 2)
    assert count_labels(find_source(tmp_path, ["train"]).train) == (1, 1)
    sets, ignored = find_sets(tmp_path / "test")
    assert names(sets) == {"progan": (2, 2)}
    assert not ignored
    sets, ignored = find_sets(tmp_path)
    assert names(sets) == {"test/progan": (2, 2)}
    assert ignored == ["train", "val"]


def test_a_class_may_be_called_nature(tmp_path):
    touch(tmp_path, *(f"{c}/{y}/a.png" for c in ("nature", "city") for y in ("0_real", "1_fake")))
    assert names(find_sets(tmp_path)[0]) == {"nature": (1, 1), "city": (1, 1)}
    assert find_source(tmp_path).classes == ("city", "nature")


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


def test_errors_say_what_was_found(tmp_path):
    with pytest.raises(LayoutError, match="no such folder"):
        find_sets(tmp_path / "absent")
    touch(tmp_path, "a.png")
    with pytest.raises(LayoutError, match="a file, not a folder"):
        find_sets(tmp_path / "a.png")
    with pytest.raises(
        LayoutError, match=r"Expected folders named 0_real.*no folders in it, 1 image"
    ):
        find_source(tmp_path)
    touch(tmp_path, "cats/a.png", "dogs/b.png")
    with pytest.raises(LayoutError, match=r"Found the folders cats, dogs, 3 image files"):
        find_source(tmp_path)
    touch(tmp_path, "cats/0_real/notes.txt")
    with pytest.raises(
        LayoutError, match=r"hold no images \(.*\.webp, passed over: 1 .txt\), the first .*0_real"
    ):
        find_source(tmp_path)
    touch(tmp_path, "cats/0_real/a.png")
    with pytest.raises(LayoutError, match="Found 1 real and 0 generated"):
        find_source(tmp_path)
    touch(tmp_path, "cats/1_fake/a.png")
    with pytest.raises(UnknownClassError, match=r"No class cow, pig in .*Its classes: cats"):
        find_source(tmp_path, ["pig", "cats", "cow"])


def test_named_sources(tmp_path, monkeypatch):
    touch(tmp_path, "ForenSynths_train_val/train/car/0_real/a.png")
    assert locate_source("progan", tmp_path) == tmp_path / "ForenSynths_train_val"
    assert locate_source(str(tmp_path), None) == tmp_path
    with pytest.raises(LayoutError, match="--data-root DIR or set NPR_DATA"):
        locate_source("progan", None)
    with pytest.raises(LayoutError, match="npr-keras data download progan"):
        locate_source("progan", tmp_path / "elsewhere")
    with pytest.raises(LayoutError, match="or one of progan"):
        locate_source("stylegan9", tmp_path)
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "progan/0_real/a.png")
    assert locate_source("progan", tmp_path) == tmp_path / "ForenSynths_train_val"


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


@pytest.mark.parametrize(
    "pair",
    [("real", "fake"), ("REAL", "FAKE"), ("0", "1"), ("nature", "ai"), ("original", "manipulated"),
     ("training_real", "training_fake"), ("real", "generated")],
)  # fmt: skip
def test_label_folders_of_other_names(tmp_path, pair):
    touch(tmp_path, *(f"cat/{name}/a{i}.png" for name in pair for i in range(2)))
    assert names(find_sets(tmp_path)[0]) == {"cat": (2, 2)}


def test_label_folders_of_any_name(tmp_path):
    touch(tmp_path, "x/camera/a.png", "x/flux/b.png", "x/0_real/c.png")
    sets, _ = find_sets(tmp_path, names=("Camera", "flux"))
    assert names(sets) == {"x": (1, 1)}


def test_numbers_are_classes_where_there_are_more_than_two(tmp_path):
    touch(tmp_path, *(f"{digit}/{y}/a.png" for digit in "0123" for y in ("0_real", "1_fake")))
    assert find_source(tmp_path).classes == ("0", "1", "2", "3")
    touch(tmp_path / "plain", *(f"{digit}/a.png" for digit in "012"))
    with pytest.raises(LayoutError, match="--real-name and --fake-name"):
        find_source(tmp_path / "plain")
    touch(tmp_path / "one", "real/a.png")  # alone, the word may mean anything
    with pytest.raises(LayoutError, match="No labelled images"):
        find_sets(tmp_path / "one")


@pytest.mark.parametrize(("name", "command"), [("set.zip", "unzip"), ("set.tar", "tar -xf")])
def test_archives_are_refused_with_the_way_out(tmp_path, name, command):
    touch(tmp_path, name)
    with pytest.raises(LayoutError, match=f"Extract it first: {command} .*{name}"):
        find_sets(tmp_path / name)


def table(path, rows, **options):
    if path.suffix == ".csv":
        with open(path, "w", newline="", **options) as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


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


def test_shards_below_label_folders_are_no_labels(tmp_path):
    """Folders 0 and 1 inside real and fake, or inside 0_real and 1_fake, are parts of them."""
    for root, (real, fake) in (("a", ("real", "fake")), ("b", ("0_real", "1_fake"))):
        touch(
            tmp_path / root,
            f"{real}/0/a.png",
            f"{real}/1/b.png",
            f"{fake}/0/c.png",
            f"{fake}/1/d.png",
        )
        sets, _ = find_sets(tmp_path / root)
        labels = {Path(r.path).name: r.label for one in sets for r in one.records}
        assert labels == {"a.png": 0, "b.png": 0, "c.png": 1, "d.png": 1}
        assert len(sets) == 1


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


def test_simulated_images_are_known_wherever_they_are_named(tmp_path):
    from npr_keras.simulation.plan import SIMULATION_FILE, is_simulated

    touch(tmp_path / "sim", "val/x/0_real/a.png", "val/x/1_fake/b.png", SIMULATION_FILE)
    touch(tmp_path / "other", "0_real/a.png", "1_fake/b.png")
    assert is_simulated(find_source(tmp_path / "sim" / "val" / "x"))
    rows = [
        {"path": f"sim/val/x/{p}", "label": i}
        for i, p in enumerate(("0_real/a.png", "1_fake/b.png"))
    ]
    assert is_simulated(find_source(table(tmp_path / "t.csv", rows)))
    assert not is_simulated(find_source(tmp_path / "other"))
