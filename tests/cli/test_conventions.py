"""What every command keeps to: one value an option, whole words, pipes that close, files that are named."""

import json
import os
import subprocess
import sys
import time

import pytest
from conftest import error_of, said
from PIL import Image

from npr_keras_cli import console


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["predict", "a.png", "--model", "a", "--model", "b"],
            "--model is given 2 times and takes one",
        ),
        (
            ["eval", "--model", "a", "--model", "b", "--data", "A", "--data", "B"],
            "--data is given 2 times",
        ),
        (["train", "--source", "a", "--source", "b", "--source", "c"], "--source is given 3 times"),
        (["calibrate", "--model", "m", "--data", "a", "--data", "b"], "--data is given 2 times"),
        (
            ["predict", "a.png", "--model", "a", "--json", "--csv"],
            "--json and --csv exclude each other",
        ),
        (["data", "simulate", "--seed", "1", "--seed", "2"], "--seed is given 2 times"),
    ],
)
def test_one_value_an_option(invoke, command, message):
    assert message in error_of(invoke(*command), 2)


def test_options_that_repeat_still_do(invoke, model, make_set, tmp_path):
    data = make_set(tmp_path / "d", 2)
    done = invoke("robustness", "--model", model, "--data", data, "--condition", "none",
                  "--condition", "jpeg=90", "--json")  # fmt: skip
    assert [row["kind"] for row in json.loads(done.stdout)] == ["none", "jpeg"]


@pytest.mark.parametrize("name", ["../escaped", "/tmp/elsewhere", "a\\b", "..", " "])
def test_a_runs_name_stays_in_its_folder(invoke, name):
    assert "Expected a name; the folder is --out" in error_of(invoke("train", "--name", name), 2)


def test_messages_end_in_whole_words():
    text = (
        "A sentence that is rather long, with a path /"
        + "very" * 30
        + "/long.png in it, and more words."
    )
    lines = console.wrapped(text, len("Error: ")).split("\n")
    assert " ".join(lines) == text
    assert len(lines[0]) <= 80 - len("Error: ")
    assert all(len(line) <= 80 or " " not in line for line in lines)
    assert console.wrapped("  an indented line " + "x " * 60).split("\n")[1].startswith("  x")
    assert console.wrapped("one\n\ntwo") == "one\n\ntwo"
    assert console.wrapped("") == ""


def test_progress_where_there_is_no_terminal(monkeypatch, capsys):
    """A line now and then, and none when all is done."""
    monkeypatch.setattr(console, "LOG_EVERY", 0.05)
    console.stderr.cache_clear()
    with console.progress_bar() as bar:
        task = bar.add_task("scoring", total=4600, note="")
        for _ in range(6):
            bar.update(task, advance=200)
            time.sleep(0.05)
    time.sleep(0.15)
    console.stderr.cache_clear()
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 7
    assert lines[-1].startswith("scoring: ") and " of 4,600, " in lines[-1] and "left" in lines[-1]


def test_a_reader_that_has_enough_is_no_error(model, make_images, tmp_path):
    make_images(tmp_path / "many", 40, size=16)
    script = "import sys; from npr_keras_cli.main import main; sys.argv[0] = 'npr-keras'; main()"
    command = [
        sys.executable,
        "-c",
        script,
        "predict",
        tmp_path / "many",
        "--model",
        model,
        "--json",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:  # fmt: skip
        assert process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
    assert "Traceback" not in stderr and "Exception" not in stderr
    assert process.returncode in (0, 141)


def test_a_full_disk_names_the_file(tmp_path):
    import errno

    from npr_keras.atomic import replacing, write_text

    def full(temporary):
        raise OSError(errno.ENOSPC, "No space left on device", str(temporary))

    with (
        pytest.raises(OSError, match="No space left on device") as error,
        replacing(tmp_path / "scores.csv") as temporary,
    ):
        full(temporary)
    assert error.value.filename == str(tmp_path / "scores.csv")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match="No such folder") as error:
        write_text(tmp_path / "gone" / "a.txt", "x")
    assert error.value.filename == str(tmp_path / "gone")


def test_what_is_no_image_file(invoke, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heic = tmp_path / "phone.heic"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "set.zip").write_bytes(b"PK\x03\x04")
    os.mkfifo(tmp_path / "pipe.png")
    for path, message in (
        (heic, "HEIC is not supported. Convert it to PNG without resizing"),
        ("https://example.org/a.jpg", "addresses are not fetched. Download the original file"),
        ("set.zip", "Extract it first: unzip set.zip"),
        ("pipe.png", "not a regular file"),
    ):
        done = invoke("predict", path, "--model", model, "--json")
        assert done.returncode == 1
        assert message in json.loads(done.stdout)["error"]


def test_folders_say_what_they_pass_over(invoke, model, make_images, make_set, tmp_path):
    make_images(tmp_path / "a", 2)
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "a" / "b.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    Image.new("RGB", (40, 40)).save(tmp_path / "a" / "c.jfif", format="JPEG")
    done = invoke("predict", tmp_path / "a", "--model", model, "--json")
    assert len(done.stdout.splitlines()) == 3
    assert "passed over, not images: 1 .heic, 1 .txt" in said(done) or "1 .txt, 1 .heic" in said(
        done
    )
    assert "HEIC is not read" in said(done)
    data = make_set(tmp_path / "set", 3)
    (data / "1_fake" / "notes.txt").write_text("x")
    (data / "stray").mkdir()
    make_images(data / "stray", 1)
    for command in (["eval", "--model", model, "--data", data], ["data", "check", data]):
        done = invoke(*command)
        told = said(done) + " ".join(done.stdout.split())
        assert "1 .txt" in told and "in no label folder" in told
    assert done.returncode == 3  # of the check


