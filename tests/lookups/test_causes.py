"""Each cause on a capture of a real stub that must show it, and on others that must not."""

import pytest

import dnscap
from tests.lookups.captures import lookups_of, octets_of
from tests.sampling import some

# Of each capture: what each of its lookups must be blamed on, most costly first.
CAUSES = {
    "aaaa-dropped": [["aaaa-dropped"]],
    "aaaa-servfail-musl": [["servfail"], ["servfail"]],
    "bogus": [[], ["dnssec-bogus", "servfail"], [], [], []],
    "cname-loop": [[], [], [], ["cname-loop"], ["dangling-cname"]],
    "cold": [["cold-recursion"], [], ["cold-recursion"]],
    "dead-authoritative": [["dead-authoritative"], [], [], [], ["dead-authoritative", "servfail"]],
    "dead-first-cares": [["nameserver-timeout"], [], []],
    "dead-first-dnspython": [["nameserver-timeout"]] * 3,
    "dead-first-glibc": [["nameserver-timeout"]] * 3,
    "dig": [[]] * 9,
    "dnspython": [[]] * 6,
    "formerr-go": [["formerr"]] * 2,
    "forwarder": [[]] * 5,
    "forwarder-dead": [["forwarder-upstream-timeout"], []],
    "fragments": [["fragments-lost"], []],
    "glibc": [[]] * 6,
    "go": [[]] * 6,
    "lame": [[], [], ["upstream-refused", "servfail"], ["servfail"]],
    "late-answer": [["slow-answer"], []],
    "lossy-glibc": [
        [],
        ["pair-race", "packet-loss"],
        [],
        ["packet-loss", "pair-race"],
        [],
        *[["packet-loss"]] * 3,
    ],
    "lost-cares": [["packet-loss"], []],
    "lost-go": [["packet-loss"], []],
    "many-addresses": [[]] * 3,
    "musl": [[]] * 6,
    "no-aaaa-glibc": [["aaaa-dropped"]] * 2,
    "pair-race-glibc": [["pair-race"]] * 2,
    "pair-race-musl": [["pair-race"]] * 2,
    "port-unreachable-go": [[]] * 2,
    "pycares": [[]] * 5,
    "refused-first": [["refused", "slow-answer"], []],
    "rotate": [[]] * 7,
    "search-k8s": [[]] * 7,
    "servfail": [["servfail"], ["servfail"], [], [], ["servfail"]],
    "servfail-first": [[]] * 2,
    "silence-at-the-end": [[]] * 11,
    "single-request": [[]] * 3,
    "slow-client-side": [["slow-answer"], [], ["slow-answer"], []],
    "slow-resolver-side": [["slow-authoritative"], [], ["slow-authoritative"], []],
    "slow-search": [["search-fanout", "slow-answer"]] * 2,
    "syn-lost": [["tcp-retransmission"], []],
    "swallowed": [["fragments-lost"], []],
    "tcp-dropped-cares": [["truncation", "tcp-blocked"], []],
    "tcp-dropped": [["truncation", "tcp-blocked"]],
    "tcp-lost": [["tcp-retransmission"], []],
    "tcp-refused": [["truncation", "tcp-blocked"]],
    "threads": [[]] * 12,
    "three-servers-musl": [[]] * 3,
    "truncation-go": [[]] * 3,
    "upstream-errors": [
        ["upstream-refused", "servfail"],
        ["upstream-servfail", "servfail"],
        [],
        [],
        ["servfail"],
    ],
    "upstream-tcp": [[], ["upstream-truncation", "upstream-tcp-blocked"], []],
    "wrong-id": [["bogus-answer-ignored"]],
    "wrong-question": [["bogus-answer-ignored"]],
}

# Where several causes cover the same time, their order says nothing.
UNORDERED = {
    "all-dead-glibc": [{"nameserver-timeout", "no-answer"}],
    "all-dead-musl": [{"nameserver-timeout", "no-answer"}],
    "late-answers": [{"no-answer", "slow-answer"}],
    "stale": [set(), {"dead-authoritative", "serve-stale"}, {"dead-authoritative", "serve-stale"}],
}


@pytest.mark.parametrize("capture", CAUSES)
def test_causes_are_named_where_they_are_and_nowhere_else(capture: str) -> None:
    assert [row["causes"] for row in lookups_of(capture)] == CAUSES[capture]


@pytest.mark.parametrize("capture", UNORDERED)
def test_causes_that_cover_the_same_time_are_all_named(capture: str) -> None:
    assert [set(row["causes"]) for row in lookups_of(capture)] == UNORDERED[capture]


@pytest.mark.parametrize(
    ("capture", "stub"),
    [
        ("glibc", "glibc"),
        ("musl", "musl"),
        ("go", "go"),
        ("pycares", "c-ares"),
        ("dnspython", "dnspython"),
        ("dig", "dig"),
        ("lost-cares", "c-ares"),
        ("dead-first-cares", "c-ares"),
        ("three-servers-musl", "musl"),
        ("single-request", "glibc"),
        ("many-addresses", "glibc"),
    ],
)
def test_stubs_are_told_by_their_habits(capture: str, stub: str) -> None:
    assert {row["stub"] for row in lookups_of(capture)} == {stub}


def cuts_of(octets):
    """A pcap file with its first 1, 2, 3 ... packets."""
    at = 24
    while at < len(octets):
        at += 16 + int.from_bytes(octets[at + 8 : at + 12], "little")
        yield octets[:at]


@pytest.mark.parametrize("name", ["glibc", "musl", "go", "dnspython", "pycares"])
def test_a_healthy_capture_may_end_anywhere(name):
    """The capture's end leaves queries without an answer that was on its way: nothing was lost."""
    octets = octets_of(name)
    assert octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
    for cut in some(list(cuts_of(octets))):
        capture = dnscap.read(cut)
        blamed = [row for row in lookups_of(cut) if row["causes"]]
        assert not blamed, (len(cut), blamed)
        severe = [f for f in capture.to_arrow("findings").to_pylist() if f["severity"] != "info"]
        assert not severe, (len(cut), severe)
