"""Metrics for Prometheus: what was counted, under few labels, never a domain name or a client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dnscap import registry
from dnscap.errors import CaptureError, UsageError
from dnscap.live.totals import BOUNDS, REST, Histogram

if TYPE_CHECKING:
    from dnscap.live.session import Session


def address_of(text: str) -> tuple[str, int]:
    """Address and port of ``ADDR:PORT``, ``[ADDR]:PORT`` or ``:PORT``.

    Raises
    ------
    UsageError
        If it is neither of these.

    Examples
    --------
    >>> address_of("[::1]:9153")
    ('::1', 9153)
    """
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"{text!r} is no address and port, such as 127.0.0.1:9153 or [::1]:9153")
    return address.strip("[]") or "0.0.0.0", int(port)


class Collector:
    """Turns the counts of a session into metrics when they are asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[Any]:
        """Give all metrics."""
        from prometheus_client.core import CounterMetricFamily as Count
        from prometheus_client.core import GaugeMetricFamily as Gauge

        session = self._session
        totals = session.totals
        counters = totals.counters
        yield Count("dnscap_frames", "Frames taken in.", value=session.frames)
        if counters is not None:
            drops = Count("dnscap_dropped_frames", "Frames that the capture lost.", labels=["by"])
            drops.add_metric(["kernel"], counters.dropped)
            drops.add_metric(["interface"], counters.interface_dropped)
            yield drops
        queries = Count("dns_queries", "Queries seen, each once.", labels=["qtype"])
        for qtype, count in list(totals.queries.items()):
            queries.add_metric([REST if qtype < 0 else registry.rrtype_name(qtype)], count)
        yield queries
        yield Count("dns_responses", "Responses seen, each once.", value=totals.responses)
        failures = Count("dns_query_failures", "Queries that failed or had no answer.", labels=["nameserver"])
        for server, count in list(totals.failures.items()):
            failures.add_metric([server], count)
        yield failures
        exchanges = Count("dnscap_exchanges", "Queries with what became of them.", labels=["outcome"])
        for outcome, count in list(totals.exchanges.items()):
            exchanges.add_metric([outcome], count)
        yield exchanges
        yield _histogram("dnscap_exchange_latency_seconds", "From query to answer.", totals.latency)
        lookups = Count("dnscap_lookups", "Lookups of applications.", labels=["outcome"])
        for outcome, count in list(totals.lookups.items()):
            lookups.add_metric([outcome], count)
        yield lookups
        yield _histogram("dnscap_lookup_duration_seconds", "How long applications waited.", totals.waits)
        found = Gauge("dnscap_findings", "Things found wrong so far.", labels=["severity"])
        severities = [finding.severity for finding in session.findings]
        for severity in ("low", "medium", "high"):
            found.add_metric([severity], severities.count(severity))
        yield found


def _histogram(name: str, text: str, histogram: Histogram) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    counts = histogram.counts.cumsum().tolist()
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    return HistogramMetricFamily(
        name, text, buckets=list(zip(bounds, counts, strict=True)), sum_value=histogram.seconds
    )


def serve(where: str, session: Session) -> Callable[[], None]:
    """Answer Prometheus from now on; gives what ends that.

    Parameters
    ----------
    where : str
        ``ADDR:PORT``.
    session : Session
        What is counted.

    Raises
    ------
    CaptureError
        If the port cannot be had.
    UsageError
        If the address makes no sense, or prometheus-client is not installed.
    """
    address, port = address_of(where)
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily  # noqa: F401 - loaded while it may be
    except ImportError:
        raise UsageError("metrics need prometheus-client: pip install 'dnscap[metrics]'") from None
    registry = CollectorRegistry()
    registry.register(Collector(session))
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise CaptureError(where, f"metrics cannot be served there: {error.strerror or error}") from None

    def end() -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()
        thread.join(2)
        server.server_close()

    return end
