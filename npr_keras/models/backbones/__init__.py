"""Backbones: from a representation of an image to features. One file each, a row in `npr_keras.tables`."""
