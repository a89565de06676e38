"""Loads one export with other TensorFlows, through their C API, and prints a table.

    python tests/export/compatibility.py 2.19.1 2.20.0

Each wheel (tensorflow-cpu, 250 MB) is downloaded once into build/compatibility; only its libraries are
used, nothing of it is installed. TensorFlow Serving of a version loads what that TensorFlow loads.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
FOLDER = Path("build", "compatibility")
LIBRARIES = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")


def libraries(version):
    """The folder with a version's two libraries."""
    folder = FOLDER / version
    if not all((folder / name).exists() for name in LIBRARIES):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
             f"tensorflow-cpu=={version}"], check=True,
        )  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in LIBRARIES:
                archive.extract(name, folder)
        wheel.unlink()
    return folder / "tensorflow"


def export(folder):
    """A small detector's SavedModel, its tensors' names, images of every format, and their logits."""
    import keras
    import numpy as np
    import tensorflow as tf
    from PIL import Image
    from tensorflow.core.protobuf import saved_model_pb2

    from npr_keras import PROTOCOLS, Detector, ModelProfile, ResNet, save_detector
    from npr_keras.exporting.export import export_detector
    from npr_keras.simulation.photographs import embedded_photograph

    keras.utils.set_random_seed(1)
    profile = ModelProfile(PROTOCOLS["native"])
    (folder / "run").mkdir()
    save_detector(Detector(ResNet((1, 1), 8), profile=profile), folder / "run" / "model.keras")
    (made,) = export_detector(folder / "run", ["savedmodel"])
    saved = saved_model_pb2.SavedModel.FromString(Path(made.path, "saved_model.pb").read_bytes())
    names = {
        key: {k: v.name for k, v in [*one.inputs.items(), *one.outputs.items()]}
        for key, one in saved.meta_graphs[0].signature_def.items()
    }
    (folder / "names.json").write_text(json.dumps(names))
    pixels = embedded_photograph(7, 0, 64)
    np.save(folder / "pixels.npy", pixels[None])
    image, files = Image.fromarray(pixels), []
    for name, options in (
        ("PNG.png", {}), ("JPEG.jpg", {"quality": 80}), ("progressive JPEG.jpg", {"progressive": True}),
        ("WebP, lossy.webp", {"quality": 80}), ("WebP, lossless.webp", {"lossless": True}),
        ("BMP.bmp", {}), ("GIF.gif", {}), ("broken.png", {}),
    ):  # fmt: skip
        files.append(folder / name)
        image.save(files[-1], **options)
    files[-1].write_bytes(files[-1].read_bytes()[:900])
    serve = tf.saved_model.load(made.path).signatures["serving_default"]
    answer = serve(tf.constant([file.read_bytes() for file in files]))
    return made.path, files, answer["logit"].numpy().tolist()


def main(versions):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path, files, expected = export(folder)
        print(f"| loaded by | {' | '.join(file.stem for file in files)} |")
        print(f"|---|{'---|' * len(files)}")
        for version in versions:
            done = subprocess.run(
                [sys.executable, Path(__file__).with_name("c_api.py"), path, folder / "names.json",
                 folder / "pixels.npy", *files],
                capture_output=True, text=True,
                env={**os.environ, "NPR_TENSORFLOW": str(libraries(version))},
            )  # fmt: skip
            if done.returncode:
                print(f"| {version} | does not load: {done.stderr.strip().splitlines()[-1]} |")
                continue
            found = json.loads(done.stdout)
            cells = []
            for logit, valid, error, own in zip(
                found["logits"], found["valid"], found["errors"], expected, strict=True
            ):
                cells.append(f"same ({abs(logit - own):.0e})" if valid else f"refused: {error}")
            print(f"| {version} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:] or ["2.19.1", "2.20.0"])
