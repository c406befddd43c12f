"""TCP reassembly: by construction, by property, under attack, and against readers of real captures."""

from __future__ import annotations

import csv
import gzip
import itertools
import lzma
import os
import random
import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnscap.native.stream_rows import TCP_FLAGS, Reassembler
from tests.sampling import examples

FIN, SYN, RST, ACK = (TCP_FLAGS[name] for name in ("FIN", "SYN", "RST", "ACK"))
CLIENT, SERVER = "192.0.2.1", "198.51.100.53"
SECOND = 10**9
MILLISECOND = 10**6

Row = dict[str, Any]


def message(ident: int, name: bytes = b"example", response: bool = False, size: int = 0) -> bytes:
    """A DNS message with one question, padded by a TXT-sized record to about `size` octets."""
    question = bytes([len(name)]) + name + b"\0" + struct.pack("!HH", 1, 1)
    records = b""
    room = size - 12 - len(question) - 11
    if room > 0:
        records = b"\0" + struct.pack("!HHIH", 16, 1, 60, room) + bytes(ident % 251 for _ in range(room))
    header = struct.pack("!HHHHHH", ident, 0x8180 if response else 0x0100, 1, bool(records), 0, 0)
    return header + question + records


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack("!H", len(m)) + m for m in messages)


class Talk:
    """Makes the segments of one connection, both sides, with a clock."""

    def __init__(self, port: int = 40000, client_isn: int = 1000, server_isn: int = 5000, at: int = SECOND):
        self.isn = {True: client_isn, False: server_isn}
        self.sent = {True: 1, False: 1}
        self.port = port
        self.time = at
        self.number = 0

    def make(self, up: bool, flags: int, payload: bytes = b"", offset: int | None = None, **more: Any) -> Row:
        """A segment at `offset` (the SYN is 0), by default where the side has come to."""
        self.number += 1
        self.time += MILLISECOND // 10
        if offset is None:
            offset = self.sent[up]
            self.sent[up] += len(payload)
        src, dst = (CLIENT, SERVER) if up else (SERVER, CLIENT)
        ports = (self.port, 53) if up else (53, self.port)
        row: Row = {
            "src": src,
            "dst": dst,
            "src_port": ports[0],
            "dst_port": ports[1],
            "seq": (self.isn[up] + offset) % 2**32,
            "ack": (self.isn[not up] + self.sent[not up]) % 2**32,
            "flags": flags,
            "payload": payload,
            "time": self.time,
            "number": self.number,
        }
        return row | more

    def opening(self) -> list[Row]:
        return [
            self.make(True, SYN, offset=0),
            self.make(False, SYN | ACK, offset=0),
            self.make(True, ACK),
        ]

    def up(self, payload: bytes, **more: Any) -> Row:
        return self.make(True, ACK, payload, **more)

    def down(self, payload: bytes, **more: Any) -> Row:
        return self.make(False, ACK, payload, **more)

    def closing(self) -> list[Row]:
        rows = [self.make(True, FIN | ACK)]
        self.sent[True] += 1
        rows.append(self.make(False, FIN | ACK))
        self.sent[False] += 1
        return [*rows, self.make(True, ACK)]


def octets(messages: list[Row]) -> list[bytes]:
    return [m["octets"] for m in messages]


def test_query_and_answer_make_one_connection() -> None:
    talk = Talk()
    query, answer = message(1), message(1, response=True)
    rows = [*talk.opening(), talk.up(framed(query)), talk.down(framed(answer)), *talk.closing()]

    tcp = Reassembler()
    got = tcp.feed(rows) + tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == [query, answer]
    assert [(m["number"], m["frames"], m["cut"], m["stream"]) for m in got] == [
        (4, 1, False, 0),
        (5, 1, False, 0),
    ]
    assert (got[0]["src"], got[0]["src_port"], got[0]["dst"], got[0]["dst_port"]) == (
        CLIENT,
        40000,
        SERVER,
        53,
    )
    assert got[1]["time"] == rows[4]["time"]
    assert connection["client"] == CLIENT
    assert connection["server_port"] == 53
    assert connection["handshake"] == MILLISECOND // 10
    assert connection["end"] == "fin"
    assert (connection["syns"], connection["queries"], connection["responses"]) == (1, 1, 1)
    assert connection["octets_to_server"] == len(framed(query))
    assert connection["octets_to_client"] == len(framed(answer))
    assert (connection["gap_octets"], connection["retransmissions"], connection["out_of_order"]) == (0, 0, 0)
    assert (connection["first_frame"], connection["last_frame"]) == (1, 8)
    assert tcp.connections() == []
    assert tcp.streams.held == 0


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_message_split_anywhere(cut: int) -> None:
    talk = Talk()
    whole = framed(message(1), message(2))
    rows = [*talk.opening(), talk.up(whole[:cut]), talk.up(whole[cut:])]

    got = Reassembler().feed(rows)

    assert octets(got) == [message(1), message(2)]
    assert [m["frames"] for m in got] == [2, 1]
    assert {m["number"] for m in got} == {5}


