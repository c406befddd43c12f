"""Lookups and exchanges that are kept natively: limits, letting go, what is told without texts."""

import numpy as np
import pytest

import dnscap
from dnscap.clients import kept_rows
from dnscap.clients.kept_rows import MOST_TEXT_LIST, ExchangeStore, LookupStore
from dnscap.lookups.assembling import Assembling
from dnscap.native.kept import join, pick
from tests.lookups.captures import DATA
from tests.sampling import some

CAPTURES = some(sorted(DATA.glob("*.pcap")))


def batches(path):
    assembling = Assembling()
    lookups, exchanges = [], []
    for messages in dnscap.read(path).batches():
        exchanges += assembling.feed(messages)
        lookups += assembling.taken()
    exchanges += assembling.finish()
    lookups += assembling.taken()
    return lookups, exchanges


def stored(path, store=None):
    lookups, exchanges = batches(path)
    store = store or ExchangeStore()
    for looked in lookups:
        store.follow(np.array(looked.to_arrow(["lookup"]).column(0).to_pylist(), np.uint64))
    for sent in exchanges:
        store.feed(sent.native)
    return store, lookups, [row for sent in exchanges for row in sent.to_arrow().to_pylist()]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_rows_are_those_of_the_tables(path) -> None:
    store, lookups, sent = stored(path)
    kept = LookupStore()
    rows = [
        row
        for looked in lookups
        for row in kept.add(looked.native, np.arange(looked.lookups, dtype=np.uint32))
    ]
    told = [row for looked in lookups for row in looked.to_arrow().to_pylist()]
    for row, expected in zip(rows, told, strict=True):
        for name in (
            "name",
            "outcome",
            "candidates",
            "causes",
            "servers",
            "answers",
            "cname_chain",
            "queries",
        ):
            found = expected[name]
            assert row[name] == (found[:MOST_TEXT_LIST] if isinstance(found, list) else found), name
        assert row[kept_rows.ALIASES] == len(expected["cname_chain"])
        own = [one for one in sent if one["lookup"] == expected["lookup"]]
        own.sort(key=lambda one: (one["time"], one["exchange"]))
        assert [one["exchange"] for one in store.of(row["lookup"])] == [one["exchange"] for one in own]
        assert store.sent(row["lookup"]) == len(own)
        names = ("server", "outcome", "qname", "qtype", "role", "late", "edns")
        assert store.cells(row["lookup"], names) == [tuple(one[name] for name in names) for one in own]
        assert [{name: one[name] for name in names} for one in store.of(row["lookup"])] == [
            {name: one[name] for name in names} for one in own
        ]


def test_joining_keeps_rows_and_order() -> None:
    lookups, _ = batches(CAPTURES[0])
    native = lookups[0].native
    parts = [pick(native, np.array([place], np.uint32)) for place in range(native.count)]
    whole = join(parts)
    assert whole.count == native.count
    for name in (
        "rows",
        "name",
        "candidates",
        "candidate_lists",
        "servers",
        "causes",
        "records",
        "record_lists",
    ):
        assert bytes(whole.column(name)) == bytes(native.column(name))
    with pytest.raises(IndexError):
        pick(native, np.array([native.count], np.uint32))


def test_room_is_bounded_and_given_back(monkeypatch) -> None:
    monkeypatch.setattr(kept_rows, "MOST_KEPT_EXCHANGES", 3)
    monkeypatch.setattr(kept_rows, "MOST_LET_GO", 1)
    store, lookups, sent = stored(CAPTURES[0])
    own = [row for row in sent if row["lookup"] is not None]
    numbers = [row["lookup"] for looked in lookups for row in looked.to_arrow(["lookup"]).to_pylist()]
    assert len(own) > 3
    assert sum(store.sent(number) for number in numbers) == 3
    assert store.passed_over == len(own) - 3
    for number in numbers:
        store.let_go([number])
    assert not any(store.sent(number) for number in numbers)
    again, _, _ = stored(CAPTURES[0], store)
    assert sum(again.sent(number) for number in numbers) == 3


def test_names_outlive_the_dictionary_they_were_codes_of() -> None:
    store = ExchangeStore()
    first, _, sent = stored(CAPTURES[0], store)
    numbers = sorted({row["lookup"] for row in sent if row["lookup"] is not None})
    before = {number: first.cells(number, ("qname", "server")) for number in numbers}
    assert any(before.values())
    second, _, _ = stored(CAPTURES[1], store)  # another capture has codes of its own
    for number in numbers:
        found = second.cells(number, ("qname", "server"))
        assert set(before[number]) <= set(found)
