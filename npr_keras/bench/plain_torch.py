"""The yardstick: the detector as one would write it in PyTorch, with the official names.

Only `npr-keras bench` and the tests use it. It is written against the protocol, not against our
Keras model, so the two check each other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the channels, and the shortcut."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv3 = nn.Conv2d(filters, 4 * filters, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * filters)
        self.downsample: nn.Module = nn.Identity()
        if channels != 4 * filters or stride != 1:
            shortcut = nn.Conv2d(channels, 4 * filters, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * filters))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class PlainDetector(nn.Module):
    """uint8 or float pixels, (B, 3, H, W) with even sides, to logits, (B,)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(*(Bottleneck(c, 64, 1) for c in (64, 256, 256)))
        self.layer2 = nn.Sequential(
            *(Bottleneck(c, 128, s) for c, s in ((256, 2), (512, 1), (512, 1), (512, 1)))
        )
        self.fc1 = nn.Linear(512, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, pixels):
        x = (pixels.to(self.mean.dtype) / 255 - self.mean) / self.std
        corner = x[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = functional.relu(self.bn1(self.conv1((x - corner) * (2 / 3))))
        x = functional.max_pool2d(x, 3, 2, 1)
        x = self.layer2(self.layer1(x))
        return self.fc1(x.mean((2, 3)))[:, 0]


def training_step(model, optimizer, pixels, labels, autocast=None):
    """One step of the official recipe.

    Args:
        model: A `PlainDetector`.
        optimizer: A torch optimizer over its parameters.
        pixels: (B, 3, H, W).
        labels: Float, (B,).
        autocast: A torch dtype to autocast to, or None.

    Returns:
        The loss before the step, a scalar tensor.
    """
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(pixels.device.type, autocast, enabled=autocast is not None):
        logits = model(pixels)
    loss = functional.binary_cross_entropy_with_logits(logits.to(labels.dtype), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()