def test_octet_by_octet_counts_every_segment() -> None:
    talk = Talk()
    whole = framed(message(7, size=300))
    rows = talk.opening() + [talk.up(whole[i : i + 1]) for i in range(len(whole))]

    (got,) = Reassembler().feed(rows)

    assert got["octets"] == whole[2:]
    assert got["frames"] == len(whole)


def test_empty_and_short_messages() -> None:
    talk = Talk()
    rows = [*talk.opening(), talk.up(b"\0\0" + b"\0\3abc" + b"\0"), talk.up(b"\0" + framed(message(1)))]

    assert octets(Reassembler().feed(rows)) == [b"abc", message(1)]


def test_largest_message() -> None:
    talk = Talk()
    whole = framed(bytes(65535), message(1))
    rows = talk.opening() + [talk.down(whole[i : i + 1460]) for i in range(0, len(whole), 1460)]

    tcp = Reassembler()
    got = tcp.feed(rows)

    assert octets(got) == [bytes(65535), message(1)]
    assert got[0]["frames"] == 45
    assert tcp.streams.held == 0


def test_late_segment_completes_what_waited() -> None:
    talk = Talk()
    first, second = framed(message(1)), framed(message(2))
    opening = talk.opening()
    early, late = talk.up(first), talk.up(second)
    tcp = Reassembler()

    got = tcp.feed([*opening, late]) + tcp.feed([early])
    tcp.finish_all()

    # The application gets both with the segment that filled the hole.
    assert octets(got) == [message(1), message(2)]
    assert [m["number"] for m in got] == [4, 4]
    assert tcp.connections()[0]["out_of_order"] == 1


def test_first_octets_win_where_segments_overlap() -> None:
    talk = Talk()
    whole = framed(message(1, b"genuine"))
    forged = framed(message(1, b"forgery"))
    rows = [
        *talk.opening(),
        talk.up(whole[10:], offset=11),
        talk.up(forged, offset=1),
    ]

    assert octets(Reassembler().feed(rows)) == [(forged[:10] + whole[10:])[2:]]


def test_retransmissions_sightings_and_keepalives_are_told_apart() -> None:
    talk = Talk()
    query = framed(message(1))
    opening = talk.opening()
    sent = talk.up(query)
    tcp = Reassembler()

    got = tcp.feed(
        [
            *opening,
            opening[0] | {"interface": 9},
            sent,
            sent | {"interface": 9, "time": sent["time"] + 1000},
            sent | {"time": sent["time"] + 1000},
            sent | {"time": sent["time"] + 300 * MILLISECOND},
            talk.make(True, ACK, b"\0", offset=len(query)),
        ]
    )
    tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == [message(1)]
    assert connection["retransmissions"] == 1
    assert connection["syns"] == 1
    assert tcp.streams.counts()["segments_duplicate"] == 3
    assert tcp.streams.counts()["segments_keepalive"] == 1
    assert connection["octets_to_server"] == len(query)


def test_sequence_numbers_wrap_around() -> None:
    whole = framed(*(message(i, size=700) for i in range(8)))
    talk = Talk(client_isn=2**32 - 1500)
    opening = talk.opening()
    rows = [talk.up(whole[i : i + 400]) for i in range(0, len(whole), 400)]
    rows[3], rows[4], rows[5] = rows[5], rows[3], rows[4]

    assert octets(Reassembler().feed(opening + rows)) == [message(i, size=700) for i in range(8)]


