"""Suites on disk: what counts, what is missing, what is ignored."""

import shutil

import pytest

from npr_keras.errors import MissingSetError
from npr_keras.evaluation.resolve import resolve
from npr_keras.evaluation.suites import get_suites, locate


@pytest.fixture
def tree(make_set, tmp_path):
    for suite in get_suites("all28"):
        for sub in suite.sets:
            for name in sub.classes or ("",):
                make_set(tmp_path / suite.title / sub.folder / name, 1, size=8)
    return tmp_path


def test_all_of_it(tree):
    resolved = resolve(locate(get_suites("all28"), tree))
    assert len(resolved.sets) == 38
    assert not resolved.missing
    assert not resolved.ignored
    progan = resolved.sets[0]
    assert (progan.name, progan.suite, progan.protocol.name) == (
        "progan",
        "ForenSynths",
        "resize256",
    )
    assert len(progan.records) == 40
    assert {r.class_name for r in progan.records} >= {"airplane", "tvmonitor"}
    assert resolved.sets[8].protocol.name == "native"
    assert {r.class_name for r in resolved.sets[8].records} == {""}


def test_extra_folders_are_ignored_and_named(tree, make_set):
    make_set(tree / "ForenSynths" / "whichfaceisreal", 2, size=8)
    make_set(tree / "ForenSynths" / "stylegan" / "ffhq", 2, size=8)
    resolved = resolve(locate(get_suites("all28"), tree))
    assert resolved.ignored == ["ForenSynths/whichfaceisreal", "ForenSynths/stylegan/ffhq"]
    (stylegan,) = [s for s in resolved.sets if s.name == "stylegan"]
    assert len(stylegan.records) == 6
    assert not any("ffhq" in r.path for r in stylegan.records)


def test_what_is_missing_stops_it_unless_allowed(tree):
    shutil.rmtree(tree / "GANGen-Detection")
    shutil.rmtree(tree / "ForenSynths" / "biggan")
    shutil.rmtree(tree / "ForenSynths" / "cyclegan" / "zebra")
    for label in ("0_real", "1_fake"):  # there, but empty
        for file in (tree / "DiffusionForensics" / "ldm" / "bedroom" / label).iterdir():
            file.unlink()
    located = locate(get_suites("all28"), tree)
    with pytest.raises(MissingSetError) as error:
        resolve(located)
    text = str(error.value)
    assert "26 of 38 sub-testsets are there whole" in text
    for name in ("ForenSynths/biggan", "ForenSynths/cyclegan/zebra", "GANGen-Detection/AttGAN"):
        assert f"  {name}\n" in text
    assert "Google Drive folder 11E0Knf9J1qlv2UuTnJSOFUjIIi90czSj" in text
    assert "--allow-missing" in text
    resolved = resolve(located, allow_missing=True)
    assert len(resolved.sets) == 26
    assert "DiffusionForensics/ldm/bedroom" in resolved.missing
    assert len(resolved.missing) == 12
    assert not {"biggan", "cyclegan"} & {s.name for s in resolved.sets if s.suite == "ForenSynths"}


def test_nothing_at_all(tmp_path):
    with pytest.raises(MissingSetError, match="0 of 9 sub-testsets"):
        resolve(locate(get_suites("gangen"), tmp_path), allow_missing=True)


def test_classes_in_any_case_and_single_labels(tree):
    (tree / "ForenSynths" / "stylegan" / "car").rename(tree / "ForenSynths" / "stylegan" / "CAR")
    shutil.rmtree(tree / "ForenSynths" / "deepfake" / "1_fake")
    resolved = resolve(locate(get_suites("forensynths"), tree))
    by_name = {s.name: s for s in resolved.sets}
    assert len(by_name["stylegan"].records) == 6
    assert [r.label for r in by_name["deepfake"].records] == [0]
