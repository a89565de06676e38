"""A small grid, with a variant that cannot be."""

from npr_keras.ablation.grid import Grid, Variant

TINY = {"blocks": [1], "width": 8}
TRAINING = {"epochs": 1, "batch_size": 4, "resize": None, "crop": 24, "learning_rate": 1e-3}
DESCRIBED = {"source": "s", "judged on": "j", "backend": "b"}
GRID = Grid(
    "tiny",
    (
        Variant("first", detector=TINY),
        Variant("no flip", detector=TINY, training={"flip": 0.0}),
        Variant("impossible", {"reference": 99}, detector=TINY),
    ),
    "first",
)