def test_data_on_the_syn() -> None:
    talk = Talk()
    query, answer = framed(message(1)), framed(message(1, response=True))
    talk.sent[True] += len(query)
    rows = [
        talk.make(True, SYN, query, offset=0),
        talk.make(False, SYN | ACK, answer, offset=0),
    ]

    got = Reassembler().feed(rows)

    assert octets(got) == [query[2:], answer[2:]]


def test_fast_open_data_sent_again_is_one_message() -> None:
    talk = Talk()
    query = framed(message(1))
    rows = [
        talk.make(True, SYN, query, offset=0),
        talk.make(False, SYN | ACK, offset=0),
        talk.up(query, offset=1),
    ]

    assert octets(Reassembler().feed(rows)) == [query[2:]]


def test_ports_used_again_begin_another_connection() -> None:
    tcp = Reassembler()
    first, second = Talk(), Talk(client_isn=99000, server_isn=7, at=2 * SECOND)

    got = tcp.feed([*first.opening(), first.up(framed(message(1))), first.up(b"\0\x50half")])
    got += tcp.feed([*second.opening(), second.up(framed(message(2))), *second.closing()])
    got += tcp.finish_all()

    assert [(m["octets"], m["stream"]) for m in got] == [(message(1), 0), (message(2), 1)]
    assert [c["end"] for c in tcp.connections()] == ["idle", "fin"]


def test_ports_used_again_without_the_syn() -> None:
    tcp = Reassembler()
    first, second = Talk(), Talk(client_isn=2**31, server_isn=2**30, at=2 * SECOND)

    got = tcp.feed([*first.opening(), first.up(framed(message(1))), *first.closing()])
    second.opening()
    got += tcp.feed([second.up(framed(message(2)))])

    assert [(m["octets"], m["stream"]) for m in got] == [(message(1), 0), (message(2), 1)]


def test_a_stray_segment_of_an_older_connection_is_ignored() -> None:
    tcp = Reassembler()
    old, talk = Talk(client_isn=2**31), Talk()

    got = tcp.feed([*talk.opening(), old.up(framed(message(9))), talk.up(framed(message(1)))])
    tcp.finish_all()

    assert octets(got) == [message(1)]
    assert len(tcp.connections()) == 1
    assert tcp.streams.counts()["segments_stray"] == 1


