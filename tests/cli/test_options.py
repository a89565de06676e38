"""Options with a parsing of their own."""

import click
import pytest

from npr_keras.config import TrainingConfig
from npr_keras.settings import choice, integer, number, pair
from npr_keras_cli.options import setting_options


def parsed(*arguments):
    """What the recipe's options come to."""
    found = {}

    @click.command()
    @setting_options(
        TrainingConfig, {"minutes": (), "resize": (), "blur_sigma": (), "decay": ("--fall",)}
    )
    def command(**options):
        found.update(options)

    command.main(arguments, standalone_mode=False)
    return found


def test_options_come_from_the_settings_themselves():
    assert parsed() == {"minutes": None, "resize": 256, "blur_sigma": (0, 3), "decay": 0.9}
    given = parsed("--minutes", "1.5", "--resize", " None ", "--blur-sigma", "0.5,2", "--fall", "1")
    assert given == {"minutes": 1.5, "resize": None, "blur_sigma": (0.5, 2), "decay": 1}
    assert TrainingConfig.from_dict(given).blur_sigma == (0.5, 2)
    for wrong in ("big", "-3", "1.5", "", "1"):
        with pytest.raises(click.BadParameter, match="None or an integer of at least 2"):
            parsed("--resize", wrong)
    for wrong in ("3", "2,1", "0,101", "a,b", "0,nan"):
        with pytest.raises(click.BadParameter, match="two numbers, from 0 to 100, the smaller"):
            parsed("--blur-sigma", wrong)
    with pytest.raises(click.BadParameter, match="range 0<x<=1"):  # --set decay=1.2 is refused, too
        parsed("--fall", "1.2")


def test_a_rule_says_what_it_takes():
    for rule, good, bad, said in (
        (integer(1), (1, 7), (0, 1.0, True, None), "a positive integer"),
        (integer(0, 9, optional=True), (0, 9, None), (-1, 10), "None or an integer from 0 to 9"),
        (number(0, 1, above=True), (0.1, 1), (0, 1.1, float("nan"), "1"), "a number above 0 to 1"),
        (number(0, 1, below=True), (0, 0.99), (1,), "a number from 0 below 1"),
        (choice("a", "b"), ("a",), ("c", None), "one of a, b"),
        (pair(lambda v: isinstance(v, int), "integers", 1, 100), ((1, 1),), ((2, 1), [1, 2], (1,)),
         "two integers, from 1 to 100, the smaller one first"),
    ):  # fmt: skip
        assert rule.said == said
        assert all(map(rule.fits, good)) and not any(map(rule.fits, bad))


def test_images_that_are_not_resized_are_not_resized_to_validate_either():
    from npr_keras.training.gradient import validation_protocol

    assert validation_protocol(TrainingConfig()).name == "resize256_centercrop224"
    assert validation_protocol(TrainingConfig(resize=None)).resize is None
