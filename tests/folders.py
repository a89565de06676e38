"""Labelled folders and tables for tests, and what was found in them."""

import csv
from pathlib import Path

from npr_keras.data.records import count_labels


def touch(root, *paths):
    """Empty files below a folder, and the folders that they need."""
    for path in paths:
        file = Path(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def names(sets):
    """How many real and generated images, by set."""
    return {s.name: count_labels(s.records) for s in sets}


def table(path, rows, **options):
    """Rows as a table, CSV or Parquet by its ending."""
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