def test_tables_are_taken_everywhere(invoke, model, make_set, tmp_path):
    data = make_set(tmp_path / "set", 3)
    rows = [f"{p.relative_to(tmp_path)},{int('1_fake' in str(p))}" for p in data.rglob("*.png")]
    table = tmp_path / "images.csv"
    table.write_text("path,label\n" + "\n".join(rows) + "\n")
    done = invoke("predict", table, "--model", model, "--json")
    assert len(done.stdout.splitlines()) == 6
    done = invoke("eval", "--model", model, "--data", table, "--json", "--pipeline", "pydataset")
    (own,) = json.loads(done.stdout)["models"]
    assert (own["sets"][0]["real"], own["sets"][0]["fake"]) == (3, 3)
    assert "images" in invoke("data", "check", table).stdout
    named = tmp_path / "named"
    (named / "camera").mkdir(parents=True)
    (named / "flux").mkdir()
    for i, path in enumerate(sorted(data.rglob("*.png"))):
        path.rename(named / ("flux" if "1_fake" in str(path) else "camera") / f"{i}.png")
    command = ["eval", "--model", model, "--data", named, "--json", "--pipeline", "pydataset"]
    assert "--real-name and --fake-name" in error_of(invoke(*command))
    done = invoke(*command, "--real-name", "camera", "--fake-name", "flux")
    (own,) = json.loads(done.stdout)["models"]
    assert (own["sets"][0]["real"], own["sets"][0]["fake"]) == (3, 3)
    assert "go together" in error_of(invoke(*command, "--real-name", "camera"), 2)


def test_robustness_of_other_pixels_is_kept(invoke, own_model, make_set, tmp_path):
    from npr_keras.models import load_detector

    data = make_set(tmp_path / "d", 20, size=16)
    command = ["robustness", "--model", own_model, "--data", data, "--store", "--condition"]
    assert invoke(*command, "none").returncode == 0
    done = invoke(*command, "jpeg=90", "--protocol", "native")
    assert "used with --protocol native only" in said(done)
    kept = {(c.kind, c.protocol) for c in load_detector(own_model).profile.robustness}
    assert kept == {("none", "resize256"), ("jpeg", "native")}


def test_files_that_never_end(invoke, model, tmp_path):
    """Named in a table, to Python, or behind an option: refused, and nothing hangs."""
    import npr_keras

    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "t.csv").write_text("path,label\npipe.png,1\n")
    done = invoke("predict", tmp_path / "t.csv", "--model", model, "--json")
    assert "not a regular file" in json.loads(done.stdout)["error"]
    assert "not a regular file" in npr_keras.score(tmp_path / "pipe.png", model=str(model)).error
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(8 << 30)
    assert (
        "more than the 268,435,456"
        in npr_keras.score(tmp_path / "large.jpg", model=str(model)).error
    )


def test_absurd_sides_never_reach_a_runtime(invoke, model, tmp_path):
    Image.new("1", (70_000, 4)).save(tmp_path / "long.png")
    done = invoke(
        "predict", tmp_path / "long.png", "--model", model, "--protocol", "native", "--json"
    )
    assert "a side of 70,000 pixels, more than the 65,536" in json.loads(done.stdout)["error"]


def test_a_closed_standard_output(model, make_images, tmp_path):
    make_images(tmp_path, 1)
    script = "from npr_keras_cli.main import main; main()"
    done = subprocess.run(
        f"{sys.executable} -c '{script}' predict {tmp_path}/000.png --model {model} >&-",
        shell=True, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr and done.returncode == 0


def test_tables_and_archives_as_sources(invoke, make_set, tmp_path):
    data = make_set(tmp_path / "set", 4)
    rows = [f"{p.relative_to(tmp_path)},{int('1_fake' in str(p))}" for p in data.rglob("*.png")]
    (tmp_path / "images.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    command = ["train", "--epochs", "1", "--crop", "16", "--resize", "none", "--pipeline", "pydataset",
               "--out", tmp_path / "runs", "--name", "m"]  # fmt: skip
    done = invoke(*command, "--source", tmp_path / "images.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert "4 real + 4 generated to train on" in said(done)
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    refused = error_of(invoke("train", "--source", tmp_path / "a.tar.gz"))
    assert "Extract it first: tar -xf" in refused


def test_binary_on_standard_input_is_no_path(model):
    from click.testing import CliRunner

    from npr_keras_cli.main import main

    heic = b"\0\0\0\x18ftypheic" + bytes(60)
    done = CliRunner().invoke(main, ["predict", "-", "--model", str(model), "--json"], input=heic)
    assert "HEIC is not supported" in json.loads(done.stdout)["error"]


def test_standard_input_by_nul_and_nothing_at_all(model, make_images, tmp_path):
    from click.testing import CliRunner

    from npr_keras_cli.main import main

    make_images(tmp_path, 2)
    odd = tmp_path / "a\nb.png"
    (tmp_path / "000.png").rename(odd)
    names = f"{odd}\0{tmp_path / '001.png'}\0"
    command = ["predict", "-", "--model", str(model), "--json"]
    done = CliRunner().invoke(main, [*command, "-0"], input=names)
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == names.split("\0")[:2]
    empty = CliRunner().invoke(main, command, input="")
    assert empty.exit_code == 1 and "nothing came in" in empty.stderr
