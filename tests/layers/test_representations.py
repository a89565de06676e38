"""What detectors make of pixels, beside plain NumPy, SciPy and torch."""

import keras
import numpy as np
import pytest

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.errors import CheckpointError, ConfigError, MissingPackageError
from npr_keras.layers.bihpf import BilateralHighPass
from npr_keras.layers.cyclic import CyclicSpectrum
from npr_keras.layers.dct import FrequencyBands, LogDCT
from npr_keras.layers.diffusion_error import DiffusionError
from npr_keras.layers.gradient import GradientMap
from npr_keras.layers.median import MedianResidual
from npr_keras.layers.npr import NPR
from npr_keras.layers.patches import MeanProbability
from npr_keras.layers.periodogram import Periodogram
from npr_keras.layers.perturbation import FrequencyPerturbation
from npr_keras.layers.pyramid import NPRPyramid
from npr_keras.layers.spectrum import AzimuthalSpectrum
from npr_keras.layers.wavelet import WaveletHH
from npr_keras.models import Detector, load_detector
from npr_keras.models.backbones.base import make_backbone


def assert_travels(detector, pixels, folder):
    """Written and read again, it gives the same logits."""
    expected = detector.predict_on_batch(pixels)
    detector.save(folder / "model.keras")
    found = load_detector(folder / "model.keras").predict_on_batch(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.every_backend
class TestLayers:
    """Beside plain NumPy and SciPy."""

    def test_median(self, random):
        x = random.normal(size=(2, 7, 9, 3)).astype("float32")
        found = keras.ops.convert_to_numpy(MedianResidual()(x))
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        for row in range(7):
            for column in range(9):
                window = padded[:, row : row + 3, column : column + 3].copy()
                window[:, 1, 1] = 0
                median = np.median(window.reshape(2, 9, 3), axis=1)
                np.testing.assert_array_equal(found[:, row, column], x[:, row, column] - median)

    @pytest.mark.parametrize("sides", [(8, 10), (9, 7)])
    def test_wavelet(self, random, sides):
        x = random.normal(size=(1, *sides, 1)).astype("float32")
        band = keras.ops.convert_to_numpy(WaveletHH().band(x))[0, :, :, 0]
        signal = x[0, :, :, 0].astype(np.float64)
        for axis in (0, 1):
            n = signal.shape[axis]
            mirrored = np.pad(
                signal, [(2, 4) if a == axis else (0, 0) for a in (0, 1)], "symmetric"
            )
            pairs = [np.take(mirrored, [2 * k, 2 * k + 1], axis) for k in range((n + 5) // 2)]
            steps = [np.diff(pair, axis=axis).squeeze(axis) for pair in pairs]
            signal = -np.stack(steps, axis) / np.sqrt(2)
        np.testing.assert_allclose(band, signal, atol=1e-6)
        whole = keras.ops.convert_to_numpy(WaveletHH()(x))
        assert whole.shape == x.shape
        import torch

        resized = torch.nn.functional.interpolate(
            torch.from_numpy(band)[None, None], sides, mode="bilinear", align_corners=False
        )
        np.testing.assert_allclose(whole[0, :, :, 0], resized[0, 0].numpy(), atol=1e-5)

    @pytest.mark.parametrize("sides", [(16, 24), (19, 25)])
    def test_pyramid(self, random, sides):
        """Each scale is NPR of the image after means; the first is the official map itself."""
        x = random.normal(size=(2, *sides, 3)).astype("float32")
        found = keras.ops.convert_to_numpy(NPRPyramid(3)(x))
        assert found.shape == (2, 8, 12, 27) == NPRPyramid(3).compute_output_shape(x.shape)
        image = x[:, :16, :24]
        for scale in range(3):
            npr = NPR(scale=1.0, data_format="channels_last")(image)
            npr = keras.ops.convert_to_numpy(npr)
            parts = [npr[:, i::2, j::2] for i, j in ((0, 1), (1, 0), (1, 1))]
            wide = np.concatenate(parts, -1).repeat(2**scale, 1).repeat(2**scale, 2)
            np.testing.assert_allclose(found[..., 9 * scale : 9 * scale + 9], wide, atol=1e-6)
            b, h, w, c = image.shape
            image = image.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
        with pytest.raises(ConfigError, match="from 1 to 6"):
            NPRPyramid(0)

    @pytest.mark.parametrize("sides", [(16, 24), (37, 45)])
    def test_periodogram(self, random, sides):
        """Beside NumPy's transform of every window."""
        images = random.integers(0, 256, (3, *sides, 3)).astype("float32")
        layer = Periodogram(16)
        layer.build((None, None, None, 3))
        found = keras.ops.convert_to_numpy(layer.spectra(images))
        luma = images.astype(np.float64) @ [0.299, 0.587, 0.114]
        planes = np.stack([luma, images[..., 2] - luma, images[..., 0] - luma], 1)
        hann = np.outer(*[np.hanning(18)[1:-1]] * 2)
        for image, ours in zip(planes, found, strict=True):
            for channel, plane in enumerate(image):
                powers = []
                for top in range(0, sides[0] // 8 * 8 - 8, 8):
                    for left in range(0, sides[1] // 8 * 8 - 8, 8):
                        part = plane[top : top + 16, left : left + 16]
                        powers.append(np.abs(np.fft.fft2((part - part.mean()) * hann)) ** 2)
                powers = np.array(powers)
                for kind, power in enumerate(
                    (np.log(powers.mean(0) + 0.1), np.log(powers + 0.1).mean(0))
                ):
                    both = (power[:9, :9] + power[-np.arange(9), :][:, :9]) / 2
                    np.testing.assert_allclose(ours[..., 2 * channel + kind], both, atol=2e-3)
        layer.adapt(images)
        known = keras.ops.convert_to_numpy(layer(images))
        np.testing.assert_allclose(known.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(known.std(0), 1, atol=1e-2)

    @pytest.mark.parametrize("sides", [(16, 24), (37, 45)])
    def test_cyclic_spectrum(self, random, sides):
        """Beside the periodogram, and NumPy's transform of every window."""
        images = random.integers(0, 256, (2, *sides, 3)).astype("float32")
        images[1, 1::2] = images[1, : images.shape[1] // 2 * 2 : 2][: sides[0] // 2]  # doubled rows
        layer = CyclicSpectrum(16)
        layer.build((None, None, None, 3))
        found = keras.ops.convert_to_numpy(layer.spectra(images))
        assert found.shape == (2, *layer.compute_output_shape((2, *sides, 3))[1:])
        plain = keras.ops.convert_to_numpy(Periodogram(16).spectra(images))
        np.testing.assert_allclose(
            found[:, :486].reshape(2, 6, 9, 9), plain.transpose(0, 3, 1, 2), atol=2e-3
        )
        luma = images.astype(np.float64) @ [0.299, 0.587, 0.114]
        planes = np.stack([luma, images[..., 2] - luma], 1)
        hann = np.outer(*[np.hanning(18)[1:-1]] * 2)
        shifts = [(8, 0), (0, 8), (8, 8), (4, 0), (0, 4), (2, 0), (0, 2)]
        back = -np.arange(16) % 16
        for image, ours in zip(planes, found[:, 486:].reshape(2, 7, 2, 4, 4), strict=True):
            for channel, plane in enumerate(image):
                windows = []
                for top in range(0, sides[0] // 8 * 8 - 8, 8):
                    for left in range(0, sides[1] // 8 * 8 - 8, 8):
                        part = plane[top : top + 16, left : left + 16]
                        windows.append(np.fft.fft2((part - part.mean()) * hann))
                windows = np.array(windows)
                power = (np.abs(windows) ** 2).mean(0) + 0.1
                for shift, plane_of_ours in zip(shifts, ours[:, channel], strict=True):
                    product = (windows * np.roll(windows, shift, (1, 2)).conj()).mean(0)
                    coherence = np.abs(product) ** 2 / (power * np.roll(power, shift, (0, 1)))
                    coherence = ((coherence + coherence[:, back]) / 2)[:8, :8] - 1 / len(windows)
                    expected = np.log(np.maximum(coherence, 0) + 0.04)
                    expected = expected.reshape(4, 2, 4, 2).mean((1, 3))
                    np.testing.assert_allclose(plane_of_ours, expected, atol=2e-3)
        if sides[0] > 16:  # several windows: rows that were doubled are tied to each other
            half = found[:, 486:].reshape(2, 7, 2, 4, 4)[:, 0, 0].mean((1, 2))
            assert half[1] > half[0] + 1

    def test_log_dct(self, random):
        from scipy.fft import dctn

        images = random.integers(0, 256, (5, 16, 16, 3)).astype("float32")
        layer = LogDCT(16)
        layer.build((None, 16, 16, 3))
        log = np.log(np.abs(dctn(images.astype(np.float64), axes=(1, 2), norm="ortho")) + 1e-12)
        layer.adapt(images)
        expected = (log - log.mean(0)) / log.std(0)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=2e-2)

    def test_bands_add_up(self, random):
        """Without learned parts, low and high reach over all but what lies between them."""
        x = random.normal(size=(1, 32, 32, 2)).astype("float32")
        layer = FrequencyBands(32)
        layer.build(x.shape)
        layer.masks.assign(np.zeros((4, 32, 32), "float32"))
        low, middle, high, whole = np.split(keras.ops.convert_to_numpy(layer(x)), 4, axis=-1)
        np.testing.assert_allclose(whole, x, atol=1e-5)
        assert np.abs(low + middle + high - x).max() > 0.01  # edges count twice
        assert layer.compute_output_shape(x.shape) == (1, 32, 32, 8)

    def test_spectrum(self, random):
        x = random.integers(0, 256, (2, 24, 24, 3)).astype("float32")
        found = keras.ops.convert_to_numpy(AzimuthalSpectrum(24)(x))
        grey = np.floor(x.astype(np.float64) @ np.array([9798, 19235, 3735]) / 32768 + 0.5)
        power = 20 * np.log(np.abs(np.fft.fftshift(np.fft.fft2(grey), axes=(1, 2)) + 1e-8))
        centred = np.arange(24) - 11.5
        radius = np.hypot(*np.meshgrid(centred, centred)).astype(int)
        means = [power[:, radius == r].mean(1) for r in range(1, radius.max())]
        np.testing.assert_allclose(found, np.stack(means, 1), atol=2e-2)

    def test_bihpf(self, random):
        x = random.normal(size=(2, 16, 16, 3)).astype("float32")
        found = keras.ops.convert_to_numpy(BilateralHighPass(16)(x))

        def weights(offsets, width):
            squares = offsets[:, None] ** 2 + offsets[None] ** 2
            return (1 - np.exp(-squares / (2 * width**2)))[..., None]

        outside = x.astype(np.float64) * weights(np.arange(16) - 7.5, 0.5 * 8)
        spectrum = np.fft.fftshift(np.fft.fft2(outside, axes=(1, 2)), axes=(1, 2))
        expected = np.log(1 + np.abs(spectrum) * weights(np.arange(16) - 8.0, 0.25 * 8))
        np.testing.assert_allclose(found, expected, atol=1e-4)
        with pytest.raises(ConfigError, match="`space` must be"):
            BilateralHighPass(16, space=0)

    def test_mean_of_probabilities(self, random):
        x = random.normal(0, 3, (2, 4, 5, 1)).astype("float32")
        share = (1 / (1 + np.exp(-x.astype(np.float64)))).mean((1, 2))
        found = keras.ops.convert_to_numpy(MeanProbability()(x))
        np.testing.assert_allclose(found, np.log(share / (1 - share)), atol=1e-5)
        sure = keras.ops.convert_to_numpy(
            MeanProbability()(np.full((1, 2, 2, 1), 200.0, "float32"))
        )
        assert np.isfinite(sure).all() and sure > 100

    def test_gradient_map(self, random):
        """The gradient by finite differences; levels from 0 to 255; nothing of its neighbours."""
        layer = GradientMap(16, base=64, most=8)
        x = random.uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
        layer.build(x.shape)
        found = keras.ops.convert_to_numpy(layer.gradient(keras.ops.convert_to_tensor(x)))
        for place in ((0, 3, 5, 1), (1, 12, 0, 2), (1, 8, 8, 0)):
            ends = []
            for step in (-0.001, 0.001):  # small: few rectifiers switch within it
                moved = x.copy()
                moved[place] += step
                logits = layer.logits(keras.ops.convert_to_tensor(moved))
                ends.append(float(keras.ops.convert_to_numpy(logits)[place[0], 0]))
            slope = (ends[1] - ends[0]) / 0.002
            assert found[place] == pytest.approx(slope, abs=0.1 * float(np.abs(found).max()))
        levels = keras.ops.convert_to_numpy(layer.levels(keras.ops.convert_to_tensor(x)))
        assert levels.min() == 0 and levels.max() == 255 and (levels == levels.round()).all()
        alone = keras.ops.convert_to_numpy(layer.gradient(keras.ops.convert_to_tensor(x[:1])))
        np.testing.assert_allclose(alone[0], found[0], atol=1e-6)

    def test_a_gradient_map_travels(self, random, tmp_path):
        layer = GradientMap(32, base=64, most=8, name="representation")
        detector = Detector(make_backbone("resnet", blocks=[1], width=4), layer)
        pixels = random.integers(0, 256, (2, 32, 32, 3), np.uint8)
        expected = detector.predict_on_batch(pixels)
        detector.save(tmp_path / "model.keras")
        found = load_detector(tmp_path / "model.keras").predict_on_batch(pixels)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        with pytest.raises(CheckpointError, match=r"No input0\.weight and \.bias"):
            layer.load_official({})

    def test_a_transformer_travels(self, random, tmp_path):
        backbone = make_backbone("vit", width=16, depth=2, heads=2, output=8, patch=8, side=32)
        detector = Detector(backbone)
        pixels = random.integers(0, 256, (2, 34, 32, 3), np.uint8)[:, 2:]
        assert_travels(detector, pixels, tmp_path)
        assert detector.side == 32 and not detector.has_positions

    @pytest.mark.parametrize("backbone", [
        {"backbone": "ferretnet", "width": 4, "blocks": [1]},
        {"backbone": "xception", "widths": [8]},
        {"backbone": "xception", "widths": [8], "middle": 1, "exit": True},
        {"backbone": "resnet", "blocks": [1], "width": 4, "kernel": 7},
        {"backbone": "efficientnet", "width": 0.25, "depth": 0.5, "nominal": 64},
    ])  # fmt: skip
    def test_backbones_travel(self, backbone, random, tmp_path):
        detector = Detector(make_backbone(**backbone))
        pixels = random.integers(0, 256, (2, 64, 80, 3), np.uint8)
        assert_travels(detector, pixels, tmp_path)


@pytest.mark.every_backend
class TestLearnedPerturbation:
    def test_transform_and_back(self, random):
        """The generator taken out, what is left of the way is the identity, tanh behind it."""
        seen = []

        class Nothing(keras.layers.Layer):
            def call(self, spectrum):
                seen.append(spectrum)
                return spectrum

        class Bare(FrequencyPerturbation):
            def build(self, input_shape):
                self.generator = Nothing()

        layer = Bare(16)
        x = random.uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
        layer.build(x.shape)
        made = keras.ops.convert_to_numpy(layer.perturbation(keras.ops.convert_to_tensor(x)))
        np.testing.assert_allclose(made, np.tanh(x), atol=1e-5)
        spectrum = np.fft.fft2(x, axes=(1, 2), norm="ortho")
        expected = np.concatenate([spectrum.real, spectrum.imag], axis=-1)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(seen[0]), expected, atol=1e-4)

    @pytest.mark.slow
    def test_three_learn(self, random, tmp_path):
        """The perturbation, its discriminator, and the classifier, which moves none of them."""
        layer = FrequencyPerturbation(16, width=2, name="representation")
        detector = Detector(make_backbone("resnet", blocks=[1], width=4), layer)
        detector.compile(
            "sgd", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
        )
        x = random.integers(0, 256, (4, 16, 16, 3)).astype("float32")
        y = np.array([[0], [1], [0], [1]], "float32")
        before = [w.copy() for w in layer.get_weights()]
        detector.train_on_batch(x, y)
        assert all(
            np.abs(a - b).max() > 0 for a, b in zip(before, layer.get_weights(), strict=True)
        )
        layer.weight = 0.0
        still = FrequencyPerturbation(16, width=2, weight=0.0, name="representation")
        quiet = Detector(make_backbone("resnet", blocks=[1], width=4), still)
        quiet.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
        before = [w.copy() for w in still.get_weights()]
        quiet.train_on_batch(x, y)
        for a, b in zip(before, still.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        expected = detector.predict_on_batch(x)
        detector.save(tmp_path / "model.keras")
        found = load_detector(tmp_path / "model.keras").predict_on_batch(x)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.every_backend
class TestDiffusionError:
    ALPHAS = np.cumprod(1 - np.linspace(1e-4, 0.02, 100))

    def test_beside_numpy(self, random):
        layer = DiffusionError(16, steps=10)
        x = random.uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
        if keras.backend.backend() != "torch":
            with pytest.raises(ConfigError, match=r"runs on PyTorch\. Give --backend torch"):
                layer(x)
            return
        layer.model, layer.alphas = lambda x, t: 0.3 * x + t / 1000, self.ALPHAS
        found = keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(x)))
        z, times = x.astype(np.float64), list(range(0, 100, 10))
        ladder = [*self.ALPHAS[times], 0.0]
        path = [(t, ladder[i], ladder[i + 1]) for i, t in enumerate(times)]
        path += [(t, ladder[i], ladder[i - 1] if i else 1.0) for i, t in enumerate(times)][::-1]
        for t, now, then in path:
            image = np.clip((z - np.sqrt(1 - now) * (0.3 * z + t / 1000)) / np.sqrt(now), -1, 1)
            noise = (z - np.sqrt(now) * image) / np.sqrt(1 - now)
            z = np.sqrt(then) * image + np.sqrt(1 - then) * noise
        levels = np.floor(np.clip(np.abs(x - z) * 127.5, 0, 255))
        back = np.round((found * IMAGENET_STD + IMAGENET_MEAN) * 255)
        assert (np.abs(back - levels) <= 1).all() and (back != levels).mean() < 0.01
        assert levels.max() > 5

    def test_what_is_brought(self, tmp_path):
        layer = DiffusionError(16)
        with pytest.raises(CheckpointError, match="Expected the folder of a diffusers pipeline"):
            layer.bring(tmp_path / "gone")
        layer.bring(tmp_path)
        assert DiffusionError.from_config(layer.get_config()).pipeline == str(tmp_path)
        if keras.backend.backend() == "torch":
            with pytest.raises(MissingPackageError, match="pip install"):
                layer(np.zeros((1, 16, 16, 3), "float32"))
