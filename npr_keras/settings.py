"""What all settings share: checked when made, JSON in and out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from npr_keras.errors import ConfigError


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Config:
    """What all settings share: a plain dict out, and a checked one in."""

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
