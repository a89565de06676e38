"""Training by the official recipe."""

from npr_keras.training.train import TrainingResult, train

__all__ = ["TrainingResult", "train"]
