"""What Keras has to know to load our files: importing this registers it.

`npr_keras` imports it as soon as Keras is there, so that `keras.saving.load_model` works after
`import npr_keras`, in either order.
"""

from __future__ import annotations

from npr_keras.tables import REPRESENTATIONS, load_code

for _code in REPRESENTATIONS.values():
    load_code(_code)
