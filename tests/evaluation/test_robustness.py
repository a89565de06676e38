import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score
from stubs import Brightness

from npr_keras.config import PROTOCOLS
from npr_keras.data.folder import find_sets
from npr_keras.data.perturb import perturb
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import CheckpointError, ConfigError, LayoutError
from npr_keras.evaluation.robustness import measure_robustness
from npr_keras.scoring.score_log import ScoreLogs

CONDITIONS = (("none", 0), ("jpeg", 60), ("noise", 20), ("resize", 0.5))


@pytest.fixture
def records(make_set, tmp_path):
    return find_sets(make_set(tmp_path / "set", 9))[0][0].records


def test_figures_by_hand(records):
    told = []
    found = measure_robustness(
        Brightness(), records, PROTOCOLS["native"], CONDITIONS, 0.5,
        progress=lambda name, done: told.append((name, done)),
    )  # fmt: skip
    labels = np.array([r.label for r in records])
    for (kind, amount), one in zip(CONDITIONS, found, strict=True):
        logits = [
            perturb(np.asarray(Image.open(r.path)), kind, amount, i).mean() - 127
            for i, r in enumerate(records)
        ]
        called = np.array(logits) > 0.5
        assert one.real_accuracy == pytest.approx((~called[labels == 0]).mean())
        assert one.fake_accuracy == pytest.approx(called[labels == 1].mean())
        assert one.average_precision == pytest.approx(average_precision_score(labels, logits))
        assert (one.kind, one.amount, one.images, one.protocol) == (kind, amount, 18, "native")
    assert sum(done for _, done in told) == 4 * 18
    assert told[-1][0] == "resize 0.5"


def test_stopped_and_gone_on_with(records, tmp_path):
    class Stopping(Brightness):
        left = 3

        def predict(self, images):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().predict(images)

    native = PROTOCOLS["native"]
    whole = measure_robustness(Brightness(), records, native, CONDITIONS, batch_size=6)
    keeper = ScoreLogs(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        measure_robustness(Stopping(), records, native, CONDITIONS, batch_size=6, keep=keeper)
    last = Stopping()
    last.left = 4 * 3 - 3
    resumed = measure_robustness(last, records, native, CONDITIONS, batch_size=6, keep=keeper)
    assert last.left == 0
    assert resumed == whole
    keeper.remove()


def test_what_cannot_be_measured(records, tmp_path):
    native = PROTOCOLS["native"]
    reals = [r for r in records if r.label == 0]
    with pytest.raises(LayoutError, match="Received: 9 real, 0 generated"):
        measure_robustness(Brightness(), reals, native, CONDITIONS)

    class Broken(Brightness):
        def predict(self, images):
            return np.full(len(images), np.nan, np.float32)

    with pytest.raises(CheckpointError, match="NaN"):
        measure_robustness(Broken(), records, native, CONDITIONS)
    Image.new("RGB", (17000, 4)).save(records[0].path)  # wider than WebP can be
    unreadable = Unreadable(len(records), 0.1)
    (found,) = measure_robustness(
        Brightness(), records, native, [("webp", 80)], unreadable=unreadable
    )
    assert found.images == 17
    assert records[0].path in unreadable.reasons


def test_unknown_conditions(records):
    with pytest.raises(ConfigError, match="Received: 'rotate' 1"):
        measure_robustness(Brightness(), records, PROTOCOLS["native"], [("rotate", 1)])
