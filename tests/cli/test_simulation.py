"""`data simulate`, `predict`, and the whole of `demo`, on small pictures."""

import json
import re
import shlex

import pytest
from click.testing import CliRunner

from npr_keras.simulation import builtin
from npr_keras.simulation.plan import SimulationConfig
from npr_keras_cli.main import main

SMALL = {"size": 32, "steps": 2, "networks": ("x2k3t0", "x2k3t1")}


@pytest.fixture
def small_simulation(monkeypatch, tmp_path):
    """`simulated` as a matter of seconds, in a cache of its own."""
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        builtin,
        "SIMULATED",
        {
            "source": {".": SimulationConfig("nearest", count=40, validation=0.5, **SMALL)},
            "suite": {
                name: SimulationConfig(name, count=2, seed=2, layout="set", **SMALL)
                for name in ("nearest", "bilinear")
            },
        },
    )
    return tmp_path / "cache"


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.slow
def test_demo_does_what_its_commands_say(small_simulation, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    done = run("demo", "--seed", 7)
    assert done.exit_code == 0, done.output
    unfolded = done.stderr.replace(" \\\n", "").splitlines()
    commands = [shlex.split(line[2:]) for line in unfolded if line[:2] == "$ "]
    assert [c[1] for c in commands] == [
        "predict", "data", "train", "calibrate", "robustness", "eval", "predict", "export", "serve",
        "query",
    ]  # fmt: skip
    # The detector that comes with the package, before anything is made.
    copy = next(line for line in done.stdout.splitlines() if "demo/generated.png" in line)
    assert copy.split()[1] == "generated"
    assert done.stderr.count("is made now, once, in") == 2  # the source and the suite
    assert "20 real + 20 generated to train on; 20 + 20 to validate" in done.stderr
    assert re.search(
        r"Done in \d+:\d\d\. The detector is saved_models/demo-7/model\.keras", done.stderr
    )
    assert re.search(r"^bilinear \(2 classes\) +4 ", done.stdout, re.M)
    assert re.search(r"^mean of 2 sets", done.stdout, re.M)
    verdicts = r"(?:no trace|generated|inconclusive)"
    assert len(re.findall(rf"^ +\d\.\d{{4}} +{verdicts} ", done.stdout, re.M)) == 5
    assert "JPEG quality 80" in done.stdout
    assert done.stdout.count("a demonstration, not a judge of real") >= 1
    assert max(map(len, unfolded)) > 0
    for line in done.stderr.splitlines():  # words end where a terminal does; paths may be longer
        assert len(line) <= 80 or "/" in line, line

    # Exported and asked in processes of their own: the server says what the file's detector says.
    asked = capfd.readouterr().out
    assert "saved_models/demo-7/1" in asked
    figures = re.compile(rf"^ +(\d\.\d{{4}}) +({verdicts}) .*/0_real/", re.M)
    assert figures.findall(asked) == figures.findall(done.stdout)
    assert "A stand-in for TensorFlow Serving" in done.stderr

    # A second time everything is there, and what was printed works when typed.
    typed = run(*commands[6][1:])
    assert typed.exit_code == 0, (commands[6], typed.output)
    assert typed.stdout in done.stdout
    again = run("demo", "--seed", 7)
    assert again.exit_code == 0, again.output
    assert "is made now" not in again.stderr
    assert again.stdout == done.stdout
    assert "saved_models/demo-7/1, from before" in again.stderr
    assert not (tmp_path / "saved_models" / "demo-7" / "2").exists()


def test_data_simulate_into_a_folder(tmp_path):
    arguments = ["data", "simulate", "--upsampler", "subpixel", "--out", tmp_path / "s"]
    arguments += [
        "--count",
        4,
        "--size",
        32,
        "--steps",
        2,
        "--networks",
        "x2k3t0",
        "--validation",
        "25%",
    ]
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    (report,) = json.loads(done.stdout).values()
    assert report["settings"]["upsampler"] == "subpixel"
    assert report["networks"]["x2k3t0"]["pictures"] == 4
    assert len(list((tmp_path / "s" / "train" / "x2k3t0" / "1_fake").iterdir())) == 3
    table = run(*arguments)  # it is there already
    assert table.exit_code == 0
    assert re.search(r"^subpixel +x2k3t0 +4 +\d+\.\d +\d+\.\d$", table.stdout, re.M)
    assert max(map(len, table.stdout.splitlines())) <= 80
    other = run(*arguments, "--seed", 2)
    assert other.exit_code == 1
    assert "seed: was 1, now 2" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upsampler", "nearest"], "--upsampler and --out go together"),
        (["--out", "x"], "--upsampler and --out go together"),
        (["--seed", "3"], "--seed: needs --upsampler and --out"),
        (["--upsampler", "bicubic", "--out", "x"], "'bicubic' is not one of"),
    ],
)
def test_data_simulate_usage(arguments, message):
    done = run("data", "simulate", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_eval_takes_either_data_or_a_suite(tmp_path):
    for arguments in ([], ["--data", tmp_path, "--suite", "simulated"]):
        done = run("eval", "--model", tmp_path, *arguments)
        assert done.exit_code == 2
        assert "either --data DIR or --suite NAME" in done.stderr
