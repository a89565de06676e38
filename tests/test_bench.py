"""What a network needs, counted by hand; what the machine gives."""

import pytest

from npr_keras.bench.machine import bandwidth, describe_machine, gemm_rate, gemm_steps, operations
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet


def by_hand(blocks, width, side):
    """2 operations for each multiplication of a ResNet's convolutions, as the paper's figure has them."""
    side //= 2
    total, channels = side * side * 9 * 3 * width, width
    side //= 2
    for stage, units in enumerate(blocks):
        inner = width * 2**stage
        for unit in range(units):
            total += side * side * channels * inner  # before the stride
            if stage and unit == 0:
                side //= 2
            total += side * side * (9 * inner * inner + inner * 4 * inner)
            total += side * side * channels * 4 * inner if unit == 0 else 0
            channels = 4 * inner
    return 2 * (total + channels)


@pytest.mark.every_backend
@pytest.mark.parametrize(("blocks", "width", "side"), [((3, 4), 64, 224), ((1, 1), 8, 64)])
def test_operations(blocks, width, side):
    assert operations(Detector(ResNet(blocks=blocks, width=width)), side) == by_hand(
        blocks, width, side
    )


def test_a_machine():
    found = describe_machine()
    assert found["cores"] >= 1 and found["memory"].endswith("GiB")
    assert gemm_rate(2 * 2048**3 / 1e9) == pytest.approx(1e9)
    assert bandwidth(1) > 1e8
    for precision, libraries in (
        ("float32", {"NumPy", "ONNX Runtime", "PyTorch"}), ("bfloat16", {"PyTorch"}), ("int8", {"PyTorch"}),
    ):  # fmt: skip
        steps = gemm_steps(precision)
        assert set(steps) == libraries
        for step in steps.values():
            found = step()
            assert (found[0] if isinstance(found, list) else found).shape == (2048, 2048)
