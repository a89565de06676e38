"""A table of labelled images, CSV or Parquet, as a source.

Columns: `path`, relative to the table's folder; `label`: 0 or 1, or a name of `LABELS`; and, if you like,
`class`, `split` (train, val, test) and `set`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from npr_keras.data.records import FAKE, REAL
from npr_keras.errors import LayoutError
from npr_keras.packages import import_needed

ENDINGS = (".csv", ".parquet")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SPLITS = {**SPLITS, "training": "train", "testing": "test"}
LABELS = {
    "0": REAL, "real": REAL, "0_real": REAL, "nature": REAL, "original": REAL, "photograph": REAL,
    "true": FAKE, "false": REAL,  # of a column such as is_generated
    "1": FAKE, "fake": FAKE, "1_fake": FAKE, "ai": FAKE, "generated": FAKE, "manipulated": FAKE,
}  # fmt: skip
_COLUMNS = "path and label (and class, split, set, if you like)"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        path: Of the file, from where this program runs.
        label: 0 real, 1 generated; None in a table without labels.
        class_name, split, set_name: As they stand there; "" where they do not.
    """

    path: str
    label: int | None
    class_name: str = ""
    split: str = ""
    set_name: str = ""


def is_manifest(path: str | os.PathLike) -> bool:
    """Whether a path is a table rather than a folder or an image."""
    return os.path.splitext(os.fspath(path))[1].lower() in ENDINGS and os.path.isfile(path)


def read_manifest(path: str | os.PathLike, labelled: bool = True) -> list[Row]:
    """Reads a table.

    Args:
        path: Ending in .csv or .parquet.
        labelled: Whether every row needs a label.

    Raises:
        LayoutError: If a column is missing, or a label is not known, naming the row.
        MissingPackageError: If it is Parquet and pyarrow is not installed.
    """
    path = Path(path)
    rows = []
    for number, row in enumerate(_dicts(path), 1):
        where = f"{path}, row {number}"
        row = {str(name).strip().lower(): value for name, value in row.items()}
        if not row.get("path"):
            found = ", ".join(row) or "none"
            raise LayoutError(
                f"{where}: no path. Expected the columns {_COLUMNS}. Received: {found}"
            )
        text = str(row.get("label", "") if row.get("label") is not None else "").strip().lower()
        text = text.removesuffix(".0")  # an integer that went through pandas with missing values
        if labelled and text not in LABELS:
            raise LayoutError(
                f"{where}: label {row.get('label')!r}. Expected one of {', '.join(LABELS)}."
            )
        values = [str(row.get(name) or "").strip() for name in ("class", "split", "set")]
        if values[1] and values[1].lower() not in _SPLITS:
            raise LayoutError(
                f"{where}: split {values[1]!r}. Expected one of {', '.join(_SPLITS)}, or none."
            )
        values[1] = _SPLITS.get(values[1].lower(), "")
        rows.append(
            Row(os.path.normpath(path.parent / str(row["path"])), LABELS.get(text), *values)
        )
    if not rows:
        raise LayoutError(f"{path} has no rows. Expected the columns {_COLUMNS}.")
    return rows


def _dicts(path: Path) -> Iterator[Mapping]:
    if path.suffix.lower() == ".parquet":
        parquet = import_needed("pyarrow.parquet", "A Parquet table")
        try:
            yield from parquet.read_table(path).to_pylist()
        except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
            raise LayoutError(f"Cannot read {path}: {error}") from error
        return
    try:
        with open(path, encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            ends = ";" if first.count(";") > first.count(",") else ","  # as spreadsheets write it
            yield from csv.DictReader(lines, delimiter=ends)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LayoutError(f"{path} is not a CSV table in UTF-8: {error}") from error
