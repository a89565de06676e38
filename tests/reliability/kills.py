"""Every command that writes, killed at random times, and what is left.

    python tests/reliability/kills.py [KILLS] [COMMAND ...]

For each command: it runs once undisturbed; then it is started and killed (SIGKILL) KILLS (20) times, at
times drawn between its start and its end, each start going on where the last one was; then it runs to
its end. What it leaves has to be what the undisturbed run left: models by their weights, tables and
pictures byte by byte. After every kill each file that is there has to be whole, and nothing may lie about
at the end. Prints a line for each command, and ends with 1 if one differed.
"""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

TOOL = Path(sys.executable).with_name("npr-keras")
LOCKS = (".training.lock", ".simulation.lock", ".lock")
_TIMES = (
    "time",
    "seconds",
    "date",
    "created",
    "started",
    "took",
    "images_per_second",
    "rate",
    "img",
)


def make_images(folder, count, seed=0):
    """A source of labelled noise; generated ones are made of blocks."""
    random = np.random.default_rng(seed)
    for split in ("train", "val"):
        for label in ("0_real", "1_fake"):
            place = folder / split / "cat" / label
            place.mkdir(parents=True)
            for i in range(count if split == "train" else 24):
                pixels = random.integers(0, 256, (64, 64, 3), np.uint8)
                if label == "1_fake":
                    pixels = pixels[::2, ::2].repeat(2, 0).repeat(2, 1)
                Image.fromarray(pixels).save(place / f"{i:03}.png")
    photos = folder / "photos"
    photos.mkdir()
    for i in range(8):
        pixels = random.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).resize((640, 480)).save(photos / f"{i}.png")


def commands(base, work):
    """By name: the commands of a run, of which the last is killed; each in the folder `work`."""
    source, photos = base / "images", base / "images" / "photos"
    small = ["--resize", "none", "--crop", "64", "--batch-size", "16"]
    train = ["train", "--source", source, "--out", work, "--name", "run", "--epochs", "4", *small,
             "--protocol", "native", "--resume"]  # fmt: skip
    copied = [["cp", "-n", base / "model.keras", work / "model.keras"]]
    model = ["--model", work / "model.keras"]
    some = ["--data", source / "val"]
    return {
        "train": [train],
        "train --cache --draws": [[*train, "--cache", work / "cache", "--draws", "2", "--detector", "lab"]],
        "ablate": [["ablate", "--grid", "scale", "--only", "scale-1-3,scale-1", "--source", source, *some,
                    "--seeds", "1", "--set", "epochs=1", "--set", "crop=64", "--set", "resize=none",
                    "--out", work / "ablation"]],
        "eval --report": [["eval", *("--model", base / "model.keras"), *some, "--report", work / "r.csv"]],
        "calibrate": [*copied, ["calibrate", *model, *some]],
        "robustness --store": [*copied, ["robustness", *model, *some, "--store", "--condition", "jpeg=90,70,50,30"]],
        "export": [["export", base / "model.keras", "--format", "savedmodel", "--format", "onnx", "--out",
                    work]],
        "data simulate": [["data", "simulate", "--upsampler", "nearest", "--out", work / "sim", "--count",
                           "32", "--size", "64", "--steps", "20"]],
        "data reconstruct": [["data", "reconstruct", "--photos", photos, "--out", work / "pairs", "--size",
                              "64", "--count", "60"]],
        "explain": [["explain", photos / "0.png", photos / "1.png", "--model", base / "model.keras",
                     "--out", work / "maps"]],
    }  # fmt: skip


def start(arguments, log):
    """The tool, or another program, in a process group of its own."""
    program = [] if arguments[0] in ("cp",) else [TOOL]
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "NPR_CACHE": str(Path(log.name).parent / "cache")},
    )


def state(folder):
    """What a folder holds, times of day left out: a dict from names to what can be compared."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        # A version of its own for each time that it got there: all of them are whole, and alike.
        name = re.sub(r"^\d+/", "version/", path.relative_to(folder).as_posix())
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and "/logs/" not in name:
            found[name] = contents(path)
    return found


def contents(path):
    """A whole file's contents; raises whatever its reader does if it is not whole."""
    if path.suffix in (".keras", ".npz"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            known = {m.filename: m.CRC for m in archive.infolist() if m.filename != "metadata.json"}
            if "config.json" in known:  # Keras names shared objects by where they lie in memory
                config = archive.read("config.json").decode()
                known["config.json"] = re.sub(r'"shared_object_id": \d+', "", config)
            return known
    if path.suffix == ".json":
        return timeless(json.loads(path.read_text()))
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            return [timeless(row) for row in csv.DictReader(file)]
    if path.suffix == ".png":
        Image.open(path).load()
        return path.read_bytes()
    return path.stat().st_size > 0


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not any(t in k for t in _TIMES)}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def same(one, other):
    """What differs between two states: names."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def try_one(name, base, kills, draw):
    """Kills one command; what is wrong, and how long it took undisturbed."""
    whole, parts = base / "whole" / name.replace(" ", "_"), base / "parts" / name.replace(" ", "_")
    for folder in (whole, parts):
        folder.mkdir(parents=True)
    wrong = []
    with open(base / f"{name.replace(' ', '_')}.log", "wb") as log:
        begun = time.monotonic()
        for arguments in commands(base, whole)[name]:
            if start(arguments, log).wait():
                return ["does not run undisturbed"], 0.0
        took = time.monotonic() - begun
        *before, last = commands(base, parts)[name]
        for arguments in before:
            start(arguments, log).wait()
        done = 0
        for _ in range(kills):
            process = start(last, log)
            try:
                process.wait(draw.uniform(0.2, 1.0) * took)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                done += 1
            else:
                # It got there in spite of the kills: begin anew, so that there is something to kill.
                if process.returncode:
                    wrong.append(f"exit code {process.returncode} behind {done} kills")
                    break
                if same(state(whole), state(parts)):
                    wrong.append("ended with something else")
                subprocess.run(["rm", "-rf", parts], check=True)
                parts.mkdir()
                for arguments in before:
                    start(arguments, log).wait()
            try:
                state(parts)
            except Exception as error:
                wrong.append(f"a file that is not whole: {error!r}")
        code = start(last, log).wait()
        if code:
            wrong.append(f"exit code {code} at the end")
    if not wrong and (differing := same(state(whole), state(parts))):
        wrong.append(f"differs: {', '.join(differing[:5])}")
    litter = [
        path.name for path in parts.rglob(".*") if path.is_file() and path.name not in LOCKS
    ]  # fmt: skip
    if litter:
        wrong.append(f"lies about: {', '.join(litter[:5])}")
    return wrong, took


def main(kills="20", *names):
    """See above."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="npr-kills-") as folder:
        base, draw = Path(folder), random.Random(0)
        make_images(base / "images", 64)
        with open(base / "first.log", "wb") as log:
            for arguments in commands(base, base / "first")["train"]:
                assert start(arguments, log).wait() == 0, (base / "first.log").read_text()
        os.rename(base / "first" / "run" / "model.keras", base / "model.keras")
        for name in names or commands(base, base):
            wrong, took = try_one(name, base, int(kills), draw)
            failed += bool(wrong)
            print(
                f"{name:24}{kills} kills  {took:5.1f} s undisturbed  {'; '.join(wrong) or 'the same'}"
            )
            if wrong:
                print((base / f"{name.replace(' ', '_')}.log").read_text()[-1500:])
            sys.stdout.flush()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
