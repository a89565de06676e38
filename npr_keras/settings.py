"""What all settings share: bounds that are said once, checked when made, JSON in and out.

A field's bounds stand with the field, see `field_of`; the command line makes its options of them.
(pydantic would do that too, and take longer to import than the whole of `npr-keras --help`.)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from npr_keras.errors import ConfigError


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Rule:
    """Which values a field can have.

    Attributes:
        fits: Whether a value can be had.
        said: What is expected, as an error says it.
        kind: "integer", "number", "choice", "pair" or "": what an option on the command line is.
        least, most: Bounds of numbers; None for none.
        above: Whether `least` itself is too little.
        optional: Whether None can be had.
        choices: Of a choice.
    """

    fits: Callable[[Any], bool]
    said: str
    kind: str = ""
    least: float | None = None
    most: float | None = None
    above: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()


def integer(least: int, most: int | None = None, optional: bool = False) -> Rule:
    """An integer of at least `least`, and at most `most`; None too where it is optional."""

    def fits(value):
        return (value is None and optional) or (
            is_int(value) and value >= least and (most is None or value <= most)
        )

    said = (
        f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    )
    said = "a positive integer" if (least, most) == (1, None) else said
    return Rule(
        fits, ("None or " if optional else "") + said, "integer", least, most, False, optional
    )


def number(
    least: float | None = None,
    most: float | None = None,
    above: bool = False,
    below: bool = False,
    optional: bool = False,
) -> Rule:
    """A finite number between bounds, which `above` and `below` leave out themselves."""

    def fits(value):
        return (value is None and optional) or (
            is_number(value)
            and (least is None or value > least or (value == least and not above))
            and (most is None or value < most or (value == most and not below))
        )

    low = "" if least is None else f" above {least:g}" if above else f" from {least:g}"
    high = "" if most is None else f" {'below' if below else 'to'} {most:g}"
    said = ("None or " if optional else "") + f"a number{low}{high}"
    return Rule(fits, said, "number", least, most, above, optional)


def choice(*choices: str) -> Rule:
    """One of these texts."""
    return Rule(lambda v: v in choices, f"one of {', '.join(choices)}", "choice", choices=choices)


def pair(of: Callable[[object], bool], called: str, least: float, most: float) -> Rule:
    """Two numbers, the smaller one first."""

    def fits(value):
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and all(map(of, value))
            and least <= value[0] <= value[1] <= most
        )

    return Rule(
        fits, f"two {called}, from {least} to {most}, the smaller one first", "pair", least, most
    )


def channels(above: float | None = None) -> Rule:
    """Three numbers, for R, G and B."""

    def fits(value):
        return (
            isinstance(value, tuple)
            and len(value) == 3
            and all(is_number(v) and (above is None or v > above) for v in value)
        )

    return Rule(
        fits, "three numbers" + ("" if above is None else f" above {above:g}") + ", for R, G and B"
    )


TEXT = Rule(lambda v: isinstance(v, str), "a text")
FLAG = Rule(lambda v: isinstance(v, bool), "True or False")
MAPPING = Rule(lambda v: isinstance(v, Mapping), "a dict")
POSITIVE_INTEGERS = Rule(
    lambda v: isinstance(v, tuple) and len(v) > 0 and all(is_int(n) and n > 0 for n in v),
    "a tuple of positive integers",
)


def field_of(default: Any, rule: Rule, help: str = "") -> Any:
    """A dataclass field with its default, its bounds, and what its option's help says."""
    return dataclasses.field(default=default, metadata={"rule": rule, "help": help})


def required(rule: Rule) -> Any:
    """A dataclass field without a default."""
    return dataclasses.field(metadata={"rule": rule})


@dataclass(frozen=True)
class Config:
    """What all settings share: checked fields, a plain dict out, and a checked one in."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if rule := field.metadata.get("rule"):
                self._require(rule.fits(getattr(self, field.name)), field.name, rule.said)

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, ready for `json.dump`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]):
        """The inverse of `to_dict`; a key that is not a field raises ConfigError."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"{cls.__name__}: unknown field {', '.join(unknown)}. Known: {', '.join(sorted(known))}"
            )
        # JSON has no tuples; every sequence in these settings is one.
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def _require(self, condition: bool, name: str, expected: str) -> None:
        if not condition:
            raise ConfigError(
                f"{type(self).__name__}: `{name}` must be {expected}. "
                f"Received: {name}={getattr(self, name)!r}"
            )


def differences(was: Mapping, now: Mapping, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """What differs between two nested dicts of plain values: dotted name, old and new value."""
    found = []
    for key in sorted({*was, *now}):
        old, new = was.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append((f"{prefix}{key}", old, new))
    return found
