"""What Keras has to know to load our files: importing this registers it.

`npr_keras` imports it as soon as Keras is there, so that `keras.saving.load_model` works after
`import npr_keras`, in either order.
"""

from __future__ import annotations

import importlib

from npr_keras.tables import REPRESENTATIONS, load_code

for _name in (
    "layers.edges", "layers.normalise", "layers.patches", "layers.tokens", "models.accuracy",
    "models.batch_norm", "models.relu", "models.detector",
):  # fmt: skip
    importlib.import_module(f"npr_keras.{_name}")
for _code in REPRESENTATIONS.values():
    load_code(_code)
