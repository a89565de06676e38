"""What a network needs, counted by hand; what the machine gives."""

import pytest

from npr_keras.bench.machine import bandwidth, describe_machine, gemm_rate, gemm_step, operations
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
    name, step = gemm_step()
    assert name in ("torch", "NumPy") and step().shape == (2048, 2048)
    assert gemm_rate(2 * 2048**3 / 1e9) == pytest.approx(1e9)
    assert bandwidth(1) > 1e8
    assert gemm_step("int8")[1]().shape == (2048, 2048)
