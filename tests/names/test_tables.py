"""The tables of names: what servers said, against what the records table says, and under stress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pandas as pd
import pytest

import dnscap
from dnscap.names import NameRows, SeenNames
from dnscap.names.arrow import FRAME, names_table, rrsets_table
from dnscap.native.names_seen import NamesSeen
from tests.resolutions.traffic import CLIENT, OTHER, RESOLVER, SECOND, START, TLD, ZONE, Traffic

WWW = "www.example.com."
SOA = "example.com. 900 SOA ns1.example.com. host.example.com. 1 7200 3600 1209600 600"


def row_of(traffic: Traffic, name: str = WWW, type_: str = "A", server: str = RESOLVER) -> dict[str, Any]:
    rows = dnscap.read(traffic.octets()).to_arrow("names").to_pylist()
    (row,) = (r for r in rows if (r["name"], r["type"], r["server"]) == (name, type_, server))
    return row


def test_a_value_reads_its_version() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    traffic.hit(100 * SECOND, ttl=200)
    tally = SeenNames()
    for batch in dnscap.read(traffic.octets()).batches():
        tally.feed(batch)
    rows = tally.rows()
    values = [
        (n, value)
        for row in range(rows.count)
        for n, value in zip(rows.version_numbers(row), rows.history(row), strict=True)
    ]
    assert values
    for number, value in values:
        for name in ("value", "first", "last", "expires", "rrset", "answers", "ttl_max", "ttl_last"):
            assert getattr(value, name) == rows.versions[name][number]
        assert value.first_frame == int(rows.versions["first_frame"][number]) & FRAME


def test_what_a_resolver_gave() -> None:
    traffic = Traffic()
    traffic.miss(0, ttl=300)
    traffic.hit(100 * SECOND, ttl=200)
    row = row_of(traffic)
    assert row["values"] == ["203.0.113.1"]
    assert (row["ttl_full"], row["ttl"], row["ttl_min"], row["ttl_max"]) == (300, 200, 200, 300)
    assert (row["answers"], row["changes"], row["authoritative"]) == (2, 0, False)
    assert row["expires"].value == START + 300 * SECOND + 100_000
    assert row_of(traffic, server=ZONE)["authoritative"]


def test_the_published_ttl_is_that_of_the_zones_server() -> None:
    traffic = Traffic()
    traffic.hit(0, ttl=120)
    traffic.upstream(SECOND, answer=(f"{WWW} 3600 A 203.0.113.1",))
    assert row_of(traffic)["ttl_full"] == 3600


def test_absence_is_kept_for_the_smaller_of_ttl_and_minimum() -> None:
    traffic = Traffic()
    traffic.ask(0, authority=(SOA,), rcode=3)
    row = row_of(traffic)
    assert (row["absent"], row["negatives"], row["negative_ttl"], row["zone"]) == (
        "nxdomain",
        1,
        600,
        "example.com.",
    )
    traffic.ask(SECOND, authority=(SOA.replace(" 900 SOA", " 30 SOA"),))
    row = row_of(traffic)
    assert (row["absent"], row["negatives"], row["negative_ttl"]) == ("nodata", 2, 30)
    assert row["negative_until"].value == START + 31 * SECOND + 1_000_000


def test_absence_at_the_end_of_an_alias_is_that_of_the_target() -> None:
    traffic = Traffic()
    traffic.ask(0, answer=(f"{WWW} 60 CNAME gone.example.com.",), authority=(SOA,), rcode=3)
    assert row_of(traffic, "gone.example.com.")["absent"] == "nxdomain"
    assert row_of(traffic, WWW, "CNAME")["values"] == ["gone.example.com."]


def test_a_referral_is_no_absence() -> None:
    traffic = Traffic()
    traffic.upstream(0, server=TLD, aa=False, authority=("example.com. 3600 NS ns1.example.com.",))
    rows = dnscap.read(traffic.octets()).to_arrow("names").to_pylist()
    assert [(r["name"], r["type"], r["section"], r["negatives"]) for r in rows] == [
        ("example.com.", "NS", "authority", 0)
    ]


def test_order_and_case_do_not_make_another_value() -> None:
    traffic = Traffic()
    one, two = f"{WWW} 60 NS ns1.example.com.", f"{WWW} 60 NS NS2.Example.COM."
    traffic.ask(0, qtype="NS", answer=(one, two))
    traffic.ask(SECOND, qtype="NS", answer=(two.lower().replace(" ns ", " NS "), one))
    assert row_of(traffic, type_="NS")["changes"] == 0


def test_the_history_of_values() -> None:
    traffic = Traffic()
    for at, value in enumerate(("203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.1")):
        traffic.ask(at * SECOND, answer=(f"{WWW} 60 A {value}",), client=OTHER if at == 2 else CLIENT)
    assert row_of(traffic)["changes"] == 2
    rows = dnscap.read(traffic.octets()).to_arrow("rrsets").to_pylist()
    assert [(r["values"], r["answers"], r["clients"]) for r in rows] == [
        (["203.0.113.1"], 3, [CLIENT]),
        (["203.0.113.2"], 1, [OTHER]),
    ]
    assert [r["first_frame"] for r in rows] == [2, 6]


@pytest.mark.parametrize(("ttl", "rate"), [(60, 0.5), (300, 0.9), (3600, 0.95)])
def test_the_hit_rate_that_another_ttl_would_give(ttl: int, rate: float) -> None:
    traffic = Traffic()
    for place in range(20):
        traffic.ask(place * 30 * SECOND, answer=(f"{WWW} 20 A 203.0.113.1",))
    assert row_of(traffic)[f"hit_rate_{ttl}"] == pytest.approx(rate)


def test_what_is_cut_short_or_not_whole_says_nothing() -> None:
    traffic = Traffic()
    query = dns.message.make_query(WWW, "A")
    reply = dns.message.make_response(query, recursion_available=True)
    reply.flags |= dns.flags.TC
    reply.answer.append(dns.rrset.from_text(WWW, 300, "IN", "A", "203.0.113.1"))
    traffic.send(0, RESOLVER, 53, CLIENT, 4000, reply)
    assert dnscap.read(traffic.octets()).to_arrow("names").num_rows == 0


def test_narrowing() -> None:
    traffic = Traffic()
    traffic.hit(0)
    traffic.hit(10 * SECOND, "other.example.com.")
    names = (
        dnscap.read(traffic.octets(), name="other.example.com").to_arrow("names").column("name").to_pylist()
    )
    assert names == ["other.example.com."]


# ---------------------------------------------------------------- witnesses and properties

LAB = ("cname-chain/glibc-unbound", "negative-cache/unbound", "split-horizon/musl", "dnssec/named")


@pytest.mark.parametrize("variant", LAB)
def test_answers_and_ttls_are_those_of_the_records_table(shared: Path, variant: str) -> None:
    capture = dnscap.read(str(shared / "lab" / variant / "resolver.any.pcap"))
    messages = capture.messages
    told = messages[messages.qr & ~messages.tc & messages.sighting_of.isna() & (messages.rcode == "NOERROR")]
    records = capture.records.merge(told[["message", "src", "time"]], on="message")
    records = records[(records.section == "answer") & (records.type != "RRSIG")]
    sets = records.groupby(["message", "name", "type", "src"], observed=True).agg(
        ttl=("ttl", "min"), time=("time", "first"), values=("rdata", lambda r: tuple(sorted(r)))
    )
    names = capture.names
    names = names[(names.section == "answer") & (names.answers > 0)].set_index(["name", "type", "server"])
    wanted = sets.reset_index().groupby(["name", "type", "src"], observed=True)
    nx = {(n, t, str(s)) for n, t, s in names.index} - {(n, t, str(s)) for n, t, s in wanted.groups}
    assert all(t == "CNAME" for _, t, _ in nx)  # aliases that end in an NXDOMAIN
    for (name, type_, server), group in wanted:
        row = names.loc[(name, type_, server)]
        assert row.answers == len(group)
        assert (row.ttl_min, row.ttl_max) == (group.ttl.min(), group.ttl.max())
        assert (row.first_time, row.last_time) == (group.time.min(), group.time.max())
        assert tuple(row["values"]) == group.sort_values("time")["values"].iloc[-1]


def busy() -> Traffic:
    traffic = Traffic()
    for place in range(120):
        name = f"n{place % 17}.example.com."
        if place % 5:
            traffic.ask(place * SECOND, name, answer=(f"{name} {60 + place % 3} A 203.0.113.{place % 4}",))
        else:
            traffic.ask(place * SECOND, name, authority=(SOA,), rcode=3)
    return traffic


def tables_of(seen: SeenNames) -> tuple[list[Any], list[Any]]:
    rows = seen.rows()
    return names_table(rows).to_pylist(), rrsets_table(rows).to_pylist()


@pytest.mark.parametrize("rows", [1, 7])
def test_the_cut_of_the_stream_does_not_matter(rows: int) -> None:
    octets = busy().octets()
    whole, parts = SeenNames(), SeenNames()
    for batch in dnscap.read(octets).batches():
        whole.feed(batch)
    for batch in dnscap.read(octets).batches(rows=rows):
        parts.feed(batch)
    assert tables_of(whole) == tables_of(parts)


def test_two_tallies_merged_are_one_of_all() -> None:
    octets = busy().octets()
    whole, early, late = SeenNames(), SeenNames(), SeenNames()
    for batch in dnscap.read(octets).batches():
        whole.feed(batch)
    half = pd.Timestamp(START + 60 * SECOND, tz="UTC").isoformat()
    for batch in dnscap.read(octets, until=half).batches():
        early.feed(batch)
    for batch in dnscap.read(octets, since=half).batches():
        late.feed(batch)
    early.merge(late)

    def without_rates(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # A cache tried with a lifetime starts empty in each half.
        return [{k: v for k, v in row.items() if not k.startswith("hit_rate")} for row in rows]

    (names, sets), (all_names, all_sets) = tables_of(early), tables_of(whole)
    assert without_rates(names) == without_rates(all_names)
    assert sets == all_sets


def test_a_flood_of_names_leaves_the_popular_ones() -> None:
    traffic = Traffic()
    for place in range(6_000):
        traffic.port = 20_000 + place % 40_000
        traffic.ask(place * 10_000_000, f"x{place}.flood.example.", authority=(SOA,), rcode=3, took=1_000_000)
        if place % 50 == 0:
            traffic.hit(place * 10_000_000 + 5_000_000)
    native = NamesSeen(1024)
    for batch in dnscap.read(traffic.octets()).batches():
        native.feed(batch.native)
    assert native.count <= 1024
    counts = native.counts()
    assert 0 < counts["names_dropped"] < 6_000
    rows = NameRows(native)
    code = rows.code_of(WWW)
    assert code is not None
    (row,) = (rows.name == code).nonzero()[0].tolist()
    assert rows.rows["answers"][row] >= 110  # those before the first thinning count, and it stays
    assert not rows.whole
    assert int(rows.rows["negatives"].sum() + rows.rows["answers"].sum()) + counts["names_dropped"] == 6_120


def test_a_name_with_many_values_is_bounded() -> None:
    traffic = Traffic()
    for place in range(100):
        traffic.ask(place * SECOND, answer=(f"{WWW} 5 A 203.0.113.{place}",))
    assert row_of(traffic)["changes"] == 99
    capture = dnscap.read(traffic.octets())
    assert capture.to_arrow("rrsets").num_rows == 16
    assert capture.quality_so_far.counts["values_dropped"] == 84


def test_a_large_rrset_is_told_apart_though_not_kept() -> None:
    traffic = Traffic()
    for at, letter in enumerate("xy"):
        query = dns.message.make_query(WWW, "TXT")
        reply = dns.message.make_response(query, recursion_available=True)
        text = " ".join(f'"{letter * 250}"' for _ in range(20))
        reply.answer.append(dns.rrset.from_text(WWW, 5, "IN", "TXT", text))
        traffic.send(at * SECOND, RESOLVER, 53, CLIENT, 4000, reply)
    row = row_of(traffic, type_="TXT")
    assert (row["values"], row["changes"]) == ([], 1)


def test_a_mask_of_the_wrong_size_is_refused() -> None:
    (batch,) = dnscap.read(busy().octets()).batches()
    with pytest.raises(ValueError, match="one octet"):
        NamesSeen().feed(batch.native, b"\1")
