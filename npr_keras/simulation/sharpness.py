"""One number for sharpness: what a detector of generators must not live on.

Generated pictures tend to be smoother or rougher than photographs, and a detector that learns only
that is a sharpness meter. So every simulated set tells how well this one number alone separates
it, and a control set can be made where it cannot.
"""

from __future__ import annotations

import numpy as np

from npr_keras.evaluation.metrics import average_precision
from npr_keras.simulation.camera import blur


def sharpness(pixels: np.ndarray) -> float:
    """High-frequency energy: the mean square of the Laplacian, in grey levels squared.

    Args:
        pixels: (H, W, 3), values 0 to 255.
    """
    x = np.asarray(pixels, np.float32)
    around = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    return float(np.mean((4 * x[1:-1, 1:-1] - around) ** 2, dtype=np.float64))


def match_sharpness(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softens the sharper of two pictures until both have the same high-frequency energy.

    Its fine detail, the difference to a blurred copy, is scaled down; nothing else is touched.

    Args:
        first, second: uint8, (H, W, 3).

    Returns:
        Both, uint8, one of them unchanged. The energies agree within what whole grey levels allow.
    """
    if sharpness(first) < sharpness(second):
        second, first = match_sharpness(second, first)
        return first, second
    goal = sharpness(second)
    for sigma in (1.0, 2.0, 4.0, 8.0):  # the mildest blur that goes far enough
        soft = blur(first, sigma)
        if sharpness(np.round(soft)) <= goal:
            break
    detail = first - soft
    low, high = 0.0, 1.0
    for _ in range(12):
        share = (low + high) / 2
        softened = np.clip(np.round(soft + share * detail), 0, 255).astype(np.uint8)
        low, high = (low, share) if sharpness(softened) > goal else (share, high)
    return softened, second


def sharpness_average_precision(real: list[float], generated: list[float]) -> float:
    """Average precision of the sharpness alone, in whichever direction it separates better.

    Args:
        real, generated: Sharpness of each picture.

    Returns:
        A fraction; 0.5 is near chance for as many real as generated pictures.
    """
    labels = np.repeat([0, 1], [len(real), len(generated)])
    scores = np.array([*real, *generated])
    return max(average_precision(labels, scores), average_precision(labels, -scores))
