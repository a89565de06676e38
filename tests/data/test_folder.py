from pathlib import Path

import pytest
from folders import names, table, touch
from PIL import Image

from npr_keras.data.folder import find_sets, find_source
from npr_keras.data.records import count_labels
from npr_keras.data.sources import locate_source
from npr_keras.data.walk import Skipped, list_images
from npr_keras.errors import LayoutError, UnknownClassError


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
