"""`npr-keras data check` and `data download`, as a person meets them."""

import json

import pytest
from archives import make_zip
from conftest import error_of, said
from file_server import server  # noqa: F401
from PIL import Image

from npr_keras.download import addresses


def test_check(invoke, make_set, tmp_path):
    make_set(tmp_path / "clean", 8)
    for name in ("cat", "dog"):
        make_set(tmp_path / "small" / name, 2)
    done = invoke("data", "check", tmp_path)
    assert done.returncode == 0
    assert "No problems in 24 images" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Too small to tell whether format, size or quality tells the label: small" in done.stdout
    assert "classes, real + generated: cat 2 + 2, dog 2 + 2" in done.stdout
    bad = make_set(tmp_path / "bad", 12)
    for path in (bad / "0_real").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"), quality=80)
        path.unlink()
    (bad / "1_fake" / "note.png").write_text("note")
    done = invoke("data", "check", tmp_path)
    assert done.returncode == 3
    text = done.stdout
    assert "1 image cannot be read" in text
    assert "note.png: not an image" in text
    assert "bad: JPEG files are real: 100.0 %" in text
    report = json.loads(invoke("data", "check", tmp_path, "--json").stdout)
    assert not report["clean"]
    assert report["sets"][0]["rule"]["balanced_accuracy"] == 1
    assert report["sets"][0]["real"]["qualities"] == {"80": 12}
    assert "Expected folders named 0_real" in error_of(
        invoke("data", "check", tmp_path / "bad/0_real")
    )


@pytest.fixture
def gangen(server, tmp_path, monkeypatch):  # noqa: F811
    """The suite's address is on this machine."""
    files = {
        f"{n}/{label}/a.png": b"x" for n in ("AttGAN", "BEGAN") for label in ("0_real", "1_fake")
    }
    server.files["gangen.zip"] = make_zip(tmp_path / "gangen.zip", files).read_bytes()
    archive = addresses.Archive("gangen.zip", (f"{server.url}/well/gangen.zip",))
    ours = addresses.Download("gangen", "GANGen-Detection", "GANGen-Detection", "page", (archive,))
    monkeypatch.setattr(addresses, "downloads", lambda: {"gangen": ours})
    return tmp_path / "data"


def test_download_asks_first(invoke, gangen, monkeypatch):
    command = ["data", "download", "gangen", "--data-root", gangen]
    done = invoke(*command, "--dry-run")
    assert done.returncode == 0
    assert "gangen.zip" in done.stdout
    assert "In all" in done.stdout
    assert not gangen.exists()
    assert "give --yes" in error_of(invoke(*command), code=2)
    assert not gangen.exists()
    done = invoke(*command, "--yes")
    assert done.returncode == 0, done.stderr
    assert (gangen / "GANGen-Detection" / "BEGAN" / "1_fake" / "a.png").exists()
    assert "4 files in" in done.stderr
    assert "2 of 9 sub-testsets are there, missing: CramerGAN" in said(done)
    again = invoke(*command, "--yes")
    assert "unpacked" in again.stdout
    assert "GANGen-Detection: 0 files" in again.stderr


def test_download_errors(invoke, gangen, server):  # noqa: F811
    command = ["data", "download", "--data-root", gangen]
    assert "Known: gangen" in error_of(invoke(*command, "all30"))
    server.files.clear()
    assert "unpack it to" in error_of(invoke(*command, "gangen", "--yes"))
    assert "--data-root" in error_of(invoke("data", "download", "gangen"), code=2)
    assert not gangen.exists()  # nothing was left half written
