"""The detectors that come with the package; see `npr_keras.presets`."""
