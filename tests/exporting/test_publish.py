"""How artefacts get their names, with others about and after interruptions."""

import os
import subprocess
import sys

import pytest

from npr_keras.atomic import owner
from npr_keras.errors import CheckpointError, ExportError, MissingPackageError
from npr_keras.exporting.export import export_detector
from npr_keras.exporting.staging import publish_file, publish_version, size_of, staging


def version(folder):
    with_files = folder / "written"
    (with_files / "variables").mkdir(parents=True)
    (with_files / "saved_model.pb").write_text("graph")
    return with_files


def test_versions_follow_each_other(tmp_path):
    assert publish_version(version(tmp_path), tmp_path, None).name == "1"
    assert publish_version(version(tmp_path), tmp_path, 7).name == "7"
    (tmp_path / "\u00b2").mkdir()  # a digit that is no number
    assert publish_version(version(tmp_path), tmp_path, None).name == "8"
    with pytest.raises(ExportError, match=r"Version 7 is in .* another --version"):
        publish_version(version(tmp_path), tmp_path, 7)
    assert (tmp_path / "7" / "saved_model.pb").exists()


def test_another_process_takes_the_number(tmp_path, monkeypatch):
    rename = os.rename

    def too_late(source, target):
        monkeypatch.setattr(os, "rename", rename)
        (target / "theirs").mkdir(parents=True)
        rename(source, target)

    monkeypatch.setattr(os, "rename", too_late)
    assert publish_version(version(tmp_path), tmp_path, None).name == "2"
    assert (tmp_path / "1" / "theirs").exists()


def test_each_is_made_in_a_folder_of_its_own(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])  # a process that is no more
    gone.wait()
    old = tmp_path / f".exporting-{owner().partition('-')[0]}-{gone.pid}-x"
    old.mkdir()
    theirs = tmp_path / f".exporting-00000000-{gone.pid}-x"  # another machine's
    theirs.mkdir()
    with staging(tmp_path) as one, staging(tmp_path) as other:
        assert one != other
        assert not old.exists()
        (one / "model.onnx").write_text("unfinished")
    assert list(tmp_path.iterdir()) == [theirs]


@pytest.mark.parametrize("interrupted", [1, 2])
def test_an_openvino_model_is_never_a_mixture(tmp_path, monkeypatch, interrupted):
    """A model that is gone is noticed; one with the weights of another would be believed."""
    for name in ("model.xml", "model.bin"):
        (tmp_path / name).write_text("old")
    replace, calls = os.replace, []

    def stopping(source, target):
        calls.append(target)
        if len(calls) == interrupted:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopping)
    with pytest.raises(KeyboardInterrupt), staging(tmp_path) as new:
        for name in ("model.xml", "model.bin"):
            (new / name).write_text("newer")
        publish_file(new / "model.xml", tmp_path)
    assert not (tmp_path / "model.xml").exists()
    monkeypatch.undo()
    with staging(tmp_path) as new:
        for name in ("model.xml", "model.bin"):
            (new / name).write_text("newer")
        target = publish_file(new / "model.xml", tmp_path)
    assert [p.read_text() for p in sorted(tmp_path.iterdir())] == ["newer", "newer"]
    assert size_of(target) == 10


def test_packages_are_asked_for_before_anything_is_written(monkeypatch, tmp_path):
    for name in ("tf2onnx", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    nothing = tmp_path / "model.keras"
    with pytest.raises(MissingPackageError, match=r'onnx.*pip install "npr-keras\[onnx\]"'):
        export_detector(nothing, ["savedmodel", "onnx"])
    with pytest.raises(MissingPackageError, match=r'pip install "npr-keras\[openvino\]"'):
        export_detector(nothing, ["openvino"])
    with pytest.raises(CheckpointError, match="No model at"):  # asked for later
        export_detector(nothing, ["savedmodel", "tflite"])
    assert list(tmp_path.iterdir()) == []
