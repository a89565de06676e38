"""Scenes with the statistics of natural images: what a simulated camera photographs.

Photographs differ from noise in two ways that matter here: their power falls with the square of
the frequency, and their derivatives have heavy tails, because the world is made of things that
cover each other. A dead-leaves scene has both.
"""

from __future__ import annotations

import numpy as np


def dead_leaves(
    random: np.random.Generator,
    size: int,
    smallest: float = 1.0,
    largest: float = 0.5,
    leaves: int = 1500,
) -> np.ndarray:
    """Which disc is seen where, when discs fall on each other.

    The radii follow a density of r**-3 between two bounds, which makes the picture look alike at
    every scale (Lee, Mumford, Huang, "Occlusion Models for Natural Images", IJCV 2001).

    Args:
        random: Source of randomness.
        size: Side of the scene, in pixels.
        smallest: The smallest radius, in pixels.
        largest: The largest radius, as a part of `size`.
        leaves: Number of discs.

    Returns:
        int32, (size, size): the number of the topmost disc, from 1; 0 where the ground shows.
    """
    # By the inverse of the distribution: 1 - F(r) goes with r**-2.
    low, high = smallest**-2.0, (largest * size) ** -2.0
    radii = (high + (low - high) * random.random(leaves)) ** -0.5
    rows, columns = random.uniform(0, size, (2, leaves))
    # Half of the discs are stretched and turned: not all things are round.
    stretch = np.where(random.random(leaves) < 0.5, random.uniform(0.3, 1, leaves), 1.0)
    turn = random.uniform(0, np.pi, leaves)
    scene = np.zeros((size, size), np.int32)
    for number in range(leaves):
        radius, row, column = radii[number], rows[number], columns[number]
        top, left = max(0, int(row - radius)), max(0, int(column - radius))
        bottom, right = min(size, int(row + radius) + 2), min(size, int(column + radius) + 2)
        y = np.arange(top, bottom)[:, None] - row
        x = np.arange(left, right)[None, :] - column
        cos, sin = np.cos(turn[number]), np.sin(turn[number])
        across = (x * sin - y * cos) / stretch[number]
        inside = (x * cos + y * sin) ** 2 + across**2 <= radius**2
        scene[top:bottom, left:right][inside] = number + 1
    return scene


def power_law_noise(
    random: np.random.Generator, size: int, exponent: float = 2.0, channels: int = 1
) -> np.ndarray:
    """Gaussian noise whose power falls with the frequency: 1 / f**exponent.

    Photographs have an exponent near 2 (Field, "Relations between the statistics of natural images
    and the response properties of cortical cells", JOSA A 1987).

    Args:
        random: Source of randomness.
        size: Side, in pixels.
        exponent: Of the power, not of the amplitude.
        channels: Independent fields.

    Returns:
        float32, (size, size, channels), mean 0, standard deviation 1.
    """
    y = np.fft.fftfreq(size)[:, None]
    x = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(y, x)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(random.standard_normal((size, size, channels)), axes=(0, 1))
    field = np.fft.irfft2(white * frequency[..., None] ** (-exponent / 2), (size, size), (0, 1))
    field -= field.mean((0, 1))
    return (field / field.std((0, 1))).astype(np.float32)


def scene(random: np.random.Generator, size: int) -> np.ndarray:
    """A scene in linear light: things with their own colour, texture and shading.

    Args:
        random: Source of randomness.
        size: Side, in pixels.

    Returns:
        float32 RGB, (size, size, 3), from 0 to 1, proportional to light.
    """
    leaves = int(random.integers(200, 2000) * max(1, size / 288))
    numbers = dead_leaves(random, size, random.uniform(1, 5), random.uniform(0.2, 0.7), leaves)
    # A few colours, each thing near one of them; brightness is log-normal, as reflectances are.
    palette = random.dirichlet((9, 9, 9), 5) * 3
    colour = palette[random.integers(0, 5, leaves + 1)]
    colour *= np.exp(random.normal(-1.2, random.uniform(0.3, 0.8), (leaves + 1, 1)))
    colour *= np.exp(random.normal(0, 0.15, (leaves + 1, 3)))
    picture = colour[numbers]  # (size, size, 3)
    # Texture: shared by all things, but each has its own contrast, down to none (sky, paint).
    texture = power_law_noise(random, size, random.uniform(1.0, 2.2))
    contrast = random.exponential(random.uniform(0.05, 0.35), leaves + 1)
    picture *= np.exp(contrast[numbers][..., None] * texture)
    # Shading: light that changes slowly over the scene.
    picture *= np.exp(random.uniform(0, 0.5) * power_law_noise(random, size, 4.0))
    return np.clip(picture, 0, 1).astype(np.float32)