def test_refused_unanswered_and_reset() -> None:
    tcp = Reassembler()
    refused, silent, reset = Talk(1), Talk(2), Talk(3)
    rows = [
        refused.make(True, SYN, offset=0),
        refused.make(False, RST | ACK, offset=-5000),
        silent.make(True, SYN, offset=0),
        silent.make(True, SYN, offset=0, time=2 * SECOND),
        silent.make(True, SYN, offset=0, time=4 * SECOND),
        *reset.opening(),
        reset.up(framed(message(1))),
        reset.make(False, RST, b"go away"),
    ]

    tcp.feed(rows)
    tcp.finish_all()
    connections = tcp.connections()

    assert [c["end"] for c in connections] == ["refused", "unanswered", "reset"]
    assert [c["syns"] for c in connections] == [1, 3, 1]
    assert [c["handshake"] for c in connections] == [None, None, MILLISECOND // 10]
    assert connections[2]["octets_to_client"] == 0


def test_a_syn_at_the_very_end_is_open() -> None:
    tcp = Reassembler()
    tcp.feed([Talk().make(True, SYN, offset=0)])
    tcp.finish_all()

    assert tcp.connections()[0]["end"] == "open"


def test_handshake_is_measured_from_the_last_syn() -> None:
    talk = Talk()
    tcp = Reassembler()
    tcp.feed(
        [
            talk.make(True, SYN, offset=0, time=1 * SECOND),
            talk.make(True, SYN, offset=0, time=2 * SECOND),
            talk.make(False, SYN | ACK, offset=0, time=2 * SECOND + 30 * MILLISECOND),
        ]
    )
    tcp.finish_all()
    (connection,) = tcp.connections()

    assert (connection["syns"], connection["handshake"]) == (2, 30 * MILLISECOND)


def test_handshake_seen_out_of_order() -> None:
    talk = Talk()
    syn, syn_ack, ack = talk.opening()
    query = talk.up(framed(message(1)))
    tcp = Reassembler()

    got = tcp.feed([syn_ack, query, syn, ack])
    tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == [message(1)]
    assert (connection["client"], connection["syns"]) == (CLIENT, 1)


# ---- joined in mid-stream ----


def test_joined_between_messages() -> None:
    talk = Talk()
    talk.opening()
    rows = [talk.up(framed(message(1), message(2))), talk.down(framed(message(1, response=True)))]
    tcp = Reassembler()

    got = tcp.feed(rows)
    tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == [message(1), message(2), message(1, response=True)]
    assert (connection["client"], connection["syns"]) == (CLIENT, 0)


def test_joined_inside_a_message() -> None:
    talk = Talk()
    talk.opening()
    whole = framed(message(1, size=3000), message(2, size=3000))
    rows = [talk.down(whole[i : i + 1000]) for i in range(0, len(whole), 1000)]
    rows.append(talk.down(framed(message(3, size=500))))
    tcp = Reassembler()

    got = tcp.feed(rows[1:])

    assert octets(got) == [message(3, size=500)]
    assert tcp.streams.counts()["segments_unplaced"] == 6


@pytest.mark.parametrize("cut", [1, 2, 3, 9, 13, 14, 20])
def test_joined_where_the_length_comes_alone(cut: int) -> None:
    talk = Talk()
    talk.opening()
    whole = framed(message(1))
    rows = [talk.up(whole[:cut]), talk.up(whole[cut:]), talk.up(framed(message(2)))]

    assert octets(Reassembler().feed(rows)) == [message(1), message(2)]


def test_joined_at_a_keepalive() -> None:
    talk = Talk()
    talk.opening()
    rows = [talk.make(True, ACK, b"\0", offset=0), talk.up(framed(message(1)))]

    assert octets(Reassembler().feed(rows)) == [message(1)]


@pytest.mark.parametrize(
    ("ports", "response"), [((53, 40000), True), ((2000, 3000), False), ((800, 3000), True)]
)
def test_who_is_the_client_without_a_syn(ports: tuple[int, int], response: bool) -> None:
    row = {
        "src": "2001:db8::1",
        "dst": "2001:db8::2",
        "src_port": ports[0],
        "dst_port": ports[1],
        "seq": 1,
        "flags": ACK,
        "payload": framed(message(1, response=response)),
    }
    tcp = Reassembler()
    tcp.feed([row])
    tcp.finish_all()
    (connection,) = tcp.connections()

    assert connection["client"] == ("2001:db8::2" if response else "2001:db8::1")
    assert (connection["queries"], connection["responses"]) == ((0, 1) if response else (1, 0))
    assert connection["ip_version"] == 6


# ---- holes ----


def lossy(events: list[Row], *, acked: bool, later: int = 0) -> tuple[list[Row], Reassembler, list[Row]]:
    """Three responses, the second of two segments of which the first is missing; then more traffic."""
    talk = Talk()
    rows = talk.opening()
    rows.append(talk.down(framed(message(1, size=200))))
    second = framed(message(2, size=2000))
    talk.down(second[:1400])
    rows.append(talk.down(second[1400:]))
    rows.append(talk.down(framed(message(3, size=200))))
    if acked:
        rows.append(talk.make(True, ACK))
    talk.time += later
    rows += [talk.make(True, ACK, ack=0) for _ in range(4)]
    tcp = Reassembler()
    return tcp.feed(rows, events), tcp, rows


def test_a_hole_the_other_side_never_saw_is_passed_after_its_ack() -> None:
    events: list[Row] = []
    got, tcp, rows = lossy(events, acked=True, later=MILLISECOND)

    # The rest of the second message begins no message; the third is found again, with its own stamp.
    assert octets(got) == [message(1, size=200), message(3, size=200)]
    assert [m["number"] for m in got] == [rows[3]["number"], rows[5]["number"]]
    assert [(e["kind"], e["octets"], e["src_port"]) for e in events] == [("stream-gap", 1400, 53)]
    tcp.finish_all()
    assert tcp.connections()[0]["gap_octets"] == 1400


def test_a_hole_without_ack_waits() -> None:
    events: list[Row] = []
    got, _, _ = lossy(events, acked=False, later=9 * SECOND)
    assert octets(got) == [message(1, size=200)]
    assert events == []

    got, _, _ = lossy(events, acked=False, later=11 * SECOND)
    assert octets(got) == [message(1, size=200), message(3, size=200)]
    assert len(events) == 1


def test_a_hole_is_passed_when_the_capture_ends() -> None:
    events: list[Row] = []
    _, tcp, _ = lossy(events, acked=False)

    assert octets(tcp.finish_all(events)) == [message(3, size=200)]
    assert [e["octets"] for e in events] == [1400]
    assert tcp.streams.held == 0


def test_an_ack_seen_before_its_data_is_no_hole() -> None:
    talk = Talk()
    opening = talk.opening()
    one, two = talk.down(framed(message(1))), talk.down(framed(message(2)))
    ack = talk.make(True, ACK, time=one["time"])
    events: list[Row] = []

    got = Reassembler().feed([*opening, ack, two, one], events)

    assert octets(got) == [message(1), message(2)]
    assert events == []


def test_a_hole_inside_a_message_of_known_length_keeps_the_framing() -> None:
    talk = Talk()
    rows = talk.opening()
    whole = framed(message(1, size=3000)) + framed(message(2))
    rows.append(talk.down(whole[:1000]))
    talk.down(whole[1000:2000])
    rows.append(talk.down(whole[2000:]))
    tcp = Reassembler()

    got = tcp.feed(rows) + tcp.finish_all()

    assert [(m["octets"], m["wire_size"], m["cut"]) for m in got] == [
        (whole[2:1000], 3000, True),
        (message(2), len(message(2)), False),
    ]
    assert [m["number"] for m in got] == [4, 6]


def test_a_hole_seen_only_by_acks_is_counted() -> None:
    talk = Talk()
    rows = talk.opening()
    talk.down(framed(message(1)))
    rows += talk.closing()
    events: list[Row] = []
    tcp = Reassembler()
    tcp.feed(rows, events)
    tcp.finish_all(events)

    assert [e["octets"] for e in events] == [len(framed(message(1)))]
    assert tcp.connections()[0]["gap_octets"] == len(framed(message(1)))


def test_missing_fin_is_no_gap() -> None:
    talk = Talk()
    rows = [*talk.opening(), talk.up(framed(message(1)))]
    talk.sent[True] += 1
    rows.append(talk.make(False, ACK))
    events: list[Row] = []
    tcp = Reassembler()
    tcp.feed(rows, events)
    tcp.finish_all(events)

    assert events == []


def test_segments_cut_by_the_snap_length() -> None:
    talk = Talk()
    rows = talk.opening()
    first, second = framed(message(1, size=900)), framed(message(2, size=1800))
    rows.append(talk.down(first) | {"payload": first[:100], "wire_size": len(first)})
    rows.append(talk.down(second[:1400]) | {"payload": second[:100], "wire_size": 1400})
    rows.append(talk.down(second[1400:]) | {"payload": second[1400:1500], "wire_size": len(second) - 1400})
    rows.append(talk.down(framed(message(3))))
    events: list[Row] = []
    tcp = Reassembler()

    got = tcp.feed(rows, events)
    tcp.finish_all()

    assert [(m["octets"], m["wire_size"], m["cut"], m["number"]) for m in got] == [
        (first[2:100], 900, True, 4),
        (second[2:100], 1800, True, 5),
        (message(3), len(message(3)), False, 7),
    ]
    assert events == []
    assert tcp.connections()[0]["gap_octets"] == len(first) + len(second) - 300


def test_a_message_the_sender_never_finished() -> None:
    talk = Talk()
    rows = [*talk.opening(), talk.up(framed(message(1))[:-3]), *talk.closing()]
    tcp = Reassembler()

    (got,) = tcp.feed(rows) + tcp.finish_all()

    assert (got["cut"], got["octets"], got["wire_size"]) == (True, message(1)[:-3], len(message(1)))


# ---- limits ----


def test_waiting_octets_of_one_direction_are_bounded() -> None:
    talk = Talk()
    rows = talk.opening()
    talk.down(b"x")
    big = framed(message(1, size=30000))
    events: list[Row] = []
    tcp = Reassembler()
    got = tcp.feed(rows)
    peak = 0

    for _ in range(100):
        got += tcp.feed([talk.down(big)], events)
        peak = max(peak, tcp.streams.held)

    assert peak < 1 << 21
    assert octets(got) == [big[2:]] * 100
    assert [e["octets"] for e in events] == [1]


def test_octets_of_all_connections_are_bounded() -> None:
    tcp = Reassembler(most_held=1 << 20)
    events: list[Row] = []
    peak = 0
    for port in range(1000, 3000):
        talk = Talk(port)
        rows = [*talk.opening(), talk.down(framed(message(1, size=9000))[:5000])]
        tcp.feed(rows, events)
        peak = max(peak, tcp.streams.held)

    assert peak < 2 << 20
    assert tcp.streams.counts()["stream_octets_evicted"] > 0
    assert {e["kind"] for e in events} == {"stream-evicted"}
    assert len(tcp.streams) == 2000


def test_half_open_connections_go_first() -> None:
    tcp = Reassembler(most_connections=100)
    talk = Talk(9)
    events: list[Row] = []
    tcp.feed([*talk.opening(), talk.up(framed(message(1))[:5])])

    tcp.feed([Talk(1000 + i).make(True, SYN, offset=0) for i in range(500)], events)
    got = tcp.feed([talk.up(framed(message(1))[5:])])

    assert octets(got) == [message(1)]
    assert len(tcp.streams) == 100
    assert len(events) == tcp.streams.counts()["streams_evicted"] == 401
    assert {c["end"] for c in tcp.connections()} == {"evicted"}


def test_many_syns_take_linear_time_and_bounded_room() -> None:
    tcp = Reassembler()

    def flood(start: int) -> float:
        rows = [
            {
                "src": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
                "dst": SERVER,
                "src_port": 1024 + i % 60000,
                "dst_port": 53,
                "seq": i,
                "flags": SYN,
                "time": i * 1000,
                "number": i,
            }
            for i in range(start, start + 50_000)
        ]
        began = time.process_time()
        tcp.feed(rows)
        tcp.connections()
        return time.process_time() - began

    first, *_, last = [flood(n * 50_000) for n in range(4)]

    assert len(tcp.streams) == 65536
    assert last < 5 * first + 0.5
    assert tcp.streams.counts()["streams_evicted"] == 200_000 - 65536


def test_silence_ends_a_connection() -> None:
    tcp = Reassembler()
    one, two = Talk(1), Talk(2, at=200 * SECOND)
    tcp.feed([*one.opening(), one.up(framed(message(1)))])
    tcp.feed([*two.opening()])

    (connection,) = tcp.connections()
    assert (connection["client_port"], connection["end"]) == (1, "idle")
    assert len(tcp.streams) == 1


def test_one_time_stamp_from_the_future_does_not_break_later_connections() -> None:
    tcp = Reassembler()
    tcp.feed([Talk(1, at=2**62).make(True, SYN, offset=0)])
    talk = Talk(2)
    whole = framed(message(1))
    rows = [*talk.opening(), talk.up(whole[:9]), talk.up(whole[9:]), *talk.closing()]

    assert octets(tcp.feed(rows)) == [message(1)]
    tcp.finish_all()
    assert len(tcp.connections()) == 2


def test_connections_are_finished_in_order_of_their_numbers() -> None:
    tcp = Reassembler()
    talks = [Talk(port) for port in range(1, 60)]
    for talk in talks:
        tcp.feed(talk.opening())
    for talk in random.Random(1).sample(talks, 40):
        tcp.feed([talk.up(framed(message(1)))])
    tcp.finish_all()

    assert [c["stream"] for c in tcp.connections()] == list(range(59))


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="most_connections"):
        Reassembler(most_connections=0)


