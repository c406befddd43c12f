"""Stubs told apart by what they do over several lookups, made packet by packet."""

import random

import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import lookups_of

FIRST, SECOND = "192.0.2.53", "192.0.2.54"


def pair(number: int, name: str = "www.example.com", *, apart: int = 7000, **options):
    return query(name, "A", id=1000 + number * 20, **options), query(
        name, "AAAA", id=1000 + number * 20 + apart, **options
    )


def stubs_of(traffic: Traffic) -> list[str]:
    return [row["stub"] for row in lookups_of(traffic.octets())]


def answered(traffic: Traffic, time: float, number: int, *, server: str = FIRST, **more) -> None:
    for message in pair(number, f"h{number}.example.com", **more):
        traffic.send(time, message, port=40000 + number, server=server)
        traffic.send(time + 0.002, response(message), port=40000 + number, server=server)
    traffic.packets.sort()


def failed_over(traffic: Traffic, time: float) -> None:
    for message in pair(0):
        traffic.send(time, message, port=40000, server=FIRST)
        traffic.send(time + 2, message, port=41000, server=SECOND)
        traffic.send(time + 2.002, response(message), port=41000, server=SECOND)
    traffic.packets.sort()


@pytest.mark.parametrize(
    ("servers", "stub"),
    [
        ((SECOND, SECOND), "c-ares"),  # it stays with the server that answered
        ((FIRST, FIRST), "glibc"),  # and this one always begins with the first
        ((SECOND, FIRST), "glibc"),  # `rotate`
    ],
)
def test_who_is_asked_first_after_a_server_was_silent(servers: tuple[str, str], stub: str) -> None:
    traffic = Traffic()
    failed_over(traffic, 10.0)
    for number, server in enumerate(servers, 1):
        answered(traffic, 12.0 + number, number, server=server)
    assert stubs_of(traffic) == [stub] * 3


def test_glibc_sends_the_pair_again_though_half_of_it_was_answered() -> None:
    """The A query was lost before it came here; the AAAA query follows its second transmission."""
    a, aaaa = pair(0)
    traffic = Traffic()
    traffic.send(1.0, aaaa).send(1.002, response(aaaa))
    traffic.send(2.0, a).send(2.002, response(a)).send(2.0025, aaaa).send(2.004, response(aaaa))
    assert stubs_of(traffic) == ["glibc"]


def test_cares_sends_again_only_what_is_missing() -> None:
    a, aaaa = pair(0)
    traffic = Traffic()
    traffic.send(1.0, a).send(1.0001, aaaa).send(1.002, response(a)).send(1.0021, response(aaaa))
    traffic.send(6.0, aaaa).send(6.002, response(aaaa))
    assert stubs_of(traffic) == ["c-ares"]


def test_ids_near_one_another_by_chance_do_not_make_a_client_musl() -> None:
    traffic = Traffic()
    for number in range(30):
        answered(traffic, 10.0 + number, number, apart=300 if number == 25 else 7000)
    assert stubs_of(traffic) == ["glibc"] * 30
    traffic = Traffic()
    for number in range(6):
        answered(traffic, 10.0 + number, number, apart=300)
    assert stubs_of(traffic) == ["musl"] * 6


def test_a_stub_that_fell_back_goes_on_without_edns() -> None:
    """systemd-resolved after FORMERR: the id stays, OPT goes, and the next lookups have none."""
    traffic, options = Traffic(), {"use_edns": 0, "payload": 1472}
    for number, message in enumerate(pair(0, **options)):
        bare = pair(0)[number]
        port = 40000 + number
        traffic.send(1.0 + number * 0.0001, message, port=port)
        traffic.send(1.001 + number * 0.0001, response(message, answer=None, rcode="FORMERR"), port=port)
        traffic.send(1.0011 + number * 0.0001, bare, port=port)
        traffic.send(1.002 + number * 0.0001, response(bare), port=port)
    for number, message in enumerate(pair(1, "mail.example.com")):
        traffic.send(2.0 + number * 0.002, message, port=40010 + number)
        traffic.send(2.001 + number * 0.002, response(message), port=40010 + number)
    traffic.packets.sort()
    assert stubs_of(traffic) == ["systemd-resolved"] * 2


