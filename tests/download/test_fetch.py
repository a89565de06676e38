import hashlib
import json

import pytest
from file_server import DATA

from npr_keras.download.fetch import fetch, look_up
from npr_keras.errors import DownloadError, MissingPackageError


def get(server, manner, path, **options):
    remote = look_up(f"{server.url}/{manner}/data.bin")
    counted = []
    fetch(remote, path, counted.append, wait=0.01, **options)
    assert sum(counted) == len(DATA)


@pytest.mark.parametrize("manner", ["well", "digest", "busy", "breaks-once", "breaks"])
def test_the_whole_file_comes(server, tmp_path, manner):
    get(server, manner, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]
    expected = {
        "breaks-once": [None, "bytes=1048576-"],
        "breaks": [None, "bytes=1048576-", "bytes=2097152-"],
        "busy": [None, None, None],
    }
    assert server.asked == expected.get(manner, [None])


def test_a_later_call_goes_on(server, tmp_path):
    path = tmp_path / "data.bin"
    server.breaks_after = 0
    with pytest.raises(DownloadError, match=r"broke off 5 times at 0 bytes.*goes on from there"):
        get(server, "breaks", path)
    assert not path.exists()
    (tmp_path / "data.bin.part").write_bytes(DATA[:1234])
    server.asked.clear()
    server.breaks_after = 10**9
    get(server, "breaks", path)
    assert path.read_bytes() == DATA
    assert server.asked == ["bytes=1234-"]


def test_another_version_begins_anew(server, tmp_path):
    path = tmp_path / "data.bin"
    (tmp_path / "data.bin.part").write_bytes(b"of another address")
    (tmp_path / "data.bin.part.json").write_text('{"url": "elsewhere"}')
    get(server, "well", path)
    assert path.read_bytes() == DATA
    path.unlink()
    server.asked.clear()
    remote = look_up(f"{server.url}/well/data.bin")
    server.files["data.bin"], server.etag = DATA[::-1], '"two"'
    (tmp_path / "data.bin.part").write_bytes(DATA[:50])
    note = json.dumps({"url": remote.url, "size": len(DATA), "etag": '"one"'})
    (tmp_path / "data.bin.part.json").write_text(note)
    fetch(remote, path)
    assert server.asked == ["bytes=50-"]
    assert path.read_bytes() == DATA[::-1]  # not the one's beginning and the other's end


def a_beginning(server, tmp_path, manner, data):
    """As an earlier call leaves it."""
    remote = look_up(f"{server.url}/{manner}/data.bin")
    note = json.dumps({"url": remote.url, "size": remote.size, "etag": remote.etag})
    (tmp_path / "data.bin.part.json").write_text(note)
    (tmp_path / "data.bin.part").write_bytes(data)
    return remote


def test_a_part_that_was_not_asked_for(server, tmp_path):
    remote = a_beginning(server, tmp_path, "elsewhere", DATA[:50])
    fetch(remote, tmp_path / "data.bin", wait=0.01)
    assert (tmp_path / "data.bin").read_bytes() == DATA
    assert server.asked == ["bytes=50-", None]  # once by the wrong part, then all of it


def test_a_beginning_longer_than_the_file(server, tmp_path):
    remote = a_beginning(server, tmp_path, "well", DATA + b"more")
    fetch(remote, tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == DATA
    assert server.asked == [None]


def test_a_server_that_refuses_the_range(server, tmp_path):
    remote = a_beginning(server, tmp_path, "longer", DATA[:50])
    with pytest.raises(DownloadError, match="sends more than"):
        fetch(remote, tmp_path / "data.bin", wait=0.01)
    assert server.asked == ["bytes=50-", None]


def test_a_full_disk_is_not_the_servers_fault(server, tmp_path, monkeypatch):
    remote = look_up(f"{server.url}/well/data.bin")
    opened = open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def tell(self):
            return 0

        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "builtins.open",
        lambda path, mode="r", *a, **o: (
            Full(opened(path, mode, *a, **o))
            if mode == "wb" and str(path).endswith(".part")
            else opened(path, mode, *a, **o)
        ),
    )
    with pytest.raises(OSError, match="No space left"):
        fetch(remote, tmp_path / "data.bin")
    assert len(server.asked) == 1


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    remote = look_up(f"{server.url}/no-ranges/data.bin")
    note = json.dumps({"url": remote.url, "size": len(DATA), "etag": '"one"'})
    (tmp_path / "data.bin.part.json").write_text(note)
    (tmp_path / "data.bin.part").write_bytes(DATA[:99])
    get(server, "no-ranges", tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == DATA


def test_a_server_that_lies(server, tmp_path):
    path = tmp_path / "data.bin"
    with pytest.raises(DownloadError, match="sends more than the 3,000,000 bytes"):
        get(server, "longer", path)
    with pytest.raises(DownloadError, match=r"not\s+0000"):
        get(server, "wrong-digest", path)
    assert not path.exists()
    assert not (tmp_path / "data.bin.part").exists()
    # Announces 1000 bytes more than there are, but the HEAD told the truth: the file is whole.
    get(server, "shorter", path)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(DATA).digest()


def test_dead_links(server, tmp_path):
    with pytest.raises(DownloadError, match="404 Not Found"):
        look_up(f"{server.url}/gone/data.bin")
    with pytest.raises(DownloadError, match=r"cannot be reached: .*refused"):
        look_up("http://127.0.0.1:9/data.bin")
    remote = look_up(f"{server.url}/well/data.bin")
    server.files.clear()
    with pytest.raises(DownloadError, match="404"):
        fetch(remote, tmp_path / "data.bin")


def test_a_file_that_is_there(server, tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    get(server, "well", path)
    assert server.asked == []
    path.write_bytes(b"other")
    with pytest.raises(DownloadError, match="is there with 5 bytes"):
        get(server, "well", path)
    path.write_bytes(DATA[::-1])
    with pytest.raises(DownloadError, match="SHA-256 is not"):
        get(server, "digest", path)


def test_without_the_packages(run_python):
    script = "from npr_keras.download.fetch import look_up\nlook_up('http://127.0.0.1:9/x')"
    done = run_python(script, without=("requests",), check=False)
    assert 'pip install "npr-keras[download]"' in done.stderr
    assert MissingPackageError.__name__ in done.stderr
