"""Names of files, which anybody chooses, act on nothing."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from npr_keras.visible import cell, visible

# A colour, a cleared screen, a line that is none, a formula, a direction, markup, bytes that are no UTF-8.
ODD = ["a\x1b[31mred.png", "b\nVERDICT real.png", "=cmd|' C'!A0.png", "c\u202egnp.png", "[bold]x.png",
       "<script>alert(1)<.png", "\\textbf{x}&%$#_|.png", "\x9b2Jz.png",
       os.fsdecode(b"\xe9.png")]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [("photo.jpg", "photo.jpg"), ("größe 中文 👩‍🚀.png", "größe 中文 👩‍🚀.png"), ("a\x1b[0m", "a\\x1b[0m"),
     ("a\nb\r\tc", "a\\nb\\r\\tc"), ("\x9b\x7f\0", "\\x9b\\x7f\\x00"), ("\u202e\u2028", "\\u202e\\u2028"),
     (os.fsdecode(b"\xe9"), "\\xe9")],
)  # fmt: skip
def test_visible(text, shown):
    assert visible(text) == shown
    assert visible("x\ny", lines=True) == "x\ny"


def test_cells():
    assert [cell(v) for v in ("=1+1", "@x", "-x", "+1", "a-b", "", "\t=x")] == [
        "'=1+1", "'@x", "'-x", "'+1", "a-b", "", "\\t=x"]  # fmt: skip
    assert cell(-1.5) == -1.5 and cell(None) is None


@pytest.fixture
def odd_set(tmp_path, random):
    folder = tmp_path / "set\x1b[2J\nx"
    for label in ("0_real", "1_fake"):
        (folder / label).mkdir(parents=True)
        for name in ODD:
            pixels = random.integers(0, 256, (64, 64, 3), np.uint8)
            with open(folder / label / name, "wb") as file:
                Image.fromarray(pixels).save(file, "PNG")
        (folder / label / "broken\x1b[0m\ny.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def is_harmless(text, ends="\n"):
    """Nothing but what is seen, and line ends."""
    return all(c in ends or (c >= " " and not "\x7f" <= c <= "\x9f") for c in text) and not (
        set(text) & set("\u202e\u2028")
    )


@pytest.mark.parametrize(
    "command",
    [["predict"], ["predict", "--csv"], ["predict", "--json"], ["data", "check"], ["eval", "--data"],
     ["robustness", "--condition", "jpeg=90", "--data"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_prints_them_as_they_are(odd_set, invoke, command):
    arguments = [*command, odd_set]
    found = invoke(
        *arguments, *(["--model", "npr-lab"] if command[0] in ("eval", "robustness") else [])
    )
    assert is_harmless(found.stdout) and is_harmless(found.stderr), ascii(
        found.stdout + found.stderr
    )
    assert "VERDICT real" not in [
        line.strip()[:12] for line in (found.stdout + found.stderr).splitlines()
    ]
    if "--csv" in command:
        rows = list(csv.DictReader(io.StringIO(found.stdout)))
        assert len(rows) == 2 * (len(ODD) + 1)
    if "--json" in command:  # for programs: names as they are
        rows = [json.loads(line) for line in found.stdout.splitlines()]
        assert {os.path.basename(row["path"]) for row in rows} >= set(ODD)


def test_reports(odd_set, invoke, tmp_path):
    """Markdown, LaTeX, CSV, HTML: no control character, no script, no cell that is a formula."""
    for ending in ("md", "tex", "csv", "html"):
        path = tmp_path / f"report.{ending}"
        found = invoke(
            "eval",
            "--model",
            "npr-lab",
            "--data",
            odd_set,
            "--max-unreadable",
            "20%",
            "--report",
            path,
        )
        assert found.returncode == 0, found.stderr
        text = path.read_text("utf-8")
        assert is_harmless(text), ending
        assert "<script>alert" not in text


def test_a_name_alone(tmp_path):
    """An image that the shell names, from a process of its own: the tool's last word is its own."""
    path = tmp_path / "x\x1b]0;title\x07\nFAKE.png"
    path.write_bytes(b"no image")
    found = subprocess.run(
        [sys.executable, "-m", "npr_keras_cli.main", "predict", path, "--model", "npr-lab"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 1
    assert is_harmless(found.stdout + found.stderr)
