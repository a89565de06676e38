import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from npr_keras.data.folder import find_every_set
from npr_keras.data.records import Record
from npr_keras.forensics.check import ImageFacts, best_rule, check_sets
from npr_keras.forensics.history import NO_HISTORY


def facts(values, name, labels):
    return [
        ImageFacts(
            Record(f"{i}", label),
            b"%d" % i,
            "",
            replace(NO_HISTORY, **{"format": "PNG", name: value}),
        )
        for i, (value, label) in enumerate(zip(values, labels, strict=True))
    ]


LABELS = np.repeat([0, 1], 50)


def test_rules_on_each_fact():
    rule = best_rule(facts(["JPEG"] * 50 + ["PNG"] * 50, "format", LABELS))
    assert rule.accuracy == 1
    assert rule.text in ("JPEG files are real", "PNG files are generated")
    mixed = ["JPEG"] * 40 + ["PNG"] * 60  # ten photographs are PNG too
    assert best_rule(facts(mixed, "format", LABELS)).accuracy == pytest.approx(0.9)
    widths = np.r_[np.arange(300, 350), np.arange(325, 375)]
    rule = best_rule(facts(widths.tolist(), "width", LABELS))
    # By hand: at most 324 .. 349 wide is right for 25 + 50 of 100 at best.
    assert rule.accuracy == pytest.approx(0.75)
    assert rule.text.startswith("images at most ")
    quality = [90] * 45 + [70] * 5 + [70] * 50
    assert "quality 70 are generated" in best_rule(facts(quality, "quality", LABELS)).text


def test_chance_is_no_rule(random):
    """Of sets whose facts have nothing to do with the label, one in twenty may give an alarm."""
    alarms = 0
    for count in (6, 10, 30, 100):
        labels = np.repeat([0, 1], count)
        for _ in range(25):
            sides = random.choice([256, 300, 400, 512, 640], (2, 2 * count))
            quality = random.integers(60, 100, 2 * count)
            found = [
                replace(fact, history=replace(fact.history, height=int(height), quality=int(q)))
                for fact, height, q in zip(
                    facts(sides[0].tolist(), "width", labels), sides[1], quality, strict=True
                )
            ]
            alarms += best_rule(found) is not None
    assert alarms <= 9  # 100 sets: 10 or more come by chance in 3 of 100 such tests
    assert best_rule(facts([1, 2], "width", [0, 0])) is None
    small = facts(["JPEG"] * 4 + ["PNG"] * 4, "format", np.repeat([0, 1], 4))
    assert best_rule(small) is None  # 2 of 70 ways to label them
    enough = facts(["JPEG"] * 6 + ["PNG"] * 6, "format", np.repeat([0, 1], 6))
    assert best_rule(enough).accuracy == 1
    assert best_rule([]) is None


def test_a_clean_set(make_set, tmp_path):
    make_set(tmp_path / "a", 8)
    make_set(tmp_path / "b" / "cat", 8)
    counted = []
    check = check_sets(find_every_set(tmp_path), counted.append)
    assert check.clean
    assert sum(counted) == 32
    assert [s.name for s in check.sets] == ["a", "b"]


def test_every_fault_is_found(make_set, tmp_path):
    one, two = make_set(tmp_path / "one", 12), make_set(tmp_path / "two", 12)
    for path in (one / "0_real").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"), quality=80)
        path.unlink()
    shutil.copy(two / "0_real" / "000.png", two / "1_fake" / "label.png")
    shutil.copy(two / "0_real" / "001.png", one / "0_real" / "other.png")
    Image.open(two / "0_real" / "002.png").save(two / "0_real" / "again.bmp")
    (two / "0_real" / "text.png").write_text("text")
    check = check_sets(find_every_set(tmp_path))
    assert not check.clean

    def relative(groups):
        return [[p.removeprefix(f"{tmp_path}/") for p in group] for group in groups]

    assert relative(check.across_labels) == [["two/0_real/000.png", "two/1_fake/label.png"]]
    assert relative(check.across_sets) == [["one/0_real/other.png", "two/0_real/001.png"]]
    assert relative(check.within_sets) == [["two/0_real/002.png", "two/0_real/again.bmp"]]
    assert [len(s.unreadable) for s in check.sets] == [0, 1]
    assert check.sets[0].rule.accuracy == pytest.approx((12 / 13 + 1) / 2)
    assert check.sets[1].rule is None
    assert check.single == []
    shutil.rmtree(one / "1_fake")
    assert check_sets(find_every_set(tmp_path)).single == ["one"]


def test_training_images_are_checked_too(source_folder):
    names = [s.name for s in find_every_set(source_folder)]
    assert names == ["train", "val"]
