"""An evaluation that is broken off goes on where it was, with the same figures."""

import os

import numpy as np
import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.data.folder import find_sets
from npr_keras.evaluation.evaluate import evaluate
from npr_keras.scoring.score_log import ScoreLog

NATIVE = PROTOCOLS["native"]


class Stub:
    """Scores by the mean grey level; stops like a killed process after some images."""

    identity = "stub"

    def __init__(self, stop_after=None):
        self.seen = 0
        self.stop_after = stop_after

    def predict(self, images):
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(images)
        return images.mean((1, 2, 3)).astype(np.float32) - 127


@pytest.fixture
def sets(make_set, tmp_path):
    make_set(tmp_path / "sets" / "a", 6)
    make_set(tmp_path / "sets" / "b", 4, size=40)
    (tmp_path / "sets" / "b" / "0_real" / "broken.png").write_bytes(b"no")
    return find_sets(tmp_path / "sets")[0]


def judge(predictor, sets, keep, pipeline="pydataset"):
    return evaluate(predictor, sets, NATIVE, 3, pipeline, 0.2, keep=keep)


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
def test_killed_twice_and_resumed(sets, tmp_path, pipeline):
    """The second time all of the first set is there, and nothing of the second."""
    expected = judge(Stub(), sets, None, pipeline)
    keep = tmp_path / "kept"
    for stop_after in (5, 6):
        with pytest.raises(KeyboardInterrupt):
            judge(Stub(stop_after), sets, keep, pipeline)
    last = Stub()
    results = judge(last, sets, keep, pipeline)
    assert last.seen == 20 - 6 - 6  # nothing was scored twice, whole batches of 3 at a time
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_array_equal(ours.logits, theirs.logits)
        assert repr(ours.metrics) == repr(theirs.metrics)  # NaN is equal to itself there
        assert ours.unreadable == theirs.unreadable
    assert not list(keep.iterdir())  # done: nothing is left behind


def test_another_model_protocol_or_file_starts_anew(sets, tmp_path):
    records = sets[0].records
    kept = ScoreLog(tmp_path, "one", records, NATIVE)
    kept.append([0, 2], np.array([1.5, -2.0]))
    again = ScoreLog(tmp_path, "one", records, NATIVE).read()
    assert again[[0, 2]].tolist() == [1.5, -2.0]
    assert np.isnan(again).sum() == len(records) - 2
    assert np.isnan(ScoreLog(tmp_path, "two", records, NATIVE).read()).all()
    assert np.isnan(ScoreLog(tmp_path, "one", records, PROTOCOLS["tile"]).read()).all()
    assert np.isnan(ScoreLog(tmp_path, "one", records[1:], NATIVE).read()).all()
    os.utime(records[0].path, (1, 1))
    assert np.isnan(ScoreLog(tmp_path, "one", records, NATIVE).read()).all()


def test_a_cut_row_is_dropped(sets, tmp_path):
    kept = ScoreLog(tmp_path, "one", sets[0].records, NATIVE)
    kept.append([0, 1], np.array([1.0, 2.0]))
    kept.path.write_bytes(kept.path.read_bytes()[:-5])
    assert np.isnan(kept.read()[1])
    kept.append([3], np.array([4.0]))
    assert kept.read()[[0, 3]].tolist() == [1.0, 4.0]


def test_a_predictor_without_an_identity_keeps_nothing(sets, tmp_path):
    stub = Stub(5)
    stub.identity = None
    with pytest.raises(KeyboardInterrupt):
        judge(stub, sets, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
