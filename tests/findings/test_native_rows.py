"""A diagnosis of native batches is that of the same rows as tables."""

from pathlib import Path

import numpy as np
import pytest

import dnscap
from dnscap.clients.kept_rows import MOST_EXCHANGES
from dnscap.findings.diagnosis import Diagnosis
from dnscap.lookups.assembling import Assembling
from dnscap.tables.histogram import BUCKETS, LEAST, buckets_of
from dnscap.tables.timeline import Timeline
from tests.lookups.captures import DATA, whole_lab
from tests.lookups.test_ways import capture, packet
from tests.sampling import some

KEPT = some(sorted(DATA.glob("*.pcap")))


def diagnoses(source: Path, rows: int) -> tuple[Diagnosis, Diagnosis]:
    """Of tables, and of native batches, the capture cut into batches of so many messages."""
    tables, native = Diagnosis(), Diagnosis()
    opened = dnscap.read(source)
    assembling = Assembling()
    for messages in opened.batches(rows=rows):
        feed(tables, native, assembling.feed(messages), assembling)
    for diagnosis in (tables, native):
        diagnosis.note_sources(opened.to_arrow("sources"))
    feed(tables, native, assembling.finish(), assembling)
    return tables, native


def feed(tables, native, exchanges, assembling) -> None:
    for looked in assembling.taken():
        tables.feed(lookups=looked.to_arrow())
        native.feed_native(lookups=looked.native)
    for sent in exchanges:
        tables.feed(exchanges=sent.to_arrow())
        native.feed_native(exchanges=sent.native)


def check(source: Path, rows: int) -> None:
    tables, native = diagnoses(source, rows)
    for table in ("servers", "clients", "findings"):
        assert native.to_arrow(table).to_pylist() == tables.to_arrow(table).to_pylist(), (source, table)
    assert native.scorecard == tables.scorecard
    for name, told in vars(tables.course).items():
        found = getattr(native.course, name)
        if isinstance(told, Timeline):
            assert (found.spans, found.counts.tolist()) == (told.spans, told.counts.tolist())
            assert (found.histograms == told.histograms).all()
        else:
            assert np.array_equal(found, told) if isinstance(told, np.ndarray) else found == told, name
    assert native.facts.costs == tables.facts.costs
    assert sorted(native.keeper.kept) == sorted(tables.keeper.kept)
    for number, kept in tables.keeper.kept.items():
        assert native.keeper.kept[number] == kept


@pytest.mark.parametrize("source", KEPT, ids=lambda path: path.stem)
def test_native_rows_count_as_tables_do(source: Path) -> None:
    check(source, 16_384)


def test_so_they_do_over_the_lab_and_in_small_batches() -> None:
    for path in some(whole_lab(every=25)):
        check(path, 40)


def test_least_durations_of_buckets_are_those_that_numpy_puts_there() -> None:
    assert (buckets_of(LEAST[1:]) >= range(1, BUCKETS)).all()
    assert (buckets_of(LEAST[1:] - 1) < range(1, BUCKETS)).all()


def test_one_question_asked_for_ever_costs_no_more_a_query() -> None:
    packets = []
    for i in range(5_000):
        packets.append(packet(10 * i, 1, 7, "same.example", 1, False))
        packets.append(packet(10 * i + 5, 1, 7, "same.example", 1, True))
    diagnosis = dnscap.read(capture(*packets)).diagnosis
    (kept,) = diagnosis.keeper.kept.values()
    assert [row["exchange"] for row in kept.exchanges] == list(range(MOST_EXCHANGES))
    assert diagnosis.server_rows[0]["queries"] == 5_000
    assert diagnosis.client_rows[0]["lookups"] == 1
