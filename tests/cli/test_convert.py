"""`npr-keras convert`, from the official checkpoint and back."""

import numpy as np
import pytest
from conftest import error_of

from npr_keras.models import Detector, load_detector
from npr_keras.models.official import to_state_dict
from npr_keras.models.pth import save_pth


@pytest.mark.slow
def test_convert_both_ways(cli, invoke, tmp_path):
    detector = Detector()
    save_pth(to_state_dict(detector), tmp_path / "NPR.pth")
    done = cli("convert", tmp_path / "NPR.pth", tmp_path / "model.keras", "--protocol", "native")
    assert done.returncode == 0, done.stderr
    loaded = load_detector(tmp_path / "model.keras")
    assert loaded.preprocessing.name == "native"
    for ours, theirs in zip(detector.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "exists. Give --overwrite" in error_of(
        invoke("convert", tmp_path / "NPR.pth", tmp_path / "model.keras")
    )
    back = cli("convert", tmp_path / "model.keras", tmp_path / "back.pth", "--backend", "torch")
    assert back.returncode == 0, back.stderr
    import torch

    for name, value in torch.load(tmp_path / "back.pth", weights_only=True).items():
        np.testing.assert_array_equal(value.numpy(), to_state_dict(detector)[name])


def test_convert_errors(invoke, run_python, tmp_path):
    (tmp_path / "bad.pth").write_text("nonsense")
    assert "bad.pth is not a PyTorch checkpoint" in error_of(
        invoke("convert", tmp_path / "bad.pth", tmp_path / "m.keras")
    )
    assert not (tmp_path / "m.keras").exists()
    assert "Received:" in error_of(invoke("convert", tmp_path / "a.keras", tmp_path / "b.keras"))
    call = "import sys; from npr_keras_cli.main import main; main()"
    done = run_python(
        call,
        "tensorflow",
        without=["torch"],
        args=["convert", tmp_path / "bad.pth", tmp_path / "m.keras"],
        check=False,
    )
    assert 'pip install "npr-keras[torch]"' in error_of(done)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>", "it is a web page. Download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a Git LFS pointer"),
        (b"", "it is empty"),
        (b"\x80\x02nonsense", "it holds more than weights"),
        (b"nonsense", "it is damaged, or something else"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, content, reason):
    from npr_keras.errors import CheckpointError
    from npr_keras.models.pth import load_pth

    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=reason) as error:
        load_pth(tmp_path / "a.pth")
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_prefixes_of_wrapped_modules(prefix):
    from npr_keras.models.official import from_state_dict

    detector, other = Detector(), Detector()
    state = {prefix + name: value for name, value in to_state_dict(detector).items()}
    from_state_dict(other, state)
    for ours, theirs in zip(detector.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict", "net"])
def test_wrapped_state_dicts_and_broken_values(tmp_path, key):
    import torch

    from npr_keras.errors import CheckpointError
    from npr_keras.models.official import from_state_dict
    from npr_keras.models.pth import load_pth

    state = {name: torch.tensor(value) for name, value in to_state_dict(Detector()).items()}
    torch.save({key: state, "epoch": 3}, tmp_path / "a.pth")
    assert set(load_pth(tmp_path / "a.pth")) == set(state)
    state["conv1.weight"][0, 0, 0, 0] = float("nan")
    torch.save({key: state}, tmp_path / "b.pth")
    detector = Detector()
    before = detector.get_weights()
    with pytest.raises(CheckpointError, match="not finite, in 1 parameters, the first conv1"):
        from_state_dict(detector, load_pth(tmp_path / "b.pth"))
    for ours, theirs in zip(before, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_missing_folder_is_named(invoke, tmp_path):
    save_pth(to_state_dict(Detector()), tmp_path / "NPR.pth")
    told = error_of(invoke("convert", tmp_path / "NPR.pth", tmp_path / "gone" / "m.keras"))
    assert f"No such folder: {tmp_path / 'gone'}" in told