# ---- properties ----

bodies = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12)


@st.composite
def scrambled(draw: st.DrawFn) -> tuple[list[bytes], list[Row]]:
    """Messages, and segments that carry them: cut anywhere, moved, repeated, overlapping."""
    messages = draw(bodies)
    whole = framed(*messages)
    cuts = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=30)))
    edges = [0, *cuts, len(whole)]
    parts = list(itertools.pairwise(edges))
    again = draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 400)), max_size=8))
    parts += [(start, min(start + size, len(whole))) for start, size in again]
    moves = draw(st.lists(st.integers(0, 6), min_size=len(parts), max_size=len(parts)))
    order = sorted(range(len(parts)), key=lambda i: (i + moves[i], i))
    talk = Talk(client_isn=draw(st.integers(0, 2**32 - 1)))
    rows = talk.opening()
    for i in order:
        start, stop = parts[i]
        rows.append(talk.up(whole[start:stop], offset=1 + start))
        if draw(st.booleans()):
            rows.append(rows[-1])
    return messages, rows


@settings(max_examples=examples(150))
@given(scrambled())
def test_any_segmentation_order_and_repetition_give_the_same_messages(
    case: tuple[list[bytes], list[Row]],
) -> None:
    messages, rows = case
    tcp = Reassembler()

    got = tcp.feed(rows) + tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == messages
    assert not any(m["cut"] for m in got)
    assert connection["octets_to_server"] == len(framed(*messages))
    assert connection["gap_octets"] == 0
    assert tcp.streams.held == 0


