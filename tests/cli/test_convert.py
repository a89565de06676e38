"""`npr-keras convert`, from the official checkpoint and back."""

import numpy as np
import pytest
from conftest import error_of

from npr_keras.models import Detector, load_detector
from npr_keras.models.official import save_pth, to_state_dict


@pytest.mark.slow
def test_convert_both_ways(cli, tmp_path):
    detector = Detector()
    save_pth(to_state_dict(detector), tmp_path / "NPR.pth")
    done = cli("convert", tmp_path / "NPR.pth", tmp_path / "model.keras", "--protocol", "native")
    assert done.returncode == 0, done.stderr
    loaded = load_detector(tmp_path / "model.keras")
    assert loaded.preprocessing.name == "native"
    for ours, theirs in zip(detector.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "exists. Give --overwrite" in error_of(
        cli("convert", tmp_path / "NPR.pth", tmp_path / "model.keras")
    )
    back = cli("convert", tmp_path / "model.keras", tmp_path / "back.pth", "--backend", "torch")
    assert back.returncode == 0, back.stderr
    import torch

    for name, value in torch.load(tmp_path / "back.pth", weights_only=True).items():
        np.testing.assert_array_equal(value.numpy(), to_state_dict(detector)[name])


def test_convert_errors(cli, run_python, tmp_path):
    (tmp_path / "bad.pth").write_text("nonsense")
    assert "bad.pth is not a PyTorch checkpoint" in error_of(
        cli("convert", tmp_path / "bad.pth", tmp_path / "m.keras")
    )
    assert not (tmp_path / "m.keras").exists()
    assert "Received:" in error_of(cli("convert", tmp_path / "a.keras", tmp_path / "b.keras"))
    call = "import sys; from npr_keras_cli.main import main; main()"
    done = run_python(
        call,
        "tensorflow",
        without=["torch"],
        args=["convert", tmp_path / "bad.pth", tmp_path / "m.keras"],
        check=False,
    )
    assert 'pip install "npr-keras[torch]"' in error_of(done)
