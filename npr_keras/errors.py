"""Everything this library raises on purpose.

    NPRKerasError
    ├── ConfigError               an argument or a setting has a value it cannot have (also a ValueError)
    ├── DataError                 something is wrong with a folder of images
    │   ├── LayoutError           no 0_real/1_fake (or nature/ai) where they were expected
    │   ├── MissingSetError       a suite is not on disk as a whole
    │   ├── UnknownClassError     a class was asked for that the source does not hold
    │   └── TooManyUnreadableError  more images were unreadable than the caller allows
    ├── DownloadError             something cannot be had from the network, or is not safe to unpack
    ├── UnreadableImageError      one image could not be decoded
    ├── PixelError                an array is not an image's pixels (also a ValueError)
    ├── CheckpointError           a model file is missing, broken, or does not fit the network
    ├── ServingError              a server refuses a request, or cannot be reached; has a `code`
    ├── ExportError               an exported model is not what it should be, or cannot be made
    ├── CalibrationError          the images at hand do not allow what was to be found from them
    ├── RunError                  the folder of a training or simulation does not allow what was asked
    └── MissingPackageError       an optional package is not installed (also an ImportError)

Every message says what was wrong, what was expected, what was received, and what to do.
"""

from __future__ import annotations


class NPRKerasError(Exception):
    """Base of every error raised on purpose by npr-keras."""


class ConfigError(NPRKerasError, ValueError):
    """An argument or a setting has a value it cannot have."""


class DataError(NPRKerasError):
    """Something is wrong with a folder of images."""


class LayoutError(DataError):
    """A folder does not hold real and fake images in a layout that is known."""


class MissingSetError(DataError):
    """A suite is not on disk as a whole."""


class UnknownClassError(DataError):
    """A class was asked for that the source does not hold."""


class TooManyUnreadableError(DataError):
    """More images were unreadable than the caller allows."""


class DownloadError(NPRKerasError):
    """Something cannot be had from the network, or is not safe to unpack."""


class UnreadableImageError(NPRKerasError):
    """One image could not be decoded."""


class PixelError(NPRKerasError, ValueError):
    """An array is not an image's pixels: another shape, type or range."""


class CheckpointError(NPRKerasError):
    """A model file is missing, broken, or does not fit the network."""


class ServingError(NPRKerasError):
    """A server refuses a request, or cannot be reached.

    Args:
        code: The status as gRPC names it, such as "NOT_FOUND", see `npr_keras.serving.codes`.
        message: What was wrong.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class ExportError(NPRKerasError):
    """An exported model is not what it should be, or cannot be made."""


class CalibrationError(NPRKerasError):
    """The images at hand do not allow what was to be found from them."""


class RunError(NPRKerasError):
    """The folder of a training or simulation does not allow what was asked."""


class MissingPackageError(NPRKerasError, ImportError):
    """An optional package is not installed."""