@settings(max_examples=examples(60))
@given(scrambled())
def test_feeding_in_any_batches_gives_the_same(case: tuple[list[bytes], list[Row]]) -> None:
    _, rows = case
    at_once, one_by_one = Reassembler(), Reassembler()

    together = at_once.feed(rows) + at_once.finish_all()
    apart = [m for row in rows for m in one_by_one.feed([row])] + one_by_one.finish_all()

    assert together == apart
    assert at_once.connections() == one_by_one.connections()


@settings(max_examples=examples(60))
@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 39), max_size=12), st.booleans())
def test_losing_segments_loses_only_their_messages(isn: int, lost: set[int], acks: bool) -> None:
    talk = Talk(server_isn=isn)
    rows = talk.opening()
    for i in range(40):
        row = talk.down(framed(message(i, size=100 + i)))
        if i not in lost:
            rows.append(row)
        if acks:
            rows.append(talk.make(True, ACK))
    tcp = Reassembler()

    got = tcp.feed(rows) + tcp.finish_all()
    (connection,) = tcp.connections()

    assert octets(got) == [message(i, size=100 + i) for i in range(40) if i not in lost]
    seen_gap = sum(102 + i for i in range(40) if i in lost)
    if not acks:  # nothing tells of what was lost at the end
        last = max(set(range(40)) - lost)
        seen_gap = sum(102 + i for i in range(last) if i in lost)
    assert connection["gap_octets"] == seen_gap


