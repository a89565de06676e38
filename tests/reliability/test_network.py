"""No connection that nobody asked for: in Python by a guard, in native code by a trace."""

import os
import re
import shutil
import subprocess
import sys

import pytest

# Everything that could look a name up or connect, refused and noted.
GUARD = """
import socket, sys
def refuse(*arguments, **options):
    sys.stderr.write(f"CONNECTION {arguments!r}\\n")
    raise OSError("no network in this test")
socket.getaddrinfo = socket.gethostbyname = refuse
socket.socket.connect = socket.socket.connect_ex = refuse
"""
IMPORTS = """
import importlib, pkgutil, npr_keras, npr_keras_cli
for package in (npr_keras, npr_keras_cli):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print("imported", len([m for m in sys.modules if m.startswith("npr_keras")]))
"""
RUNS = """
from npr_keras_cli.main import main
for arguments in ({commands}):
    try:
        main(arguments, standalone_mode=False)
    except SystemExit as error:
        assert error.code in (0, None), (arguments, error.code)
"""


def guarded(script):
    done = subprocess.run(
        [sys.executable, "-c", GUARD + script], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def test_no_import_connects():
    """Every module of the package."""
    done = guarded(IMPORTS)
    assert "CONNECTION" not in done.stderr
    assert int(re.search(r"imported (\d+)", done.stdout)[1]) > 100


@pytest.fixture
def commands(make_set, tmp_path):
    data = make_set(tmp_path / "d", 3)
    return [
        ["predict", str(data), "--model", "npr-lab"],
        ["data", "check", str(data)],
        ["eval", "--model", "npr-lab", "--data", str(data)],
        ["models"],
        ["detectors"],
    ]


def test_no_command_connects(commands):
    done = guarded(RUNS.format(commands=commands))
    assert "CONNECTION" not in done.stderr


@pytest.mark.slow
def test_no_native_code_connects(commands):
    """What libraries do behind Python's back: connect() of the whole process tree, addresses of the
    network among them."""
    if not shutil.which("strace"):
        pytest.skip("no strace to trace with")
    script = RUNS.format(commands=commands)
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=connect,sendto", sys.executable, "-c", script],
        capture_output=True, text=True, timeout=600, env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert not re.findall(r"(?:connect|sendto)\(.*AF_INET6?.*", done.stderr)
