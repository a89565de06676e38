"""Training by the official recipe."""

from npr_keras.training.gradient import TrainingResult, train

__all__ = ["TrainingResult", "train"]
