"""What is said before all is there: nothing that takes one server for another."""

from __future__ import annotations

from tables_by_hand import MS, SECOND, exchange, exchanges, lookup, lookups

from dnscap.findings.diagnosis import Diagnosis

DEAD, FAILING = "10.0.0.9", "10.0.0.53"


def failed(number: int) -> dict:
    return lookup(
        number,
        outcome="servfail",
        causes=["servfail"],
        queries=2,
        servers=[DEAD, FAILING],
        duration=SECOND,
        t_failed_server=SECOND,
    )


def test_a_server_is_blamed_once_the_exchanges_of_a_lookup_are_there() -> None:
    """They come after it: one that waits half a minute for its answer holds up all that began later."""
    diagnosis = Diagnosis()
    diagnosis.feed(lookups=lookups(*(failed(number) for number in range(3))))
    assert not diagnosis.findings_so_far()
    for number in range(3):
        sent = [
            exchange(2 * number, 0, lookup=number, server=DEAD, outcome="unanswered", latency=None),
            exchange(
                2 * number + 1,
                SECOND,
                lookup=number,
                server=FAILING,
                outcome="servfail",
                rcode="SERVFAIL",
                latency=MS,
                role="failover",
            ),
        ]
        diagnosis.feed(exchanges=exchanges(*sent))
    found = {finding.id: finding.subject for finding in diagnosis.findings_so_far()}
    assert found["servfail"] == FAILING


def test_what_had_but_one_server_is_told_at_once() -> None:
    diagnosis = Diagnosis()
    rows = [failed(number) | {"servers": [FAILING], "queries": 1} for number in range(3)]
    diagnosis.feed(lookups=lookups(*rows))
    assert {finding.subject for finding in diagnosis.findings_so_far()} == {FAILING}
