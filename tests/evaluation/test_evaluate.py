import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from stubs import Brightness

from npr_keras.config import PROTOCOLS
from npr_keras.data.folder import find_sets
from npr_keras.errors import CheckpointError, TooManyUnreadableError
from npr_keras.evaluation.evaluate import evaluate, mean_over_sets, pooled
from npr_keras.scoring.loop import batches_by_size

NATIVE = PROTOCOLS["native"]


def test_every_score_belongs_to_its_image(make_set, make_images, tmp_path):
    make_set(tmp_path / "a", 7)
    make_set(tmp_path / "b" / "x", 3, size=20)
    make_images(tmp_path / "b" / "y" / "1_fake", 5, size=26)
    done = []
    sets, _ = find_sets(tmp_path)
    results = evaluate(
        Brightness(), sets, NATIVE, 4, progress=lambda name, n: done.append((name, n))
    )
    assert [r.name for r in results] == ["a", "b"]
    from PIL import Image

    for result in results:
        expected = [np.asarray(Image.open(r.path)).mean() - 127 for r in result.records]
        np.testing.assert_allclose(result.logits, expected, atol=1e-3)
        labels = [r.label for r in result.records]
        assert result.metrics.average_precision == pytest.approx(
            average_precision_score(labels, expected)
        )
        assert sum(n for name, n in done if name == result.name) == len(result.records)
    everything = pooled(results)
    assert (everything.real, everything.fake) == (10, 15)
    assert mean_over_sets(results)["accuracy"] == pytest.approx(
        (results[0].metrics.accuracy + results[1].metrics.accuracy) / 2
    )


def test_pipelines_give_the_same_scores(make_set, tmp_path):
    sets, _ = find_sets(make_set(tmp_path / "a", 9, size=33))
    scores = [
        evaluate(Brightness(), sets, PROTOCOLS["resize256"], pipeline=p)[0].logits
        for p in ("tf.data", "pydataset")
    ]
    np.testing.assert_array_equal(*scores)


def test_unreadable_images_are_counted_not_scored(make_set, tmp_path):
    make_set(tmp_path / "a", 4)
    (tmp_path / "a" / "0_real" / "001.png").write_bytes(b"no image")
    sets, _ = find_sets(tmp_path)
    with pytest.raises(TooManyUnreadableError, match="limit of 0"):
        evaluate(Brightness(), sets, NATIVE, max_unreadable=0)
    (result,) = evaluate(Brightness(), sets, NATIVE, max_unreadable=0.1)
    assert np.isnan(result.logits).tolist() == [False, True] + [False] * 6
    assert (result.metrics.real, result.metrics.fake) == (3, 4)
    assert list(result.unreadable) == [result.records[1].path]


def test_a_set_without_a_readable_image(make_set, tmp_path):
    make_set(tmp_path / "a", 30)
    make_set(tmp_path / "b", 1)
    for label in ("0_real", "1_fake"):
        (tmp_path / "b" / label / "000.png").write_bytes(b"")
    with pytest.raises(TooManyUnreadableError, match="the set b has no readable image at all"):
        evaluate(Brightness(), find_sets(tmp_path)[0], NATIVE, max_unreadable=1)


def test_a_model_that_gives_nan_is_an_error(make_set, tmp_path):
    class Broken:
        def predict(self, images):
            return np.full(len(images), np.nan, np.float32)

    with pytest.raises(CheckpointError, match=r"NaN instead of a logit, first for .*000\.png"):
        evaluate(Broken(), find_sets(make_set(tmp_path / "a"))[0], NATIVE)


def test_batches_by_size_are_bounded(random):
    sizes = random.integers(1, 40, 500)
    waiting = longest = 0

    def images():
        nonlocal waiting, longest
        for index, size in enumerate(sizes):
            waiting += 1
            longest = max(longest, waiting)
            yield index, np.full((size, 2, 3), index % 256, np.uint8)

    seen = []
    for indices, pixels in batches_by_size(images(), 8, waiting=2):
        waiting -= len(indices)
        assert 1 <= len(indices) <= 8
        for index, image in zip(indices, pixels, strict=True):
            assert image.shape[0] == sizes[index]
            assert (image == index % 256).all()
        seen += indices
    assert sorted(seen) == list(range(500))
    assert longest <= 16