hostile = st.fixed_dictionaries(
    {
        "src": st.sampled_from([CLIENT, SERVER]),
        "dst": st.sampled_from([CLIENT, SERVER]),
        "src_port": st.sampled_from([53, 40000]),
        "dst_port": st.sampled_from([53, 40000]),
        "seq": st.one_of(st.integers(0, 60), st.integers(0, 2**32 - 1), st.integers(2**32 - 40, 2**32 - 1)),
        "ack": st.one_of(st.integers(0, 60), st.integers(0, 2**32 - 1)),
        "flags": st.integers(0, 255),
        "payload": st.one_of(
            st.binary(max_size=40), st.just(framed(message(1))), st.just(b"\0\x0c"), st.just(b"\0\0\0")
        ),
        "wire_size": st.one_of(st.integers(0, 80), st.sampled_from([65535, 2**20, 2**32 - 1])),
        "time": st.one_of(st.integers(0, 10**12), st.sampled_from([-(2**63), 2**63 - 1])),
        "place": st.integers(0, 1),
        "number": st.integers(0, 2**64 - 1),
    }
)


@settings(max_examples=examples(200))
@given(st.lists(hostile, max_size=60), st.integers(0, 2000), st.integers(1, 3))
def test_garbage_never_breaks_it(rows: list[Row], most_held: int, most: int) -> None:
    tcp = Reassembler(most_connections=most, most_held=most_held)
    events: list[Row] = []

    got = tcp.feed(rows, events) + tcp.finish_all(events)

    assert all(0 < len(m["octets"]) <= m["wire_size"] <= 65535 for m in got)
    assert len(tcp.streams) == 0
    assert tcp.streams.held == 0
    tcp.connections()


def test_dropping_it_with_octets_held_frees_them() -> None:
    tcp = Reassembler()
    lossy([], acked=False)
    talk = Talk()
    tcp.feed([*talk.opening(), talk.up(b"\1"), talk.up(b"late", offset=50)])
    assert tcp.streams.held > 0
    del tcp


# ---- real captures, as other readers see them ----

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = Path(os.environ.get("DNSCAP_SHARED", ROOT.parent / "shared")) / "captures"
DNS_PORTS = {53, 5353, 5355}
LINKS = {0: 4, 1: 14, 10: 21, 12: 0, 101: 0}

