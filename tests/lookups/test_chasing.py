"""Stubs that follow aliases themselves, where the answer holds no more than the alias."""

from __future__ import annotations

import dns.message
import dns.rrset
import pytest

from tests.exchanges.traffic import Traffic, query, response
from tests.lookups.captures import BUDGET, lookups_of

NAME, TARGET, FURTHER = "www.example.com", "cdn.example.net", "edge.example.org"


def alias(to: dns.message.Message, *targets: str) -> dns.message.Message:
    """A response with aliases only."""
    message = response(to, answer=None)
    owner = to.question[0].name.to_text()
    for target in targets:
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", f"{target}."))
        owner = f"{target}."
    return message


def rows_and_roles(traffic: Traffic) -> tuple[list[dict], list[str]]:
    rows = lookups_of(traffic.octets())
    for row in rows:
        assert sum(row[name].value for name in BUDGET) == row["duration"].value
    import dnscap

    return rows, dnscap.read(traffic.octets()).to_arrow("exchanges")["role"].to_pylist()


def test_the_target_of_an_alias_is_no_lookup_of_its_own() -> None:
    first, second = query(NAME, id=1), query(TARGET, id=2)
    traffic = Traffic().send(1.0, first).send(1.01, alias(first, TARGET))
    traffic.send(1.011, second, port=40001).send(1.03, response(second), port=40001)
    (row,), roles = rows_and_roles(traffic)
    assert roles == ["primary", "chase"]
    assert (row["name"], row["outcome"], row["queries"]) == (f"{NAME}.", "ok", 2)
    assert row["cname_chain"] == [f"{TARGET}."] and row["answers"] == ["192.0.2.1"]
    assert row["duration"].value == 30_000_000 and row["causes"] == []


def test_both_families_and_several_steps() -> None:
    traffic = Traffic()
    for number, qtype in enumerate(("A", "AAAA")):
        at, port = 1.0 + number * 0.0001, 40000 + number
        messages = [query(name, qtype, id=10 * number + k) for k, name in enumerate((NAME, TARGET, FURTHER))]
        traffic.send(at, messages[0], port=port).send(at + 0.01, alias(messages[0], TARGET), port=port)
        traffic.send(at + 0.011, messages[1], port=port).send(
            at + 0.02, alias(messages[1], FURTHER), port=port
        )
        last = response(messages[2]) if qtype == "A" else response(messages[2], answer=None)
        traffic.send(at + 0.021, messages[2], port=port).send(at + 0.03, last, port=port)
    traffic.packets.sort()
    (row,), roles = rows_and_roles(traffic)
    assert roles == ["primary", "companion", "chase", "chase", "chase", "chase"]
    assert (row["outcome"], row["qtypes"], row["causes"]) == ("ok", ["A", "AAAA"], [])


def test_an_alias_that_leads_nowhere() -> None:
    first, second = query(NAME, id=1), query(TARGET, id=2)
    traffic = Traffic().send(1.0, first).send(1.01, alias(first, TARGET))
    traffic.send(1.011, second).send(1.03, response(second, answer=None, rcode="NXDOMAIN"))
    (row,), _ = rows_and_roles(traffic)
    assert (row["outcome"], row["causes"]) == ("nxdomain", ["dangling-cname"])


def test_a_chase_that_is_lost_once() -> None:
    first, second = query(NAME, id=1), query(TARGET, id=2)
    traffic = Traffic().send(1.0, first).send(1.01, alias(first, TARGET)).send(1.011, second)
    traffic.send(6.011, second).send(6.02, response(second))
    (row,), roles = rows_and_roles(traffic)
    assert roles == ["primary", "chase", "retransmission"]
    assert (row["outcome"], row["causes"]) == ("ok", ["packet-loss"])
    assert row["t_timeout"].value == 5_000_000_000


@pytest.mark.parametrize("why", ["whole", "late", "another client", "another name"])
def test_lookups_of_their_own(why: str) -> None:
    first = query(NAME, id=1)
    second = query(FURTHER if why == "another name" else TARGET, id=2)
    said = alias(first, TARGET)
    if why == "whole":
        said.answer.append(dns.rrset.from_text(f"{TARGET}.", 60, "IN", "A", "192.0.2.1"))
    at = 1.2 if why == "late" else 1.011
    client = "192.0.2.77" if why == "another client" else "192.0.2.10"
    traffic = Traffic().send(1.0, first).send(1.01, said)
    traffic.send(at, second, client=client, port=40001)
    traffic.send(at + 0.01, response(second), client=client, port=40001)
    rows, roles = rows_and_roles(traffic)
    assert len(rows) == 2 and "chase" not in roles
