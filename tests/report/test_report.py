"""Reports of known scores, each figure against an independent computation."""

import base64
import csv
import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from npr_keras.data.records import Record
from npr_keras.errors import ConfigError
from npr_keras.evaluation.evaluate import SetResult, metrics_of
from npr_keras.evaluation.published import published_figures
from npr_keras.evaluation.report import Evaluation, build_report, worst_mistakes
from npr_keras.evaluation.suites import get_suites
from npr_keras.evaluation.verdicts import verdicts_of
from npr_keras.report import write_report


def make_result(folder, suite, name, make_images, random, count=5):
    """A set whose scores are known: real around -1, generated around 1."""
    paths = []
    for label, kind in enumerate(("0_real", "1_fake")):
        make_images(folder / name / kind, count, size=8)
        paths += [(str(folder / name / kind / f"{i:03}.png"), label) for i in range(count)]
    records = tuple(Record(path, label) for path, label in paths)
    logits = np.array([random.normal(2 * label - 1) for _, label in paths], np.float32)
    return SetResult(
        name, records, logits, metrics_of(records, logits, 0.5), {}, suite, "resize256"
    )


@pytest.fixture
def results(tmp_path, make_images, random):
    table = [(s.title, sub.folder) for s in get_suites("all28") for sub in s.sets]
    return [make_result(tmp_path / t, t, n, make_images, random) for t, n in table]


@pytest.fixture
def evaluation(results):
    return Evaluation("ours_1", "runs/ours_1.keras", results, "ab" * 32, 0.5, "tensorflow")


@pytest.fixture
def report(evaluation):
    return build_report([evaluation], command="npr-keras eval --suite all28", date="2026-11-22")


def test_every_figure(report, results):
    (model,) = report["models"]
    for row, result in zip(model["sets"], results, strict=True):
        labels = np.array([r.label for r in result.records])
        assert row["average_precision"] == pytest.approx(
            average_precision_score(labels, result.logits)
        )
        assert row["accuracy"] == pytest.approx(np.mean((result.logits > 0) == (labels == 1)))
        assert row["calibrated_accuracy"] == pytest.approx(
            np.mean((result.logits > 0.5) == (labels == 1))
        )
        best = max(np.mean((result.logits > t) == (labels == 1)) for t in [-9, *result.logits])
        assert row["best_accuracy"] == pytest.approx(best)
    grand = np.mean([row["accuracy"] for row in model["sets"]])
    assert model["mean"]["accuracy"] == pytest.approx(grand)
    assert model["mean"]["paper"]["accuracy"] == pytest.approx(0.922, abs=5e-4)  # Table 6
    suites = {row["suite"] for row in model["sets"]}
    assert set(model["suites"]) == suites
    for title in suites:
        own = [row["accuracy"] for row in model["sets"] if row["suite"] == title]
        assert model["suites"][title]["accuracy"] == pytest.approx(sum(own) / len(own))


def test_the_digest_is_of_what_was_judged(report, evaluation, results, make_images):
    assert build_report([evaluation])["images"] == report["images"]
    path = results[0].records[0].path
    with open(path, "ab") as file:
        file.write(b"x")
    assert build_report([evaluation])["images"] != report["images"]


