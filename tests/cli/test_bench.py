"""`npr-keras bench`: what it measures, and how it shows it."""

import json
import re

import pytest
from conftest import error_of


def test_bench_measures(invoke):
    done = invoke(
        "bench",
        "infer",
        "--size",
        "32",
        "--batch-size",
        "2",
        "--steps",
        "1",
        "--rounds",
        "1",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rates, limit = found["infer"]["images_per_second"], found["infer"]["limits"]["float32"]
    assert list(rates) == [
        "npr-keras",
        "plain PyTorch, channels first",
        "plain PyTorch, channels last",
    ]
    assert all(rate > 0 for rate in rates.values())
    # By hand: see tests/test_bench.py.
    assert limit["images_per_second"] == pytest.approx(limit["operations"] / limit["image"])
    assert found["machine"]["cores"] >= 1 and found["machine"]["processor"]


def test_bench_of_commands(invoke, tmp_path):
    report = tmp_path / "bench.json"
    done = invoke("bench", "startup", "--rounds", 1, "--report", report)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["--help", "predict"]
    found = json.loads(report.read_text())["startup"]
    assert all(0 < one["low"] <= one["seconds"] <= one["high"] for one in found.values())
    assert found["--help"]["megabytes"] < found["predict PICTURE"]["megabytes"]


def test_bench_of_many_files(invoke):
    done = invoke("bench", "batch", "--count", 40, "--size", 128, "--json")
    (one,) = json.loads(done.stdout)["batch"].values()
    assert len(one["images_per_second"]) == len(one["megabytes"]) == 10
    assert min(one["images_per_second"]) > 0


def test_bench_of_loading(invoke):
    result = invoke("bench", "data", "--batch-size", 4, "--size", 64, "--rounds", 1, "--json")
    rates = json.loads(result.stdout)["data"]
    one, limit, *ways, network = rates.values()
    assert list(rates)[-1] == "the network, training" and len(ways) == 3
    assert limit >= 2 * one > 0 and min(*ways, network) > 0
    shown = invoke("bench", "data", "--batch-size", 4, "--size", 64, "--rounds", 1).stdout
    assert "of limit" in shown and "from decoded images (--cache)" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_bench_of_named_models(invoke, model, tmp_path):
    command = [
        "bench",
        "infer",
        "--size",
        "32",
        "--batch-size",
        "1",
        "--steps",
        "1",
        "--rounds",
        "1",
    ]
    done = invoke(*command, "--model", model)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[0] == str(model)[-30:]
    assert re.search(r"\d x +\d+%$", lines[1])
    assert any(line.startswith("the limit, float32") for line in lines)
    assert "plain PyTorch, channels first" in lines[2]
    assert max(map(len, lines)) <= 80
    assert "--model goes with infer" in error_of(invoke("bench", "train", "--model", model), code=2)
