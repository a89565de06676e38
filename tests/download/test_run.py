import hashlib
import re
import sys
import types
from pathlib import Path

import pytest
from archives import make_7z, make_zip
from file_server import DATA

from npr_keras.download import downloads, get_download, make_plan, run_plan
from npr_keras.download.addresses import Archive, Download, SingleFile
from npr_keras.errors import ConfigError, DownloadError, MissingPackageError, RunError
from npr_keras.evaluation.suites import published_suites
from npr_keras.locks import locked


def test_every_suite_has_an_address():
    assert list(downloads()) == ["progan", *published_suites(), "photos-lab"]
    train = get_download("progan").archives[1]
    assert train.files[0] == "progan_train.7z.001"
    assert train.urls[6].endswith("/progan_train.7z.007")
    for name, suite in published_suites().items():
        assert get_download(name).folder in suite.folders  # so that eval finds what came
    with pytest.raises(ConfigError, match="Known: progan, forensynths"):
        get_download("all29")


def a_download(server, *archives):
    return Download("mine", "Mine", "mine", "http://example.invalid/page", archives)


def test_plan_then_fetch_then_unpack(server, tmp_path):
    pair = {"cat/0_real/a.png": b"a", "cat/1_fake/a.png": b"b", "dog/0_real/a.png": b"c"}
    server.files["val.zip"] = make_zip(tmp_path / "val.zip", pair).read_bytes()
    seven = make_7z(tmp_path / "train.7z", {**pair, "noise": DATA[:50_000]}).read_bytes()
    half = len(seven) // 2
    server.files |= {"train.7z.001": seven[:half], "train.7z.002": seven[half:]}
    url = f"{server.url}/breaks/train.7z"
    server.breaks_after = 20_000
    download = a_download(
        server,
        Archive("val.zip", (f"{server.url}/well/val.zip",), "val"),
        Archive("train.7z", (f"{url}.001", f"{url}.002"), "train"),
    )
    plan = make_plan(download, tmp_path / "data")
    total = len(server.files["val.zip"]) + len(seven)
    assert (plan.size, plan.here) == (total, 0)
    assert not (tmp_path / "data").exists()  # asking leaves nothing
    told = []
    assert run_plan(plan, progress=lambda name, done: told.append((name, done))) == 3 + 4
    assert sum(done for _, done in told) == total
    assert (tmp_path / "data/mine/train/cat/1_fake/a.png").read_bytes() == b"b"
    assert (tmp_path / "data/mine/val/dog/0_real/a.png").read_bytes() == b"c"
    assert not list((tmp_path / "data/mine/.downloads").glob("*.7z*0*"))
    again = make_plan(download, tmp_path / "data")
    assert again.done == ("val.zip", "train.7z")
    assert again.files == ()


def test_dead_links_say_what_to_do(server, tmp_path):
    download = a_download(server, Archive("a.zip", (f"{server.url}/gone/a.zip",)))
    with pytest.raises(
        DownloadError, match=r"404.*\n.*open http://example.invalid/page in a browser"
    ):
        make_plan(download, tmp_path)


def test_no_room(server, tmp_path, monkeypatch):
    from npr_keras.download import run as module

    server.files["a.zip"] = DATA
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1_000_000)
    )
    plan = make_plan(
        a_download(server, Archive("a.zip", (f"{server.url}/well/a.zip",))), tmp_path / "d"
    )
    with pytest.raises(DownloadError, match="3,000,000 bytes are to come, and 1,000,000 are"):
        run_plan(plan)


def test_google_drive(tmp_path, monkeypatch):
    download = Download("mine", "Mine", "mine", "http://example.invalid", drive="abc")
    plan = make_plan(download, tmp_path)
    assert plan.size is None

    def download_folder(id, output, resume):
        assert (id, resume) == ("abc", True)
        assert not output.endswith("/")  # or gdown puts a folder of the Drive folder's name there
        fetched.append(output)
        archive = make_zip(f"{output}/AttGAN.zip", {"AttGAN/0_real/a.png": b"a"})
        Path(output, "more").mkdir(exist_ok=True)
        whole = make_7z(tmp_path / "x.7z", {"BEGAN/0_real/b.png": b"b"}).read_bytes()
        parts = [f"{output}/more/BEGAN.7z.00{i}" for i in (1, 2)]
        for part, data in zip(parts, (whole[:50], whole[50:]), strict=True):
            Path(part).write_bytes(data)
        Path(output, "readme.txt").write_text("about")
        return [str(archive), *parts, f"{output}/readme.txt"]

    fetched = []

    gdown = types.SimpleNamespace(download_folder=download_folder)
    monkeypatch.setitem(sys.modules, "gdown", gdown)
    assert run_plan(plan, keep=("AttGAN", "BEGAN")) == 3
    assert (tmp_path / "mine/AttGAN/0_real/a.png").read_bytes() == b"a"
    assert (tmp_path / "mine/more/BEGAN/0_real/b.png").read_bytes() == b"b"
    assert (tmp_path / "mine/readme.txt").exists()
    assert not list((tmp_path / "mine/.downloads").rglob("*.zip"))
    assert run_plan(make_plan(download, tmp_path)) == 0  # a second call has nothing to do
    assert len(fetched) == 1

    def refuse(**options):
        raise RuntimeError("too many users")

    gdown.download_folder = refuse
    with pytest.raises(DownloadError, match=r"too many users\n.*in a browser"):
        run_plan(plan)
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(MissingPackageError, match=r"npr-keras\[download\]"):
        run_plan(plan)


def test_single_files(server, tmp_path, monkeypatch):
    """Fetched one by one, each by its digest; what is there is not fetched again."""
    server.files = {"a.jpg": b"first", "b.jpg": b"second"}
    rows = [
        SingleFile(
            f"photos/{n}", f"{server.url}/well/{n}", hashlib.sha256(d).hexdigest(), len(d), "CC0"
        )
        for n, d in server.files.items()
    ]
    monkeypatch.setattr(Download, "single_files", lambda self: rows)
    download = Download("mine", "Mine", "mine", "page", files="mine.csv")
    assert make_plan(download, tmp_path).size == 11
    assert run_plan(make_plan(download, tmp_path)) == 2
    assert (tmp_path / "mine/photos/b.jpg").read_bytes() == b"second"
    assert make_plan(download, tmp_path).here == 11
    assert run_plan(make_plan(download, tmp_path)) == 2
    (tmp_path / "mine/photos/a.jpg").unlink()
    server.files["a.jpg"] = b"other"
    with pytest.raises(DownloadError, match="SHA-256"):
        run_plan(make_plan(download, tmp_path))
    lock = locked(tmp_path / "mine", "downloading")
    with lock, pytest.raises(RunError, match="another process is downloading there"):
        run_plan(make_plan(download, tmp_path))


def test_the_table_of_photographs():
    rows = get_download("photos-lab").single_files()
    assert len({row.path for row in rows}) == len(rows) > 2500
    for row in rows:
        assert re.fullmatch(r"(photos|generated)/[\w-]+/[\w.-]+", row.path), row.path
        assert re.fullmatch(r"[0-9a-f]{64}", row.sha256) and row.size > 1000 and row.licence
        # A commit, not a branch: what lies there stays what it is.
        assert re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", row.url)
