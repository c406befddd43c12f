"""Waterfalls as text, letter for letter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables_by_hand import MS, SECOND, exchange, exchanges, lookup, lookups

from dnscap.clients.kept_rows import plain_rows
from dnscap.explain import Explanation
from dnscap.explain.waterfall import MOST_LINES, waterfall
from dnscap.output.cells import width_of


def explained(row: dict, *sent: dict) -> Explanation:
    return Explanation(plain_rows(lookups(row))[0], plain_rows(exchanges(*sent)))


FAILOVER = explained(
    lookup(
        17,
        duration=5 * SECOND + 4 * MS,
        t_timeout=5 * SECOND,
        causes=["nameserver-timeout"],
        failovers=2,
        queries=4,
        servers=["10.0.0.9", "10.0.0.53"],
    ),
    exchange(0, 0, lookup=17, server="10.0.0.9", outcome="unanswered"),
    exchange(1, 20_000, lookup=17, server="10.0.0.9", outcome="unanswered", qtype="AAAA", role="companion"),
    exchange(2, 5 * SECOND, lookup=17, role="failover"),
    exchange(
        3,
        5 * SECOND + 20_000,
        lookup=17,
        qtype="AAAA",
        role="failover",
        outcome=("nodata"),
        latency=3_900_000,
    ),
)

FAILOVER_TEXT = """\
lookup 17  www.example.com.  A AAAA
2023-11-15 12:00:00.000000Z  client 10.0.0.7 (glibc)
ok after 5.00 s; an answer ended it
because of nameserver-timeout

                                    0         2.50 s    5.00 s
       0 s A    primary   10.0.0.9  ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌? no answer
> +20.0 µs AAAA companion 10.0.0.9  ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌? no answer
   +5.00 s A    failover  10.0.0.53                          ● answer 2.00 ms
>  +5.00 s AAAA failover  10.0.0.53                          ○ nodata 3.90 ms

where the time went
     5.00 s  99.9 %  ███████████████████████ waiting in vain for answers
    4.00 ms   0.1 %  █                       the useful wait
"""

SEARCH = explained(
    lookup(
        3,
        name="api.example.com.",
        name_certain=False,
        duration=30 * MS,
        t_search=20 * MS,
        candidates=["api.example.com.corp.zone.", "api.example.com."],
        causes=["search-fanout"],
        end_basis="timer",
        duration_min=30 * MS,
        duration_max=31 * MS,
    ),
    exchange(
        0,
        0,
        lookup=3,
        qname="api.example.com.corp.zone.",
        outcome="nxdomain",
        latency=20 * MS,
        role=("search"),
    ),
    exchange(1, 20 * MS, lookup=3, qname="api.example.com.", latency=10 * MS),
)

SEARCH_TEXT = """\
lookup 3  api.example.com.  A AAAA
2023-11-15 12:00:00.000000Z  client 10.0.0.7 (glibc)
ok after 30.0 ms (30.0 ms to 31.0 ms); the stub's timer ended it, modelled
because of search-fanout
the name that the application gave is a guess

                               0           15.0 ms     30.0 ms
  api.example.com.corp.zone.
>      0 s A search  10.0.0.53 ━━━━━━━━━━━━━━━━━━━━○           nxdomain 20.0 ms
  api.example.com.
> +20.0 ms A primary 10.0.0.53                     ━━━━━━━━━━● answer 10.0 ms

where the time went
    20.0 ms  66.7 %  ███████████████         search-list candidates
    10.0 ms  33.3 %  ████████                the useful wait
"""


@pytest.mark.parametrize(("explanation", "text"), [(FAILOVER, FAILOVER_TEXT), (SEARCH, SEARCH_TEXT)])
def test_the_waterfall_letter_for_letter(explanation: Explanation, text: str) -> None:
    assert explanation.text(evidence=False) + "\n" == text


@pytest.mark.parametrize("explanation", [FAILOVER, SEARCH])
def test_no_line_is_wider_than_a_terminal(explanation: Explanation) -> None:
    assert max(map(len, str(explanation).splitlines())) <= 80


def test_labels_of_the_axis_stand_apart() -> None:
    row, sent = SEARCH.lookup, [{**e, "server": "2001:db8:0:1::53"} for e in SEARCH.exchanges]
    for width in range(60, 100):
        axis = "".join(text for text, _ in waterfall(row, sent, width)[0])
        assert not re.search(r"s\d", axis), axis


def test_the_evidence_names_cause_and_frames() -> None:
    text = str(FAILOVER)
    assert "nameserver-timeout, 5.00 s" in text
    assert "frames: 1 3 5 6 7 8" in text
    assert "answers: 192.0.2.1" in text


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" not in str(FAILOVER)
    assert "\x1b[31m" in FAILOVER.text(colour=True)


def test_hostile_names_are_escaped_everywhere() -> None:
    name = "\x1b]0;x\x07<img src=x>.example."
    bad = explained(
        lookup(0, name=name, final_name=name), exchange(0, 0, lookup=0, qname=name), exchange(1, MS, lookup=0)
    )
    assert "\x1b" not in str(bad) and "\x07" not in str(bad)
    assert "<img" not in bad._repr_html_()
    assert "\x1b]" not in bad.text(colour=True)
    assert "\x1b" not in repr(bad)


def test_a_lookup_of_many_transmissions_stays_readable() -> None:
    sent = [exchange(i, i * MS, lookup=0, outcome="servfail") for i in range(500)]
    text = explained(lookup(0, duration=SECOND), *sent).text(evidence=False)
    assert f"… {500 - MOST_LINES} more transmissions" in text
    assert len(text.splitlines()) < MOST_LINES + 20


def test_a_lookup_without_exchanges_can_still_be_shown() -> None:
    assert "lookup 5" in str(explained(lookup(5)))


TRANSMISSIONS = st.builds(
    lambda at, took, outcome, role, server, qtype, name, ambiguous: {
        "at": at,
        "latency": None if outcome in ("unanswered", "unfinished") else took,
        "outcome": outcome,
        "role": role,
        "server": server,
        "qtype": qtype,
        "qname": name,
        "ambiguous": ambiguous,
    },
    st.integers(0, 20 * SECOND),
    st.none() | st.integers(-MS, 30 * SECOND),
    st.sampled_from(
        ["answer", "nodata", "nxdomain", "truncated", "servfail", "unanswered", "unfinished", "unreachable"]
    ),
    st.sampled_from(
        [None, "primary", "companion", "search", "retransmission", "tcp-fallback", "edns-fallback"]
    ),
    st.sampled_from(["10.0.0.53", "192.168.100.200", "2001:db8:1111:2222:3333:4444:5555:6666"]),
    st.sampled_from([None, "A", "AAAA", "HTTPS", "TYPE65280"]),
    st.none() | st.text(max_size=300),
    st.booleans(),
)


@given(st.lists(TRANSMISSIONS, max_size=20), st.integers(0, 30 * SECOND), st.text(max_size=200))
def test_any_lookup_can_be_shown_within_eighty_columns(sent: list[dict], duration: int, name: str) -> None:
    rows = [exchange(i, row.pop("at"), lookup=0, **row) for i, row in enumerate(map(dict, sent))]
    explanation = explained(lookup(0, name=name, duration=duration, causes=["pair-race"]), *rows)
    text = str(explanation)
    assert max(map(width_of, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert explanation._repr_html_().count('<div class="dnscap') == 1
