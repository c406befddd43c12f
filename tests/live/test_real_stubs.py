"""What is said of real stubs that meet real faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.real_stubs import CLIENT, NAME, NOBODY, QTYPE_AT, RESOLVER, Bench, bench

pytestmark = pytest.mark.requires("netns", "tcpdump", "nft", "unbound", "compiler")

QUICK = f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n"
STUBS = {"gcc": "glibc", "musl-gcc": "musl"}


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("stubs")) as made:
        yield made


@pytest.fixture(params=["gcc", pytest.param("musl-gcc", marks=pytest.mark.requires("musl"))])
def compiler(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


def test_nothing_wrong(bed: Bench, compiler: str) -> None:
    rows = bed.lookups(compiler, NAME, NAME, "no.example.test", settings=QUICK)
    assert [row["outcome"] for row in rows] == ["ok", "ok", "nxdomain"]
    assert [row["causes"] for row in rows] == [[], [], []]
    assert {row["client"] for row in rows} == {CLIENT}
    assert rows[0]["answers"] == ["192.0.2.1", "2001:db8::1"]
    assert str(rows[0]["stub"]).startswith(STUBS[compiler])


def test_a_dead_first_server(bed: Bench, compiler: str) -> None:
    settings = f"nameserver {NOBODY}\n{QUICK}"
    (row,) = bed.lookups(compiler, NAME, settings=settings)
    assert (row["outcome"], row["servers"]) == ("ok", [NOBODY, RESOLVER])
    if compiler == "gcc":
        assert row["causes"] == ["nameserver-timeout"]
        assert 0.9e9 < row["t_timeout"].value < 1.5e9
    else:  # asks all at once
        assert row["causes"] == []


def test_no_server_at_all(bed: Bench, compiler: str) -> None:
    settings = f"nameserver {NOBODY}\noptions timeout:1 attempts:1\n"
    rows = bed.lookups(compiler, NAME, "other.example.test", settings=settings)
    assert (rows[0]["outcome"], rows[0]["causes"]) == ("timeout", ["no-answer"])


def test_aaaa_dropped(bed: Bench) -> None:
    rows = bed.lookups(*("gcc", NAME, NAME), settings=QUICK, rule=f"udp dport 53 @th,{QTYPE_AT},16 0x1c drop")
    assert rows[-1]["causes"] == ["aaaa-dropped"]
    assert rows[-1]["outcome"] == "ok"


def test_one_query_lost(bed: Bench, compiler: str) -> None:
    (row,) = bed.lookups(compiler, NAME, settings=QUICK, rule="udp dport 53 quota until 100 bytes drop")
    assert (row["outcome"], row["causes"]) == ("ok", ["packet-loss"])
    assert row["retransmissions"] >= 1


def test_truncated_and_tcp_blocked(bed: Bench) -> None:
    (row,) = bed.lookups("gcc", "big.example.test", settings=QUICK, rule="tcp dport 53 drop")
    assert row["causes"] == ["truncation", "tcp-blocked"]
    assert row["tcp_fallback"] is True


def test_a_search_list(bed: Bench, compiler: str) -> None:
    settings = f"{QUICK}search a.test b.test example.test\noptions ndots:2\n"
    (row,) = bed.lookups(compiler, "www", settings=settings)
    assert (row["name"], row["name_certain"], row["outcome"]) == ("www.", True, "ok")
    assert row["candidates"] == ["www.a.test.", "www.b.test.", "www.example.test."]
    assert row["final_name"] == f"{NAME}."
