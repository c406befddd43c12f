"""Metrics: what alerts are set on, with few labels, and nothing of what clients asked."""

from __future__ import annotations

import io
import re

import pytest

from dnscap.errors import UsageError
from dnscap.live.metrics import Collector, address_of
from dnscap.live.opening import open_stream
from dnscap.live.session import Session
from dnscap.live.totals import MOST_LABELS
from tests.live.view.watching import CLIENT, Made, answer, message, name, packet, question

pytestmark = pytest.mark.requires("prometheus")

ANY = 255


def metrics_of(made: Made) -> str:
    """What Prometheus is told at the end of a stream."""
    from prometheus_client import CollectorRegistry, generate_latest

    session = Session(open_stream(io.BytesIO(made.take())))
    list(session)
    registry = CollectorRegistry()
    registry.register(Collector(session))
    return generate_latest(registry).decode()


def test_what_alerts_are_set_on() -> None:
    """Failures by name server, queries by type (ANY), responses."""
    made = Made()
    for number in range(1, 13):
        qname = name(b"secret%d" % number, b"example")
        made.add([question(number * 1000, qname, number), answer(number * 1000 + 100, qname, number, 2)])
    for number in range(20, 25):
        asked = message(name(b"victim"), number, qtype=ANY)
        made.add([(number * 1000, packet(asked, CLIENT, b"\x0a\0\0\x36", 40_000 + number))])
    made.add([answer(400_000_000, name(b"late"), 500)])  # so that it is known that none of these was answered
    told = metrics_of(made)
    assert 'dns_query_failures_total{nameserver="10.0.0.53"} 12.0' in told
    assert 'dns_query_failures_total{nameserver="10.0.0.54"} 5.0' in told
    assert 'dns_queries_total{qtype="ANY"} 5.0' in told
    assert 'dns_queries_total{qtype="A"} 12.0' in told
    assert "dns_responses_total 13.0" in told
    assert 'dnscap_lookups_total{outcome="servfail"} 12.0' in told
    for word in ("secret", "victim", "example", '10.0.0.5"'):
        assert word not in told


def test_labels_are_few_whatever_is_asked() -> None:
    made = Made()
    for number in range(1, 400):
        qname = name(b"n%d" % number)
        server = bytes([10, 1, number >> 8, number & 255])
        asked = message(qname, number, qtype=number)
        told = message(qname, number, True, 5, qtype=number)
        made.add([(number * 1000, packet(asked, CLIENT, server, 30_000 + number))])
        made.add([(number * 1000 + 50, packet(told, CLIENT, server, 30_000 + number, True))])
    told_all = metrics_of(made)
    for metric in ("dns_query_failures_total", "dns_queries_total"):
        counts = [float(n) for n in re.findall(rf"^{metric}{{.*}} (\S+)$", told_all, re.M)]
        assert len(counts) == MOST_LABELS + 1
        assert sum(counts) == 399
    assert told_all.count("\n") < 600


def test_addresses_to_serve_at() -> None:
    assert address_of(":9153") == ("0.0.0.0", 9153)
    assert address_of("[::1]:80") == ("::1", 80)
    for wrong in ("9153", "localhost", "x:0", "x:70000", "x:"):
        with pytest.raises(UsageError):
            address_of(wrong)
