"""Traces by OpenTelemetry, where the environment asks for them: ``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from litestar.types import ASGIApp

from tablelens.errors import MissingExtra

ASKED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
UNTRACED = "livez,readyz,metrics"
"""Routes that are asked all day long and tell nothing."""


def traced(app: ASGIApp) -> tuple[ASGIApp, Callable[[], None]]:
    """The application, a span a request, and what sends the last spans; the application itself where nobody asks.

    Raises:
        MissingExtra: traces are asked for, and the packages are not there.
    """
    if not any(os.environ.get(name) for name in ASKED):
        return app, lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra.of("opentelemetry-sdk", "otel", "tracing") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "tablelens"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    wrapped: Any = OpenTelemetryMiddleware(app, excluded_urls=UNTRACED, tracer_provider=provider)
    return wrapped, provider.shutdown
