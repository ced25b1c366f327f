"""Prometheus metrics. With several web processes the samples meet in PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY

REQUESTS = Histogram(
    "tanpuhui_request_seconds",
    "Seconds a request took",
    ["method", "route", "status"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
EVENTS = Counter("tanpuhui_events_total", "Events judged", ["verdict", "code"])

FAILING = Gauge(
    "tanpuhui_conservation_failing", "Rows of the books that do not add up, when last looked at: alarm on any",
    multiprocess_mode="mostrecent",
)  # fmt: skip


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.labels(method, route, str(status)).observe(seconds)


def count_verdicts(verdicts: dict[tuple[str, str], int]) -> None:
    for (verdict, code), n in verdicts.items():
        EVENTS.labels(verdict, code).inc(n)


def exposition() -> bytes:
    """The text that /metrics answers."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
