"""Images that could not be read: counted, named, and fatal only beyond a limit."""

from __future__ import annotations

import math
import threading

from npr_keras.errors import TooManyUnreadableError


class Unreadable:
    """Keeps the unreadable images of one run.

    Safe to use from several threads. Reporting an image twice counts it once, as happens when
    every epoch meets it again.

    Args:
        total: Number of images in the run.
        fraction: How many of them may be unreadable, 0 to 1. At least one image is allowed
            wherever the fraction is above 0.

    Attributes:
        reasons: Dict from path to what was wrong.
        error: The `TooManyUnreadableError`, once the limit is passed. A data pipeline may wrap an
            exception in one of its own; this is the one to show.
    """

    def __init__(self, total: int, fraction: float):
        self.limit = math.ceil(total * fraction)
        self.total = total
        self.reasons: dict[str, str] = {}
        self.error: TooManyUnreadableError | None = None
        self._lock = threading.Lock()

    def add(self, path: str, reason: str) -> None:
        """Reports an image; raises TooManyUnreadableError beyond the limit."""
        with self._lock:
            if self.error:  # other threads go on for a moment
                raise self.error
            self.reasons[path] = reason
            if len(self.reasons) > self.limit:
                self._stop(f"more than the limit of {self.limit}")

    def nothing_left(self, what: str) -> None:
        """Reports that a whole set has no readable image, which is fatal at any limit."""
        with self._lock:
            self._stop(f"and {what} has no readable image at all")

    def _stop(self, why):
        named = "\n".join(f"  {reason}" for reason in list(self.reasons.values())[:5])
        self.error = TooManyUnreadableError(
            f"{len(self.reasons)} of {self.total} images are unreadable, {why}. The first:\n{named}\n"
            "Mend or remove them, or allow more with --max-unreadable."
        )
        raise self.error
