"""The states of a version, with TensorFlow Serving's names and numbers."""

from __future__ import annotations

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50
NAMES = {
    START: "START",
    LOADING: "LOADING",
    AVAILABLE: "AVAILABLE",
    UNLOADING: "UNLOADING",
    END: "END",
}