# Where tshark sees what is not there.  In dns_udp_tcp_random first segments come late; without out-of-order
# reassembly tshark takes them for messages of the wrong frames, with it (tshark-ooo) it agrees on each.
EXPLAINED = {("ns1__pktvisor/dns_udp_tcp_random.pcap", "tshark")}


def tcp_captures() -> list[Row]:
    manifest = CAPTURES / "MANIFEST.tsv"
    if not manifest.exists():
        return []
    with manifest.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [r for r in rows if any(t.startswith("tcp:") for t in r["transports"].split(","))]


def segments(path: Path) -> Iterator[Row]:
    """TCP segments on DNS ports, dissected here and by nobody else."""
    from scapy.utils import RawPcapNgReader, RawPcapReader

    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rb") as file:
        reader: Any = RawPcapReader(file)
        for number, (data, about) in enumerate(reader, 1):
            if isinstance(reader, RawPcapNgReader):
                link = about.linktype
                when = ((about.tshigh << 32) + about.tslow) * SECOND // about.tsresol
            else:
                link = reader.linktype
                when = about.sec * SECOND + about.usec * (1 if reader.nano else 1000)
            at = LINKS[link]
            if link == 1:
                while data[at - 2 : at] in (b"\x81\x00", b"\x88\xa8"):
                    at += 4
                if data[at - 2 : at] not in (b"\x08\x00", b"\x86\xdd"):
                    continue
            row = dissect(data[at:])
            if row is not None:
                yield row | {"time": when, "number": number}


def dissect(ip: bytes) -> Row | None:
    import socket

    if len(ip) >= 20 and ip[0] >> 4 == 4:
        head, total = (ip[0] & 15) * 4, struct.unpack_from("!H", ip, 2)[0]
        if ip[9] != 6 or struct.unpack_from("!H", ip, 6)[0] & 0x3FFF:
            return None
        src, dst = (socket.inet_ntop(socket.AF_INET, ip[i : i + 4]) for i in (12, 16))
    elif len(ip) >= 40 and ip[0] >> 4 == 6:
        head, total = 40, 40 + struct.unpack_from("!H", ip, 4)[0]
        if ip[6] != 6:
            return None
        src, dst = (socket.inet_ntop(socket.AF_INET6, ip[i : i + 16]) for i in (8, 24))
    else:
        return None
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", ip, head)
    if not {sport, dport} & DNS_PORTS:
        return None
    start = head + (offset >> 4) * 4
    return {
        "src": src,
        "dst": dst,
        "src_port": sport,
        "dst_port": dport,
        "seq": seq,
        "ack": ack,
        "flags": flags,
        "payload": ip[start:total],
        "wire_size": total - start,
    }


def witnessed(path: Path) -> Counter[tuple[int, int, int]]:
    """(frame, id, flags) of each message over TCP that the witness has."""
    csv.field_size_limit(1 << 30)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return Counter(
            (int(row["frame"]), int(row["id"], 16), int(row["flags"], 16))
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["transport"] == "tcp" and row["id"] and {int(row["sport"]), int(row["dport"])} & DNS_PORTS
        )


@pytest.mark.skipif(not CAPTURES.exists(), reason="the shared captures are not here")
@pytest.mark.parametrize("capture", tcp_captures(), ids=lambda row: row["file"].split("/")[-1])
def test_witnesses_of_real_captures_are_not_missed(capture: Row) -> None:
    tcp = Reassembler()
    got = tcp.feed(segments(CAPTURES / capture["file"])) + tcp.finish_all()
    whole = [m for m in got if len(m["octets"]) >= 12 and not m["cut"]]
    ours = Counter((m["number"], *struct.unpack_from("!HH", m["octets"])) for m in whole)

    witnesses = [
        CAPTURES / "oracle" / capture["oracle"] / f"{name}.tsv.gz" for name in ("dnspython", "tshark")
    ]
    with_late = witnesses[1].with_name("tshark-ooo.tsv.gz")
    if (capture["file"], "tshark") in EXPLAINED:
        witnesses[1] = with_late
    for witness in witnesses:
        missed = witnessed(witness) - ours
        assert not missed, f"{witness.name} has messages we lack: {sorted(missed)}"
    assert ours
