import dataclasses
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from npr_keras.config import PROTOCOLS, RECIPES, TrainingConfig
from npr_keras.data import decode
from npr_keras.data.dataset import TrainingImages, pairs_of
from npr_keras.data.folder import find_source
from npr_keras.data.pipeline import choose_pipeline
from npr_keras.data.records import Record
from npr_keras.data.stream import stream_pixels
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ConfigError, MissingPackageError, TooManyUnreadableError

SMALL = TrainingConfig(batch_size=5, resize=36, crop=24)


def batches_of(images, pipeline, epoch=0):
    batches = images.batches(epoch, epoch + 1, pipeline)
    if pipeline == "pydataset":
        return [batches[i] for i in range(len(batches))]
    return list(batches.as_numpy_iterator())


def training_images(folder, config=SMALL, fraction=0.5):
    records = find_source(folder).train
    return TrainingImages(records, config, Unreadable(len(records), fraction))


def assert_same(some, others):
    assert len(some) == len(others)
    for (x, y), (other_x, other_y) in zip(some, others, strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_both_pipelines_give_the_same_batches(source_folder):
    images = training_images(source_folder)
    seen = []
    for epoch in (0, 1, 5):
        batches = batches_of(images, "tf.data", epoch)
        assert_same(batches, batches_of(images, "pydataset", epoch))
        assert [len(x) for x, _ in batches] == [5, 5, 5, 5, 4]
        assert batches[0][0].dtype == np.uint8
        assert batches[0][0].shape == (5, 24, 24, 3)
        assert batches[0][1].dtype == np.float32
        assert sum(y.sum() for _, y in batches) == 12
        seen.append(np.concatenate([x for x, _ in batches]))
    assert not np.array_equal(seen[0], seen[1])


def test_both_pipelines_blur_and_compress_alike(source_folder):
    spoilt = dataclasses.replace(SMALL, blur=0.5, jpeg=0.5)
    images = training_images(source_folder, spoilt)
    batches = batches_of(images, "tf.data")
    assert_same(batches, batches_of(images, "pydataset"))
    plan, plain = images.plan(0), batches_of(training_images(source_folder), "tf.data")
    differ = [
        (a != b).any()
        for x, y in zip(batches, plain, strict=True)
        for a, b in zip(x[0], y[0], strict=True)
    ]
    # A blur of next to nothing and a quality near 100 may leave an image as it is; none appears.
    assert all((plan.blur > 0)[i] or (plan.jpeg > 0)[i] for i in np.flatnonzero(differ))
    assert sum(differ) > 8


def test_one_dataset_runs_through_the_epochs(source_folder):
    images = training_images(source_folder)
    whole = list(images.batches(2, 5, "tf.data").as_numpy_iterator())
    assert_same(whole, [batch for e in (2, 3, 4) for batch in batches_of(images, "pydataset", e)])
    batches = images.batches(2, 5, "pydataset")
    assert len(batches) == 15
    batches[0], batches[0]  # Keras peeks, and starts again
    assert_same(whole, [batches[i] for i in range(15)])


def test_batches_follow_the_plan(source_folder):
    images = training_images(source_folder)
    plan = images.plan(0)
    assert plan.flip[:5].any()
    x, y = batches_of(images, "tf.data")[0]
    for i in range(5):
        record = images.records[plan.order[i]]
        pixels = np.asarray(Image.open(record.path).resize((36, 36), Image.BILINEAR))
        top, left = int(plan.row[i] * 13), int(plan.column[i] * 13)
        pixels = pixels[top : top + 24, left : left + 24]
        np.testing.assert_array_equal(x[i], pixels[:, ::-1] if plan.flip[i] else pixels)
        assert y[i, 0] == record.label


def test_training_on_images_smaller_than_the_crop(source_folder):
    images = training_images(source_folder, TrainingConfig(batch_size=5, resize=None, crop=50))
    batches = batches_of(images, "tf.data")
    assert batches[0][0].shape == (5, 50, 50, 3)
    assert_same(batches, batches_of(images, "pydataset"))


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
def test_unreadable_images_are_left_out_and_named(source_folder, pipeline):
    real = source_folder / "train" / "cat" / "0_real"
    (real / "000.png").write_bytes(b"no image")
    (real / "001.png").write_bytes((real / "002.png").read_bytes()[:200])
    images = training_images(source_folder)
    for _ in range(2):
        batches = batches_of(images, pipeline)
        assert sum(len(x) for x, _ in batches) == 22
        assert all(len(x) == len(y) for x, y in batches)
    assert {p.rsplit("/", 1)[1] for p in images.unreadable.reasons} == {"000.png", "001.png"}


def test_formats_that_tensorflow_does_not_read(source_folder):
    folder = source_folder / "train" / "cat" / "0_real"
    for i, suffix in enumerate([".tif", ".ppm"]):
        Image.open(folder / f"00{i}.png").save(folder / f"00{i}{suffix}")
        (folder / f"00{i}.png").unlink()
    images = training_images(source_folder)
    batches = batches_of(images, "tf.data")
    assert sum(len(x) for x, _ in batches) == 24
    assert_same(batches, batches_of(images, "pydataset"))
    assert not images.unreadable.reasons


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
def test_too_many_unreadable_images_stop_it(source_folder, pipeline):
    for i in range(3):
        (source_folder / "train" / "dog" / "1_fake" / f"00{i}.png").write_bytes(b"")
    images = training_images(source_folder, fraction=0.05)  # 2 of 24
    with pytest.raises(Exception, match="unreadable"):
        batches_of(images, pipeline)
    assert isinstance(images.unreadable.error, TooManyUnreadableError)
    assert "3 of 24 images are unreadable, more than the limit of 2" in str(images.unreadable.error)
    assert "the file is empty" in str(images.unreadable.error)


def test_a_batch_without_any_readable_image_takes_the_next_one(source_folder):
    images = training_images(source_folder, fraction=1.0)
    for index in images.plan(0).order[5:10]:
        shutil.copy(__file__, images.records[index].path)
    batches = batches_of(images, "tf.data")
    assert [len(x) for x, _ in batches] == [5, 1, 5, 5, 4]
    assert_same(batches, batches_of(images, "pydataset"))


def test_no_readable_image_at_all(source_folder):
    images = training_images(source_folder, fraction=1.0)
    for record in images.records:
        shutil.copy(__file__, record.path)
    with pytest.raises(TooManyUnreadableError, match="the training set has no readable image"):
        batches_of(images, "pydataset")


def test_file_names_that_are_not_utf8(source_folder):
    folder = source_folder / "train" / "cat" / "0_real"
    os.rename(folder / "000.png", os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    images = training_images(source_folder)
    assert_same(batches_of(images, "tf.data"), batches_of(images, "pydataset"))
    stream = stream_pixels(images.records, PROTOCOLS["native"], images.unreadable)
    assert len(list(stream)) == 24
    assert not images.unreadable.reasons


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_streams_keep_the_order_and_name_the_unreadable(
    source_folder, make_images, pipeline, protocol
):
    folder = source_folder / "train" / "cat" / "0_real"
    make_images(folder, 40, size=41)
    (folder / "003.png").write_bytes(b"no image")
    (folder / "039.png").write_bytes(b"no image")
    Image.open(folder / "004.png").save(folder / "004.tif")
    records = find_source(source_folder).train
    unreadable = Unreadable(len(records), 0.5)
    stream = list(stream_pixels(records, PROTOCOLS[protocol], unreadable, pipeline))
    bad = [
        i
        for i, r in enumerate(records)
        if r.path.endswith(("cat/0_real/003.png", "cat/0_real/039.png"))
    ]
    assert [i for i, _ in stream] == [i for i in range(len(records)) if i not in bad]
    assert sorted(unreadable.reasons) == [records[i].path for i in bad]
    for i, pixels in stream:
        expected = decode.load(records[i].path, PROTOCOLS[protocol])
        np.testing.assert_array_equal(pixels, expected)


def test_a_stream_stops_at_the_limit(source_folder):
    records = find_source(source_folder).train
    for record in records[3:5]:
        open(record.path, "w").close()
    with pytest.raises(TooManyUnreadableError, match="more than the limit of 1"):
        list(stream_pixels(records, PROTOCOLS["native"], Unreadable(len(records), 0.01)))


def test_pipeline_names(monkeypatch):
    assert choose_pipeline("auto") == "tf.data"
    with pytest.raises(ConfigError, match="Received: 'tfdata'"):
        choose_pipeline("tfdata")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert choose_pipeline("auto") == "pydataset"
    with pytest.raises(MissingPackageError, match="pip install tensorflow"):
        choose_pipeline("tf.data")


def test_both_pipelines_do_all_that_a_robust_recipe_does(source_folder):
    recipe = {**RECIPES["robust"], "crop": 24, "rescale_factor": (0.9, 1.5), "pairs": True}
    config = TrainingConfig.from_dict({**recipe, "batch_size": 4, "seed": 3})
    images = training_images(source_folder, config)
    for epoch in (0, 1):
        batches = batches_of(images, "tf.data", epoch)
        assert_same(batches, batches_of(images, "pydataset", epoch))
        assert [y.sum() for _, y in batches] == [2] * 6
        plan = images.plan(epoch)
        names = [os.path.basename(images.records[i].path) for i in plan.order]
        assert names[::2] == names[1::2] and (plan.seed[::2] == plan.seed[1::2]).all()


def test_pairs_by_class_and_name():
    def records(*names):
        return [Record(f"/x/{c}/{'01'[label]}_x/{n}.png", label, c) for c, n, label in names]

    found = pairs_of(
        records(
            ("a", "1", 0), ("a", "2", 0), ("a", "1", 1), ("b", "1", 0), ("b", "3", 1), ("b", "1", 1)
        )
    )
    assert found.tolist() == [[0, 2], [3, 5], [1, 4]]
    found = pairs_of(records(("a", "1", 0), ("a", "1", 1), ("a", "2", 1)))
    assert found.tolist() == [[0, 1], [2, -1]]
    with pytest.raises(ConfigError, match="as npr-keras data reconstruct makes them"):
        pairs_of(records(("a", "1", 0), ("b", "1", 1)))
    with pytest.raises(ConfigError, match="even, where pairs stay together"):
        TrainingConfig(pairs=True, batch_size=5)
