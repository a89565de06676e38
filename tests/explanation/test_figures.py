"""Figures that may end up in print: verdict, reasons, model and date; no raw markup; any shape."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from npr_keras.explanation.figures import comparison_figure, explanation_figure
from npr_keras.explanation.maps import explain
from npr_keras.models import Detector
from npr_keras.simulation.photographs import embedded_photograph


@pytest.fixture(scope="module")
def detector():
    from npr_keras.models.backbones.resnet import ResNet

    return Detector(ResNet(blocks=(1, 1), width=8))


def texts(drawing):
    """Everything that is written in a figure, tick labels included, once it is drawn."""
    import io

    from matplotlib.text import Text

    drawing.savefig(io.BytesIO(), format="png", dpi=40)
    return [text.get_text() for text in drawing.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("shape", [(160, 90), (90, 260), (64, 64), (2600, 40)])
def test_no_raw_markup_and_all_that_was_said(detector, shape):
    side = -(-max(shape) // 8) * 8
    pixels = np.tile(embedded_photograph(7, 0, min(side, 256)), (12, 12, 1))[: shape[0], : shape[1]]
    found = explain(detector, pixels)
    title = "a $x_{2}$ picture_1.png: inconclusive"
    lines = [
        "probability of being generated below 0.001, logit -9.87",
        "JPEG quality 75: " + "long " * 60,
    ]
    drawing = explanation_figure(
        found, title, lines, "saved_models/npr, SHA-256 0123456789ab, 2026-11-26."
    )
    written = texts(drawing)
    assert not [text for text in written if "mathdefault" in text or "\\times" in text]
    head = next(text for text in written if text.startswith("a $x_{2}$"))
    assert title in head and lines[0] in head and "JPEG quality 75" in head
    assert max(map(len, head.splitlines())) <= 110
    assert any("SHA-256 0123456789ab" in text for text in written)
    width, height = drawing.get_size_inches()
    assert 4 <= height <= 12 and width == 11


def test_comparisons_have_none_either(detector):
    pixels = embedded_photograph(7, 1, 64)
    one, other = explain(detector, pixels), explain(detector, pixels[:, ::-1].copy())
    written = texts(comparison_figure(one, other, ["$a$.png", "b.png"]))
    assert not [text for text in written if "mathdefault" in text]
    assert any(text.startswith("$a$.png") for text in written)


def test_the_map_is_the_whole_networks(detector):
    """Large images too: what is drawn is reduced, what is computed is not."""
    pixels = np.tile(embedded_photograph(7, 2, 128), (1, 12, 1))
    found = explain(detector, pixels)
    assert found.pixels.shape == (128, 1536, 3)
    expected = float(np.asarray(detector.predict_on_batch(pixels[None]))[0, 0])
    assert found.logit == pytest.approx(expected, abs=1e-5)
    assert float(found.activation.mean()) + found.bias == pytest.approx(expected, abs=1e-4)
