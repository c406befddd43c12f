"""Messages that dnspython and scapy build come out of a capture as they went in."""

from __future__ import annotations

import struct
from collections import Counter

import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dnscap
from tests.sampling import examples

from .built import messages
from .packets import fragments4, pcap, pcapng, stream4, udp4, udp6

QUICK = settings(max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
FLAGS = {
    "qr": 0x8000,
    "aa": 0x0400,
    "tc": 0x0200,
    "rd": 0x0100,
    "ra": 0x0080,
    "z": 0x40,
    "ad": 0x0020,
    "cd": 0x0010,
}


def assert_row_is(row: dict, message: dns.message.Message, wire: bytes) -> None:
    """A row of the messages table tells what dnspython built."""
    number, flags, *counts = struct.unpack("!6H", wire[:12])
    assert row["status"] == "ok"
    assert (row["id"], row["size"]) == (number, len(wire))
    assert [row[name] for name in ("qdcount", "ancount", "nscount", "arcount")] == counts
    assert {name: row[name] for name in FLAGS} == {name: bool(flags & bit) for name, bit in FLAGS.items()}
    assert dns.opcode.from_text(row["opcode"]) == message.opcode()
    assert dns.rcode.from_text(row["rcode"]) == message.rcode()
    if message.question:
        question = message.question[0]
        assert dns.name.from_text(row["qname"]) == question.name
        assert row["qname"] == row["qname"].lower()
        assert row["mixed_case"] == (question.name.to_wire() != question.name.canonicalize().to_wire())
        assert dns.rdatatype.from_text(row["qtype"]) == question.rdtype
        assert row["qclass"] == "IN"
    else:
        assert row["qname"] is None and row["qtype"] is None
    if message.edns >= 0:
        edns = row["edns_version"], row["edns_udp_size"], row["do"]
        assert edns == (message.edns, message.payload, bool(message.ednsflags & 0x8000))
        assert len(row["edns_options"]) == len(message.options)
    else:
        assert row["edns_version"] is None and row["edns_udp_size"] is None


def assert_records_are(rows: list[dict], message: dns.message.Message) -> None:
    """Rows of the records table hold the records that dnspython put in, by their octets."""
    told = Counter(
        (
            row["section"],
            dns.name.from_text(row["name"]),
            row["ttl"],
            dns.rdatatype.from_text(row["type"]),
            dns.rdata.from_text("IN", row["type"], row["rdata"], relativize=False).to_digestable(),
        )
        for row in rows
    )
    built = Counter(
        (section, rrset.name, rrset.ttl, rrset.rdtype, rdata.to_digestable())
        for section in ("answer", "authority", "additional")
        for rrset in getattr(message, section)
        for rdata in rrset
    )
    assert told == built


def tables(octets: bytes) -> tuple[list[dict], list[list[dict]]]:
    capture = dnscap.read(octets)
    records = capture.to_arrow("records").to_pylist()
    rows = capture.to_arrow("messages").to_pylist()
    assert not capture.quality.faults
    return rows, [[r for r in records if r["message"] == row["message"]] for row in rows]


@QUICK
@given(st.lists(messages(), min_size=1, max_size=5), st.sampled_from("<>"), st.booleans(), st.data())
def test_messages_of_dnspython_come_back(built, order, newer, data):
    wires = [message.to_wire(max_size=65535) for message in built]
    frames = []
    for number, wire in enumerate(wires):
        # ports and fragment numbers of its own: nothing here may pass for a repetition
        way = 3 if len(wire) > 1400 else data.draw(st.integers(0, 3))
        if way == 0:
            frames.append(udp4(wire))
        elif way == 1:
            frames.append(udp6(wire))
        elif way == 2:
            frames += fragments4(wire, 512, number)
        else:
            frames += stream4([wire], sport=50000 + number)
    rows, records = tables((pcapng if newer else pcap)(frames, order=order))
    assert len(rows) == len(built)
    for row, rrs, message, wire in zip(rows, records, built, wires, strict=True):
        assert_row_is(row, message, wire)
        assert_records_are(rrs, message)


@QUICK
@given(
    st.lists(messages(), min_size=1, max_size=4), st.lists(st.integers(0, 4000), max_size=12), st.randoms()
)
def test_a_stream_cut_anywhere_and_shuffled_gives_its_messages(built, cuts, chance):
    wires = [message.to_wire(max_size=65535) for message in built]
    first, *segments, last = stream4(wires, cuts)
    if len(segments) < 12:
        chance.shuffle(segments)
    rows, records = tables(pcap([first, *segments, last]))
    assert len(rows) == len(built)
    for row, rrs, message, wire in zip(rows, records, built, wires, strict=True):
        assert row["transport"] == "tcp"
        assert_row_is(row, message, wire)
        assert_records_are(rrs, message)


@pytest.mark.requires("scapy")
@QUICK
@given(
    st.integers(0, 65535),
    st.lists(
        st.sampled_from(["www.example.com", "mail.example.org", "x" * 63 + ".test"]), min_size=1, max_size=4
    ),
    st.booleans(),
)
def test_messages_of_scapy_come_back(number, hosts, compress):
    from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRRSRV, dns_compress

    message = DNS(
        id=number,
        qr=1,
        aa=1,
        qd=[DNSQR(qname=hosts[0])],
        an=[DNSRR(rrname=host, type="A", ttl=7, rdata="192.0.2.9") for host in hosts],
        ns=[DNSRR(rrname=host, type="NS", ttl=8, rdata="ns." + host) for host in hosts],
        ar=[
            DNSRRMX(rrname=hosts[0], exchange=hosts[-1], preference=3),
            DNSRRSRV(rrname=hosts[0], port=5, target=hosts[0]),
        ],
    )
    wire = bytes(dns_compress(message) if compress else message)
    rows, records = tables(pcap([udp4(wire)]))
    assert (rows[0]["status"], rows[0]["id"], rows[0]["qname"]) == ("ok", number, hosts[0] + ".")
    told = [(r["section"], r["name"], r["type"], r["rdata"]) for r in records[0]]
    assert told == [
        *(("answer", f"{host}.", "A", "192.0.2.9") for host in hosts),
        *(("authority", f"{host}.", "NS", f"ns.{host}.") for host in hosts),
        ("additional", f"{hosts[0]}.", "MX", f"3 {hosts[-1]}."),
        ("additional", f"{hosts[0]}.", "SRV", f"0 0 5 {hosts[0]}."),
    ]
