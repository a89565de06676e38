"""`npr_keras.score` and predictors, as Python users call them."""

import numpy as np
import pytest
from PIL import Image


def test_python_users(model, make_images, tmp_path, monkeypatch):
    import npr_keras
    from npr_keras.errors import CheckpointError, PixelError

    make_images(tmp_path, 2)
    path = tmp_path / "000.png"
    monkeypatch.delenv("NPR_MODEL", raising=False)
    assert npr_keras.score(path).pixels.startswith(
        "centercrop1024"
    )  # of what comes with the package
    with pytest.raises(CheckpointError, match="No model at gone"):
        npr_keras.score(path, model="gone")
    monkeypatch.setenv("NPR_MODEL", str(model))
    alone = npr_keras.score(path)
    assert alone.verdict == "" and alone.path == str(path)
    with Image.open(path) as image:
        kinds = [path, str(path), path.read_bytes(), image, np.array(image.convert("RGB"))]
        found = npr_keras.score(kinds)
        turned = npr_keras.score(image.rotate(90))
    assert [round(one.logit, 4) for one in found] == [round(alone.logit, 4)] * 5
    assert found[3].history.format == "PNG" and found[4].history.format == ""
    assert turned.path == "(image)" and turned.history.format == ""  # not the file any more
    with pytest.raises(PixelError, match="scaled to 1"):
        npr_keras.score(np.full((8, 8, 3), 0.25))
    assert "No such file" in npr_keras.score(tmp_path / "gone.png").error


def test_more_python_users(model, make_images, tmp_path):
    import npr_keras
    from npr_keras.errors import PixelError

    make_images(tmp_path, 2, size=64)
    path = tmp_path / "000.png"
    detector = npr_keras.load_detector(model)
    first = npr_keras.score(path, model=detector, protocol="native")
    assert first.pixels == "native 64x64"
    with open(path, "rb") as file:
        assert npr_keras.score(file, model=detector).logit == pytest.approx(
            npr_keras.score(path, model=detector).logit, abs=1e-5
        )
    with Image.open(path) as image:
        image.load()
        image.paste((0, 0, 0), (0, 0, 64, 64))  # in place: no longer what the file holds
        painted = npr_keras.score(image, model=detector, protocol="native")
    assert painted.path == "(image)" and painted.evidence.clipped == 1
    with pytest.raises(PixelError, match="list of images"):
        npr_keras.score(np.zeros((2, 8, 8, 3), np.uint8), model=detector)
    with pytest.raises(PixelError, match="Received: NoneType"):
        npr_keras.score(None, model=detector)
    good, bad = npr_keras.score([path, np.full((8, 8, 3), 0.5)], model=detector)
    assert not good.error and "scaled to 1" in bad.error
    pixels = np.array(Image.open(path).convert("RGB"))
    both = detector.predict([pixels, pixels], verbose=0)
    assert both.shape == (2, 1) and detector.predict(pixels, verbose=0).shape == (1, 1)


def test_a_model_that_changes_is_read_again(own_model, make_images, tmp_path):
    """The file inside a folder, too."""
    import dataclasses

    import npr_keras
    from npr_keras.models.files import store_in_profile
    from npr_keras.profile import Calibration

    make_images(tmp_path / "i", 1)
    path = tmp_path / "i" / "000.png"
    assert npr_keras.score(path, model=own_model).verdict == ""
    found = Calibration(1.0, 0.2, 0.2, 99, protocol="resize256")
    store_in_profile(own_model, calibration=dataclasses.replace(found))
    assert npr_keras.score(path, model=own_model).verdict == "inconclusive"
