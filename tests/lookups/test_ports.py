"""A port that serves different lookups tells nothing of which queries belong together."""

from __future__ import annotations

import dnscap
from tests.resolutions.traffic import CLIENT, MS, RESOLVER, SECOND, Traffic


def asked(ports: int) -> list[dict[str, object]]:
    """Twenty names, A of all first and AAAA five seconds later, from so many ports in turn."""
    traffic = Traffic()
    for k in range(40):
        name = f"n{k % 20}.example.com."
        qtype, at = ("A", k * 10 * MS) if k < 20 else ("AAAA", 5 * SECOND + k * 10 * MS)
        answer = (f"{name} 60 A 203.0.113.1",) if qtype == "A" else ()
        traffic.exchange(at, CLIENT, RESOLVER, name, qtype, answer=answer, port=30_000 + k % ports)
    return dnscap.read(traffic.octets()).to_arrow("lookups").to_pylist()


def test_what_a_load_generator_asks_is_not_joined_by_its_sockets() -> None:
    rows = asked(ports=4)
    assert len(rows) == 40
    assert max(row["duration"].total_seconds() for row in rows) < 0.1


def test_a_port_of_one_lookup_joins_what_was_asked_again() -> None:
    rows = asked(ports=20)
    assert len(rows) == 20
    assert {tuple(row["qtypes"]) for row in rows} == {("A", "AAAA")}
