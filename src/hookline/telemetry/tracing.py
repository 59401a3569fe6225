"""Spans of OpenTelemetry, once a project has set up a tracer provider. Without one, each function costs a look.

A receipt continues the sender's `traceparent`, or the span of an instrumented server. Its own context is kept with the
event, so that the run of its handlers continues it on another thread or machine; what they dispatch keeps theirs with
the message, and each attempt sends its own on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hookline.version import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


def tracer() -> Tracer | None:
    """None where OpenTelemetry is not installed, or not set up."""
    # Whoever sets it up has imported it: so nobody else waits for that.
    trace: Any = sys.modules.get("opentelemetry.trace")
    # A module stands there while another thread is still importing it, and nobody can have set up what it lacks.
    get_provider = getattr(trace, "get_tracer_provider", None)
    if get_provider is None:
        return None
    provider = get_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    found: Tracer = provider.get_tracer("hookline", __version__)
    return found


@contextmanager
def span(
    name: str, kind: str, carrier: Mapping[str, str] | None = None, attributes: Mapping[str, str | int] | None = None
) -> Iterator[Span | None]:
    """A span of this block, and the current one in it; None where nothing is traced.

    It is a child of the current span, otherwise of what the `carrier` holds. `kind` is one of SpanKind's names.
    """
    found = tracer()
    if found is None:
        yield None
        return
    from opentelemetry import trace

    parent = None  # the current context
    if carrier and not trace.get_current_span().get_span_context().is_valid:
        parent = _trace_context().extract(carrier)
    with found.start_as_current_span(name, parent, trace.SpanKind[kind], attributes) as started:
        yield started


def carrier() -> dict[str, str]:
    """The headers that carry the current span on: `traceparent` and `tracestate`. Empty where nothing is traced."""
    if tracer() is None:
        return {}
    headers: dict[str, str] = {}
    _trace_context().inject(headers)
    return headers


def _trace_context() -> Any:
    """W3C Trace Context alone: what else a project propagates, such as baggage, is not for strangers."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()


def failed(started: Span | None, why: str) -> None:
    """Mark a span as failed."""
    if started is not None:
        from opentelemetry.trace import Status, StatusCode

        started.set_status(Status(StatusCode.ERROR, why[:500]))
