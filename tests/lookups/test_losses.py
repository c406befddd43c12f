"""What losses have in common, the second answer to a port or peaks of load; errors to one family."""

from __future__ import annotations

import random

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import BUDGET, lookups_of

NO_RECORD = "SOA a. b. 1 2 3 4 5"


def of(traffic: Traffic) -> list[dict]:
    traffic.packets.sort(key=lambda packet: packet[0])
    rows = lookups_of(traffic.octets())
    for row in rows:
        assert sum(row[name].value for name in BUDGET) == row["duration"].value
    return rows


def glibc(traffic: Traffic, number: int, comes: str, again: bool = True) -> None:
    """A lookup of both families; `comes` says of which the answer comes; then both are asked once more, serially."""
    start, port = 10.0 + 10 * number, 40000 + number
    pair = [
        query(f"h{number}.example.com", t, id=(977 * number + i) % 65536) for i, t in ((7, "A"), (77, "AAAA"))
    ]
    for step, (message, kind) in enumerate(zip(pair, ("first", "second"), strict=True)):
        traffic.send(start + step * 0.00001, message, port=port)
        if comes in (kind, "both"):
            traffic.send(start + 0.001 + step * 0.0001, response(message), port=port)
    if not again:
        return
    for step, message in enumerate(pair):
        traffic.send(start + 5.001 + 0.01 * step, message, port=port)
        traffic.send(start + 5.002 + 0.01 * step, response(message), port=port)


def test_always_one_of_two_answers_missing() -> None:
    traffic = Traffic()
    for number, comes in enumerate(
        ["first", "second", "second", "first", "second", "first", "second", "first"]
    ):
        glibc(traffic, number, comes)
    causes = [row["causes"] for row in of(traffic)]
    # Once there were some, of either kind, and none with both answers.
    assert causes[3:] == [["second-answer-dropped"]] * 5
    assert ["second-answer-dropped"] not in causes[:3]


@pytest.mark.parametrize("pattern", [["first"] * 8, ["first", "second"] * 4 + ["both"] * 12, ["both"] * 8])
def test_a_lost_second_query_or_loss_now_and_then_is_no_dropped_answer(pattern: list[str]) -> None:
    traffic = Traffic()
    order = list(enumerate(pattern))
    random.Random(7).shuffle(pattern)
    for number, _ in order:
        glibc(traffic, number, pattern[number], again=pattern[number] != "both")
    assert not [row for row in of(traffic) if "second-answer-dropped" in row["causes"]]


@pytest.mark.parametrize("seed", range(6))
def test_random_loss_is_no_dropped_second_answer(seed: int) -> None:
    chance = random.Random(seed)
    traffic = Traffic()
    for number in range(30):
        lost = [chance.random() < 0.35, chance.random() < 0.35]
        comes = {
            (False, False): "both",
            (True, True): "none",
            (False, True): "first",
            (True, False): "second",
        }
        glibc(traffic, number, comes[lost[0], lost[1]], again=any(lost))
    assert not [row for row in of(traffic) if "second-answer-dropped" in row["causes"]]


def test_pairs_of_answers_that_leave_the_server_and_are_asked_for_again() -> None:
    """The same seen at the server: both queries come, both answers leave."""
    traffic = Traffic()
    for number in range(8):
        glibc(traffic, number, "both")
    causes = [row["causes"] for row in of(traffic)]
    assert causes[:3] == [["packet-loss"]] * 3 and causes[4:] == [["second-answer-dropped"]] * 4


def peak(traffic: Traffic, start: float, count: int, lost: set[int]) -> None:
    """Queries a tenth of a millisecond apart, of which some are lost and sent again 5 s later."""
    for number in range(count):
        message = query(f"p{number}.example.com", "A" if number % 2 else "AAAA", id=number)
        at, port = start + number * 0.0001, 20000 + number
        traffic.send(at, message, port=port)
        if number in lost:
            traffic.send(at + 5, message, port=port)
            at += 5
        traffic.send(at + 0.002, response(message, answer=None, authority=NO_RECORD), port=port)


def quiet(traffic: Traffic, count: int, lost: set[int] = frozenset()) -> None:
    for number in range(count):
        message = query(f"q{number}.example.com", id=number)
        at, port = 1 + number, 50000 + number
        traffic.send(at, message, port=port)
        if number in lost:
            traffic.send(at + 5, message, port=port)
            at += 5
        traffic.send(at + 0.002, response(message), port=port)


def test_losses_at_the_peak_of_load() -> None:
    traffic = Traffic()
    quiet(traffic, 100)
    peak(traffic, 200.0, 400, set(range(300, 400, 2)) | set(range(301, 400, 4)))
    slow = [row["causes"] for row in of(traffic) if row["causes"]]
    assert len(slow) == 75
    assert slow == [["queue-overflow"]] * 75


def test_losses_at_all_times_are_no_overflow() -> None:
    traffic = Traffic()
    quiet(traffic, 100, set(range(0, 100, 7)))
    peak(traffic, 200.0, 400, set(range(0, 400, 7)))
    assert {cause for row in of(traffic) for cause in row["causes"]} == {"packet-loss"}


def test_losses_from_the_first_of_a_peak_on_are_no_overflow() -> None:
    traffic = Traffic()
    peak(traffic, 200.0, 400, set(range(0, 400, 3)))
    assert {cause for row in of(traffic) for cause in row["causes"]} == {"packet-loss"}


@pytest.mark.parametrize(
    ("rcode", "causes"),
    [("SERVFAIL", ["partial-answer"]), ("REFUSED", ["partial-answer"]), ("NOERROR", []), ("NXDOMAIN", [])],
)
def test_an_error_to_one_family(rcode: str, causes: list[str]) -> None:
    a, aaaa = query(id=1000), query(qtype="AAAA", id=31000)
    traffic = Traffic().send(1.0, a).send(1.00001, aaaa).send(1.002, response(a))
    traffic.send(1.003, response(aaaa, answer=None, rcode=rcode))
    (row,) = of(traffic)
    assert (row["outcome"], row["causes"], row["answers"]) == ("ok", causes, ["192.0.2.1"])


def test_an_error_that_the_next_server_made_good() -> None:
    a, aaaa = query(id=1000), query(qtype="AAAA", id=31000)
    traffic = Traffic().send(1.0, a).send(1.00001, aaaa).send(1.002, response(a))
    traffic.send(1.003, response(aaaa, answer=None, rcode="SERVFAIL"))
    traffic.send(1.0031, aaaa, port=40001, server="192.0.2.54")
    traffic.send(1.005, response(aaaa, answer=None, authority=NO_RECORD), port=40001, server="192.0.2.54")
    (row,) = of(traffic)
    assert (row["outcome"], row["causes"]) == ("ok", [])
