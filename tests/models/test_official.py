import numpy as np
import pytest
import torch

from npr_keras.bench.plain_torch import PlainDetector
from npr_keras.errors import CheckpointError
from npr_keras.layers import NPR
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.models.official import from_state_dict, to_state_dict
from npr_keras.models.pth import load_pth, save_pth

pytestmark = pytest.mark.every_backend


@pytest.fixture(scope="module")
def plain():
    """The plain PyTorch network with perturbed statistics, in inference mode."""
    torch.manual_seed(0)
    model = PlainDetector()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module")
def detector():
    return Detector()


@pytest.mark.parametrize(
    "wrap",
    [lambda s: s, lambda s: {"model": s}, lambda s: {f"module.{k}": v for k, v in s.items()}],
)
def test_same_logits_as_pytorch(plain, detector, tmp_path, random, wrap):
    torch.save(wrap(plain.state_dict()), tmp_path / "NPR.pth")
    from_state_dict(detector, load_pth(tmp_path / "NPR.pth"))
    pixels = random.integers(0, 256, (3, 64, 48, 3), np.uint8)
    with torch.no_grad():
        expected = plain(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(
        detector.predict_on_batch(pixels)[:, 0], expected, rtol=1e-4, atol=1e-5
    )


def test_names_shapes_and_order_are_pytorchs(plain, detector):
    ours, theirs = to_state_dict(detector), plain.state_dict()
    assert list(ours) == list(theirs)
    assert {k: v.shape for k, v in ours.items()} == {k: tuple(v.shape) for k, v in theirs.items()}
    assert {k: v.dtype for k, v in ours.items()} == {k: v.numpy().dtype for k, v in theirs.items()}


def test_there_and_back_is_identical(detector, tmp_path):
    save_pth(to_state_dict(detector), tmp_path / "out.pth")
    other = Detector()
    from_state_dict(other, load_pth(tmp_path / "out.pth"))
    for ours, theirs in zip(detector.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_faults_are_named_and_nothing_is_changed(detector):
    state = to_state_dict(detector)
    del state["bn1.bias"]
    state["extra.weight"] = np.zeros(3, np.float32)
    state["fc1.weight"] = np.zeros((2, 512), np.float32)
    before = detector.get_weights()
    with pytest.raises(CheckpointError) as caught:
        from_state_dict(detector, state)
    message = str(caught.value)
    assert "missing     bn1.bias (64,)" in message
    assert "unexpected  extra.weight" in message
    assert "fc1.weight: expected (1, 512), received (2, 512)" in message
    for was, now in zip(before, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_smaller_trunk_does_not_take_it(plain):
    state = {k: v.numpy() for k, v in plain.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"unexpected  layer2.*\n.*and \d+ more"):
        from_state_dict(Detector(ResNet(blocks=(3,))), state)


def test_only_the_official_detector_is_exported():
    variant = Detector(ResNet(blocks=(1,), width=8), NPR(3, data_format="channels_last"))
    with pytest.raises(CheckpointError, match=r"blocks=\(1,\), width=8, NPR\(3, 1, 0.66"):
        to_state_dict(variant)


def test_parameters_and_half_precision(plain, detector, tmp_path):
    state = {k: torch.nn.Parameter(v.bfloat16()) for k, v in plain.state_dict().items() if v.ndim}
    torch.save(state, tmp_path / "half.pth")
    from_state_dict(detector, load_pth(tmp_path / "half.pth"))
    torch.save({0: torch.zeros(1)}, tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_pth(tmp_path / "list.pth")


def test_broken_files(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        load_pth(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match=r"text\.pth is not a PyTorch checkpoint"):
        load_pth(tmp_path / "text.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="a dict with the keys epoch"):
        load_pth(tmp_path / "other.pth")


def test_a_file_cannot_run_code(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"model": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint of weights"):
        load_pth(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()