def clock_id(nanoseconds: int, seconds: int) -> int:
    """The id that glibc 2.30 and later makes, as it stands on the wire of a little-endian machine."""
    bits = nanoseconds ^ seconds
    bits ^= bits << 24 | bits >> 8
    return (bits & 0xFF) << 8 | bits >> 8 & 0xFF


def ask(
    traffic: Traffic, time: float, name: str, ids: tuple[int, int], *, port: int, apart: float = 0.00005
) -> None:
    for number, (qtype, id) in enumerate(zip(("A", "AAAA"), ids, strict=True)):
        message = query(name, qtype, id=id)
        traffic.send(time + number * apart, message, port=port)
        traffic.send(time + number * apart + 0.01, response(message), port=port)
    traffic.packets.sort()


@pytest.mark.parametrize("seed", range(4))
def test_ids_out_of_one_clock_are_glibc_and_others_cares(seed: int) -> None:
    chance = random.Random(seed)
    clock, cipher = Traffic(), Traffic()
    for number in range(12):
        at, seconds = chance.randrange(10**9 - 5000), chance.randrange(1 << 24)
        later = at + chance.randrange(300, 1500)
        name, port = f"h{number}.example.com", 40000 + number
        ask(clock, 10.0 + number, name, (clock_id(at, seconds), clock_id(later, seconds)), port=port)
        ask(cipher, 10.0 + number, name, (chance.randrange(1 << 16), chance.randrange(1 << 16)), port=port)
    # A pair may look like the other by chance, as long as little else is known of its client.
    assert stubs_of(clock)[4:] == ["glibc"] * 8
    assert stubs_of(cipher)[4:] == ["c-ares"] * 8


def test_unlike_ids_of_one_call_may_still_be_an_older_glibc() -> None:
    traffic, chance = Traffic(), random.Random(5)
    for number in range(12):
        ids = chance.randrange(1 << 16), chance.randrange(1 << 16)
        ask(traffic, 10.0 + number, f"h{number}.example.com", ids, port=40000 + number, apart=0.000004)
    assert stubs_of(traffic) == ["glibc"] * 12


def test_lookups_at_once_from_one_port_are_cares() -> None:
    traffic, chance = Traffic(), random.Random(6)
    for number in range(6):
        ids = chance.randrange(1 << 16), chance.randrange(1 << 16)
        ask(traffic, 10.0 + number * 0.0001, f"h{number}.example.com", ids, port=40000, apart=0.000004)
    assert stubs_of(traffic) == ["c-ares"] * 6


def test_a_walk_for_each_family_is_a_call_for_each() -> None:
    """dnspython asks for one type a call; what glibc asks in one call alternates between the families."""
    traffic, time = Traffic(), 10.0
    for qtype in ("A", "AAAA"):
        for number, suffix in enumerate(("one.example", "two.example", "example")):
            message = query(f"db.{suffix}", qtype, id=int(time * 1e5) % 60000)
            found = {} if number == 2 else {"answer": None, "rcode": "NXDOMAIN"}
            traffic.send(time, message, port=int(time * 1e4) % 60000)
            traffic.send(time + 0.001, response(message, **found), port=int(time * 1e4) % 60000)
            time += 0.002
    assert stubs_of(traffic) == ["dnspython"] * 2


@pytest.mark.parametrize(("times", "stub"), [((0, 1, 2, 2500, 2501, 2502), "musl"), ((0, 1, 2, 3), "c-ares")])
def test_failures_are_asked_again_at_once(times: tuple[int, ...], stub: str) -> None:
    traffic, message = Traffic(), query("www.example.com", id=7)
    for time in times:
        traffic.send(10 + time / 1000, message)
        traffic.send(10.0005 + time / 1000, response(message, answer=None, rcode="SERVFAIL"))
    assert stubs_of(traffic) == [stub]


def test_both_asked_again_from_a_new_port_each_is_cares() -> None:
    traffic = Traffic()
    for number, message in enumerate(pair(0)):
        traffic.send(10 + number / 1e5, message, port=40000)
        traffic.send(12 + number / 1e5, message, port=41000 + number)
        traffic.send(12.01 + number / 1e5, response(message), port=41000 + number)
    traffic.packets.sort()
    assert stubs_of(traffic) == ["c-ares"]
