"""One grid three times: undisturbed, killed at random five times, and by two processes at once.

    python tests/ablation/broken_off.py FOLDER [OPTION...]

runs `npr-keras ablate` on the simulated source and suite, with the options given (by default four
representations, two seeds, small and short), and compares the logits of every run, and the tables.
It prints what it did, and ends with 1 if anything differs.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from npr_keras.ablation.plan import Run, read_plan

SMALL = ["--grid", "representation", "--seeds", "2", "--set", "epochs=2", "--set", "crop=64",
         "--set", "detector.width=16"]  # fmt: skip
KILLS = 5


def started(folder, options):
    """`npr-keras ablate`, in the background; what it says goes to a file."""
    command = [sys.executable, "-m", "npr_keras_cli.main", "ablate", "--out", folder, *options]
    with open(f"{folder}.log", "a") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def logits_of(folder):
    """Every run's logits, by variant, seed and set."""
    plan = read_plan(folder)
    found = {}
    for variant in plan["variants"]:
        for seed in plan["seeds"]:
            run = Run(variant, seed, Path(folder, "runs", variant, f"seed-{seed}"))
            for name, (_, logits) in run.read_logits().items():
                found[variant, seed, name] = logits
    return found


def table_of(folder):
    """The CSV that `ablate report` writes."""
    file = Path(f"{folder}.csv")
    command = [sys.executable, "-m", "npr_keras_cli.main", "ablate", "report", folder]
    subprocess.run([*command, "--write", file], check=True, stdout=subprocess.DEVNULL)
    return file.read_text()


def kill_and_go_on(folder, options):
    """Kills it at random times, each time after it got somewhere, and lets it end."""
    drawn = random.Random(0)
    kills = 0
    while kills < KILLS:
        process = started(folder, options)
        seconds = drawn.uniform(12, 40)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            done = len(list(Path(folder).glob("runs/*/*/logits.npz")))
            print(f"killed after {seconds:.0f} s, {done} runs done", flush=True)
        else:
            print(f"ended before kill {kills + 1} with {process.returncode}")
            break
    return started(folder, options).wait()


def main(folder, options):
    """0 if all three are the same."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    times, codes = {}, {}
    for name in ("undisturbed", "killed", "shared"):
        begun = time.monotonic()
        if name == "killed":
            codes[name] = kill_and_go_on(folder / name, options)
        else:
            both = [started(folder / name, options) for _ in range(1 + (name == "shared"))]
            codes[name] = max(process.wait() for process in both)
        times[name] = time.monotonic() - begun
    expected, table = logits_of(folder / "undisturbed"), table_of(folder / "undisturbed")
    wrong = any(codes.values())
    for name in times:
        found = logits_of(folder / name)
        same = sum(np.array_equal(found.get(k), z, equal_nan=True) for k, z in expected.items())
        largest = max(np.abs(found[k] - z).max() for k, z in expected.items() if k in found)
        tables = table_of(folder / name) == table
        wrong |= same < len(expected) or not tables
        print(
            f"{name:12} exit {codes[name]}, {times[name]:4.0f} s, {same} of {len(expected)} sets of "
            f"logits equal (largest difference {largest:.1e}), table {'equal' if tables else 'differs'}"
        )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:] or SMALL))
