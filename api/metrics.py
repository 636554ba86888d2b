"""Counts and times for Prometheus. Routes are named by their template, so that their number is bounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = ("method", "route", "status")
        self._requests = Counter("tablelens_requests", "Requests answered", names, registry=self.registry)
        self._seconds = Histogram(
            "tablelens_request_seconds", "Seconds to the last byte", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.running = Gauge("tablelens_requests_running", "Requests under way", registry=self.registry)
        self.generation = Gauge("tablelens_generation", "Index generation that answers", registry=self.registry)
        self.columns = Gauge("tablelens_columns", "Columns in it", registry=self.registry)
        self.jobs = Gauge("tablelens_crawls_unfinished", "Crawls that run or wait", registry=self.registry)

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        method = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
