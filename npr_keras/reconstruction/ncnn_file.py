"""Networks in ncnn's files, as super-resolution programs carry them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from npr_keras.errors import ConfigError
from npr_keras.packages import import_needed
from npr_keras.reconstruction.network import NetworkDecoder, first_line

_SIDES = (64, 96)  # pixels


class NcnnDecoder(NetworkDecoder):
    """A network from images to images of ncnn's: Real-ESRGAN, Real-CUGAN, waifu2x and their like.

    Networks without padding, whose images come out smaller than they should, are given mirrored
    borders of the width that they lose.

    Args:
        files: The `.param` file; the `.bin` file of the same name lies beside it.
    """

    takes = "one input and one output, RGB, of any height and width"

    def __init__(self, files: Sequence[str]):
        (param,) = files
        weights = os.path.splitext(param)[0] + ".bin"
        if not os.path.exists(weights):
            raise ConfigError(f"{param}: its weights have to lie beside it. There is no {weights}")
        super().__init__([param, weights])
        self.ncnn = import_needed("ncnn", "An ncnn decoder")
        self.net = self.ncnn.Net()
        self.net.opt.use_vulkan_compute = False
        self.net.opt.num_threads = 1  # sums in one order
        self.border = 0
        try:
            if self.net.load_param(param) or self.net.load_model(weights):
                raise ValueError("not files of one network")
            (self.input,), (self.output,) = self.net.input_names(), self.net.output_names()
            small, large = (
                self.run(np.zeros((side, side, 3), np.float32), None, 0.0).shape[0]
                for side in _SIDES
            )
        except Exception as error:  # whatever ncnn makes of a broken file
            raise ConfigError(f"{param}: cannot be read as ncnn: {first_line(error)}") from error
        factor = (large - small) / (_SIDES[1] - _SIDES[0])
        lost = factor * _SIDES[0] - small
        self.border = max(0, round(lost / (2 * factor))) if factor > 0 else 0
        self.probe()

    def run(self, x, random, noise):
        edges = (self.border, self.border)
        x = np.pad(x, (edges, edges, (0, 0)), "reflect")
        planes = np.ascontiguousarray(
            x.transpose(2, 0, 1)
        )  # a Mat does not hold on to what it shows
        extractor = self.net.create_extractor()
        extractor.input(self.input, self.ncnn.Mat(planes).clone())
        status, made = extractor.extract(self.output)
        if status:
            raise ValueError(f"ncnn's status is {status}")
        return np.array(made).transpose(1, 2, 0)
