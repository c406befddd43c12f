"""A host with servers of both families of addresses is one client, though it has two addresses."""

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from tests.exchanges.traffic import CLIENT, SERVER, Traffic, query, response
from tests.lookups.captures import lookups_of

CLIENT6, SERVER6 = "2001:db8::10", "2001:db8::53"


class Host(Traffic):
    def say(self, time: float, message, *, port: int, six: bool) -> "Host":
        if not six:
            return self.send(time, message, port=port)
        back = message.flags & 0x8000
        ends = (SERVER6, CLIENT6, 53, port) if back else (CLIENT6, SERVER6, port, 53)
        ip = IPv6(src=ends[0], dst=ends[1]) / UDP(sport=ends[2], dport=ends[3])
        return self.add(time, ip / Raw(message.to_wire()))

    def silent(self, time: float, port: int, six: bool, ids=(7, 7007), apart: int = 0, **more) -> "Host":
        for qtype, id, add in zip(("A", "AAAA"), ids, (0, apart), strict=True):
            self.say(time, query("www.example.com", qtype, id=id, **more), port=port + add, six=six)
        return self

    def heard(
        self, time: float, port: int, six: bool, ids=(7, 7007), rcode="NOERROR", apart: int = 0, **more
    ) -> "Host":
        for qtype, id, add in zip(("A", "AAAA"), ids, (0, apart), strict=True):
            message = query("www.example.com", qtype, id=id, **more)
            said = response(
                message, answer="192.0.2.1" if qtype == "A" and rcode == "NOERROR" else None, rcode=rcode
            )
            self.say(time, message, port=port + add, six=six)
            self.say(time + 0.001, said, port=port + add, six=six)
        self.packets.sort()
        return self


@pytest.mark.parametrize("six", [False, True])
def test_the_same_question_with_the_same_id_goes_on(six: bool) -> None:
    host = Host().silent(1, 40000, six).heard(6, 40001, not six)
    (row,) = lookups_of(host.octets())
    assert row["client"] == (CLIENT6 if six else CLIENT)
    assert row["outcome"] == "ok" and row["failovers"] == 2
    assert row["servers"] == ([SERVER6, SERVER] if six else [SERVER, SERVER6])
    assert row["causes"][0] == "nameserver-timeout"


def test_so_does_one_with_another_id_when_the_time_is_up() -> None:
    more = {"use_edns": 0, "apart": 500}
    host = Host().silent(1, 40000, False, **more).heard(6.002, 40001, True, ids=(8, 7008), **more)
    assert [row["outcome"] for row in lookups_of(host.octets())] == ["ok"]


def test_another_client_that_asks_at_any_time_has_a_lookup_of_its_own() -> None:
    more = {"use_edns": 0, "apart": 500}
    host = Host().silent(1, 40000, False, **more).heard(3.4, 40001, True, ids=(8, 7008), **more)
    assert sorted(row["client"] for row in lookups_of(host.octets())) == sorted([CLIENT, CLIENT6])


def test_a_server_that_failed_is_followed_by_one_of_the_other_family() -> None:
    host = Host().heard(1, 40000, True, rcode="SERVFAIL").heard(1.002, 40001, False)
    (row,) = lookups_of(host.octets())
    assert row["outcome"] == "ok" and row["client"] == CLIENT6


def test_servers_of_both_families_asked_at_once() -> None:
    host = Host().silent(1, 40000, True, ids=(7, 207)).heard(1.0001, 40000, False, ids=(7, 207))
    assert [row["outcome"] for row in lookups_of(host.octets())] == ["ok"]
