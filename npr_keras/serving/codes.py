"""Status codes: gRPC's names and numbers, and what TensorFlow Serving makes of them in HTTP."""

from __future__ import annotations

# Name -> (gRPC's number, HTTP's status).
CODES = {
    "OK": (0, 200),
    "CANCELLED": (1, 500),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 500),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 500),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}
# What a client may send again: the server did not begin with it. One that is being stopped cancels
# what it had not taken yet.
RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED")
# Of a batch that TensorFlow Serving made of requests with images of different sizes: alone, or in other
# company, each of them passes.
OTHER_SHAPES = "have different shapes and padding is turned off"
_FROM_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",  # of a proxy before the server
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def http_status(code: str) -> int:
    """The HTTP status of a code."""
    return CODES[code][1]


def name_of(number: int) -> str:
    """The name of gRPC's number."""
    return next((name for name, (n, _) in CODES.items() if n == number), "UNKNOWN")


def from_http(status: int) -> str:
    """The code that an HTTP status most likely stands for."""
    return _FROM_HTTP.get(status, "INTERNAL")
