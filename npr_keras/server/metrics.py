"""What Prometheus may ask a server for."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one server."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self):
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "npr_keras_requests",
            "Requests that were answered.",
            ("model", "protocol", "method", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "npr_keras_request_seconds",
            "From a request's arrival to its answer.",
            ("model", "method"),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._rows = Histogram(
            "npr_keras_batch_rows",
            "Rows that were run together.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self._versions = Gauge(
            "npr_keras_versions", "Versions that answer.", ("model",), registry=self.registry
        )
        self._waiting = Gauge(
            "npr_keras_waiting", "Requests that wait for their batch.", registry=self.registry
        )

    def count(self, handled) -> None:
        """Counts an answered request, see `npr_keras.server.service.RequestLog`."""
        # Names that nobody serves come from outside: each would be one more line for ever.
        model = handled.model if handled.version else ""
        self._requests.labels(model, handled.protocol, handled.method, handled.code).inc()
        self._seconds.labels(model, handled.method).observe(time.perf_counter() - handled.begun)

    def batch(self, rows: int) -> None:
        """Counts a batch that is run."""
        self._rows.observe(rows)

    def page(self, available: dict[str, list[int]], waiting: int) -> bytes:
        """The page, in Prometheus' text format."""
        for model, versions in available.items():
            self._versions.labels(model).set(len(versions))
        self._waiting.set(waiting)
        return generate_latest(self.registry)
