"""Spectra, and the correlation of frequencies that up-sampling ties together."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras import spectra
from npr_keras.layers.periodogram import Periodogram
from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class CyclicSpectrum(Periodogram):
    """`Periodogram`, and the cyclic coherence of frequencies half, a quarter and an eighth apart.

    An up-sampling by two treats even and odd pixels differently: its variance repeats every two
    pixels. In the spectrum, frequencies that lie half the sampling rate apart are then correlated,
    wherever the image's content is; by four and eight, those a quarter and an eighth apart. That
    is what NPR's blocks of 2 x 2 show in single differences, averaged over the image, and
    recompression leaves more of it. Coherence is the squared correlation, from 0 to 1: it does not
    depend on contrast, nor on where the grid begins.

    Coherence is averaged over 2 x 2 frequencies, less what independent noise has in as many windows;
    so images of all sizes have the same range.

    Args:
        side: As for `Periodogram`, a multiple of 8.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, 3), RGB from 0 to 255, both sides at least `side`.

    Output shape:
        (B, n): the periodogram's values, then 14 planes of (side / 4)^2 coherences.

    Reference:
        Gardner, "Cyclostationarity: Half a century of research", 2006; resampling's periodic
        correlation: Popescu and Farid, 2005.
    """

    @property
    def found_shape(self):
        bins, planes = self.window // 2 + 1, len(spectra.SHIFTS) * spectra.CORRELATED
        return (6 * bins * bins + planes * (self.window // 4) ** 2,)

    def spectra(self, inputs):
        """Before they are standardised: (B, n)."""
        return spectra.cyclic(as_float(inputs), self.window, ops)