def test_csv_and_json(report, evaluation, tmp_path):
    write_report(report, [evaluation], tmp_path / "r.csv")
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert len(rows) == 38 + 5 + 2
    assert rows[0]["paper_accuracy"] == "0.998"
    assert float(rows[-2]["accuracy"]) == pytest.approx(report["models"][0]["mean"]["accuracy"])
    low, high = report["models"][0]["sets"][0]["intervals"]["accuracy"]
    assert [float(rows[0][f"accuracy_{end}"]) for end in ("low", "high")] == [low, high]
    write_report(report, [evaluation], tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["models"][0]["sets"][3]["set"] == "biggan"


def test_markdown(report, evaluation, tmp_path):
    write_report(report, [evaluation], tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    biggan = next(line for line in rows if line.startswith("| biggan"))
    assert biggan.endswith("| *87.5* | *94.5* |")  # published, apart
    figures = report["models"][0]["sets"][3]
    assert f"| {100 * figures['accuracy']:.1f} ±" in biggan
    assert "ours\\_1" in text
    assert "| *92.2* | *95.8* |" in text
    for i, row in enumerate(rows):  # every row of a table has as many cells as its head
        if i and rows[i - 1].count("|") != row.count("|"):
            assert row.startswith("| set")
    assert "quoted from its tables" in text


def test_latex(report, evaluation, tmp_path):
    write_report(report, [evaluation], tmp_path / "r.tex")
    text = (tmp_path / "r.tex").read_text()
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 5
    assert text.count("{") == text.count("}")
    first = text[: text.index(r"\end{table*}")]
    lines = [line for line in first.splitlines() if line.endswith(r"\\")]
    assert all(line.count("&") == 18 for line in lines if line.startswith(("CNN", "NPR", "ours")))
    methods = [m for m, f in published_figures().items() if ("ForenSynths", "biggan") in f]
    assert sum(f"{m}$^\\dagger$" in first for m in methods) == len(methods)
    assert first.index(r"NPR$^\dagger$") < first.index(r"{}ours\_1 & ")
    paper = next(line for line in lines if line.startswith("NPR"))
    assert paper.startswith(r"NPR$^\dagger$ & 99.8 & 100.0 & 96.3 & 99.8")


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.text, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.sources += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        assert tag != "script"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_page(results, tmp_path):
    results = results[:8]
    evaluation = Evaluation("ours", "runs/ours.keras", results, "ab" * 32, 0.5, "tensorflow")
    # Neither HTML nor formulas, and in legends all the same.
    odd = dataclasses.replace(results[0], name="s$_$<i>" + 60 * "long")
    results = [odd, *results[1:]]
    evaluation = dataclasses.replace(evaluation, results=results, name="_ours$_$")
    other = Evaluation("<b>other</b>", "runs/b.keras", results, None, None, "torch")
    both = build_report([evaluation, other], command="npr-keras eval", missing=["Suite/gone"])
    write_report(both, [evaluation, other], tmp_path / "r.html")
    page = Links()
    text = (tmp_path / "r.html").read_text()
    page.feed(text)
    assert page.open == []
    # Nothing beside the page is needed, and nothing is asked from a network.
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert "url(" not in text and "@import" not in text
    assert "<b>other</b>" not in text  # a name is not markup
    drawings = [s for s in page.sources if s.startswith("data:image/svg+xml;base64,")]
    assert len(drawings) == 2 + 2 * 8
    for drawing in drawings:
        root = ET.fromstring(base64.b64decode(drawing.partition(",")[2]))
        assert root.tag.endswith("svg")
    text_of_charts = "".join(base64.b64decode(d.partition(",")[2]).decode() for d in drawings[:4])
    assert "_ours$_$" in text_of_charts
    words = re.sub(r"\s+", " ", " ".join(page.text))
    assert "Suite/gone" in words
    assert "ab" * 32 in words
    shown = sum(map(len, worst_mistakes(results, 8)))
    assert len(page.sources) - len(drawings) == 2 * shown > 0
    write_report(both, [evaluation, other], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == text


def test_worst_mistakes(results):
    real, fake = worst_mistakes(results, 6)
    everything = [
        (float(z), r.label, r.path)
        for s in results
        for r, z in zip(s.records, s.logits, strict=True)
    ]
    highest = sorted((e for e in everything if e[1] == 0), reverse=True)[:6]
    lowest = sorted(e for e in everything if e[1] == 1)[:6]
    assert [s.records[i].path for s, i in real] == [path for _, _, path in highest]
    assert [s.records[i].path for s, i in fake] == [path for _, _, path in lowest]


def test_other_endings_are_refused(report, evaluation, tmp_path):
    with pytest.raises(ConfigError, match=r"\.html, \.md, \.tex, \.csv, \.json"):
        write_report(report, [evaluation], tmp_path / "r.pdf")
    assert not list(tmp_path.glob("r.*"))


def test_an_evaluation_of_a_model_that_nothing_is_known_of(evaluation):
    evaluation.results[:] = evaluation.results[:1]
    found = verdicts_of(evaluation)
    assert len(found) == 10
    # The images are 8 x 8 noise: a score, and never a verdict.
    assert {one.verdict for one in found.values()} <= {"", "inconclusive"}
    assert all(one.reasons and 0 < one.probability < 1 for one in found.values())
