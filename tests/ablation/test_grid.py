"""Variants as data."""

import pytest

from npr_keras.ablation.grid import Grid, Variant, read_grid
from npr_keras.ablation.grids import GRIDS, get_grid
from npr_keras.errors import ConfigError
from npr_keras.evaluation.published import published_ablation


def test_table_7_is_the_papers():
    """Its variants are the rows of Table 7, and each can be made."""
    rows = {
        (v.representation["window"], str(v.representation["reference"]))
        for v in GRIDS["table7"].variants
    }
    assert rows == set(published_ablation())
    assert len(GRIDS["table7"].variants) == 12


@pytest.mark.parametrize("name", list(GRIDS))
def test_every_variant_of_every_grid_can_be_made(name):
    from npr_keras.layers.representation import make_representation

    for variant in GRIDS[name].variants:
        make_representation(**variant.representation_arguments({}))
        variant.backbone({})
        assert variant.training_config({"epochs": 2}, seed=5).seed == 5
    assert GRIDS[name].variants[0].name == GRIDS[name].default


def test_only_some_of_a_grid():
    """By a variant's method, its folder's name or its own; the default stays to compare with."""
    grid = GRIDS["detectors"]
    chosen = grid.only(["ferretnet", "patchfor", "Durall"])
    assert [v.method for v in chosen.variants] == ["npr", "durall", "patchfor", "ferretnet"]
    assert grid.only([]) == grid
    with pytest.raises(ConfigError, match=r"no univfd\. Known: npr, lab, cnndetection"):
        grid.only(["univfd"])


def test_what_is_shared_gives_way_to_what_is_a_variants_own():
    variant = Variant("v", {"reference": 3}, {"width": 16}, {"crop": 64})
    assert variant.representation_arguments({"scale": 1.0, "reference": 1}) == {
        "scale": 1.0, "reference": 3,
    }  # fmt: skip
    config = variant.backbone({"width": 96, "blocks": [2]})
    assert (config.width, config.blocks) == (16, (2,))
    assert variant.training_config({"crop": 96, "epochs": 3}, 1).crop == 64
    # Another layer has other arguments.
    other = Variant("h", {"layer": "haar-hh"})
    assert other.representation_arguments({"scale": 1.0}) == {"layer": "haar-hh"}


def test_folders_have_names_that_every_disk_takes():
    long = "second pixel of the block, " * 20
    names = ["基準", "基準 2", "..", "x" * 300, long, long + "!", "w_1"]
    grid = Grid("g", tuple(Variant(name) for name in names), "w_1")
    slugs = [variant.slug for variant in grid.variants]
    assert len(set(slugs)) == len(names) and slugs[-1] == "w-1"
    assert all(slug.isascii() and 0 < len(slug) <= 80 and slug[0] != "." for slug in slugs)


def test_what_all_variants_say_themselves_is_not_shared():
    assert GRIDS["scale"].varies("representation", "scale")
    assert not GRIDS["scale"].varies("representation", "padding")
    assert GRIDS["trunk"].varies("detector", "width")
    assert GRIDS["augmentation"].varies("training", "flip")
    assert GRIDS["input"].varies("training", "resize")


def test_a_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("""
default: plain
variants:
  - name: Wide trunk!
    detector: {width: 96, blocks: [3, 4]}
  - name: plain
  - name: no flip, cats
    training: {flip: 0, learning_rate: 0.001}
    classes: [cat]
    protocol: native
""")
    grid = get_grid(str(file))
    assert (grid.name, grid.default) == ("mine", "plain")
    wide, plain, last = grid.variants
    assert wide.slug == "wide-trunk"
    assert wide.backbone({}).width == 96
    assert plain == Variant("plain")
    assert last.training_config({"epochs": 3}, 1).flip == 0
    assert last.classes == ("cat",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "expected `variants`"),
        ("variants: []", "expected `variants`"),
        ("variants: [{detector: {}}]", "each variant has a name"),
        ("variants: [{name: a, colour: red}]", "each variant has a name"),
        ("variants: [{name: a, training: 3}]", "training holds fields"),
        ("variants: [{name: a, protocol: square}]", "the protocol is one of"),
        ("variants: [{name: a}, {name: A!}]", "'a' and 'A!'"),
        ("variants: [{name: a}, {name: a}]", "'a' and 'a'"),
        ("variants: [{name: '  '}]", "names that differ"),
        ("variants: [{name: a, training: {fliip: 0}}]", "training has no fliip. Known: epochs"),
        ("variants: [{name: a, training: {seed: 4}}]", "training has no seed"),
        ("variants: [{name: a, detector: {depth: 4}}]", "ResNet: unknown field depth"),
        ("variants: [{name: a, classes: null}]", "classes are how many"),
        ("variants: [{name: a, classes: -1}]", "classes are how many"),
        ("variants: [{name: a, classes: cat}]", "classes are how many"),
        ("variants: [{name: a}]\ndefault: b", "The default must be one"),
        ("variants: [{name: a}]\nmore: 1", "expected `variants`"),
        ("{", "Cannot read the grid"),
    ],
)
def test_wrong_files(tmp_path, text, said):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_grid(file)
    with pytest.raises(ConfigError, match="No grid of this name"):
        get_grid("nothing")
    with pytest.raises(ConfigError):
        Grid("g", (), "a")
