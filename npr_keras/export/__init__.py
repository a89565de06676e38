"""Detectors to artefacts that run elsewhere, checked before anyone sees them.

Keras and TensorFlow are imported with `export`, not with the table of formats.
"""

from npr_keras.export.formats import FORMATS

__all__ = ["FORMATS", "Exportation", "export_detector"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from npr_keras.export import export

    return getattr(export, name)
