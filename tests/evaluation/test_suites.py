"""The table of suites, the paper's figures, and suites on disk."""

import csv

import pytest
from conftest import ROOT

from npr_keras.config import PROTOCOLS
from npr_keras.errors import ConfigError, LayoutError
from npr_keras.evaluation.published import (
    mean_of_sets,
    published_ablation,
    published_figures,
)
from npr_keras.evaluation.suites import get_suites, locate, published_suites


def test_five_suites_38_sub_testsets_28_generators():
    suites = get_suites("all28")
    assert [s.name for s in suites] == [
        "forensynths", "gangen", "diffusionforensics", "universalfakedetect", "diffusion1kstep",
    ]  # fmt: skip
    assert [s.table for s in suites] == [1, 2, 3, 4, 5]
    assert [len(s.sets) for s in suites] == [8, 9, 8, 8, 5]
    assert len({sub.generator for s in suites for sub in s.sets}) == 28
    for suite in suites:
        assert suite.origin
        assert suite.title == suite.folders[0]
        for sub in suite.sets:
            assert sub.protocol in PROTOCOLS
            assert sub.protocol == ("native" if suite.name == "gangen" else "resize256")
    assert len(published_suites()["forensynths"].sets[0].classes) == 20


def test_every_published_figure_belongs_to_a_sub_testset_and_names_its_generator():
    subs = {(sub.suite, sub.folder): sub for s in get_suites("all28") for sub in s.sets}
    with open(ROOT / "npr_keras/evaluation/published/tables_1_to_5.csv") as file:
        for row in csv.DictReader(file):
            assert subs[row["suite"], row["folder"]].generator == row["generator"]
    full = published_figures()["NPR"]
    assert list(full) == list(subs)  # in the paper's order too


@pytest.mark.parametrize("method", list(published_figures()))
def test_means_are_the_papers(method):
    figures = published_figures()[method]
    for title in {title for title, _ in figures}:
        rows = [values for key, values in figures.items() if key[0] == title]
        expected = [sum(r[i] for r in rows) / len(rows) for i in (0, 1)]
        assert mean_of_sets(figures, title) == pytest.approx(expected)
    assert mean_of_sets(figures)[0] == pytest.approx(
        sum(acc for acc, _ in figures.values()) / len(figures)
    )


def test_the_grand_mean_is_over_38_sets_and_not_over_tables():
    figures = published_figures()["NPR"]
    assert len(figures) == 38
    assert round(mean_of_sets(figures)[0], 1) == 92.2  # Table 6
    titles = list(dict.fromkeys(title for title, _ in figures))
    assert round(mean_of_sets(figures, "ForenSynths")[0], 1) == 92.5  # Table 1
    means = [mean_of_sets(figures, title)[0] for title in titles]
    assert round(sum(means) / 5, 1) == 91.3  # what people get wrong


def test_table_7_has_twelve_variants_of_nine_columns():
    table = published_ablation()
    assert set(table) == {(w, r) for w in (2, 3) for r in ("1", "2", "3", "4", "avg", "max")}
    assert {len(row) for row in table.values()} == {9}
    # Its default variant is Table 2's detector on Table 1's sets, as far as they are the same.
    assert table[2, "1"]["progan"] == (99.8, 100.0)


@pytest.fixture
def tree(make_set, tmp_path):
    """All 38 folders, other spellings and extra folders among them."""
    for suite in get_suites("all28"):
        for sub in suite.sets:
            folder = tmp_path / suite.folders[-1] / (sub.also or (sub.folder,))[0]
            for name in sub.classes or ("",):
                make_set(folder / name, 1, size=8)
    make_set(tmp_path / "GANGen_Detection" / "GANimation", 1, size=8)
    (tmp_path / "GANGen_Detection" / ".hidden").mkdir()
    return tmp_path


def test_all_are_found_and_extra_folders_named(tree):
    located = locate(get_suites("all28"), tree)
    assert [len(one.found) for one in located] == [8, 9, 8, 8, 5]
    assert not any(one.missing for one in located)
    assert [one.extra for one in located] == [(), ("GANimation",), (), (), ()]
    assert located[2].found["sdv1_new"].name == "sdv1"
    assert list(located[2].found) == [sub.folder for sub in located[2].suite.sets]


def test_missing_ones_and_other_places(tree):
    (tree / "GANGen_Detection" / "BEGAN").rename(tree / "elsewhere")
    (tree / "GANGen_Detection").rename(tree / "gangen-detection")  # any case
    (one,) = locate(get_suites("gangen"), tree)
    assert one.root == tree / "gangen-detection"
    assert one.missing == ("BEGAN",)
    assert one.extra == ("GANimation",)
    # The data root may be the suite's own folder, where one suite is asked for.
    (direct,) = locate(get_suites("gangen"), tree / "gangen-detection")
    assert direct.found == one.found
    (nothing,) = locate(get_suites("gangen"), tree / "elsewhere")
    assert nothing.root is None
    assert len(nothing.missing) == 9
    # Below test/, as CNNDetection's archive unpacks.
    (tree / "ForenSynths_test").rename(tree / "moved")
    (tree / "CNNDetection").mkdir()
    (tree / "moved").rename(tree / "CNNDetection" / "test")
    (fore,) = locate(get_suites("forensynths"), tree)
    assert fore.root == tree / "CNNDetection" / "test"
    assert not fore.missing
    with pytest.raises(LayoutError, match="No such data root"):
        locate(get_suites("gangen"), tree / "nowhere")


def test_a_suite_of_the_users(tmp_path, make_set):
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "Mine"\nprotocol = "native"\n[[sets]]\nfolder = "flux"\ngenerator = "FLUX"\n'
        '[[sets]]\nfolder = "sd3"\nprotocol = "tile"\nclasses = ["cat"]\n'
    )
    (suite,) = get_suites(file)
    assert (suite.name, suite.title, suite.table) == ("mine", "Mine", None)
    assert [(s.folder, s.generator, s.protocol) for s in suite.sets] == [
        ("flux", "FLUX", "native"),
        ("sd3", "sd3", "tile"),
    ]
    make_set(tmp_path / "Mine" / "flux", 1)
    (one,) = locate([suite], tmp_path)
    assert one.missing == ("sd3",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = 3 3", "is not TOML"),
        ('title = "x"', r"no \[\[sets\]\]"),
        ('colour = "x"\n[[sets]]\nfolder = "a"', "unknown colour"),
        ('[[sets]]\nname = "a"', "a set with unknown name"),
        ('[[sets]]\ngenerator = "a"', "a set with no folder"),
        ('[[sets]]\nfolder = "a"\n[[sets]]\nfolder = "a"', "more than one set with the folder a"),
        ('protocol = "jpeg"\n[[sets]]\nfolder = "a"', "Unknown protocol"),
    ],
)
def test_faulty_suites(tmp_path, text, message):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        get_suites(tmp_path / "s.toml")


def test_unknown_suites(tmp_path):
    with pytest.raises(ConfigError, match=r"Known: all28, forensynths.*Received: 'all30'"):
        get_suites("all30")
    with pytest.raises(ConfigError, match="Cannot read the suite"):
        get_suites(tmp_path / "none.toml")
