"""Every command that reads images, over a folder of hostile files.

    python tests/reliability/commands.py [FILES] [SEED]

makes FILES (1,000) files with `corpus.py` and runs eight commands over them, each in a process of its
own. A command is wrong if it ends by a signal, takes more than its seconds or more than 4 GB, prints a
traceback, a control character or an exit code that is not its own, or says nothing of a file. Prints a
line for each, and ends with 1 if one was wrong.
"""

import csv
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from corpus import write_corpus

SECONDS, MOST = 900, 4 << 30
TOOL = Path(sys.executable).with_name("npr-keras")
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def measured(arguments, seconds=SECONDS):
    """Runs the tool: exit code, output, errors, seconds, and the most memory that it took, in bytes."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [TOOL, *map(str, arguments)], stdout=out, stderr=err,
            env={**os.environ, "NPR_CACHE": os.path.join(tempfile.gettempdir(), "npr-hostile")},
        )  # fmt: skip
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        texts = [file.read().decode("utf-8", "replace") for file in (out, err)]
    return process.returncode, *texts, time.monotonic() - begun, usage.ru_maxrss << 10


def complaints(code, out, err, seconds, memory, allowed):
    """What is wrong with how a command ended; nothing where it ended well."""
    found = []
    if code not in allowed:
        found.append(f"exit code {code}")
    if seconds > SECONDS:
        found.append(f"{seconds:.0f} s")
    if memory > MOST:
        found.append(f"{memory >> 20} MB")
    if "Traceback" in out + err:
        found.append("a traceback")
    if acting := _ACTING.search(out + err):
        found.append(f"a control character: {acting[0]!r}")
    return found


def rows_of(out, form):
    """How many files an output speaks of."""
    if form == "json":
        return len({json.loads(line)["path"] for line in out.splitlines()})
    if form == "csv":
        return len(list(csv.reader(io.StringIO(out)))) - 1
    return len(re.findall(r"^ +(?:\d\.\d{4}|–)  \S", out, re.MULTILINE))


def run(folder, work):
    """The eight commands: (name, arguments, exit codes, form of an output with a row for each file)."""
    lab, out = ["--model", "npr-lab"], work / "out"
    most = ["--max-unreadable", "100%"]
    return [
        ("predict", ["predict", folder], (1,), "text"),
        ("predict --json", ["predict", folder, "--json"], (1,), "json"),
        ("predict --csv, ONNX", ["predict", folder, "--csv", "--model", work / "npr-lab.onnx"], (1,), "csv"),
        ("data check", ["data", "check", folder, "--json"], (0, 3), ""),
        ("eval", ["eval", *lab, "--data", folder, *most, "--report", work / "r.html"], (0,), ""),
        ("eval, PyDataset", ["eval", *lab, "--data", folder, *most, "--pipeline", "pydataset"], (0,), ""),
        ("robustness", ["robustness", *lab, "--data", folder, *most, "--condition", "jpeg=90"], (0,), ""),
        ("reconstruct", ["data", "reconstruct", "--photos", folder / "0_real", "--out", out, "--size", "64", "--count", "20"], (0, 1), ""),
    ]  # fmt: skip


def main(files="1000", seed="0"):
    """See above."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="npr-hostile-") as base:
        folder, work = Path(base, "set"), Path(base)
        print(write_corpus(folder, int(files), int(seed)))
        for name, arguments, allowed, form in run(folder, work):
            if "ONNX" in name:
                measured(["export", "npr-lab", "--format", "onnx", "--out", work])
            code, out, err, seconds, memory = measured(arguments)
            found = complaints(code, out, err, seconds, memory, allowed)
            said = ""
            if form:
                passed = sum(map(int, re.findall(r"passed over, not images: (\d+)", err)))
                said = f"{rows_of(out, form)} of {files} files, {passed} passed over"
                if rows_of(out, form) + passed < int(files):
                    found.append("files that nothing is said of")
            wrong += bool(found)
            print(
                f"{name:22}exit {code}  {seconds:6.1f} s  {memory >> 20:6} MB  {said}  {'; '.join(found)}"
            )
            if found:
                print("   ", *(err or out).splitlines()[-12:], sep="\n    ")
            sys.stdout.flush()
    return wrong > 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main(*sys.argv[1:]))
